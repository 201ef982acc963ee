"""Quantized tensors from sizes, or from given integers."""

from typing import Any

import numpy as np

from refquant import dtypes
from refquant._documentation import document
from refquant._environment import enclose
from refquant.errors import DtypeError
from refquant.ops import checks, layout
from refquant.ops.views import sizes
from refquant.tensors import QuantizedTensor
from refquant.tensors.quantizer import channel_quantizer

_QUANTIZED = {d.numpy: d for d in dtypes.QUANTIZED}


def empty_affine_quantized(
    *size,
    scale: float = 1.0,
    zero_point: int = 0,
    dtype=None,
    memory_format=dtypes.contiguous_format,
) -> QuantizedTensor:
    """Make a tensor quantized per tensor from its size.

    %(sizes)s
    %(one_quantizer)s
    %(zeros)s

    Examples
    --------
    >>> import refquant
    >>> refquant._empty_affine_quantized([2], scale=0.5, zero_point=0, dtype=refquant.quint8)
    tensor([0., 0.], size=(2,), dtype=refquant.quint8,
           quantization_scheme=refquant.per_tensor_affine, scale=0.5, zero_point=0)
    """
    dtype = checks.quantized_dtype("dtype", dtype, sub_byte=True)
    scale = checks.scale_value("scale", scale)
    zero_point = checks.zero_point_value("zero_point", zero_point, dtype)
    return QuantizedTensor._unchecked(_zeros(size, dtype, memory_format), dtype, scale, zero_point)


def _zeros(size: tuple, dtype, memory_format) -> np.ndarray:
    array = np.zeros(sizes("size", size), dtype.numpy)
    return layout.to_format(array, memory_format)


def empty_per_channel_affine_quantized(
    *size,
    scales: Any,
    zero_points: Any,
    axis: int,
    dtype=None,
    memory_format=dtypes.contiguous_format,
) -> QuantizedTensor:
    """Make a tensor quantized per channel from its size.

    %(sizes)s
    scales, zero_points : Tensor or ndarray, shape (channels,)
        Parameters of each slice along `axis`.
    axis : int
        The dimension of the channels.
    %(zeros)s
    """
    dtype = checks.quantized_dtype("dtype", dtype, sub_byte=True)
    array = _zeros(size, dtype, memory_format)
    s, z, axis = channel_quantizer(scales, zero_points, axis, array, dtype)
    return QuantizedTensor._unchecked(array, dtype, s, z, axis)


def empty_quantized(
    size: Any, qtensor: Any, *, dtype=None, memory_format=dtypes.contiguous_format
) -> QuantizedTensor:
    """Make a tensor from its size, with the scales and zero points of another.

    Parameters
    ----------
    size : sequence of int
        Shape.
    qtensor : QuantizedTensor
        Of any scheme; with a scale for each channel, as many slices as it has are needed.
    %(zeros)s

    Examples
    --------
    >>> import refquant
    >>> x = refquant.quantize_per_tensor(refquant.ones(1), 0.5, 8, refquant.quint8)
    >>> refquant.empty_quantized([2], x).q_zero_point()
    8
    """
    like = checks.quantized_tensor("qtensor", qtensor)
    kind = like.dtype if dtype is None else checks.quantized_dtype("dtype", dtype)
    array = _zeros((size,), kind, memory_format)
    if like.axis is None:
        zero_point = checks.zero_point_value("qtensor", like.zero_point, kind)
        return QuantizedTensor._unchecked(array, kind, like.scale, zero_point)
    s, z, axis = channel_quantizer(like.scale, like.zero_point, like.axis, array, kind)
    return QuantizedTensor._unchecked(array, kind, s, z, axis)


def _integers(value: Any) -> tuple[np.ndarray, dtypes.dtype]:
    array = checks.plain_tensor("input", value).array
    dtype = _QUANTIZED.get(array.dtype)
    if dtype is None:
        raise DtypeError(
            argument="input",
            expected="a tensor of uint8, int8 or int32",
            got=array.dtype,
            hint="convert it with .to(refquant.uint8)",
        )
    return layout.dense_copy(array), dtype


def make_per_tensor_quantized_tensor(input: Any, scale: float, zero_point: int) -> QuantizedTensor:
    """Make a quantized tensor from integers, with one scale.

    %(integers)s
    %(one_quantizer)s

    %(made)s

    Examples
    --------
    >>> import refquant
    >>> q = refquant.tensor([1, 2], dtype=refquant.int8)
    >>> refquant._make_per_tensor_quantized_tensor(q, 0.5, 1).dequantize()
    tensor([0.0000, 0.5000])
    """
    array, dtype = _integers(input)
    scale = checks.scale_value("scale", scale)
    zero_point = checks.zero_point_value("zero_point", zero_point, dtype)
    return QuantizedTensor._unchecked(array, dtype, scale, zero_point)


def make_per_channel_quantized_tensor(
    input: Any, scale: Any, zero_point: Any, axis: int
) -> QuantizedTensor:
    """Make a quantized tensor from integers, with a scale for each slice along an axis.

    %(integers)s
    scale, zero_point : Tensor or ndarray, shape (channels,)
        Parameters of each slice along `axis`.
    axis : int
        The dimension of the channels.

    %(made)s
    """
    array, dtype = _integers(input)
    s, z, axis = channel_quantizer(scale, zero_point, axis, array, dtype)
    return QuantizedTensor._unchecked(array, dtype, s, z, axis)


document(
    __name__,
    sizes="""
Parameters
----------
*size : int
    Shape, one by one or as one sequence.""",
    one_quantizer="""
scale : float
    Real units of one quantized step.
zero_point : int
    The integer that stands for real zero.""",
    zeros="""
dtype : dtype
    quint8, qint8, qint32, quint4x2 or quint2x4.
memory_format : memory_format
    Of the result.

Returns
-------
QuantizedTensor
    Its integers are 0.

Raises
------
%(unless_valid_quantizer)s""",
    integers="""
Parameters
----------
input : Tensor of uint8, int8 or int32
    The integers; they are copied.""",
    made="""
Returns
-------
QuantizedTensor
    quint8, qint8 or qint32, of the memory format of `input`.

Raises
------
%(unless_valid_quantizer)s""",
)
enclose(__name__)
