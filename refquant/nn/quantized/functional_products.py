"""Linear layer and convolutions as functions, whose weights are packed at every call."""

from typing import Any

from refquant import dtypes
from refquant._documentation import document
from refquant._environment import enclose
from refquant.nn.convolution import check_padding_mode
from refquant.ops import checks
from refquant.ops.quantized.convolution import check_image_rank, run_convolution
from refquant.ops.quantized.convolution_prepack import pack_convolution
from refquant.ops.quantized.linear_layers import pack_linear, quint8_input, run_linear
from refquant.tensors import QuantizedTensor

__all__ = ["conv1d", "conv2d", "conv3d", "linear"]


def linear(
    input: Any,
    weight: Any,
    bias: Any = None,
    scale: float | None = None,
    zero_point: int | None = None,
) -> QuantizedTensor:
    """Multiply by a quantized weight, add a bias and requantize, :math:`y = x w^T + b`.

    Parameters
    ----------
    input : QuantizedTensor, shape (..., in_features)
        quint8, at least 2 dimensions.
    weight : QuantizedTensor, shape (out_features, in_features)
        qint8, per tensor or along axis 0.
    bias : Tensor, shape (out_features,), optional
        float32, in real units.
    scale, zero_point : float, int, optional
        Quantizer of the output; that of the input where they are None.

    Returns
    -------
    QuantizedTensor, shape (..., out_features)
        quint8, row-major.

    Raises
    ------
    QuantizerError, DtypeError, ShapeError, EngineError, QuantizationParameterError
        As `refquant.ops.quantized.linear`.

    %(from_functional)s
    >>> x = refquant.quantize_per_tensor(refquant.tensor([[3.0, 1.0]]), 0.05, 0, refquant.quint8)
    >>> w = refquant.quantize_per_tensor(refquant.tensor([[1.0, -0.5]]), 0.1, 0, refquant.qint8)
    >>> F.linear(x, w).dequantize()
    tensor([[2.5000]])
    """
    x = quint8_input("input", input)
    packed = pack_linear(weight, bias)
    out_scale = x.scale if scale is None else scale
    out_zero_point = x.zero_point if zero_point is None else zero_point
    return run_linear(x, packed, out_scale, out_zero_point)


def _convolve(
    dims, input, weight, bias, stride, padding, dilation, groups, padding_mode, scale, zero_point
):
    check_padding_mode(padding_mode)
    checks.quantized_tensor("input", input)
    check_image_rank(input, dims)
    packed = pack_convolution(dims, weight, bias, stride, padding, dilation, groups)
    return run_convolution(dims, input, packed, scale, zero_point, False)


def conv1d(
    input: Any,
    weight: Any,
    bias: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    scale: float = 1.0,
    zero_point: int = 0,
    dtype: dtypes.dtype = dtypes.quint8,
) -> QuantizedTensor:
    """Convolve quantized sequences; as `conv2d`, with one dimension.

    %(operands_1)s

    %(from_functional)s
    >>> x = refquant.quantize_per_tensor(refquant.ones(1, 1, 3), 0.5, 0, refquant.quint8)
    >>> w = refquant.quantize_per_tensor(refquant.ones(1, 1, 2), 0.5, 0, refquant.qint8)
    >>> F.conv1d(x, w, None, scale=0.5, zero_point=0).ravel().dequantize()
    tensor([2., 2.])
    """
    return _convolve(
        1, input, weight, bias, stride, padding, dilation, groups, padding_mode, scale, zero_point
    )


def conv2d(
    input: Any,
    weight: Any,
    bias: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    scale: float = 1.0,
    zero_point: int = 0,
    dtype: dtypes.dtype = dtypes.quint8,
) -> QuantizedTensor:
    """Convolve quantized images.

    %(operands_2)s

    %(from_functional)s
    >>> x = refquant.quantize_per_tensor(refquant.randn(1, 4, 5, 5), 0.1, 0, refquant.quint8)
    >>> w = refquant.quantize_per_tensor(refquant.randn(8, 4, 3, 3), 0.1, 0, refquant.qint8)
    >>> F.conv2d(x, w, refquant.randn(8), padding=1, scale=0.5, zero_point=3).size()
    refquant.Size([1, 8, 5, 5])
    """
    return _convolve(
        2, input, weight, bias, stride, padding, dilation, groups, padding_mode, scale, zero_point
    )


def conv3d(
    input: Any,
    weight: Any,
    bias: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
    scale: float = 1.0,
    zero_point: int = 0,
    dtype: dtypes.dtype = dtypes.quint8,
) -> QuantizedTensor:
    """Convolve quantized volumes; as `conv2d`, with three dimensions.

    %(operands_3)s

    %(from_functional)s
    >>> x = refquant.quantize_per_tensor(refquant.ones(1, 1, 2, 2, 2), 0.5, 0, refquant.quint8)
    >>> w = refquant.quantize_per_tensor(refquant.ones(1, 1, 2, 2, 2), 0.5, 0, refquant.qint8)
    >>> F.conv3d(x, w, None, scale=0.5, zero_point=0).item()
    8.0
    """
    return _convolve(
        3, input, weight, bias, stride, padding, dilation, groups, padding_mode, scale, zero_point
    )


_OPERANDS = """
Parameters
----------
input : QuantizedTensor, shape (batch, channels, {sizes})
    quint8, any memory format.
weight : QuantizedTensor, shape (outputs, channels // groups, {sizes})
    qint8, per tensor or along axis 0.
bias : Tensor, shape (outputs,), or None
    float32, in real units.
stride, padding, dilation : int or sequence of {dims} int
    Geometry.
groups : int, default 1
    Number of groups.
padding_mode : str, default 'zeros'
    Nothing else.
scale, zero_point : float, int
    Quantizer of the output. Write them with their names: the arguments after `bias` are the
    geometry.
dtype : dtype
    quint8; the output has no other dtype, whatever is written here.

Returns
-------
QuantizedTensor, shape (batch, outputs, {sizes})
    quint8, {memory_format}.

Raises
------
NotSupportedError
    If `padding_mode` is another.
ArgumentError
    If `input` does not have so many dimensions.
QuantizerError, DtypeError, ShapeError, EngineError, QuantizationParameterError
    As `refquant.ops.quantized.conv{dims}d`."""
document(
    __name__,
    operands_1=_OPERANDS.format(
        dims=1,
        sizes="length",
        memory_format="channels innermost: the memory format of an image of height 1",
    ),
    operands_2=_OPERANDS.format(dims=2, sizes="height, width", memory_format="channels_last"),
    operands_3=_OPERANDS.format(
        dims=3, sizes="depth, height, width", memory_format="channels_last_3d"
    ),
)
enclose(__name__)
