r"""Diagnosis: the smallest change of rules that reproduces a backend's whole answer.

Candidates are tried in this order, and the search ends with the first group of which one
reproduces every element:

1. the engine itself;
2. one change: another value on one axis (`refquant.oracle.AXES`), or one fault
   (`refquant.oracle.faults`); or another engine as a whole;
3. two changes.

All candidates of that group which reproduce the answer are named. A candidate that fails is kept
with an element that contradicts it. Candidates meet a sample first, in which elements that differ
from the engine come before equal ones; those that survive are checked on all elements.
"""

from dataclasses import dataclass, field
from html import escape
from itertools import combinations
from typing import Any

import numpy as np

from refquant import engines
from refquant.engines import Engine
from refquant.engines.axes import AXES, Arithmetic
from refquant.engines.points import POINTS, arithmetic_of
from refquant.errors import OperationError, RefquantError
from refquant.oracle.comparison import Mismatch, compare_problem
from refquant.oracle.faults import Fault, faults_of
from refquant.oracle.legality import knows
from refquant.oracle.problem import Problem, problem
from refquant.oracle.products import Product
from refquant.oracle.sums import Quantization

__all__ = ["Contradiction", "Diagnosis", "diagnose"]

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
class Diagnosis:
    """What `diagnose` found.

    Attributes
    ----------
    verdict : str
        In words: the first of `explanations`, or ``'unexplained'``.
    changes : tuple of str
        The changes of the first explanation; empty if there is none, or the engine itself agrees.
    explanations : tuple of tuple of str
        All equally small explanations; the data cannot tell them apart.
    rejected : dict of str to Contradiction
        Candidates of at most one change that fail, each with an element that shows it.
    closest : str
        If unexplained: the candidate with the fewest elements left.
    remaining : int
        If unexplained: how many elements the closest candidate leaves.
    mismatch : Mismatch
        The comparison with the engine.

    Examples
    --------
    >>> import numpy as np, refquant
    >>> from refquant import oracle
    >>> x = refquant.quantize_per_tensor(refquant.tensor([[3.0, 1.0]]), 0.5, 2, refquant.quint8)
    >>> w = refquant.quantize_per_tensor(refquant.tensor([[1.0, -2.0]]), 0.25, 0, refquant.qint8)
    >>> found = oracle.diagnose(np.array([[10]]), "linear", x, w, scale=0.4, zero_point=10)
    >>> isinstance(found, oracle.Diagnosis), isinstance(found.verdict, str)
    (True, True)
    """

    verdict: str
    changes: tuple[str, ...]
    explanations: tuple[tuple[str, ...], ...]
    rejected: dict[str, Contradiction] = field(repr=False)
    closest: str
    remaining: int
    mismatch: Mismatch = field(repr=False)

    @property
    def unexplained(self) -> bool:
        """Whether no candidate reproduces the answer."""
        return self.verdict == "unexplained"

    def __str__(self) -> str:
        lines = [
            f"{self.mismatch.operation} beside engine {self.mismatch.engine!r}: {self.verdict}"
        ]
        others = [" and ".join(e) for e in self.explanations[1:]]
        if others:
            lines.append(f"  just as well: {'; '.join(others)}")
            lines.append("  no element tells them apart: give data with more ties and extremes")
        if self.unexplained:
            lines.append(
                f"  closest: {self.closest}, which leaves {self.remaining:,} of "
                f"{self.mismatch.size:,} elements"
            )
        if self.mismatch.count:
            lines.append(f"  {self.mismatch.count:,} of {self.mismatch.size:,} elements differ")
        for name, contradiction in list(self.rejected.items())[:4]:
            lines.append(f"  not {name}: {contradiction}")
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"


@dataclass(frozen=True)
class _Candidate:
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


