"""Products of quantized matrices."""

from typing import Any

import numpy as np

from refquant import dtypes, kernels
from refquant._documentation import document
from refquant._environment import enclose
from refquant.errors import DtypeError, ShapeError
from refquant.ops import checks
from refquant.ops.quantized.affine import quantize_array
from refquant.tensors import QuantizedTensor

__all__ = ["matmul"]


def _product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Multiply matrices of float32, or stacks of them, as `kernels.linear_half` adds."""
    if a.ndim == b.ndim == 2:
        return kernels.linear_half(np.ascontiguousarray(a), np.ascontiguousarray(b), None, False)
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    left = np.broadcast_to(a, (*lead, *a.shape[-2:])).reshape(-1, *a.shape[-2:])
    right = np.broadcast_to(b, (*lead, *b.shape[-2:])).reshape(-1, *b.shape[-2:])
    result = np.empty((len(left), a.shape[-2], b.shape[-1]), np.float32)
    for i, pair in enumerate(zip(left, right, strict=True)):
        result[i] = _product(*pair)
    return result.reshape(*lead, a.shape[-2], b.shape[-1])


def matmul(qa: Any, qb: Any, scale: float, zero_point: int) -> QuantizedTensor:
    r"""Multiply the real numbers of two matrices, or stacks of them, and quantize the product.

    .. math:: y = \mathrm{quantize}\big(\sum_k s_a (q_a - z_a)_{mk} \, s_b (q_b - z_b)_{kn}\big)

    Parameters
    ----------
    qa, qb : QuantizedTensor
        quint8 or qint8, both of one dtype, quantized per tensor. Shapes as of `refquant.matmul`.
    %(quantizer_of_result)s

    Returns
    -------
    QuantizedTensor
        In row-major order.

    Raises
    ------
    DtypeError
        If the dtypes differ, or are others.
    QuantizerError
        If an operand is not quantized per tensor.
    ShapeError
        If the shapes do not fit.

    Notes
    -----
    Source: ATen ``qmatmul``. Products are added in float32 in the order of k with one rounding
    each. PyTorch leaves the order to a library: for small matrices it is this one, for others its
    sums differ in their last bits, so that integers can differ by one step near a tie.

    Examples
    --------
    >>> import refquant
    >>> x = refquant.quantize_per_tensor(refquant.tensor([[1.0, 2.0]]), 0.5, 0, refquant.quint8)
    >>> refquant.ops.quantized.matmul(x, x.t(), 0.5, 0).dequantize()
    tensor([[5.]])
    """
    a = checks.quantized_per_tensor("qa", qa)
    b = checks.quantized_per_tensor("qb", qb)
    for name, q in (("qa", a), ("qb", b)):
        if q.dtype is dtypes.qint32 or q.dtype is not a.dtype:
            raise DtypeError(
                argument=name, expected="quint8 or qint8, as both operands", got=q.dtype
            )
    scale = checks.scale_value("scale", scale)
    zero_point = checks.zero_point_value("zero_point", zero_point, a.dtype)
    x, y = a.dequantize().array, b.dequantize().array
    if min(x.ndim, y.ndim) == 0:
        raise ShapeError(
            argument="qa", expected="operands of at least 1 dimension", got=f"{x.shape}, {y.shape}"
        )
    left, right = x[None] if x.ndim == 1 else x, y[:, None] if y.ndim == 1 else y
    try:
        np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
        fits = left.shape[-1] == right.shape[-2]
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(
            argument="qb",
            expected=f"of a shape that {x.shape} can be multiplied by",
            got=f"shape {y.shape}",
        )
    product = _product(left, right)
    product = product.squeeze(-1) if y.ndim == 1 else product
    product = product.squeeze(-1 if y.ndim == 1 else -2) if x.ndim == 1 else product
    codes = quantize_array(np.ascontiguousarray(product), scale, zero_point, a.dtype)
    return QuantizedTensor._unchecked(codes, a.dtype, scale, zero_point)


document(__name__)
enclose(__name__)
