"""Search for the smallest change of rules that reproduces an answer.

The search starts from the engine itself: a candidate is its record with other values on some axes
(`refquant.engines.arithmetic.change`), so that it keeps everything that it does not change.

Candidates are tried on a sample first, in which elements that differ from the engine come before
equal ones; those that survive are checked on all elements. If none reproduces the answer, all
elements count for the closest one: a candidate is dropped only if it is wrong at as many elements
of the sample as the closest so far is at all.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from refquant import engines
from refquant.engines import Engine
from refquant.engines.arithmetic.axes import AXES
from refquant.engines.arithmetic.change import changed
from refquant.errors import RefquantError
from refquant.oracle.comparison import Mismatch
from refquant.oracle.error_bounds import has_exact_values
from refquant.oracle.faults import Fault, faults_of
from refquant.oracle.problems.products import Product

__all__ = ["Contradiction", "Search"]

# How many differing elements, and as many equal ones, a candidate is tried on before all of them.
GLANCE, SAMPLE = 50, 2000
_EXACT = ("avg_pool2d", "adaptive_avg_pool2d")
Values = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Contradiction:
    """An element that refutes a candidate.

    Attributes
    ----------
    index : tuple of int
        Position of the element.
    expected : int
        The candidate's result.
    got : int
        The backend's result.

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
    """Values on some axes and faults, or another engine."""

    axes: tuple[tuple[str, str], ...] = ()
    faults: tuple[Fault, ...] = ()
    engine: str = ""

    def names(self, values: Values) -> tuple[str, ...]:
        if self.engine:
            return (f"engine {self.engine!r}",)
        return (
            *(f"{axis}: {_other(values[axis], value)} -> {value}" for axis, value in self.axes),
            *(fault.name for fault in self.faults),
        )


def _other(values: tuple[str, ...], value: str) -> str | None:
    """Find the first of an engine's values on an axis that differs from this one."""
    return next((candidate for candidate in values if candidate != value), None)


def _some(indices: np.ndarray, count: int) -> np.ndarray:
    """Choose a sample of indices, the same in every run."""
    if indices.size <= count:
        return indices
    return np.sort(np.random.default_rng(0).choice(indices, count, replace=False))


class Search:
    """A search for candidates that reproduce one answer to one problem."""

    def __init__(self, task: Any, actual: np.ndarray, engine: str | Engine, mismatch: Mismatch):
        self.task, self.actual, self.mismatch = task, actual, mismatch
        self.record = engine if isinstance(engine, Engine) else engines.get(engine)
        self.values: Values = task.values(self.record)
        equal = np.ones(actual.size, bool)
        equal[mismatch.where] = False
        self.glance, self.sample = (
            np.concatenate([_some(part, count) for part in (mismatch.where, np.flatnonzero(equal))])
            for count in (GLANCE, SAMPLE)
        )
        self.everything = np.arange(actual.size)
        self.rejected: dict[str, Contradiction] = {}
        self.records: dict[tuple, Engine] = {}
        self.latest: tuple[Candidate | None, np.ndarray] = (None, actual)

    def record_of(self, candidate: Candidate) -> Engine:
        """Return the record of a candidate: another engine, or this one with other axes."""
        if candidate.engine:
            return engines.get(candidate.engine)
        if candidate.axes not in self.records:
            self.records[candidate.axes] = changed(self.record, dict(candidate.axes))
        return self.records[candidate.axes]

    def answers(self, candidate: Candidate, where: np.ndarray) -> np.ndarray | None:
        """Compute some elements as a candidate would; None if it does not apply."""
        task, record = self.task, self.record_of(candidate)
        if not has_exact_values(task):  # only all elements at once can be computed
            if self.latest[0] != candidate:
                self.latest = candidate, task.answer(record)
            return self.latest[1][where]
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
        keep_bits = changes.pop("keep_bits", None)
        if changes.keys() & {"input_zero", "weight_zero"}:
            changes["sums"] = task.sums_for(
                record, changes.pop("input_zero", None), changes.pop("weight_zero", None)
            )
        answers = task.answer_for(record, where, **changes)
        return answers & (2**keep_bits - 1) if keep_bits else answers

    def tries(self, candidate: Candidate, *parts: np.ndarray) -> Iterator[tuple]:
        """Compute parts of the answer one after the other, on demand.

        Yields
        ------
        where, answers, wrong : ndarray
            Indices of a part, the candidate's answers, and at which of them they are wrong.
        """
        for where in parts:
            try:
                answers = self.answers(candidate, where)
            except RefquantError:  # the engine does not support it
                answers = None
            if answers is None:
                return
            yield where, answers, np.flatnonzero(answers != self.actual[where])

    def reproduces(self, candidate: Candidate, keep: bool) -> bool:
        """Return whether a candidate is right on the sample and then on everything."""
        complete = False
        for where, answers, wrong in self.tries(
            candidate, self.glance, self.sample, self.everything
        ):
            if wrong.size:
                if keep:
                    first = where[wrong[0]]
                    index = np.unravel_index(first, self.mismatch.shape)
                    self.rejected[" and ".join(candidate.names(self.values))] = Contradiction(
                        tuple(int(i) for i in index),
                        int(answers[wrong[0]]),
                        int(self.actual[first]),
                    )
                return False
            complete = where is self.everything
        return complete

    def closest(self) -> tuple[str, int]:
        """Name the candidate that is wrong at the fewest elements, and count these."""
        fewest, best = self.mismatch.count, "the engine itself"
        for candidate in (*self.singles(), *self.engines(), *self.pairs()):
            left = None
            for where, _, wrong in self.tries(candidate, self.sample, self.everything):
                left = wrong.size if where is self.everything else None
                if wrong.size >= fewest:
                    break
            if left is not None and left < fewest:
                fewest, best = left, " and ".join(candidate.names(self.values))
        return best, fewest

    def singles(self) -> list[Candidate]:
        """List the candidates of one change."""
        moved = [
            Candidate(axes=((axis, value),))
            for axis in AXES
            for value in AXES[axis].values
            if axis in self.values and self._sensible(axis, value)
        ]
        return moved + [Candidate(faults=(fault,)) for fault in faults_of(self.task)]

    def _sensible(self, axis: str, value: str) -> bool:
        if _other(self.values[axis], value) is None:
            return False
        # Real numbers of operations that are not known step by step have no exact form.
        return value != "exact" or has_exact_values(self.task) or self.task.operation in _EXACT

    def engines(self) -> list[Candidate]:
        """List the other engines."""
        return [
            Candidate(engine=name)
            for name in (*engines.names(), *engines.other_runtimes())
            if name != self.record.name
        ]

    def pairs(self) -> list[Candidate]:
        """List the candidates of two changes."""
        candidates = []
        for one, other in combinations(self.singles(), 2):
            axes = one.axes + other.axes
            if len({axis for axis, _ in axes}) == len(axes):
                candidates.append(Candidate(axes, one.faults + other.faults))
        return candidates

    def run(self) -> tuple[tuple[str, ...], ...]:
        """Return the explanations of the first group that has any."""
        for group, keep in ((self.singles() + self.engines(), True), (self.pairs(), False)):
            right = [c for c in group if self.reproduces(c, keep)]
            if right:
                return tuple(c.names(self.values) for c in right)
        return ()
