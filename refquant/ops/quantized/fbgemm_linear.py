"""Linear layers of FBGEMM from before PyTorch had quantized tensors.

Weights are plain tensors of integers, and their quantizer is handed on as numbers. FBGEMM computes
under every engine.
"""

import contextlib
from typing import Any

import numpy as np

from refquant import arguments, dtypes, engines
from refquant._documentation import document
from refquant._environment import enclose
from refquant.engines.rules.dynamic_qparams import BY_ROUNDED_SCALE
from refquant.errors import DtypeError, ShapeError
from refquant.ops import checks
from refquant.ops.quantized.affine import quantize_array
from refquant.ops.quantized.dynamic import (
    check_range,
    linear_dynamic_fp16,
    linear_prepack_fp16,
    multiply_rows,
)
from refquant.ops.quantized.linear_layers import as_rows, linear_prepack
from refquant.ops.quantized.packing import PackedLinear
from refquant.tensors import QuantizedTensor, Tensor

__all__ = [
    "fbgemm_linear_fp16_weight",
    "fbgemm_linear_fp16_weight_fp32_activation",
    "fbgemm_linear_int8_weight",
    "fbgemm_linear_int8_weight_fp32_activation",
    "fbgemm_linear_quantize_weight",
    "fbgemm_pack_gemm_matrix_fp16",
    "fbgemm_pack_quantized_matrix",
    "multiply_by_fbgemm",
    "quantize_and_pack",
    "under_fbgemm",
]


def under_fbgemm() -> contextlib.AbstractContextManager:
    """Let FBGEMM of PyTorch 2.13 compute, whatever engine is chosen."""
    return engines.using("fbgemm")


def _matrix(argument: str, value: Any) -> np.ndarray:
    array = checks.float32_tensor(argument, value).array
    if array.ndim != 2 or array.size == 0:
        raise ShapeError(
            argument=argument,
            expected="of 2 dimensions, outputs and depth, with elements",
            got=f"shape {array.shape}",
        )
    return np.ascontiguousarray(array)


def _quantized(argument: str, value: Any) -> QuantizedTensor:
    array = _matrix(argument, value)
    scale, zero_point = BY_ROUNDED_SCALE(*check_range(argument, array), -128, 127)
    with under_fbgemm():
        integers = quantize_array(array, scale, zero_point, dtypes.qint8)
    return QuantizedTensor(integers, dtypes.qint8, scale, zero_point)


def quantize_and_pack(argument: str, weight: Any, bias: Any) -> PackedLinear:
    """Quantize a float weight to qint8 by its own range, and pack it for FBGEMM."""
    quantized = _quantized(argument, weight)
    with under_fbgemm():
        return linear_prepack(quantized, bias)


def multiply_by_fbgemm(argument: str, input: Any, packed: PackedLinear) -> Tensor:
    """Quantize the input for all eight bits and multiply it by a weight that FBGEMM packed."""
    x = checks.float32_tensor(argument, input).array
    rows = as_rows(x, packed.kept_weight.array.shape[1])
    quantizer = BY_ROUNDED_SCALE(*check_range(argument, rows), 0, 255)
    with under_fbgemm():
        y = multiply_rows(rows, packed, quantizer, False)
    return Tensor(y.reshape(*x.shape[:-1], y.shape[1]))


def fbgemm_linear_quantize_weight(input: Any) -> tuple[Tensor, Tensor, float, int]:
    """Quantize the weight of a linear layer to int8 by its own range.

    Parameters
    ----------
    input : Tensor, shape (outputs, depth)
        float32.

    Returns
    -------
    weight : Tensor of int8, shape (outputs, depth)
        The integers.
    col_offsets : Tensor of int32, shape (outputs,)
        Sum of the integers of each output, less `zero_point` times `depth`.
    scale, zero_point : float, int
        Quantizer of the weight.

    Notes
    -----
    Source: ATen ``fbgemm_linear_quantize_weight``.

    %(example)s
    >>> w, offsets, scale, zero = refquant.fbgemm_linear_quantize_weight(refquant.tensor([[255.0]]))
    >>> w, offsets, scale, zero
    (tensor([[127]], dtype=refquant.int8), tensor([255], dtype=refquant.int32), 1.0, -128)
    """
    quantized = _quantized("input", input)
    integers, zero_point = quantized.array, int(quantized.zero_point)
    sums = integers.sum(axis=1, dtype=np.int64) - zero_point * integers.shape[1]
    return Tensor(integers), Tensor(sums.astype(np.int32)), float(quantized.scale), zero_point


def fbgemm_pack_quantized_matrix(input: Any, K: int | None = None, N: int | None = None) -> Tensor:
    """Copy a weight of int8; there is nothing to pack here.

    Parameters
    ----------
    input : Tensor of int8, shape (outputs, depth)
        As `fbgemm_linear_quantize_weight` returns it.
    K, N : int, optional
        Depth and outputs; not used.

    Returns
    -------
    Tensor
        For `fbgemm_linear_int8_weight_fp32_activation`.

    %(example)s
    >>> w = refquant.ones(2, 3, dtype=refquant.int8)
    >>> refquant.fbgemm_pack_quantized_matrix(w).shape
    refquant.Size([2, 3])
    """
    return Tensor(_int8("input", input).copy())


def _int8(argument: str, value: Any) -> np.ndarray:
    array = checks.plain_tensor(argument, value).array
    if array.dtype != np.int8:
        raise DtypeError(
            argument=argument,
            expected="an int8 tensor",
            got=arguments.describe(value),
            hint="quantize a weight with fbgemm_linear_quantize_weight(weight)",
        )
    if array.ndim != 2:
        raise ShapeError(argument=argument, expected="of 2 dimensions", got=f"shape {array.shape}")
    return array


