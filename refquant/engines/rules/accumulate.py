r"""Rules of matrix products: how the products of one output are summed, and what borders hold.

A summing rule is called with ``(x, weight, input_zero_point, weight_zero_points)``: rows of raw
uint8 inputs, shape (m, depth), and raw int8 weights, shape (outputs, depth), the products of one
output side by side in the order in which the engine takes them. It returns int64, shape
(m, outputs).

.. math:: acc_{mn} = \sum_k x_{mk} w_{nk} - z_x \sum_k w_{nk} - z_{w,n} \sum_k x_{mk}
    + K z_x z_{w,n}

Engines multiply the raw integers and correct the sum afterwards, because instructions that
multiply bytes know nothing of zero points. Only the first sum is in danger of overflow.

A border rule is called with the zero point of the input and returns the raw integer that stands
outside an image.
"""

from functools import partial

import numpy as np

from refquant.engines.rule import Rule
from refquant.engines.rules.float32 import wrap_int32

INT16 = np.iinfo(np.int16)


def _corrected(products, x, weight, input_zero_point, weight_zero_points) -> np.ndarray:
    weight_zero_points = np.asarray(weight_zero_points, np.int64)
    column_sums = weight.sum(axis=1, dtype=np.int64)
    row_sums = x.sum(axis=1, dtype=np.int64)[:, None]
    constant = x.shape[1] * input_zero_point * weight_zero_points
    return products - input_zero_point * column_sums - weight_zero_points * row_sums + constant


def _exact(x, weight, input_zero_point, weight_zero_points):
    # Products of integers in float64 are exact below 2**53, and BLAS computes them.
    products = (x.astype(np.float64) @ weight.astype(np.float64).T).astype(np.int64)
    return _corrected(products, x, weight, input_zero_point, weight_zero_points)


def _wrapped(x, weight, input_zero_point, weight_zero_points):
    return wrap_int32(_exact(x, weight, input_zero_point, weight_zero_points))


def _saturated_pairs(x, weight, input_zero_point, weight_zero_points):
    products = np.zeros((x.shape[0], weight.shape[0]), np.int64)
    x32, w32 = x.astype(np.int32), weight.astype(np.int32)
    for k in range(0, x.shape[1], 2):
        pair = x32[:, k : k + 2] @ w32[:, k : k + 2].T
        products += np.clip(pair, INT16.min, INT16.max)
    acc = _corrected(products, x, weight, input_zero_point, weight_zero_points)
    return wrap_int32(acc)


def _wrapped_int16(x, weight, input_zero_point, weight_zero_points):
    acc = _exact(x, weight, input_zero_point, weight_zero_points)
    return ((acc - INT16.min) & 0xFFFF) + INT16.min


def _offsets_in_int8(x, weight, input_zero_point, weight_zero_points):
    offsets = ((x.astype(np.int64) - input_zero_point + 128) & 0xFF) - 128
    return _wrapped(offsets, weight, 0, weight_zero_points)


def _in_float(number, x, weight, input_zero_point, weight_zero_points):
    a = (x.astype(np.int64) - input_zero_point).astype(np.float64)
    b = (weight.T.astype(np.int64) - weight_zero_points).astype(np.float64)
    total = np.zeros((len(a), b.shape[1]), number)
    for k in range(a.shape[1]):
        # Exact in float64, so that each sum is rounded once, as fused operations do.
        total = (a[:, k, None] * b[k] + total).astype(number)
    limit = min(float(np.finfo(number).max), 2.0**31)
    return np.clip(total.astype(np.float64), -limit, limit).astype(np.int64)


WRAPPED = Rule(
    "wrapped",
    "int32(sum (x - z_x) * (w - z_w)), exact unless int32 overflows, which wraps",
    "FBGEMM with VNNI, QNNPACK; int32 holds more than 65,000 products",
    _wrapped,
)
EXACT = Rule("exact", "sum (x - z_x) * (w - z_w)", "mathematics", _exact)
SATURATED_PAIRS = Rule(
    "saturated_pairs",
    "sum over pairs of clip_int16(x[2j] * w[2j] + x[2j + 1] * w[2j + 1]), then the zero points",
    "FBGEMM and oneDNN on x86 processors without VNNI (vpmaddubsw), and FBGEMM's kernels for "
    "depthwise convolutions on all",
    _saturated_pairs,
)
WRAPPED_INT16 = Rule(
    "wrapped_int16",
    "int16(sum (x - z_x) * (w - z_w)), which wraps on overflow",
    "backends for processors without 32 bits",
    _wrapped_int16,
)
OFFSETS_IN_INT8 = Rule(
    "offsets_in_int8",
    "int32(sum int8(x - z_x) * (w - z_w)), differences that wrap at 128",
    "a fault of backends that subtract the zero point in the type of the operand",
    _offsets_in_int8,
)

IN_FLOAT32 = Rule(
    "in_float32",
    "t = fma32(x_k - z_x, w_k - z_w, t) for each k in turn, limited to 2**31 on both sides",
    "backends that multiply integers as float32",
    partial(_in_float, np.float32),
)
IN_FLOAT16 = Rule(
    "in_float16",
    "t = fma16(x_k - z_x, w_k - z_w, t) for each k in turn, limited to 65504 on both sides",
    "backends that sum in float16, as instructions of ARM do",
    partial(_in_float, np.float16),
)

BORDER_OF_ZERO_POINT = Rule(
    "border_of_zero_point",
    "z_x: pixels outside an image stand for real zero",
    "all engines of PyTorch",
    lambda zero_point: zero_point,
)
BORDER_OF_ZERO = Rule(
    "border_of_zero",
    "the integer 0, which stands for the real number -z_x * s_x",
    "a fault of backends that pad before they know the zero point",
    lambda zero_point: 0,
)
