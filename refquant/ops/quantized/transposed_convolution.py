"""Transposed convolutions of quantized images, and packing their weights."""

from typing import Any

from refquant import engines
from refquant._documentation import document
from refquant._environment import enclose
from refquant.ops.quantized.convolution import run_convolution
from refquant.ops.quantized.convolution_prepack import check_groups, unpacked, window
from refquant.ops.quantized.packed_convolution import PackedConvolution
from refquant.ops.quantized.packing import check_bias, check_weight
from refquant.tensors import QuantizedTensor, Tensor

__all__ = [
    "conv_transpose1d",
    "conv_transpose1d_prepack",
    "conv_transpose1d_unpack",
    "conv_transpose2d",
    "conv_transpose2d_prepack",
    "conv_transpose2d_unpack",
    "conv_transpose3d",
    "conv_transpose3d_prepack",
    "conv_transpose3d_unpack",
]


def _prepack(dims, weight, bias, stride, padding, output_padding, dilation, groups):
    if dims == 3:
        engines.require("conv3d")
        engines.require("conv_transpose3d")
    if getattr(weight, "axis", None) is not None:
        engines.require("transposed_channels", "with a weight quantized per channel")
    weight = check_weight(weight, dims + 2, axis=1)
    groups = check_groups(weight, groups, 0, "channels")
    if weight.axis is not None and groups > 1:
        engines.require("transposed_groups", f"with a weight per channel, groups={groups}")
    bias = check_bias(bias, weight.array.shape[1] * groups)
    made = window(dims, stride, padding, dilation, groups, output_padding, transposed=True)
    if any(made.output_padding):
        engines.require("output_padding", f"with output_padding={list(made.output_padding)}")
    packed = PackedConvolution(weight.unsqueeze(2) if dims == 1 else weight, bias, made)
    packed.keep_copies()
    return packed


def conv_transpose1d_prepack(
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    output_padding: Any,
    dilation: Any,
    groups: int,
) -> PackedConvolution:
    """Pack filters, bias and geometry of a transposed convolution of sequences.

    %(packing_1)s

    %(packed_1)s
    >>> quantized.conv_transpose1d_unpack(packed)[0].shape
    refquant.Size([1, 2, 2])
    """
    return _prepack(1, weight, bias, stride, padding, output_padding, dilation, groups)


def conv_transpose2d_prepack(
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    output_padding: Any,
    dilation: Any,
    groups: int,
) -> PackedConvolution:
    """Pack filters, bias and geometry of a transposed convolution of images.

    %(packing_2)s

    %(packed_2)s
    >>> quantized.conv_transpose2d_unpack(packed)[0].shape
    refquant.Size([1, 2, 2, 2])
    """
    return _prepack(2, weight, bias, stride, padding, output_padding, dilation, groups)


def conv_transpose3d_prepack(
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    output_padding: Any,
    dilation: Any,
    groups: int,
) -> PackedConvolution:
    """Pack filters, bias and geometry of a transposed convolution of volumes.

    %(packing_3)s

    %(packed_3)s
    >>> quantized.conv_transpose3d_unpack(packed)[0].shape
    refquant.Size([1, 2, 2, 2, 2])
    """
    return _prepack(3, weight, bias, stride, padding, output_padding, dilation, groups)


def conv_transpose1d_unpack(
    packed_weights: PackedConvolution,
) -> tuple[QuantizedTensor, Tensor | None]:
    """Copy weight and bias of a transposed convolution of sequences out of a packed weight.

    %(unpacking_1)s

    %(packed_1)s
    >>> quantized.conv_transpose1d_unpack(packed)[0].dequantize().ravel()
    tensor([1., 1., 1., 1.])
    """
    return unpacked(1, packed_weights, transposed=True)


def conv_transpose2d_unpack(
    packed_weights: PackedConvolution,
) -> tuple[QuantizedTensor, Tensor | None]:
    """Copy weight and bias of a transposed convolution of images out of a packed weight.

    %(unpacking_2)s

    %(packed_2)s
    >>> quantized.conv_transpose2d_unpack(packed)[0].dequantize().sum()
    tensor(8.)
    """
    return unpacked(2, packed_weights, transposed=True)


def conv_transpose3d_unpack(
    packed_weights: PackedConvolution,
) -> tuple[QuantizedTensor, Tensor | None]:
    """Copy weight and bias of a transposed convolution of volumes out of a packed weight.

    %(unpacking_3)s

    %(packed_3)s
    >>> quantized.conv_transpose3d_unpack(packed)[0].dequantize().sum()
    tensor(16.)
    """
    return unpacked(3, packed_weights, transposed=True)


