r"""Hypotheses that may explain an entire answer: which integers each allows for every element.

A hypothesis states how a backend computes, and so which integers it may return for each element: an
interval, from the bound on float32 arithmetic that `refquant.oracle.error_bounds` derives. It
explains an answer if it allows *every* element, including those that agree with the engine. The
plain hypothesis is legality: exact sums, rounded once to the nearest integer.

============== ===================================================================================
border         a convolution pads with the integer 0
saturation     sums of two products saturate to int16
double         sums (or products of two integers) times the fraction of their multiplier,
rounding       :math:`m = f \, 2^{-k}` with :math:`\frac12 \le f < 1`, are rounded to integers, and
               once more by the shift of k bits
multiplier     the scales of a sum over that of the output are integers of 22 bits (QNNPACK)
precision
wrap-around    integers are not clipped; only their lower bits are kept
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

# Tie rules of the second rounding in fixed point; ties of the first may go either way.
SECOND_ROUNDINGS = ("half_away", "half_up", "half_even")
FORMING = 6  # roundings that form a multiplier and its fraction of 31 bits


@dataclass(frozen=True)
class Hypothesis:
    """A way to compute, and the answers that it allows.

    Attributes
    ----------
    key : str
        Identifies it.
    allows : callable
        ``allows(answers)`` returns for each element whether the hypothesis allows it.
    names : ndarray of str
        The class of an element that this hypothesis alone explains.
    real : Ratios or None
        The values that are rounded to the nearest integer, in steps; None if there are none.
    """

    key: str
    allows: Callable[[np.ndarray], np.ndarray] = field(repr=False)
    names: np.ndarray = field(repr=False)
    real: Ratios | None = field(default=None, repr=False)


def _nearest(task: Any, real: Ratios, other: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Bound the integers that values near these round to, before clipping."""
    floats = real.floats()
    bound = error_bound(task, np.arange(task.size), floats, True)
    if other:  # sums that are no longer those of the bound
        bound = bound + GAMMA * np.abs(floats - task.zero_point)
    return np.ceil(floats - bound - 0.5), np.floor(floats + bound + 0.5)


def _between(task: Any, least, most) -> Callable[[np.ndarray], np.ndarray]:
    least, most = (np.clip(end, task.lower, task.upper) for end in (least, most))
    return lambda answers: task.undefined | ((least <= answers) & (answers <= most))


def plain(task: Any) -> Hypothesis:
    """Return the hypothesis that the answer is legal."""
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
        return  # multipliers of 22 bits cannot represent these ratios
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
