"""Padding of quantized tensors; the parameters of the result are those of the input."""

from typing import Any

from refquant import arguments, dtypes
from refquant._documentation import document
from refquant._environment import enclose
from refquant._operation import operation_name
from refquant.errors import NotSupportedError
from refquant.ops import checks, layout
from refquant.ops.floating.padding import framed, mirrored, padding_pairs
from refquant.ops.quantized.affine import quantize_array
from refquant.ops.registered import operation
from refquant.tensors import QuantizedTensor

__all__ = ["pad"]


@operation()
def pad(
    input: Any, pad: Any, mode: str = "constant", value: float | None = None
) -> QuantizedTensor:
    """Pad a quantized tensor with a real number, or with elements of its own.

    %(per_tensor)s
    pad : sequence of int
        Sizes before and after, beginning with the last dimension; negative ones cut off.
    mode : {'constant', 'reflect'}
        What the border holds: a number, or the elements mirrored at the last one, for the last
        one or two dimensions.
    value : float, optional
        The number, 0 if not given; quantized as `refquant.quantize_per_tensor` does.

    Returns
    -------
    QuantizedTensor
        With the parameters of `input`. In its memory format if a constant makes it larger, else
        row-major.

    %(unless_per_tensor)s
    NotSupportedError
        If the mode is another.
    OperationError
        If the sizes do not fit.

    Notes
    -----
    Source: ATen ``constant_pad_nd`` and ``reflection_pad1d``, ``reflection_pad2d`` of quantized
    tensors.

    %(one_to_two)s
    >>> refquant.nn.functional.pad(x, (1, 0)).int_repr()
    tensor([ 8, 10, 12], dtype=refquant.uint8)
    """
    q = checks.quantized_per_tensor("input", input)
    pairs = padding_pairs(pad, mode, q.array.ndim)
    if mode not in ("constant", "reflect") or (mode == "reflect" and len(pad) > 4):
        raise NotSupportedError(
            f"{operation_name()} of a quantized tensor",
            argument="mode",
            expected="'constant', or 'reflect' for one or two dimensions",
            got=arguments.describe(mode),
            hint="call .dequantize() first",
        )
    if mode == "reflect":
        return q.like(mirrored(q, pairs, mode, value).array)
    number = 0.0 if value is None else arguments.real("value", value)
    real = arguments.numbers("value", [number], "float32")
    border = quantize_array(real, q.scale, q.zero_point, q.dtype)[0]
    padded = framed(q.array, pairs, border)
    grows = any(max(pair) > 0 for pair in pairs)
    memory_format = layout.format_of(q.array) if grows else dtypes.contiguous_format
    return q.like(layout.to_format(padded, memory_format))


document(__name__)
enclose(__name__)
