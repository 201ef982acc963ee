"""Convolutions of quantized images."""

from typing import Any

import numpy as np

from refquant import arguments, dtypes, kernels
from refquant._documentation import document
from refquant.errors import ArgumentError, ShapeError
from refquant.ops import checks
from refquant.ops.quantized.convolution_prepack import packed_convolution
from refquant.ops.quantized.matmul import quint8_input
from refquant.ops.quantized.packing import PackedConvolution
from refquant.tensors import QuantizedTensor

__all__ = ["check_image_rank", "conv2d", "conv2d_relu", "conv3d", "conv3d_relu", "run_convolution"]


_LETTERS = {1: "(N, C, L)", 2: "(N, C, H, W)", 3: "(N, C, D, H, W)"}


def check_image_rank(value: Any, dims: int) -> None:
    """Raise, as modules do, if a quantized tensor does not have the dimensions of images."""
    if isinstance(value, QuantizedTensor) and value.array.ndim != dims + 2:
        raise ArgumentError(
            argument="input",
            expected=f"of {dims + 2} dimensions, {_LETTERS[dims]}",
            got=f"shape {value.array.shape}",
        )


def _check_image(shape: tuple[int, ...], packed: PackedConvolution) -> None:
    dims = len(packed.stride)
    if len(shape) != dims + 2:
        raise ShapeError(
            argument="qx",
            expected=f"of {dims + 2} dimensions, {_LETTERS[dims]}",
            got=f"{len(shape)} dimensions, shape {shape}",
        )
    channels = packed.weight.array.shape[1] * packed.groups
    if shape[1] != channels:
        raise ShapeError(
            argument="qx",
            expected=f"of {channels} channels (groups={packed.groups}, weight of shape "
            f"{packed.weight.array.shape})",
            got=f"shape {shape}",
        )
    framed, sizes = [], []
    for d in range(dims):
        reach = packed.dilation[d] * (packed.weight.array.shape[d + 2] - 1) + 1
        framed.append(shape[d + 2] + 2 * packed.padding[d])
        sizes.append((framed[d] - reach) // packed.stride[d] + 1)
        if framed[d] < reach:
            raise ShapeError(
                argument="qx",
                expected=f"at least {reach} long with its padding along dimension {d + 2}, as the "
                "filter is",
                got=f"shape {shape} with padding {packed.padding}",
            )
    arguments.shape("the shape of qx with its padding", (*shape[:2], *framed))
    outputs = packed.weight.array.shape[0]
    arguments.shape("the shape of the output", (shape[0], outputs, *sizes))


def run_convolution(
    dims: int, qx, packed: PackedConvolution, scale, zero_point, relu: bool
) -> QuantizedTensor:
    """Check the arguments and compute a convolution."""
    packed = packed_convolution(packed, dims)
    packed.check_engine()
    x = quint8_input("qx", qx)
    scale = checks.scale_value("output_scale", scale)
    zero_point = checks.zero_point_value("output_zero_point", zero_point, dtypes.quint8)
    packed.check_multiplier(x.scale, scale)
    _check_image(x.array.shape, packed)
    images = np.ascontiguousarray(np.moveaxis(x.array, 1, -1))
    if dims == 2:
        images = images[:, None]
    quantizer = x.scale, x.zero_point
    output = scale, zero_point, zero_point if relu else 0, 255
    if packed.depthwise:
        q = kernels.convolve_depthwise(
            images, quantizer, packed.operand, packed.biases, packed.geometry, output,
            packed.border, packed.rules,
        )  # fmt: skip
    else:
        q = kernels.convolve(
            images, quantizer, packed.operand, packed.biases, packed.geometry, packed.groups,
            output, packed.border, packed.rules,
        )  # fmt: skip
    if dims == 2:
        q = q[:, 0]
    return QuantizedTensor._unchecked(np.moveaxis(q, -1, 1), dtypes.quint8, scale, zero_point)


def conv2d(
    qx: Any, weight: PackedConvolution, output_scale: float, output_zero_point: int
) -> QuantizedTensor:
    r"""Convolve images with packed filters, add the bias and requantize.

    .. math::
        y_{o,i,j} = b_o + \sum_{c,u,v} s_x (x_{c,\,iS+uD-P,\,jS+vD-P} - z_x)\,
        s_w (w_{o,c,u,v} - z_w), \qquad q = \mathrm{clip}(\mathrm{round}(y / s_y) + z_y)

    with stride S, dilation D and padding P; outside the image x is the zero point. The sum is
    exact; bias, multiplier and rounding are those of `linear`.

    %(operands_2)s

    Notes
    -----
    FBGEMM's kernels for some depthwise convolutions add pairs of products in 16 bits, which
    saturates if activations exceed 127; the sums here never do.

    Examples
    --------
    >>> import refquant
    >>> ops = refquant.ops.quantized
    >>> w = refquant.quantize_per_tensor(refquant.tensor([[[[1.0, -1.0]]]]), 0.1, 0,
    ...                                  refquant.qint8)
    >>> x = refquant.quantize_per_tensor(refquant.tensor([[[[3.0, 1.0, 4.0]]]]), 0.05, 0,
    ...                                  refquant.quint8)
    >>> packed = ops.conv2d_prepack(w, None, [1, 1], [0, 0], [1, 1], 1)
    >>> ops.conv2d(x, packed, 0.1, 100).dequantize()
    tensor([[[[ 2., -3.]]]])
    """
    return run_convolution(2, qx, weight, output_scale, output_zero_point, False)


def conv2d_relu(
    qx: Any, weight: PackedConvolution, output_scale: float, output_zero_point: int
) -> QuantizedTensor:
    """Compute `conv2d` and replace negative results by zero.

    %(operands_2)s

    %(ones_2)s
    >>> quantized.conv2d_relu(x, packed, 0.5, 0).int_repr().ravel()
    tensor([8, 8, 8, 8], dtype=refquant.uint8)
    """
    return run_convolution(2, qx, weight, output_scale, output_zero_point, True)


def conv3d(
    qx: Any, weight: PackedConvolution, output_scale: float, output_zero_point: int
) -> QuantizedTensor:
    """Convolve over depth, height and width; the formula is that of `conv2d`.

    %(operands_3)s

    %(ones_3)s
    >>> quantized.conv3d(x, packed, 0.5, 0).int_repr().ravel()
    tensor([16, 16, 16, 16, 16, 16, 16, 16], dtype=refquant.uint8)
    """
    return run_convolution(3, qx, weight, output_scale, output_zero_point, False)


def conv3d_relu(
    qx: Any, weight: PackedConvolution, output_scale: float, output_zero_point: int
) -> QuantizedTensor:
    """Compute `conv3d` and replace negative results by zero.

    %(operands_3)s

    %(ones_3)s
    >>> quantized.conv3d_relu(x, packed, 0.5, 0).int_repr().ravel()
    tensor([16, 16, 16, 16, 16, 16, 16, 16], dtype=refquant.uint8)
    """
    return run_convolution(3, qx, weight, output_scale, output_zero_point, True)


_OPERANDS = """
Parameters
----------
qx : QuantizedTensor, shape (batch, channels, {sizes})
    quint8, one scale, any memory format.
weight : PackedConvolution
    As `conv{dims}d_prepack` returns it.
output_scale : float
    Scale of the output.
output_zero_point : int
    Zero point of the output, 0..255.

Returns
-------
QuantizedTensor, shape (batch, outputs, {sizes})
    quint8, {memory_format}.

Raises
------
QuantizerError, DtypeError, ShapeError
    If `qx` does not fit.
EngineError
    If another engine packed the weight, or the engine has no such convolution or multiplier.
QuantizationParameterError
    If the quantizer of the output is not valid."""
_ONES = """
%(from_ops)s
>>> w = refquant.quantize_per_tensor(refquant.ones(1, 1{two}), 0.5, 0, refquant.qint8)
>>> packed = quantized.conv{dims}d_prepack(w, None, 1, 0, 1, 1)
>>> x = refquant.quantize_per_tensor(refquant.ones(1, 1{three}), 0.5, 0, refquant.quint8)"""
_SIZES = {
    2: {"sizes": "height, width", "memory_format": "channels_last"},
    3: {"sizes": "depth, height, width", "memory_format": "channels_last_3d"},
}
document(
    __name__,
    **{f"operands_{d}": _OPERANDS.format(dims=d, **words) for d, words in _SIZES.items()},
    **{f"ones_{d}": _ONES.format(dims=d, two=", 2" * d, three=", 3" * d) for d in _SIZES},
)
