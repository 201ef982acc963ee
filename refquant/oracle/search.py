"""Search for the smallest change of rules that reproduces an answer.

The search starts from the engine itself: a candidate is its record with other values on some axes
(`refquant.engines.arithmetic.change`), so that it keeps everything that it does not change.

Candidates are tried on a sample first, in which elements that differ from the engine come before
equal ones; those that survive are checked on all elements. If none reproduces the answer, all
elements count for the closest one: a candidate is dropped only if it is wrong at as many elements
of the sample as the closest so far is at all.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

from refquant import engines
from refquant.engines import Engine
from refquant.engines.arithmetic.axes import AXES
from refquant.engines.arithmetic.change import changed
from refquant.engines.registry import chosen
from refquant.errors import RefquantError
from refquant.oracle.comparison import Mismatch
from refquant.oracle.error_bounds import has_exact_values
from refquant.oracle.faults import Fault, faults_of
from refquant.oracle.problems.elementwise import Quantization, Sum
from refquant.oracle.problems.products import Product

__all__ = ["Candidate", "Contradiction", "Search", "has_meaning", "paired"]

# How many differing elements, and as many equal ones, a candidate is tried on before all of them.
GLANCE, SAMPLE = 50, 2000
# How many elements are computed before a candidate that is wrong too often is given up.
CHUNK = 16384
# How many channels or elements a backend may compute at once.
BLOCKS = (4, 8, 16, 32)
_PRECISIONS = AXES["precision"].values
_EXACT = ("avg_pool2d", "adaptive_avg_pool2d")
Values = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Contradiction:
    """An element that refutes a candidate.

    Attributes
    ----------
    index : tuple of int
        Position of the element.
    expected : int or float
        The candidate's result.
    got : int or float
        The backend's result.

    Examples
    --------
    >>> from refquant import oracle
    >>> print(oracle.Contradiction((0, 3), 127, -128).expected)
    127
    """

    index: tuple[int, ...]
    expected: float
    got: float

    def __str__(self) -> str:
        return f"[{', '.join(map(str, self.index))}] would be {self.expected}, is {self.got}"


@dataclass(frozen=True)
class Candidate:
    """Values on some axes and faults, or another engine, perhaps with another value itself.

    With a block, the values hold for whole blocks of channels or elements alone, or for what is
    left behind them.
    """

    axes: tuple[tuple[str, str], ...] = ()
    faults: tuple[Fault, ...] = ()
    engine: str = ""
    block: int = 0
    behind: bool = False

    def names(self, values: Values, units: str = "elements") -> tuple[str, ...]:
        """Name the changes against an engine whose values on the axes are given."""
        if self.engine:
            changes = (f"{axis}: {value}" for axis, value in self.axes)
            return (f"engine {self.engine!r}", *changes)
        where = ""
        if self.block:
            blocks = f"whole blocks of {self.block} {units}"
            where = f" for {units} behind {blocks}" if self.behind else f" for {blocks}"
        return (
            *(
                f"{axis}: {_other(values[axis], value)} -> {value}{where}"
                for axis, value in self.axes
            ),
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


def _wrapped(answers: np.ndarray, bits: int, signed: bool) -> np.ndarray:
    """Keep the lowest bits of integers, as two's complement if they are signed."""
    half = 1 << (bits - 1) if signed else 0
    return ((answers + half) & ((1 << bits) - 1)) - half


def paired(singles: list[Candidate]) -> list[Candidate]:
    """List the candidates of two changes, which are on two axes if both are on any."""
    candidates = []
    for one, other in combinations(singles, 2):
        axes = one.axes + other.axes
        if len({axis for axis, _ in axes}) == len(axes):
            candidates.append(Candidate(axes, one.faults + other.faults))
    return candidates


def has_meaning(task: Any, values: Values, axis: str, value: str) -> bool:
    """Whether a value says something of an operation that no other value says.

    `values` are those of an engine, by axis.
    """
    scaled = isinstance(task, Product) or task.operation in ("mul", "requantize")
    if value == "staged":  # only what is multiplied can be divided afterwards
        return scaled and "scaling" in values
    if value == "q31_merged":
        return task.operation in ("add", "sub")
    # In fixed point multipliers alone are real numbers, so that their precision says it all.
    of_multipliers = axis == "multiplier" and value in _PRECISIONS
    return not of_multipliers or "number" in values.get("scaling", ())


