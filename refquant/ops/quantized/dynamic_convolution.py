"""Convolutions with float input and output: dynamic quantization."""

from typing import Any

from refquant import dtypes, engines
from refquant._documentation import document
from refquant._environment import enclose
from refquant.ops import checks
from refquant.ops.quantized.affine import dequantize, quantize_array
from refquant.ops.quantized.convolution import as_image, convolve_packed
from refquant.ops.quantized.convolution_prepack import packed_convolution
from refquant.ops.quantized.dynamic import input_quantizer, reduced_range
from refquant.ops.quantized.packed_convolution import PackedConvolution
from refquant.tensors import QuantizedTensor, Tensor

__all__ = [
    "conv1d_dynamic",
    "conv2d_dynamic",
    "conv3d_dynamic",
    "conv_transpose1d_dynamic",
    "conv_transpose2d_dynamic",
    "conv_transpose3d_dynamic",
]


def _run(dims: int, qx: Any, packed: Any, reduce_range: Any, transposed: bool = False) -> Tensor:
    engines.require("dynamic_linear")
    packed = packed_convolution(packed, dims, transposed=transposed)
    packed.check_engine()
    reduce_range = reduced_range(packed, reduce_range)
    x = checks.float32_tensor("qx", qx)
    image = as_image(x) if dims == 1 else x
    packed.check_image(image.array.shape)
    scale, zero_point = input_quantizer("qx", image.array, reduce_range)
    q = quantize_array(image.array, scale, zero_point, dtypes.quint8)
    images = QuantizedTensor._unchecked(q, dtypes.quint8, scale, zero_point)
    y = dequantize(convolve_packed(packed, images, scale, zero_point, False))
    return y.squeeze(2) if dims == 1 else y


def conv1d_dynamic(qx: Any, packed_weight: PackedConvolution, reduce_range: bool = False) -> Tensor:
    """Quantize sequences by their own range, convolve them, return real values.

    See `conv2d_dynamic`.

    %(operands_1)s

    %(ones_1)s
    >>> quantized.conv1d_dynamic(refquant.tensor([[[0.0, 85.0, 255.0]]]), packed)
    tensor([[[ 85., 255.]]])
    """
    return _run(1, qx, packed_weight, reduce_range)


def conv2d_dynamic(qx: Any, packed_weight: PackedConvolution, reduce_range: bool = False) -> Tensor:
    """Quantize images by their own range, convolve them, return real values.

    The range is that of the whole input, widened to contain zero; the step ``dynamic_qparams`` of
    the engine makes a scale and zero point of it. The result is that of `conv2d` **with the
    quantizer of the input as that of the output**, dequantized: numbers beyond the range of the
    input are cut off, as PyTorch does it. No gradient is recorded.

    %(operands_2)s

    %(ones_2)s
    >>> quantized.conv2d_dynamic(refquant.ones(1, 1, 2, 2), packed).item()  # not 4
    1.0
    """
    return _run(2, qx, packed_weight, reduce_range)


def conv3d_dynamic(qx: Any, packed_weight: PackedConvolution, reduce_range: bool = False) -> Tensor:
    """Quantize volumes by their own range, convolve them, return real values.

    See `conv2d_dynamic`.

    %(operands_3)s

    %(ones_3)s
    >>> quantized.conv3d_dynamic(refquant.zeros(1, 1, 2, 2, 2), packed).shape
    refquant.Size([1, 1, 1, 1, 1])
    """
    return _run(3, qx, packed_weight, reduce_range)


def conv_transpose1d_dynamic(
    qx: Any, packed_weight: PackedConvolution, reduce_range: bool = False
) -> Tensor:
    """Quantize sequences by their own range and convolve them by the transposed map.

    See `conv2d_dynamic`; the result is cut off alike.

    %(transposed_1)s

    %(added_1)s
    >>> quantized.conv_transpose1d_dynamic(refquant.tensor([[[2.0, -1.0]]]), packed)
    tensor([[[ 2.,  2., -1., -1.]]])
    """
    return _run(1, qx, packed_weight, reduce_range, transposed=True)


def conv_transpose2d_dynamic(
    qx: Any, packed_weight: PackedConvolution, reduce_range: bool = False
) -> Tensor:
    """Quantize images by their own range and convolve them by the transposed map.

    See `conv2d_dynamic`; the result is cut off alike.

    %(transposed_2)s

    %(added_2)s
    >>> quantized.conv_transpose2d_dynamic(refquant.ones(1, 1, 1, 1), packed)
    tensor([[[[1., 1.],
              [1., 1.]]]])
    """
    return _run(2, qx, packed_weight, reduce_range, transposed=True)


def conv_transpose3d_dynamic(
    qx: Any, packed_weight: PackedConvolution, reduce_range: bool = False
) -> Tensor:
    """Quantize volumes by their own range and convolve them by the transposed map.

    See `conv2d_dynamic`; the result is cut off alike.

    %(transposed_3)s

    %(added_3)s
    >>> quantized.conv_transpose3d_dynamic(refquant.ones(1, 1, 1, 1, 1), packed).sum()
    tensor(8.)
    """
    return _run(3, qx, packed_weight, reduce_range, transposed=True)


_OPERANDS = """
Parameters
----------
qx : Tensor, shape (batch, channels, {sizes})
    float32, finite.
packed_weight : PackedConvolution
    As `{name}_prepack` returns it.
reduce_range : bool, default False
    Choose the quantizer of the input for 0..127; numbers still clip at 255.

Returns
-------
Tensor, shape (batch, outputs, {sizes})
    float32, channels innermost in memory (channels_last).

Raises
------
DtypeError, ShapeError, OperationError
    If `qx` does not fit.
EngineError
    If another engine packed the weight, or the engine has no such operation.

Warns
-----
UserWarning
    If the engine ignores `reduce_range`."""
_ONES = """
%(from_ops)s
>>> w = refquant.quantize_per_tensor(refquant.ones(1, 1{two}), 1.0, 0, refquant.qint8)
>>> packed = quantized.{name}_prepack(w, None, {geometry}, 1)"""
_SIZES = {1: "length", 2: "height, width", 3: "depth, height, width"}
_TEXTS = {
    "operands": (_OPERANDS, "conv{dims}d", ""),
    "ones": (_ONES, "conv{dims}d", "1, 0, 1"),
    "transposed": (_OPERANDS, "conv_transpose{dims}d", ""),
    "added": (_ONES, "conv_transpose{dims}d", "2, 0, 0, 1"),
}
document(
    __name__,
    **{
        f"{part}_{dims}": text.format(
            dims=dims, sizes=sizes, two=", 2" * dims, name=name.format(dims=dims), geometry=geometry
        )
        for part, (text, name, geometry) in _TEXTS.items()
        for dims, sizes in _SIZES.items()
    },
)
enclose(__name__)
