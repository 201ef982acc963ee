"""Softmax of quantized tensors."""

from typing import Any

import numpy as np

from refquant import kernels
from refquant._documentation import document
from refquant._environment import enclose
from refquant.engines.rules import tables
from refquant.ops import checks, layout
from refquant.ops.quantized.affine import dequantize, quantize_array
from refquant.ops.quantized.functions import TO_ONE, by_table
from refquant.tensors import QuantizedTensor

__all__ = ["softmax"]


def softmax(qx: Any, dim: int, output_scale: float, output_zero_point: int) -> QuantizedTensor:
    r"""Normalize exponentials to a sum of 1, :math:`e^{x_i} / \sum_j e^{x_j}`.

    Parameters
    ----------
    qx : QuantizedTensor
        Of any scheme.
    dim : int
        The dimension along which the shares add up.
    %(output_quantizer)s

    Returns
    -------
    QuantizedTensor
        Of the dtype of `qx`, row-major; by the table of QNNPACK in the memory format of `qx` if the
        elements along `dim` are neighbors, else with those along `dim` as neighbors.

    Raises
    ------
    NotQuantizedError
        If `qx` is not quantized.
    IndexRangeError
        If there is no such dimension.
    QuantizationParameterError
        If `output_scale` or `output_zero_point` is not valid.

    Notes
    -----
    Source: ATen ``qsoftmax``: the operand is dequantized, and the shares are quantized as
    `refquant.quantize_per_tensor` does. The shares are computed in float64 and rounded once;
    PyTorch adds float32 in an order that its processor chooses, so that one result in 80000 lies
    on the other side of a half step. QNNPACK sums integers from a table, for quint8, an output
    scale of 1/256 and zero point 0.

    %(one_to_two)s
    >>> refquant.ops.quantized.softmax(x, 0, 0.01, 0).dequantize()
    tensor([0.2700, 0.7300])
    """
    q = checks.quantized_tensor("qx", qx)
    axis = checks.dimension("dim", dim, q.array.ndim)
    scale = checks.scale_value("output_scale", output_scale)
    zero_point = checks.zero_point_value("output_zero_point", output_zero_point, q.dtype)
    if q.axis is None and by_table(q) and (scale, zero_point) == TO_ONE[q.dtype]:
        result = _by_table(np.atleast_1d(q.array), q.scale, axis).reshape(q.array.shape)
    else:
        shares = _shares(dequantize(q).array, axis).reshape(q.array.shape)
        result = quantize_array(shares, scale, zero_point, q.dtype)
    return QuantizedTensor._unchecked(result, q.dtype, scale, zero_point)


def _by_table(array: np.ndarray, scale: float, axis: int) -> np.ndarray:
    count = max(array.shape[axis], 1)
    rows = np.ascontiguousarray(array.swapaxes(axis, -1))
    flat = kernels.softmax_of_integers(rows.reshape(-1, count), tables.powers(scale, count))
    result = flat.reshape(rows.shape).swapaxes(axis, -1)
    if array.strides[axis] != array.itemsize:
        return result
    return layout.to_format(result, layout.format_of(array))


def _shares(x: np.ndarray, axis: int) -> np.ndarray:
    wide = np.atleast_1d(np.ascontiguousarray(x)).astype(np.float64)
    with np.errstate(all="ignore"):
        raised = np.exp(wide - wide.max(axis=axis, keepdims=True, initial=-np.inf))
        return (raised / raised.sum(axis=axis, keepdims=True)).astype(np.float32)


document(__name__)
enclose(__name__)