class Search:
    """A search for candidates that reproduce one answer to one problem."""

    def __init__(self, task: Any, actual: np.ndarray, engine: str | Engine, mismatch: Mismatch):
        self.task, self.actual, self.mismatch = task, actual, mismatch
        self.record = chosen(engine)
        self.values: Values = task.values(self.record)
        self.units = "channels" if isinstance(task, Product) else "elements"
        equal = np.ones(actual.size, bool)
        equal[mismatch.where] = False
        self.glance, self.sample = (
            np.concatenate([_some(part, count) for part in (mismatch.where, np.flatnonzero(equal))])
            for count in (GLANCE, SAMPLE)
        )
        self.everything = np.arange(actual.size)
        self.rejected: dict[str, Contradiction] = {}
        self.records: dict[tuple, Engine] = {}
        self.latest: tuple[Candidate | None, np.ndarray | None] = (None, actual)

    def record_of(self, candidate: Candidate) -> Engine:
        """Return the record of a candidate: another engine, or this one with other axes."""
        key = candidate.engine, candidate.axes
        if key not in self.records:
            base = engines.get(candidate.engine) if candidate.engine else self.record
            self.records[key] = changed(base, dict(candidate.axes)) if candidate.axes else base
        return self.records[key]

    def answers(self, candidate: Candidate, where: np.ndarray) -> np.ndarray | None:
        """Compute some elements as a candidate would; None if it does not apply."""
        if candidate.block:
            changed_ones = self.answers(replace(candidate, block=0), where)
            own, chosen = self.answers(Candidate(), where), self.part(candidate)[where]
            if changed_ones is None or own is None:
                return None
            return np.where(chosen, changed_ones, own)
        task, record = self.task, self.record_of(candidate)
        if not has_exact_values(task):  # only all elements at once can be computed
            if self.latest[0] != candidate:
                self.latest = candidate, self._whole(candidate, record)
            return None if self.latest[1] is None else self.latest[1][where]
        changes: dict[str, Any] = {}
        for fault in candidate.faults:
            change = fault.changes(task)
            if change is None:
                return None
            change = dict(change)
            if isinstance(task, Product) and "scales" in change:
                change["scales"] = change["scales"](*changes.pop("scales", task.scales()))
            if changes.keys() & change.keys() - {"lower"}:
                return None
            if "lower" in changes and "lower" in change:  # both bound a result from below
                change["lower"] = max(changes["lower"], change["lower"])
            changes.update(change)
        keep_bits = changes.pop("keep_bits", None)
        # What wraps around is stored, and bounded by an operation that reads it.
        least = changes.pop("lower", None) if keep_bits else None
        if keep_bits:
            changes["lower"] = -(2**31)
        if changes.keys() & {"input_zero", "weight_zero"}:
            changes["sums"] = task.sums_for(
                record, changes.pop("input_zero", None), changes.pop("weight_zero", None)
            )
        answers = task.answer_for(record, where, **changes)
        if not keep_bits:
            return answers
        wrapped = _wrapped(answers, keep_bits, self.task.lower < 0)
        return wrapped if least is None else np.maximum(wrapped, least)

    def _whole(self, candidate: Candidate, record: Engine) -> np.ndarray | None:
        """Compute all elements of an operation that is one step, from other operands if need be."""
        task, operands = self.task, dict[str, Any]()
        for fault in candidate.faults:
            change = fault.changes(task)
            if change is None or operands.keys() & change.keys():
                return None
            operands.update(change)
        keep_bits = operands.pop("keep_bits", None)
        if operands:
            given = {**task.arguments, **operands}
            task = type(task)(task.operation, task.function, given)
        answers = task.answer(record)
        return _wrapped(answers, keep_bits, self.task.lower < 0) if keep_bits else answers

    def part(self, candidate: Candidate) -> np.ndarray:
        """Find the outputs that whole blocks hold, or those behind them."""
        if isinstance(self.task, Product):
            units, count = self.task.channel, int(self.task.layer.scales.size)
        else:
            units, count = self.everything, self.actual.size
        return (units >= count - count % candidate.block) == candidate.behind

    def applied(self, candidate: Candidate) -> Candidate | None:
        """Reduce a candidate to what it changes in this problem; None if that is nothing."""
        if candidate.engine:
            return candidate
        own = {fault.name: fault for fault in faults_of(self.task)}
        axes = tuple((a, v) for a, v in candidate.axes if a in self.values and self._sensible(a, v))
        faults = tuple(
            own[fault.name]
            for fault in candidate.faults
            if fault.name in own and own[fault.name].changes(self.task) is not None
        )
        if not axes and not faults:
            return None
        return replace(candidate, axes=axes, faults=faults)

    def names(self, candidate: Candidate) -> tuple[str, ...]:
        """Name the changes of a candidate."""
        return candidate.names(self.values, self.units)

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
                    number = float if self.actual.dtype.kind == "f" else int
                    index = np.unravel_index(first, self.mismatch.shape)
                    self.rejected[" and ".join(self.names(candidate))] = Contradiction(
                        tuple(int(i) for i in index),
                        number(answers[wrong[0]]),
                        number(self.actual[first]),
                    )
                return False
            complete = where is self.everything
        return complete

    def closest(self) -> tuple[str, int]:
        """Name the candidate that is wrong at the fewest elements, and count these."""
        fewest, best = self.mismatch.count, "the engine itself"
        # If all differing elements are in the sample, the engine is right at the others, so that a
        # candidate with its answers to the sample is nowhere better.
        known = fewest <= CHUNK
        sample = np.union1d(self.mismatch.where, self.sample) if known else self.sample
        own = self.answers(Candidate(), sample)
        promising = []
        for candidate in (*self.singles(), *self.engines(), *self.pairs()):
            for _, answers, wrong in self.tries(candidate, sample):
                same = own is not None and np.array_equal(answers, own)
                if wrong.size < fewest and not (known and same):
                    promising.append((wrong.size, candidate))
        for least, candidate in sorted(promising, key=lambda pair: pair[0]):
            if least >= fewest:
                break
            left = self._left(candidate, fewest)
            if left is not None:
                fewest, best = left, " and ".join(self.names(candidate))
        return best, fewest

    def _left(self, candidate: Candidate, fewest: int) -> int | None:
        """Count at how many elements a candidate is wrong; None if they are not fewer."""
        parts = np.array_split(self.everything, 1 + self.everything.size // CHUNK)
        left = done = 0
        for where, _, wrong in self.tries(candidate, *parts):
            left, done = left + wrong.size, done + where.size
            if left >= fewest:
                return None
        return left if done == self.everything.size else None

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
        if _other(self.values[axis], value) is None or not has_meaning(
            self.task, self.values, axis, value
        ):
            return False
        # Real numbers of operations that are not known step by step have no exact form.
        return value != "exact" or has_exact_values(self.task) or self.task.operation in _EXACT

    def engines(self) -> list[Candidate]:
        """List the other engines; of neutral operands those of other runtimes first."""
        names = engines.names(), engines.other_runtimes()
        first, second = names if self.task.output is None else names[::-1]
        return [Candidate(engine=n) for n in (*first, *second) if n != self.record.name]

    def parts(self) -> list[Candidate]:
        """List the candidates of one change in a part of the channels or elements."""
        if not isinstance(self.task, Product | Sum | Quantization):
            return []
        return [
            replace(single, block=block, behind=behind)
            for single in self.singles()
            for block in BLOCKS
            for behind in (False, True)
            if single.axes
        ]

    def pairs(self) -> list[Candidate]:
        """List the candidates of two changes."""
        return paired(self.singles())

    def changed_engines(self) -> list[Candidate]:
        """List the candidates of another engine with one value that is not its own.

        Of engines with the same rules for this operation the first one stands for all.
        """
        candidates, seen = [], set()
        for other in self.engines():
            values = dict(self.task.values(engines.get(other.engine)))
            # Real products are slow, and engines that have them stand for themselves.
            values.pop("order", None)
            for _, own, _ in self.tries(other, self.glance):
                key = own.tobytes(), tuple(values.items())
                if key in seen:
                    values = {}
                seen.add(key)
            candidates += [
                replace(other, axes=((axis, value),))
                for axis, own in values.items()
                for value in AXES[axis].values
                if own != (value,) and has_meaning(self.task, values, axis, value)
            ]
        return candidates

    def run(self) -> tuple[tuple[str, ...], ...]:
        """Return the explanations of the first group that has any."""
        groups = (
            (lambda: self.singles() + self.engines(), True), (self.parts, False),
            (self.pairs, False), (self.changed_engines, False),
        )  # fmt: skip
        for group, keep in groups:
            right = [c for c in group() if self.reproduces(c, keep)]
            if right:
                return tuple(map(self.names, right))
        return ()
