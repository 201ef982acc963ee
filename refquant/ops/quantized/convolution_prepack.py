"""Packing the weights of convolutions, and copying them out again."""

from typing import Any

from refquant import engines
from refquant._documentation import document
from refquant.errors import ArgumentError, ArgumentTypeError, ShapeError
from refquant.ops import checks
from refquant.ops.quantized.packing import (
    PackedConvolution,
    check_bias,
    check_weight,
    copy_bias,
    copy_weight,
    geometry,
)
from refquant.tensors import QuantizedTensor, Tensor

__all__ = [
    "conv2d_prepack",
    "conv2d_unpack",
    "conv3d_prepack",
    "conv3d_unpack",
    "conv_prepack",
    "conv_unpack",
    "pack_convolution",
    "packed_convolution",
]


def pack_convolution(
    dims: int, weight, bias, stride, padding, dilation, groups
) -> PackedConvolution:
    """Check and pack a weight and bias, which stay unchanged as long as the packed weight lives."""
    if dims == 3:
        engines.require("conv3d")
    weight = check_weight(weight, dims + 2)
    outputs = weight.array.shape[0]
    if weight.array.size == 0:
        raise ShapeError(
            argument="weight",
            expected="of at least one output and one channel",
            got=f"shape {weight.array.shape}",
        )
    groups = checks.whole_number("groups", groups)
    if groups < 1 or outputs % groups:
        raise ArgumentError(
            argument="groups",
            expected=f"a positive divisor of {outputs}, the number of outputs",
            got=groups,
        )
    return PackedConvolution(
        weight, check_bias(bias, outputs), geometry("stride", stride, dims, 1),
        geometry("padding", padding, dims, 0),
        geometry("dilation", dilation, dims, 1), groups,
    )  # fmt: skip


def _prepack(dims, weight, bias, stride, padding, dilation, groups):
    packed = pack_convolution(dims, weight, bias, stride, padding, dilation, groups)
    packed.weight, packed.bias = copy_weight(packed.weight), copy_bias(packed.bias)
    return packed


def conv2d_prepack(
    weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> PackedConvolution:
    """Pack filters, bias and geometry of a convolution for the engine that is chosen.

    %(packing_2)s

    %(packed_2)s
    >>> quantized.conv2d_unpack(packed)[0].shape
    refquant.Size([1, 1, 2, 2])
    """
    return _prepack(2, weight, bias, stride, padding, dilation, groups)


def conv3d_prepack(
    weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> PackedConvolution:
    """Pack filters, bias and geometry of a convolution over depth, height and width.

    %(packing_3)s

    %(packed_3)s
    >>> quantized.conv3d_unpack(packed)[0].shape
    refquant.Size([1, 1, 2, 2, 2])
    """
    return _prepack(3, weight, bias, stride, padding, dilation, groups)


def packed_convolution(value: Any, dims: int) -> PackedConvolution:
    """Return the packed weight of a convolution over `dims` dimensions, or raise."""
    if isinstance(value, PackedConvolution) and len(value.stride) == dims:
        return value
    raise ArgumentTypeError(
        argument="weight",
        expected=f"a packed weight of conv{dims}d",
        got=type(value).__name__,
        hint=f"make it with refquant.ops.quantized.conv{dims}d_prepack(weight, bias, stride, "
        "padding, dilation, groups)",
    )


def conv2d_unpack(packed_weights: PackedConvolution) -> tuple[QuantizedTensor, Tensor | None]:
    """Copy weight and bias out of a packed weight.

    %(unpacking_2)s

    %(packed_2)s
    >>> weight, bias = quantized.conv2d_unpack(packed)
    >>> bias is None
    True
    """
    return packed_convolution(packed_weights, 2).unpack()


def conv3d_unpack(packed_weights: PackedConvolution) -> tuple[QuantizedTensor, Tensor | None]:
    """Copy weight and bias out of a packed weight.

    %(unpacking_3)s

    %(packed_3)s
    >>> weight, bias = quantized.conv3d_unpack(packed)
    >>> bias is None
    True
    """
    return packed_convolution(packed_weights, 3).unpack()


# The names of PyTorch 1.4 besides.
conv_prepack = conv2d_prepack


conv_unpack = conv2d_unpack


_PACKING = """
Parameters
----------
weight : QuantizedTensor, shape (outputs, channels // groups, {sizes})
    qint8, quantized per tensor or along axis 0; copied.
bias : Tensor, shape (outputs,), or None
    Bias in real units, float32; copied.
stride, padding, dilation : int or sequence of {dims} int
    Geometry along {sizes}.
groups : int
    Number of groups.

Returns
-------
PackedConvolution
    For `conv{dims}d` and `conv{dims}d_relu`.

Raises
------
DtypeError, ShapeError, QuantizerError, ArgumentError
    If weight, bias or geometry do not fit.
EngineError
    If the engine has no such convolution, or no weights per channel."""
_UNPACKING = """
Parameters
----------
packed_weights : PackedConvolution
    As `conv{dims}d_prepack` returns it.

Returns
-------
weight : QuantizedTensor, shape (outputs, channels // groups, {sizes})
bias : Tensor, shape (outputs,), or None"""
_PACKED = """
%(from_ops)s
>>> w = refquant.quantize_per_tensor(refquant.ones(1, 1{two}), 0.5, 0, refquant.qint8)
>>> packed = quantized.conv{dims}d_prepack(w, None, 1, 0, 1, 1)"""
document(
    __name__,
    **{
        f"{name}_{dims}": text.format(dims=dims, sizes=sizes, two=", 2" * dims)
        for name, text in (("packing", _PACKING), ("unpacking", _UNPACKING), ("packed", _PACKED))
        for dims, sizes in ((2, "height, width"), (3, "depth, height, width"))
    },
)
