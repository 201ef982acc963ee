"""Packing the weights of convolutions, and copying them out again."""

from typing import Any

from refquant import engines
from refquant._documentation import document
from refquant._environment import enclose
from refquant.errors import ArgumentError, ArgumentTypeError, ShapeError
from refquant.ops import checks
from refquant.ops.quantized.packed_convolution import PackedConvolution, Window, geometry
from refquant.ops.quantized.packing import check_bias, check_weight
from refquant.tensors import QuantizedTensor, Tensor

__all__ = [
    "conv1d_prepack",
    "conv1d_unpack",
    "conv2d_prepack",
    "conv2d_unpack",
    "conv3d_prepack",
    "conv3d_unpack",
    "conv_prepack",
    "conv_unpack",
    "pack_convolution",
    "packed_convolution",
    "unpacked",
]


def check_groups(weight: QuantizedTensor, groups: Any, axis: int, parts: str) -> int:
    """Return the number of groups of a weight that is not empty, or raise."""
    if weight.array.size == 0:
        raise ShapeError(
            argument="weight",
            expected="of at least one output and one channel",
            got=f"shape {weight.array.shape}",
        )
    groups, count = checks.whole_number("groups", groups), weight.array.shape[axis]
    if groups < 1 or count % groups:
        raise ArgumentError(
            argument="groups",
            expected=f"a positive divisor of {count}, the number of {parts}",
            got=groups,
        )
    return groups


def window(
    dims: int, stride, padding, dilation, groups: int, output_padding: Any = 0, transposed=False
) -> Window:
    """Check a geometry; that of a sequence becomes that of an image of height 1."""
    steps = geometry("stride", stride, dims, 1)
    borders = geometry("padding", padding, dims, 0)
    distances = geometry("dilation", dilation, dims, 1)
    behind = geometry("output_padding", output_padding, dims, 0)
    if dims == 1:
        steps, borders, distances, behind = (
            (1, *steps),
            (0, *borders),
            (1, *distances),
            (0, *behind),
        )
    return Window(steps, borders, distances, groups, behind, transposed)


def pack_convolution(
    dims: int, weight, bias, stride, padding, dilation, groups
) -> PackedConvolution:
    """Check and pack a weight and bias, which stay unchanged as long as the packed weight lives."""
    if dims == 3:
        engines.require("conv3d")
    weight = check_weight(weight, dims + 2)
    groups = check_groups(weight, groups, 0, "outputs")
    bias = check_bias(bias, weight.array.shape[0])
    made = window(dims, stride, padding, dilation, groups)
    return PackedConvolution(weight.unsqueeze(2) if dims == 1 else weight, bias, made)


def _prepack(dims, weight, bias, stride, padding, dilation, groups):
    packed = pack_convolution(dims, weight, bias, stride, padding, dilation, groups)
    packed.keep_copies()
    return packed


def conv1d_prepack(
    weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> PackedConvolution:
    """Pack filters, bias and geometry of a convolution of sequences.

    The packed weight is that of images of height 1, which `conv2d` takes, too.

    %(packing_1)s

    %(packed_1)s
    >>> quantized.conv1d_unpack(packed)[0].shape, quantized.conv2d_stride(packed)
    (refquant.Size([1, 1, 2]), [1, 1])
    """
    return _prepack(1, weight, bias, stride, padding, dilation, groups)


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


def packed_convolution(
    value: Any, dims: int, argument: str = "packed_weight", transposed: bool = False
) -> PackedConvolution:
    """Return the packed weight of a convolution over `dims` dimensions, or raise.

    That of a sequence is one of an image. What names a kind of convolution takes the packed weights
    of the other kind, too, and computes what they are packed for.
    """
    if isinstance(value, PackedConvolution) and len(value.window.stride) == max(dims, 2):
        return value
    name, between = (f"conv_transpose{dims}d", "output_padding, ") if transposed else ("", "")
    name = name or f"conv{dims}d"
    raise ArgumentTypeError(
        argument=argument,
        expected=f"a packed weight of {name}",
        got=type(value).__name__,
        hint=f"make it with refquant.ops.quantized.{name}_prepack(weight, bias, stride, "
        f"padding, {between}dilation, groups)",
    )


def unpacked(
    dims: int, packed_weights: Any, transposed: bool = False
) -> tuple[QuantizedTensor, Tensor | None]:
    """Copy weight and bias out of a packed weight; the weight of a sequence loses its height."""
    weight, bias = packed_convolution(packed_weights, dims, "packed_weights", transposed).unpack()
    return weight.squeeze(2) if dims == 1 else weight, bias


def conv1d_unpack(packed_weights: PackedConvolution) -> tuple[QuantizedTensor, Tensor | None]:
    """Copy weight and bias out of a packed weight.

    %(unpacking_1)s

    %(packed_1)s
    >>> weight, bias = quantized.conv1d_unpack(packed)
    >>> weight.dequantize(), bias
    (tensor([[[1., 1.]]]), None)
    """
    return unpacked(1, packed_weights)


def conv2d_unpack(packed_weights: PackedConvolution) -> tuple[QuantizedTensor, Tensor | None]:
    """Copy weight and bias out of a packed weight.

    %(unpacking_2)s

    %(packed_2)s
    >>> weight, bias = quantized.conv2d_unpack(packed)
    >>> bias is None
    True
    """
    return unpacked(2, packed_weights)


def conv3d_unpack(packed_weights: PackedConvolution) -> tuple[QuantizedTensor, Tensor | None]:
    """Copy weight and bias out of a packed weight.

    %(unpacking_3)s

    %(packed_3)s
    >>> weight, bias = quantized.conv3d_unpack(packed)
    >>> bias is None
    True
    """
    return unpacked(3, packed_weights)


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
_SIZES = {1: "length", 2: "height, width", 3: "depth, height, width"}
document(
    __name__,
    **{
        f"{name}_{dims}": text.format(dims=dims, sizes=sizes, two=", 2" * dims)
        for name, text in (("packing", _PACKING), ("unpacking", _UNPACKING), ("packed", _PACKED))
        for dims, sizes in _SIZES.items()
    },
)
enclose(__name__)
