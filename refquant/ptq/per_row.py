r"""A scale for each row of an activation, chosen while the network runs.

The sum of a product runs along a row, so a scale of its own leaves the sum: :math:`y_{mn} = s_{x,m}
s_{w,n} \sum_k (q_{mk} - z_m)(w_{nk} - z_{w,n}) + b_n`. What a row gives does not depend on the
others in its batch then. Rows of tokens are the usual ones, hence *per token*.
"""

from typing import Any

import numpy as np

from refquant import arguments, dtypes, kernels
from refquant.errors import ShapeError
from refquant.ops import checks
from refquant.ops.quantized.affine import quantize_per_channel
from refquant.ops.quantized.dynamic import linear_dynamic
from refquant.quantization.observers import ranges
from refquant.reference import qparams
from refquant.tensors import QuantizedTensor, Tensor

__all__ = ["linear_per_row", "quantize_per_row"]

EPS = 2.0**-23


def quantize_per_row(
    input: Any, dtype: dtypes.dtype = dtypes.qint8, *, symmetric: bool = False
) -> QuantizedTensor:
    r"""Quantize each row by its own range.

    The range of a row is widened to contain zero and mapped to all integers as the observers of
    PyTorch 2.13 do, in float32: affine :math:`s = (u - l) / (q_{max} - q_{min}),\; z = q_{min} -
    round(l / s)`, or symmetric :math:`s = \max(-l, u) / ((q_{max} - q_{min}) / 2)`.

    Parameters
    ----------
    input : Tensor, shape (rows, columns)
        float32, finite.
    dtype : dtype, default qint8
        quint8 or qint8.
    symmetric : bool, default False
        Whether the zero point is in the middle.

    Returns
    -------
    QuantizedTensor, shape (rows, columns)
        Per channel along axis 0.

    Raises
    ------
    ShapeError
        If there are not two dimensions.

    Notes
    -----
    Source of the idea: Z. Yao et al., *ZeroQuant*, 2022, section 4.1, token-wise quantization.

    Examples
    --------
    >>> import refquant
    >>> from refquant.ptq import quantize_per_row
    >>> q = quantize_per_row(refquant.tensor([[-1.28, 1.27], [0.0, 25.5]]))
    >>> q.q_per_channel_scales()
    tensor([0.0100, 0.1000], dtype=refquant.float64)
    """
    x = _rows(input)
    ranges.checked_dtype(dtype, ("quint8", "qint8"))
    lower, upper = kernels.min_max_per_channel(x.array.reshape(1, *x.shape))
    limits = dtype.quant_min, dtype.quant_max
    if arguments.switch("symmetric", symmetric):
        middle = ranges.middle(dtype, *limits, False)
        scales, points = qparams.symmetric_qparams(lower, upper, *limits, EPS, middle)
    else:
        scales, points = qparams.affine_qparams(lower, upper, *limits, EPS)
    return quantize_per_channel(
        x, Tensor(scales.astype(np.float64)), Tensor(points.astype(np.int64)), 0, dtype
    )


def linear_per_row(input: Any, packed: Any, reduce_range: bool = False) -> Tensor:
    """Multiply by a packed weight as `linear_dynamic` does, each row as if it were alone.

    Parameters
    ----------
    input : Tensor, shape (rows, depth)
        float32, finite.
    packed : LinearPackedParamsBase
        What `refquant.ops.quantized.linear_prepack` returned.
    reduce_range : bool, default False
        Leave one bit of the input unused, where the engine does so.

    Returns
    -------
    Tensor, shape (rows, outputs)
        float32.

    Raises
    ------
    ShapeError
        If there are not two dimensions.

    Examples
    --------
    >>> import refquant
    >>> from refquant.ptq import linear_per_row
    >>> ops = refquant.ops.quantized
    >>> w = refquant.quantize_per_tensor(refquant.tensor([[1.0, -2.0]]), 0.125, 0, refquant.qint8)
    >>> x = refquant.tensor([[255.0, 0.0], [0.0, 0.255]])
    >>> linear_per_row(x, ops.linear_prepack(w))
    tensor([[255.0000],
            [ -0.5100]])
    """
    x = _rows(input)
    arguments.switch("reduce_range", reduce_range)
    if not len(x.array):
        return linear_dynamic(x, packed, reduce_range)
    each = [linear_dynamic(Tensor(row[None]), packed, reduce_range).array for row in x.array]
    return Tensor(np.concatenate(each))


def _rows(input: Any) -> Tensor:
    x = checks.float32_tensor("input", input)
    if x.ndim != 2:
        raise ShapeError(argument="input", expected="(rows, columns)", got=tuple(x.shape))
    return Tensor(np.ascontiguousarray(x.array))