def conv_transpose1d(
    qx: Any, packed_weight: PackedConvolution, output_scale: float, output_zero_point: int
) -> QuantizedTensor:
    """Convolve sequences by the transposed map; the formula is that of `conv_transpose2d`.

    %(operands_1)s

    %(packed_1)s
    >>> x = refquant.quantize_per_tensor(refquant.ones(1, 1, 2), 0.5, 0, refquant.quint8)
    >>> quantized.conv_transpose1d(x, packed, 0.5, 0).int_repr()[0]
    tensor([[2, 2, 2, 2],
            [2, 2, 2, 2]], dtype=refquant.uint8)
    """
    return run_convolution(
        1, qx, packed_weight, output_scale, output_zero_point, False, transposed=True
    )


def conv_transpose2d(
    qx: Any, packed_weight: PackedConvolution, output_scale: float, output_zero_point: int
) -> QuantizedTensor:
    r"""Convolve images by the transposed map, add the bias and requantize.

    .. math::
        y_{o,\,iS+uD-P,\,jS+vD-P} = b_o + \sum s_x (x_{c,i,j} - z_x)\, s_w (w_{c,o,u,v} - z_w),
        \qquad q = \mathrm{clip}(\mathrm{round}(y / s_y) + z_y)

    with stride S, dilation D and padding P, over all channels, pixels and taps that lead to the
    same place. The sum is exact; bias, multiplier and rounding are those of `linear`.

    %(operands_2)s

    %(packed_2)s
    >>> x = refquant.quantize_per_tensor(refquant.ones(1, 1, 1, 2), 0.5, 0, refquant.quint8)
    >>> quantized.conv_transpose2d(x, packed, 0.5, 0).int_repr()[0, 0]
    tensor([[2, 2, 2, 2],
            [2, 2, 2, 2]], dtype=refquant.uint8)
    """
    return run_convolution(
        2, qx, packed_weight, output_scale, output_zero_point, False, transposed=True
    )


def conv_transpose3d(
    qx: Any, packed_weight: PackedConvolution, output_scale: float, output_zero_point: int
) -> QuantizedTensor:
    """Convolve volumes by the transposed map; the formula is that of `conv_transpose2d`.

    %(operands_3)s

    %(packed_3)s
    >>> x = refquant.quantize_per_tensor(refquant.ones(1, 1, 1, 1, 1), 0.5, 0, refquant.quint8)
    >>> quantized.conv_transpose3d(x, packed, 0.5, 0).int_repr()[0, 0].ravel()
    tensor([2, 2, 2, 2, 2, 2, 2, 2], dtype=refquant.uint8)
    """
    return run_convolution(
        3, qx, packed_weight, output_scale, output_zero_point, False, transposed=True
    )


_PACKING = """
Parameters
----------
weight : QuantizedTensor, shape (channels, outputs // groups, {sizes})
    qint8, quantized per tensor; along axis 1 where the engine has that. Copied.
bias : Tensor, shape (outputs,), or None
    Bias in real units, float32; copied.
stride, padding, output_padding, dilation : int or sequence of {dims} int
    Geometry along {sizes}: the step from filter to filter, what is cut off at each border, what is
    added behind, and the distance of the taps.
groups : int
    Number of groups.

Returns
-------
PackedConvolution
    For `conv_transpose{dims}d`.

Raises
------
DtypeError, ShapeError, QuantizerError, ArgumentError
    If weight, bias or geometry do not fit.
EngineError
    If the engine has no such convolution."""
_UNPACKING = """
Parameters
----------
packed_weights : PackedConvolution
    As `conv_transpose{dims}d_prepack` returns it.

Returns
-------
weight : QuantizedTensor, shape (channels, outputs // groups, {sizes})
bias : Tensor, shape (outputs,), or None"""
_OPERANDS = """
Parameters
----------
qx : QuantizedTensor, shape (batch, channels, {sizes})
    quint8, one scale, any memory format.
packed_weight : PackedConvolution
    As `conv_transpose{dims}d_prepack` returns it.
output_scale, output_zero_point : float, int
    Quantizer of the output.

Returns
-------
QuantizedTensor, shape (batch, outputs, {sizes})
    quint8, channels innermost in memory (channels_last). A size is that of the input less 1 times
    `stride`, plus ``dilation * (kernel - 1)``, less twice the `padding`, plus `output_padding`,
    plus 1.

Raises
------
QuantizerError, DtypeError, ShapeError, EngineError, QuantizationParameterError
    As `refquant.ops.quantized.conv{dims}d`."""
_PACKED = """
%(from_ops)s
>>> w = refquant.quantize_per_tensor(refquant.ones(1, 2{two}), 0.5, 0, refquant.qint8)
>>> packed = quantized.conv_transpose{dims}d_prepack(w, None, 2, 0, 0, 1, 1)"""
_SIZES = {1: "length", 2: "height, width", 3: "depth, height, width"}
_TEXTS = {
    "packing": _PACKING,
    "unpacking": _UNPACKING,
    "operands": _OPERANDS,
    "packed": _PACKED,
}
document(
    __name__,
    **{
        f"{name}_{dims}": text.format(dims=dims, sizes=sizes, two=", 2" * dims)
        for name, text in _TEXTS.items()
        for dims, sizes in _SIZES.items()
    },
)
enclose(__name__)
