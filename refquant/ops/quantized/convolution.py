"""Convolutions of quantized images."""

from typing import Any

import numpy as np

from refquant import dtypes, engines, kernels
from refquant._documentation import document
from refquant._environment import enclose
from refquant.errors import ArgumentError, ArgumentTypeError, ShapeError
from refquant.ops import checks, layout
from refquant.ops.quantized.convolution_prepack import packed_convolution
from refquant.ops.quantized.linear_layers import AFTER, quint8_input
from refquant.ops.quantized.packed_convolution import LETTERS, PackedConvolution, geometry
from refquant.reference.operands import PostOps
from refquant.tensors import QuantizedTensor, Tensor

__all__ = [
    "check_image_rank",
    "conv1d",
    "conv1d_relu",
    "conv2d",
    "conv2d_relu",
    "conv3d",
    "conv3d_relu",
    "run_convolution",
]


def check_image_rank(value: Any, dims: int) -> None:
    """Raise, as modules do, if a tensor does not have the dimensions of images."""
    if isinstance(value, Tensor) and value.array.ndim != dims + 2:
        raise ArgumentError(
            argument="input",
            expected=f"of {dims + 2} dimensions, {LETTERS[dims]}",
            got=f"shape {value.array.shape}",
        )


def _addition(addend: QuantizedTensor, shape: tuple[int, ...], post: PostOps) -> PostOps:
    """Lay out what is added to a result of a shape, or raise."""
    if addend.array.shape != shape:
        raise ShapeError(
            argument="qaccum",
            expected=f"of shape {shape}, as the result",
            got=f"shape {addend.array.shape}",
        )
    array = layout.with_channels_last(addend.array)
    array = array if array.ndim == 5 else array[:, None]
    array = np.ascontiguousarray(array)
    return post._replace(addend=array, scale=addend.scale, zero_point=addend.zero_point)


def _images(
    packed: PackedConvolution, x: np.ndarray, zero_point: int, sizes: tuple[int, ...]
) -> np.ndarray:
    """Lay out images channels last, with depth, as the filters meet them."""
    window = packed.window
    images = layout.with_channels_last(x)
    if x.size and x.flags.c_contiguous and not images.flags.c_contiguous:
        images = kernels.interleave(x.reshape(*x.shape[:2], -1)).reshape(images.shape)
    images = np.ascontiguousarray(images)
    images = images if len(sizes) == 3 else images[:, None]
    if not window.transposed:
        return images
    kernel, dilation = packed.geometry.kernel, packed.geometry.dilation
    reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    deep = len(sizes) == 3
    step, padding = window.stride, window.padding
    step, padding, sizes = (
        (step, padding, sizes) if deep else ((1, *step), (0, *padding), (1, *sizes))
    )
    before = tuple(r - p for r, p in zip(reach, padding, strict=True))
    extents = tuple(n + r for n, r in zip(sizes, reach, strict=True))
    return kernels.spread(images, zero_point, step, before, extents)


def convolve_packed(
    packed: PackedConvolution,
    x: QuantizedTensor,
    scale: float,
    zero_point: int,
    relu: bool,
    addend: QuantizedTensor | None = None,
) -> QuantizedTensor:
    """Compute a convolution or transposed convolution; only image and addend are checked."""
    packed.check_multiplier(x.scale, scale)
    if relu and packed.window.transposed:
        engines.require("transposed_relu")
    sizes = packed.check_image(x.array.shape)
    images = _images(packed, x.array, x.zero_point, sizes)
    rules, post = packed.rules_of(sizes), AFTER["relu" if relu else ""]
    if addend is not None:
        post = _addition(addend, (x.array.shape[0], len(packed.scales), *sizes), post)
    quantizer = x.scale, x.zero_point
    output = scale, zero_point, zero_point if relu else 0, 255
    if packed.depthwise:
        q = kernels.convolve_depthwise(
            images, quantizer, packed.operand, packed.biases, packed.geometry, output,
            rules, post,
        )  # fmt: skip
    else:
        q = kernels.convolve(
            images, quantizer, packed.operand, packed.biases, packed.geometry,
            packed.window.groups, output, rules, post,
        )  # fmt: skip
    if len(packed.window.stride) == 2:
        q = q[:, 0]
    q = layout.with_channels_second(q)
    return QuantizedTensor._unchecked(q, dtypes.quint8, scale, zero_point)


def run_convolution(
    dims: int, qx, packed: PackedConvolution, scale, zero_point, relu: bool, transposed=False
) -> QuantizedTensor:
    """Check the arguments and compute a convolution; a sequence is an image of height 1."""
    packed = packed_convolution(packed, dims, transposed=transposed)
    packed.check_engine()
    x = quint8_input("qx", qx)
    scale = checks.scale_value("output_scale", scale)
    zero_point = checks.zero_point_value("output_zero_point", zero_point, dtypes.quint8)
    if dims > 1:
        return convolve_packed(packed, x, scale, zero_point, relu)
    x = as_image(x)
    return convolve_packed(packed, x, scale, zero_point, relu).squeeze(2)


def as_image(x: Any) -> Any:
    """View sequences as images of height 1, or raise."""
    if x.array.ndim != 3:
        raise ShapeError(
            argument="qx",
            expected=f"of 3 dimensions, {LETTERS[1]}",
            got=f"{x.array.ndim} dimensions, shape {x.array.shape}",
        )
    return x.unsqueeze(2)