def fbgemm_linear_int8_weight_fp32_activation(
    input: Any,
    weight: Any,
    packed: Any,
    col_offsets: Any,
    weight_scale: float,
    weight_zero_point: int,
    bias: Any,
) -> Tensor:
    """Quantize the input by its own range, multiply by a weight of int8, return real values.

    It is `refquant.ops.quantized.linear_dynamic` of FBGEMM for all eight bits, but that the zero
    point is derived from the scale after it is rounded to float32.

    %(of_int8)s
    >>> refquant.fbgemm_linear_int8_weight_fp32_activation(
    ...     refquant.tensor([[255.0]]), w, w, offsets, scale, zero, refquant.tensor([1.0])
    ... )
    tensor([[511.0000]])
    """
    checks.plain_tensor("packed", packed), checks.plain_tensor("col_offsets", col_offsets)
    zero_point = checks.zero_point_value("weight_zero_point", weight_zero_point, dtypes.qint8)
    scale = checks.scale_value("weight_scale", weight_scale)
    integers = np.ascontiguousarray(_int8("weight", weight))
    quantized = QuantizedTensor(integers, dtypes.qint8, scale, zero_point)
    with under_fbgemm():
        packed_weight = linear_prepack(quantized, bias)
    return multiply_by_fbgemm("input", input, packed_weight)


def fbgemm_linear_int8_weight(
    input: Any,
    weight: Any,
    packed: Any,
    col_offsets: Any,
    weight_scale: float,
    weight_zero_point: int,
    bias: Any,
) -> Tensor:
    """Compute `fbgemm_linear_int8_weight_fp32_activation`, whose other name this is.

    %(of_int8)s
    >>> x, b = refquant.tensor([[255.0]]), refquant.tensor([1.0])
    >>> refquant.fbgemm_linear_int8_weight(x, w, w, offsets, scale, zero, b)
    tensor([[511.0000]])
    """
    return fbgemm_linear_int8_weight_fp32_activation(
        input, weight, packed, col_offsets, weight_scale, weight_zero_point, bias
    )


def fbgemm_pack_gemm_matrix_fp16(input: Any) -> Tensor:
    """Round a weight to float16; what it cannot hold saturates at 65504.

    Parameters
    ----------
    input : Tensor, shape (outputs, depth)
        float32.

    Returns
    -------
    Tensor of float16, shape (outputs, depth)
        For `fbgemm_linear_fp16_weight_fp32_activation`.

    %(example)s
    >>> refquant.fbgemm_pack_gemm_matrix_fp16(refquant.tensor([[0.5]]))
    tensor([[0.5000]], dtype=refquant.float16)
    """
    with under_fbgemm():
        return Tensor(linear_prepack_fp16(input).kept_weight)


def fbgemm_linear_fp16_weight_fp32_activation(input: Any, packed_weight: Any, bias: Any) -> Tensor:
    """Multiply float32 by a weight of float16, :math:`y = x w^T + b` in float32.

    %(of_float16)s
    >>> refquant.fbgemm_linear_fp16_weight_fp32_activation(x, w, refquant.ones(1))
    tensor([[3.]])
    """
    weight = checks.plain_tensor("packed_weight", packed_weight)
    if weight.array.dtype != np.float16:
        raise DtypeError(
            argument="packed_weight",
            expected="a float16 tensor",
            got=arguments.describe(packed_weight),
            hint="make it with fbgemm_pack_gemm_matrix_fp16(weight)",
        )
    with under_fbgemm():
        packed = linear_prepack_fp16(Tensor(weight.array.astype(np.float32)), bias)
        return linear_dynamic_fp16(input, packed)


def fbgemm_linear_fp16_weight(input: Any, packed_weight: Any, bias: Any) -> Tensor:
    """Compute `fbgemm_linear_fp16_weight_fp32_activation`, whose other name this is.

    %(of_float16)s
    >>> refquant.fbgemm_linear_fp16_weight(x, w, refquant.ones(1))
    tensor([[3.]])
    """
    return fbgemm_linear_fp16_weight_fp32_activation(input, packed_weight, bias)


document(
    __name__,
    of_int8="""
Parameters
----------
input : Tensor, shape (..., depth)
    float32, at least 2 dimensions.
weight : Tensor of int8, shape (outputs, depth)
    As `fbgemm_linear_quantize_weight` returns it.
packed, col_offsets : Tensor
    What FBGEMM makes of the weight; the result does not depend on it.
weight_scale, weight_zero_point : float, int
    Quantizer of the weight.
bias : Tensor, shape (outputs,)
    float32.

Returns
-------
Tensor, shape (..., outputs)
    float32, row-major.

%(example)s
>>> w, offsets, scale, zero = refquant.fbgemm_linear_quantize_weight(refquant.tensor([[2.0]]))""",
    of_float16="""
Parameters
----------
input : Tensor, shape (..., depth)
    float32, at least 2 dimensions.
packed_weight : Tensor of float16, shape (outputs, depth)
    As `fbgemm_pack_gemm_matrix_fp16` returns it.
bias : Tensor, shape (outputs,)
    float32.

Returns
-------
Tensor, shape (..., outputs)
    float32, row-major.

%(example)s
>>> x = refquant.ones(1, 2)
>>> w = refquant.fbgemm_pack_gemm_matrix_fp16(refquant.ones(1, 2))""",
)
enclose(__name__)
