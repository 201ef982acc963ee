"""Products of dequantized matrices in float32, by the order in which single products are added.

A rule is called with matrices ``a`` (..., rows, depth) and ``b`` (..., depth, columns).
"""

from collections.abc import Callable

import numpy as np

from refquant.engines.arithmetic.mlas import PRODUCT_OF_REALS
from refquant.engines.rule import Rule
from refquant.engines.rules.float32 import fma

__all__ = ["ORDERS", "PRODUCT_OF_TRANSPOSED"]

LANES, RUN = 8, 128


def _zeros(a, b):
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return np.zeros((*lead, a.shape[-2], b.shape[-1]), np.float32)


def _product(a, b, k):
    return a[..., :, k, None] * b[..., None, k, :]


def _chained(a, b, first, step):
    total = _zeros(a, b)
    for k in range(first, a.shape[-1], step):
        total = fma(a[..., :, k, None], b[..., None, k, :], total)
    return total


def _in_runs(a, b):
    depth, total = a.shape[-1], None
    for start in range(0, max(depth, 1), RUN):
        end = min(start + RUN, depth)
        part = _ascending(a[..., start:end], b[..., start:end, :])
        total = part if total is None else total + part
    return total


def _ascending(a, b):
    return _chained(a, b, 0, 1)


def _unfused(a, b):
    total = _zeros(a, b)
    for k in range(a.shape[-1]):
        total = total + _product(a, b, k)
    return total


def _pairwise(a, b):
    def between(low, high):
        if high - low < 2:
            return _product(a, b, low) if high > low else _zeros(a, b)
        middle = (low + high) // 2
        return between(low, middle) + between(middle, high)

    return between(0, a.shape[-1])


def _in_lanes(a, b):
    total = _chained(a, b, 0, LANES)
    for lane in range(1, LANES):
        total = total + _chained(a, b, lane, LANES)
    return total


def _rule(name: str, formula: str, function: Callable[..., np.ndarray]) -> Rule:
    return Rule(f"product_of_reals_{name}", formula, "a choice of the axis order", function)


PRODUCT_OF_TRANSPOSED = Rule(
    "product_of_transposed_by_mlas",
    "sum of runs of fma(a_k, b_k, t), k ascending, each of 128 products, from 0",
    "ONNX Runtime, ConvTranspose, measured with release 1.32 on x86, one thread",
    _in_runs,
)
ORDERS: dict[str, Rule] = {
    "runs": PRODUCT_OF_REALS,
    "runs_of_128": PRODUCT_OF_TRANSPOSED,
    "ascending": _rule("ascending", "t = fma(a_k, b_k, t) for each k in turn", _ascending),
    "unfused": _rule("unfused", "t = f32(t + f32(a_k * b_k)) for each k in turn", _unfused),
    "pairwise": _rule(
        "pairwise", "f32(first half + second half), of each half alike; f32(a_k * b_k)", _pairwise
    ),
    "lanes_8": _rule(
        "lanes_8", "t_j = fma(a_k, b_k, t_j), j = k mod 8; t_0 + t_1 + ... in turn", _in_lanes
    ),
}
