"""The standard deviation of quantized tensors, with the parameters of the operand."""

import math
from typing import Any

import numpy as np

from refquant import arguments, kernels
from refquant._documentation import document
from refquant._environment import enclose
from refquant.ops import checks
from refquant.ops.floating.reductions import reduced_axes
from refquant.ops.quantized.affine import dequantize, quantize_array, quantize_one_by_one
from refquant.tensors import QuantizedTensor

__all__ = ["std"]


def std(
    input: Any,
    dim: Any = None,
    unbiased: bool = True,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> QuantizedTensor:
    """Compute the standard deviation, quantized with the parameters of the operand.

    %(per_tensor)s
    dim : int or sequence of int, optional
        Dimensions to reduce; all if left out or empty.
    unbiased : bool, default True
        Whether to divide by one less than the count.
    keepdim : bool, default False
        Whether the reduced dimensions stay, with extent 1.
    correction : float, optional
        What to take from the count instead.

    Returns
    -------
    QuantizedTensor
        With the parameters of `input`, row-major.

    %(unless_per_tensor)s

    Notes
    -----
    Source: ATen ``std_quantized_cpu``. Over trailing dimensions in float64, by sums of integers and
    of their squares; over others, and of one element without its deviation, the operand is
    dequantized first.

    Examples
    --------
    >>> import refquant
    >>> x = refquant.quantize_per_tensor(refquant.tensor([1.0, 4.0, 1.0]), 0.5, 8, refquant.quint8)
    >>> refquant.std(x).dequantize()
    tensor(1.5000)
    """
    q = checks.quantized_per_tensor("input", input)
    if isinstance(dim, bool):  # the form without dimensions
        dim, unbiased = None, dim
    less = arguments.flag("unbiased", unbiased) * 1.0
    if correction is not None:
        less = arguments.real("correction", correction)
    keepdim = arguments.flag("keepdim", keepdim)
    ndim, axes = q.array.ndim, tuple(sorted(reduced_axes(dim, q.array.ndim)))
    count = math.prod(q.array.shape[a] for a in axes)
    trailing = axes == tuple(range(ndim - len(axes), ndim))
    if trailing and not (count == 1 and less >= 1):
        kept = q.array.shape[: ndim - len(axes)]
        rows = np.ascontiguousarray(q.array).reshape(math.prod(kept), count)
        with np.errstate(all="ignore"):
            real = (kernels.deviation(rows, less) * q.scale).astype(np.float32)
        result = quantize_one_by_one(q, real).reshape(kept)
    else:
        result = _of_reals(q, axes, count - less)
    if keepdim:
        result = np.expand_dims(result, axes)
    return q.like(result)


@np.errstate(all="ignore")
def _of_reals(q: QuantizedTensor, axes: tuple[int, ...], divisor: float) -> np.ndarray:
    x = dequantize(q).array.astype(np.float64)
    distance = x - x.mean(axis=axes, keepdims=True)
    variance = (distance * distance).sum(axis=axes) / np.float64(max(divisor, 0.0))
    real = np.asarray(np.sqrt(variance).astype(np.float32))
    return quantize_array(real, q.scale, q.zero_point, q.dtype)


document(__name__)
enclose(__name__)