def _run(dims: int, qx, packed, given: tuple, relu: bool) -> QuantizedTensor:
    """Run a convolution, called with the quantizer of the output, or as in PyTorch 1.4."""
    if len(given) == 6:
        packed = packed_convolution(packed, dims)
        *parts, groups, scale, zero_point = given
        window = packed.window
        names = ("stride", "padding", "dilation")
        for name, value, least in zip(names, parts, (1, 0, 1), strict=True):
            _check_packed(name, geometry(name, value, dims, least), getattr(window, name))
        _check_packed("groups", checks.whole_number("groups", groups), window.groups)
        given = scale, zero_point
    elif len(given) != 2:
        raise ArgumentTypeError(
            argument="the arguments",
            expected="(qx, packed_weight, output_scale, output_zero_point), or stride, padding, "
            "dilation and groups before the last two, as in PyTorch 1.4",
            got=f"{2 + len(given)} arguments",
        )
    return run_convolution(dims, qx, packed, *given, relu)


def _check_packed(name: str, given: Any, packed: Any) -> None:
    if given != packed:
        raise ArgumentError(
            argument=name,
            expected=f"{packed}, with which the weight was packed",
            got=given,
            hint="pack the weight again with the geometry that is meant",
        )


def conv1d(
    qx: Any, packed_weight: PackedConvolution, output_scale: float, output_zero_point: int
) -> QuantizedTensor:
    """Convolve sequences; the formula is that of `conv2d` for images of height 1.

    %(operands_1)s

    %(ones_1)s
    >>> quantized.conv1d(x, packed, 0.5, 0).int_repr().ravel()
    tensor([4, 4], dtype=refquant.uint8)
    """
    return run_convolution(1, qx, packed_weight, output_scale, output_zero_point, False)


def conv1d_relu(
    qx: Any, packed_weight: PackedConvolution, output_scale: float, output_zero_point: int
) -> QuantizedTensor:
    """Compute `conv1d` and replace negative results by zero.

    %(operands_1)s

    %(ones_1)s
    >>> quantized.conv1d_relu(x, packed, 0.5, 0).int_repr().ravel()
    tensor([4, 4], dtype=refquant.uint8)
    """
    return run_convolution(1, qx, packed_weight, output_scale, output_zero_point, True)


def conv2d(
    qx: Any,
    packed_weight: PackedConvolution,
    output_scale: float,
    output_zero_point: int,
    *release_1_4: Any,
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
    return _run(2, qx, packed_weight, (output_scale, output_zero_point, *release_1_4), False)


def conv2d_relu(
    qx: Any,
    packed_weight: PackedConvolution,
    output_scale: float,
    output_zero_point: int,
    *release_1_4: Any,
) -> QuantizedTensor:
    """Compute `conv2d` and replace negative results by zero.

    %(operands_2)s

    %(ones_2)s
    >>> quantized.conv2d_relu(x, packed, 0.5, 0).int_repr().ravel()
    tensor([8, 8, 8, 8], dtype=refquant.uint8)
    """
    return _run(2, qx, packed_weight, (output_scale, output_zero_point, *release_1_4), True)


def conv3d(
    qx: Any,
    packed_weight: PackedConvolution,
    output_scale: float,
    output_zero_point: int,
    *release_1_4: Any,
) -> QuantizedTensor:
    """Convolve over depth, height and width; the formula is that of `conv2d`.

    %(operands_3)s

    %(ones_3)s
    >>> quantized.conv3d(x, packed, 0.5, 0).int_repr().ravel()
    tensor([16, 16, 16, 16, 16, 16, 16, 16], dtype=refquant.uint8)
    """
    return _run(3, qx, packed_weight, (output_scale, output_zero_point, *release_1_4), False)


def conv3d_relu(
    qx: Any,
    packed_weight: PackedConvolution,
    output_scale: float,
    output_zero_point: int,
    *release_1_4: Any,
) -> QuantizedTensor:
    """Compute `conv3d` and replace negative results by zero.

    %(operands_3)s

    %(ones_3)s
    >>> quantized.conv3d_relu(x, packed, 0.5, 0).int_repr().ravel()
    tensor([16, 16, 16, 16, 16, 16, 16, 16], dtype=refquant.uint8)
    """
    return _run(3, qx, packed_weight, (output_scale, output_zero_point, *release_1_4), True)


_OPERANDS = """
Parameters
----------
qx : QuantizedTensor, shape (batch, channels, {sizes})
    quint8, one scale, any memory format.
packed_weight : PackedConvolution
    As `conv{dims}d_prepack` returns it.
output_scale : float
    Scale of the output.
output_zero_point : int
    Zero point of the output, 0..255.{others}

Returns
-------
QuantizedTensor, shape (batch, outputs, {sizes})
    quint8, {memory_format}.

Raises
------
QuantizerError, DtypeError, ShapeError
    If `qx` does not fit.{geometry}
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
    1: {
        "sizes": "length",
        "memory_format": "channels innermost: the memory format of an image of height 1",
    },
    2: {"sizes": "height, width", "memory_format": "channels_last"},
    3: {"sizes": "depth, height, width", "memory_format": "channels_last_3d"},
}
_OTHERS = """
*release_1_4
    The call of PyTorch 1.4 is understood, which has `stride`, `padding`, `dilation` and `groups`,
    as they were packed, before the quantizer of the output."""
_GEOMETRY = """
ArgumentError
    If the geometry is not that of `packed_weight`."""
document(
    __name__,
    **{
        f"operands_{d}": _OPERANDS.format(
            dims=d, others=_OTHERS * (d > 1), geometry=_GEOMETRY * (d > 1), **words
        )
        for d, words in _SIZES.items()
    },
    **{f"ones_{d}": _ONES.format(dims=d, two=", 2" * d, three=", 3" * d) for d in _SIZES},
)
enclose(__name__)
