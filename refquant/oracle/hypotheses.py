r"""Hypotheses that may explain a whole answer: what each allows every element to be.

A hypothesis says how a backend computes, and so which integers it may give for each element: an
interval, from the bound of float32 arithmetic that `refquant.oracle.error_bounds` derives. It holds for
an answer if *every* element is allowed, those that agree with the engine too. The plain hypothesis
is that of legality: exact sums, one rounding to the nearest.

============== ===================================================================================
border         a convolution pads with the integer 0
saturation     pairs of products saturate in 16 bits
double         sums (or products of two integers) times the fraction of their multiplier,
rounding       :math:`m = f \, 2^{-k}` with :math:`\frac12 \le f < 1`, are rounded to integers, and
               these once more by the shift of k bits
multiplier     the scales of a sum over that of the output are integers of 22 bits (QNNPACK)
precision
wrap-around    integers are not clipped; their lower bits are left
============== ===================================================================================
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np

from refquant.engines.rules.elementwise import sum_in_fixed_point
from refquant.engines.rules.ratios import Ratios
from refquant.engines.rules.rounding import round_shift
from refquant.oracle.error_bounds import GAMMA, UNIT, error_bound
from refquant.oracle.problems.elementwise import Sum
from refquant.oracle.problems.products import Product

__all__ = ["Hypothesis", "explaining", "plain"]

# How ties of the second rounding go in fixed point; those of the first may go either way.
SECOND_ROUNDINGS = ("half_away", "half_up", "half_even")
FORMING = 6  # roundings that form a multiplier and its fraction of 31 bits


@dataclass(frozen=True)
class Hypothesis:
    """What a way to compute allows.

    Attributes
    ----------
    key : str
        Tells it from others of its kind.
    allows : callable
        ``allows(answers)`` tells for each element whether it may be so.
    names : ndarray of str
        The class of an element that this hypothesis alone explains.
    real : Ratios or None
        The numbers that are rounded to the nearest, in steps, where there are such.
    """

    key: str
    allows: Callable[[np.ndarray], np.ndarray] = field(repr=False)
    names: np.ndarray = field(repr=False)
    real: Ratios | None = field(default=None, repr=False)


def _nearest(task: Any, real: Ratios, other: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Bound what rounding to the nearest makes of numbers near these, not clipped."""
    floats = real.floats()
    bound = error_bound(task, np.arange(task.size), floats, True)
    if other:  # sums that are no longer those of the bound
        bound = bound + GAMMA * np.abs(floats - task.zero_point)
    return np.ceil(floats - bound - 0.5), np.floor(floats + bound + 0.5)


def _between(task: Any, least, most) -> Callable[[np.ndarray], np.ndarray]:
    least, most = (np.clip(end, task.lower, task.upper) for end in (least, most))
    return lambda answers: task.undefined | ((least <= answers) & (answers <= most))


def plain(task: Any) -> Hypothesis:
    """Suppose that the answer is legal."""
    real = task.ratio(np.arange(task.size))
    names = np.full(task.size, "multiplier precision", object)
    return Hypothesis("plain", _between(task, *_nearest(task, real)), names, real)


def _other_sums(task: Product) -> Iterator[Hypothesis]:
    exact = task.sums("exact")
    padded = task.sums("exact", "zero")
    for key, sums in (
        ("border", padded),
        ("saturation", task.sums("saturated_pairs")),
        ("border and saturation", task.sums("saturated_pairs", "zero")),
    ):
        if key == "border" and not task.border.any():
            continue
        alone = key != "saturation"
        names = np.where((padded != exact) & alone, "border", "saturation").astype(object)
        real = task.ratio(np.arange(task.size), sums)
        yield Hypothesis(key, _between(task, *_nearest(task, real, True)), names, real)


def _rounded_twice(task: Any) -> Iterator[Hypothesis]:
    scaled = task.fixed_point()
    if scaled is None:
        return
    low, high, multiplier = scaled
    fraction, exponent = np.frexp(multiplier)
    shift = np.clip(-exponent, 0, 61).astype(np.int64)
    if not shift.any():
        return  # a multiplier of one half or more leaves nothing to shift
    factor = np.where(exponent > 0, np.ldexp(fraction, np.maximum(exponent, 0)), fraction)
    first = []
    for n, side in ((low, -1), (high, 1)):
        t = n * factor
        near = side * (0.5 + FORMING * UNIT * np.abs(t) + UNIT)
        rounded = np.ceil(t + near) if side < 0 else np.floor(t + near)
        first.append(np.clip(rounded, -(2.0**62), 2.0**62).astype(np.int64))
    names = np.full(task.size, "double rounding", object)
    for rounding in SECOND_ROUNDINGS:
        least, most = (round_shift(n, shift, rounding) + task.zero_point for n in first)
        yield Hypothesis(f"double rounding, {rounding}", _between(task, least, most), names)


def _short_multipliers(task: Any, first: Hypothesis) -> Iterator[Hypothesis]:
    if not isinstance(task, Sum) or task.kind != "add":
        return
    ratios_to_output = [np.float32(q.scale) / np.float32(task.scale) for q in (task.a, task.b)]
    if not all(2.0**-14 <= ratio < 2.0**8 for ratio in ratios_to_output):
        return  # such multipliers do not hold these ratios
    (n_a, n_b), a, b = task.integers, task.a, task.b
    steps = sum_in_fixed_point(n_a, a.scale, a.zero_point, n_b, b.scale, b.zero_point, task.scale)
    fixed = np.clip(steps + task.zero_point, task.lower, task.upper)
    names = np.full(task.size, "multiplier precision", object)
    legal = first.allows(fixed)
    yield Hypothesis(
        "multipliers of 22 bits", lambda a: (a == fixed) | (legal & first.allows(a)), names
    )


def _wrapping(task: Any) -> Iterator[Hypothesis]:
    least, most = _nearest(task, task.ratio(np.arange(task.size)))
    span = 2.0**8 if task.upper < 2**8 else 2.0**32
    names = np.full(task.size, "wrap-around", object)
    # ReLU may come before the lower bits are taken, or be lost with the clipping.
    for key, floor in (("wrap-around", -np.inf), ("wrap-around after ReLU", task.lower)):
        if key == "wrap-around" or getattr(task, "relu", False):
            low, high = np.maximum(least, floor), np.maximum(most, floor)
            yield Hypothesis(key, _modulo(task, low, high, span), names)


def _modulo(task: Any, low, high, span: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda answers: task.undefined | ((answers - low) % span <= high - low)


def explaining(task: Any, first: Hypothesis, answers: np.ndarray) -> Hypothesis | None:
    """Find the first hypothesis that allows every element of an answer; None if there is none."""
    if first.allows(answers).all():
        return first
    others = _other_sums(task) if isinstance(task, Product) else iter(())
    for hypothesis in chain(
        others, _rounded_twice(task), _short_multipliers(task, first), _wrapping(task)
    ):
        if hypothesis.allows(answers).all():
            return hypothesis
    return None
