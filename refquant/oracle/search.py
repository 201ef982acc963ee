"""The search for the smallest change of rules: candidates, and how they are tried.

Candidates meet a sample first, in which elements that differ from the engine come before equal
ones; those that survive are checked on all elements.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from refquant import engines
from refquant.engines import Engine
from refquant.engines.arithmetic.axes import AXES, Arithmetic
from refquant.engines.builtin.other_runtimes import POINTS, arithmetic_of
from refquant.errors import RefquantError
from refquant.oracle.comparison import Mismatch
from refquant.oracle.faults import Fault, faults_of
from refquant.oracle.legality import knows
from refquant.oracle.problem import Problem
from refquant.oracle.products import Product
from refquant.oracle.sums import Quantization

__all__ = ["Contradiction", "Search"]

# How many elements that differ, and as many equal ones, a candidate meets before all of them.
GLANCE, SAMPLE = 50, 2000
_AXES_OF_SINGLES = ("rounding", "zero_point", "precision", "formed_by", "clamp", "overflow")


@dataclass(frozen=True)
class Contradiction:
    """An element that a candidate does not reproduce.

    Attributes
    ----------
    index : tuple of int
        Where.
    expected : int
        What the candidate gives there.
    got : int
        What the backend gave.

    Examples
    --------
    >>> from refquant import oracle
    >>> print(oracle.Contradiction((0, 3), 127, -128).expected)
    127
    """

    index: tuple[int, ...]
    expected: int
    got: int

    def __str__(self) -> str:
        return f"[{', '.join(map(str, self.index))}] would be {self.expected}, is {self.got}"


@dataclass(frozen=True)
class Candidate:
    """Some axes and faults, or an engine as a whole."""

    axes: tuple[tuple[str, str], ...] = ()
    faults: tuple[Fault, ...] = ()
    engine: str = ""

    def names(self, base: Arithmetic) -> tuple[str, ...]:
        if self.engine:
            return (f"engine {self.engine!r}",)
        changed = (f"{axis}: {getattr(base, axis)} -> {value}" for axis, value in self.axes)
        return (*changed, *(fault.name for fault in self.faults))


def _some(indices: np.ndarray, count: int) -> np.ndarray:
    """Choose some of many, always the same."""
    if indices.size <= count:
        return indices
    return np.sort(np.random.default_rng(0).choice(indices, count, replace=False))


class Search:
    """One search: the problem, the answer, and how candidates are tried."""

    def __init__(self, task: Any, actual: np.ndarray, engine: str | Engine, mismatch: Mismatch):
        self.task, self.actual, self.engine, self.mismatch = task, actual, engine, mismatch
        self.base = _base(task, engine)
        equal = np.setdiff1d(np.arange(actual.size), mismatch.where, assume_unique=True)
        self.glance, self.sample = (
            np.concatenate([_some(part, count) for part in (mismatch.where, equal)])
            for count in (GLANCE, SAMPLE)
        )
        self.everything = np.arange(actual.size)
        self.rejected: dict[str, Contradiction] = {}
        self.best: Candidate | None = None
        self.whole: tuple[Candidate | None, np.ndarray] = (None, actual)
        self.fewest = min(mismatch.count, SAMPLE)

    def answers(self, candidate: Candidate, where: np.ndarray) -> np.ndarray | None:
        """Answer for some elements as a candidate would; None where it does not apply."""
        task = self.task
        if candidate.engine and isinstance(task, Product):
            return task.answer_for(engines.get(candidate.engine), where)
        if candidate.engine or not knows(task):  # only all elements at once can be computed
            if self.whole[0] != candidate:
                arithmetic = self.base.change(**dict(candidate.axes))
                self.whole = candidate, task.answer(candidate.engine or arithmetic.record())
            return self.whole[1][where]
        changes: dict[str, Any] = {}
        for fault in candidate.faults:
            change = fault.changes(task)
            if change is None:
                return None
            change = dict(change)
            if isinstance(task, Product) and "scales" in change:
                change["scales"] = change["scales"](*changes.pop("scales", task.scales()))
            if changes.keys() & change.keys():
                return None
            changes.update(change)
        arithmetic = self.base.change(**dict(candidate.axes))
        record = arithmetic.record()
        keep_bits = changes.pop("keep_bits", None)
        if isinstance(task, Product):
            changes["sums"] = task.sums(
                arithmetic.accumulator,
                arithmetic.border,
                changes.pop("input_zero", None),
                changes.pop("weight_zero", None),
            )
        answers = task.answer_for(record, where, **changes)
        return answers & (2**keep_bits - 1) if keep_bits else answers

    def reproduces(self, candidate: Candidate, keep: bool) -> bool:
        """Try a candidate on the sample, then on everything."""
        name = " and ".join(candidate.names(self.base))
        for where in (self.glance, self.sample, self.everything):
            try:
                answers = self.answers(candidate, where)
            except RefquantError:
                return False  # the engine's limits forbid it
            if answers is None:
                return False
            wrong = np.flatnonzero(answers != self.actual[where])
            if wrong.size:
                self._reject(name, candidate, where, answers, wrong, keep)
                return False
        return True

    def _reject(self, name, candidate, where, answers, wrong, keep):
        first = where[wrong[0]]
        index = tuple(int(i) for i in np.unravel_index(first, self.mismatch.shape))
        if keep:
            self.rejected[name] = Contradiction(
                index, int(answers[wrong[0]]), int(self.actual[first])
            )
        if where is not self.glance or wrong.size < self.glance.size // 4:
            answers = self.answers(candidate, self.sample)
            count = int(np.count_nonzero(answers != self.actual[self.sample]))
            if count < self.fewest:
                self.fewest, self.best = count, candidate

    def closest(self) -> tuple[str, int]:
        """Name the candidate with the fewest elements left in the sample, and count all of them."""
        if self.best is None:
            return "the engine itself", self.mismatch.count
        answers = self.answers(self.best, self.everything)
        remaining = int(np.count_nonzero(answers != self.actual))
        return " and ".join(self.best.names(self.base)), remaining

    def singles(self) -> list[Candidate]:
        """List the candidates of one change."""
        axes = AXES if isinstance(self.task, Product) else _AXES_OF_SINGLES
        changed = [
            Candidate(axes=((axis, value),))
            for axis in axes
            for value in AXES[axis].values
            if value != getattr(self.base, axis) and self._sensible(axis, value)
        ]
        return changed + [Candidate(faults=(fault,)) for fault in faults_of(self.task)]

    def _sensible(self, axis: str, value: str) -> bool:
        if axis == "bias":
            return self.task.has_bias
        # Fractions of a whole image take too long.
        return value != "exact" or knows(self.task)

    def engines(self) -> list[Candidate]:
        """List the other engines."""
        own = self.engine if isinstance(self.engine, str) else self.engine.name
        return [
            Candidate(engine=n) for n in (*engines.names(), *engines.foreign_names()) if n != own
        ]

    def pairs(self) -> list[Candidate]:
        """List the candidates of two changes."""
        found = []
        for one, other in combinations(self.singles(), 2):
            axes = one.axes + other.axes
            if len({axis for axis, _ in axes}) == len(axes):
                found.append(Candidate(axes, one.faults + other.faults))
        return found

    def run(self) -> tuple[tuple[str, ...], ...]:
        """Return the explanations of the first group that has some."""
        for group, keep in ((self.singles() + self.engines(), True), (self.pairs(), False)):
            found = [c for c in group if self.reproduces(c, keep)]
            if found:
                return tuple(c.names(self.base) for c in found)
        return ()


def _base(task: Problem, engine: str | Engine) -> Arithmetic:
    """Find the place of the engine on the axes, for this operation."""
    name = engine if isinstance(engine, str) else engine.name
    point = arithmetic_of(name if name in POINTS else "fbgemm", getattr(task, "per_channel", False))
    if isinstance(task, Product):
        return point
    if name in ("fbgemm", "qnnpack") and knows(task):
        point = point.change(formed_by="product")
        if isinstance(task, Quantization) and task.operation == "quantize_per_tensor":
            point = point.change(zero_point="fused")
    return point