class _Search:
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
        self.best: _Candidate | None = None
        self.whole: tuple[_Candidate | None, np.ndarray] = (None, actual)
        self.fewest = min(mismatch.count, SAMPLE)

    def answers(self, candidate: _Candidate, where: np.ndarray) -> np.ndarray | None:
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

    def reproduces(self, candidate: _Candidate, keep: bool) -> bool:
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

    def singles(self) -> list[_Candidate]:
        """List the candidates of one change."""
        axes = AXES if isinstance(self.task, Product) else _AXES_OF_SINGLES
        changed = [
            _Candidate(axes=((axis, value),))
            for axis in axes
            for value in AXES[axis].values
            if value != getattr(self.base, axis) and self._sensible(axis, value)
        ]
        return changed + [_Candidate(faults=(fault,)) for fault in faults_of(self.task)]

    def _sensible(self, axis: str, value: str) -> bool:
        if axis == "bias":
            return self.task.has_bias
        # Fractions of a whole image take too long.
        return value != "exact" or knows(self.task)

    def engines(self) -> list[_Candidate]:
        """List the other engines."""
        own = self.engine if isinstance(self.engine, str) else self.engine.name
        return [
            _Candidate(engine=n) for n in (*engines.names(), *engines.foreign_names()) if n != own
        ]

    def pairs(self) -> list[_Candidate]:
        """List the candidates of two changes."""
        found = []
        for one, other in combinations(self.singles(), 2):
            axes = one.axes + other.axes
            if len({axis for axis, _ in axes}) == len(axes):
                found.append(_Candidate(axes, one.faults + other.faults))
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


def diagnose(
    actual: Any, operation: str, *args: Any, engine: str | Engine | None = None, **kwargs: Any
) -> Diagnosis:
    """Find the smallest change of rules that turns an engine's answer into a backend's.

    Parameters
    ----------
    actual : QuantizedTensor or ndarray
        What the backend answered, integers in the shape of the output.
    operation : str
        See `problem`. Axes and engines are tried for all, faults for linear layers, convolutions,
        ``add``, ``mul`` and quantizing operations.
    *args, **kwargs
        The operands.
    engine : str or Engine, optional
        Where to start; the engine that is chosen by default.

    Returns
    -------
    Diagnosis
        Printable: the verdict, what would do as well, and what contradicts the rest.

    Raises
    ------
    ArgumentError, ShapeError, DtypeError
        If the operation is not known, or `actual` does not have the form of its output.
    OperationError
        If the operation returns real numbers.

    Examples
    --------
    >>> import numpy as np, refquant
    >>> from refquant import oracle
    >>> rng = np.random.default_rng(0)
    >>> q = rng.integers(0, 32, (8, 16), dtype=np.uint8)
    >>> x = refquant.QuantizedTensor(q, refquant.quint8, 0.25, 10)
    >>> k = rng.integers(-4, 5, (4, 16), dtype=np.int8)
    >>> w = refquant.QuantizedTensor(k, refquant.qint8, 0.125, 0)
    >>> acc = (q.astype(int) - 10) @ k.T.astype(int)
    >>> theirs = np.clip(np.floor(acc / 2 + 0.5) + 100, 0, 255).astype(int)  # ties upwards
    >>> found = oracle.diagnose(theirs, "linear", x, w, scale=1 / 16, zero_point=100)
    >>> found.verdict
    'rounding: half_even -> half_up'
    """
    task = problem(operation, *args, **kwargs)
    return diagnose_problem(task, actual, engines.current().name if engine is None else engine)


def diagnose_problem(task: Problem, actual: Any, start: str | Engine) -> Diagnosis:
    """Diagnose the answer to a problem; see `diagnose`."""
    mismatch = compare_problem(task, actual, start)
    if mismatch.actual.dtype.kind == "f":
        raise OperationError(
            f"oracle.diagnose of {task.operation}",
            argument="operation",
            expected="one that returns integers",
            mend="oracle.compare works for real numbers",
        )
    if not mismatch.count:
        own = f"engine {mismatch.engine!r} itself"
        return Diagnosis(own, (), ((own,),), {}, "", 0, mismatch)
    search = _Search(task, task.check(actual, start)[0], start, mismatch)
    explanations = search.run()
    if explanations:
        verdict = " and ".join(explanations[0])
        return Diagnosis(verdict, explanations[0], explanations, search.rejected, "", 0, mismatch)
    closest, remaining = search.closest()
    return Diagnosis("unexplained", (), (), search.rejected, closest, remaining, mismatch)
