"""The geometry of packed weights of convolutions, read out again."""

from typing import Any

from refquant._documentation import document
from refquant._environment import enclose
from refquant.ops.quantized.convolution_prepack import packed_convolution
from refquant.ops.quantized.packed_convolution import PackedConvolution

__all__ = [
    "conv2d_dilation",
    "conv2d_groups",
    "conv2d_output_padding",
    "conv2d_padding",
    "conv2d_stride",
    "conv2d_transpose",
    "conv2d_unpack_sizes",
    "conv3d_dilation",
    "conv3d_groups",
    "conv3d_output_padding",
    "conv3d_padding",
    "conv3d_stride",
    "conv3d_transpose",
    "conv_transpose2d_dilation",
    "conv_transpose2d_groups",
    "conv_transpose2d_output_padding",
    "conv_transpose2d_padding",
    "conv_transpose2d_stride",
    "conv_transpose2d_transpose",
    "conv_transpose3d_dilation",
    "conv_transpose3d_groups",
    "conv_transpose3d_output_padding",
    "conv_transpose3d_padding",
    "conv_transpose3d_stride",
    "conv_transpose3d_transpose",
]


def _of(dims: int, packed_weights: Any) -> PackedConvolution:
    return packed_convolution(packed_weights, dims, "packed_weights")


def conv2d_stride(packed_weights: PackedConvolution) -> list[int]:
    """Read the step of the filters out of a packed weight.

    %(numbers_2)s
    >>> quantized.conv2d_stride(packed)
    [2, 1]
    """
    return _of(2, packed_weights).stride()


def conv2d_padding(packed_weights: PackedConvolution) -> list[int]:
    """Read the width of the border out of a packed weight.

    %(numbers_2)s
    >>> quantized.conv2d_padding(packed)
    [1, 0]
    """
    return _of(2, packed_weights).padding()


def conv2d_output_padding(packed_weights: PackedConvolution) -> list[int]:
    """Read what is added behind, by transposed convolutions, out of a packed weight.

    %(numbers_2)s
    >>> quantized.conv2d_output_padding(packed)
    [0, 0]
    """
    return _of(2, packed_weights).output_padding()


def conv2d_dilation(packed_weights: PackedConvolution) -> list[int]:
    """Read the distance of the taps out of a packed weight.

    %(numbers_2)s
    >>> quantized.conv2d_dilation(packed)
    [1, 3]
    """
    return _of(2, packed_weights).dilation()


def conv2d_groups(packed_weights: PackedConvolution) -> int:
    """Read the number of groups out of a packed weight.

    %(number_2)s
    >>> quantized.conv2d_groups(packed)
    1
    """
    return _of(2, packed_weights).groups()


def conv2d_transpose(packed_weights: PackedConvolution) -> int:
    """Tell whether a packed weight is that of a transposed convolution: 1, otherwise 0.

    %(number_2)s
    >>> quantized.conv2d_transpose(packed)
    0
    """
    return int(_of(2, packed_weights).transpose())


def conv2d_unpack_sizes(packed_weights: PackedConvolution) -> tuple[Any, ...]:
    """Read shapes and geometry out of a packed weight.

    Parameters
    ----------
    packed_weights : PackedConvolution
        Of images or sequences.

    Returns
    -------
    weight : list of int
        Shape of the weight.
    bias : list of int or None
        Shape of the bias, if there is one.
    stride, padding, dilation : list of int
    groups : int

    %(packed_2)s
    >>> quantized.conv2d_unpack_sizes(packed)
    ([4, 3, 2, 2], None, [2, 1], [1, 0], [1, 3], 1)
    """
    packed = _of(2, packed_weights)
    bias = packed.kept_bias
    return (
        list(packed.kept_weight.array.shape),
        None if bias is None else list(bias.array.shape),
        packed.stride(),
        packed.padding(),
        packed.dilation(),
        packed.groups(),
    )


def conv3d_stride(packed_weights: PackedConvolution) -> list[int]:
    """Read the step of the filters out of a packed weight.

    %(numbers_3)s
    >>> quantized.conv3d_stride(packed)
    [2, 1, 1]
    """
    return _of(3, packed_weights).stride()


def conv3d_padding(packed_weights: PackedConvolution) -> list[int]:
    """Read the width of the border out of a packed weight.

    %(numbers_3)s
    >>> quantized.conv3d_padding(packed)
    [1, 0, 0]
    """
    return _of(3, packed_weights).padding()


def conv3d_output_padding(packed_weights: PackedConvolution) -> list[int]:
    """Read what is added behind, by transposed convolutions, out of a packed weight.

    %(numbers_3)s
    >>> quantized.conv3d_output_padding(packed)
    [0, 0, 0]
    """
    return _of(3, packed_weights).output_padding()


def conv3d_dilation(packed_weights: PackedConvolution) -> list[int]:
    """Read the distance of the taps out of a packed weight.

    %(numbers_3)s
    >>> quantized.conv3d_dilation(packed)
    [1, 3, 1]
    """
    return _of(3, packed_weights).dilation()


def conv3d_groups(packed_weights: PackedConvolution) -> int:
    """Read the number of groups out of a packed weight.

    %(number_3)s
    >>> quantized.conv3d_groups(packed)
    1
    """
    return _of(3, packed_weights).groups()


def conv3d_transpose(packed_weights: PackedConvolution) -> int:
    """Tell whether a packed weight is that of a transposed convolution: 1, otherwise 0.

    %(number_3)s
    >>> quantized.conv3d_transpose(packed)
    0
    """
    return int(_of(3, packed_weights).transpose())


# Both kinds of convolutions have packed weights of one type.
conv_transpose2d_dilation = conv2d_dilation
conv_transpose2d_groups = conv2d_groups
conv_transpose2d_output_padding = conv2d_output_padding
conv_transpose2d_padding = conv2d_padding
conv_transpose2d_stride = conv2d_stride
conv_transpose2d_transpose = conv2d_transpose
conv_transpose3d_dilation = conv3d_dilation
conv_transpose3d_groups = conv3d_groups
conv_transpose3d_output_padding = conv3d_output_padding
conv_transpose3d_padding = conv3d_padding
conv_transpose3d_stride = conv3d_stride
conv_transpose3d_transpose = conv3d_transpose


_READ = """
Parameters
----------
packed_weights : PackedConvolution
    Of a convolution or transposed convolution over {dims} dimensions.

Returns
-------
{returned}

%(packed_{dims})s"""
_PACKED = """
%(from_ops)s
>>> w = refquant.quantize_per_tensor(refquant.ones(4, 3{two}), 0.5, 0, refquant.qint8)
>>> packed = quantized.conv{dims}d_prepack(w, None, [2, 1{one}], [1, 0{none}], [1, 3{one}], 1)"""
_MORE = {2: {"one": "", "none": ""}, 3: {"one": ", 1", "none": ", 0"}}
document(
    __name__,
    **{f"numbers_{d}": _READ.format(dims=d, returned="list of int") for d in _MORE},
    **{f"number_{d}": _READ.format(dims=d, returned="int") for d in _MORE},
    **{f"packed_{d}": _PACKED.format(dims=d, two=", 2" * d, **more) for d, more in _MORE.items()},
)
enclose(__name__)
