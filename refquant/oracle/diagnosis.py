"""Diagnosis: the smallest change of rules that reproduces a backend's entire answer.

Candidates are tried in this order; the search ends with the first group in which one reproduces
every element:

1. the engine itself;
2. one change: another value on one axis (`refquant.oracle.AXES`), or one fault
   (`refquant.oracle.faults`); or another engine;
3. two changes;
4. another engine with one change.

The diagnosis names all candidates of that group that reproduce the answer, and keeps for each
candidate that fails an element that refutes it. `refquant.oracle.search` holds the candidates.
"""

from dataclasses import dataclass, field
from html import escape
from typing import Any

from refquant import engines
from refquant.engines import Engine
from refquant.errors import OperationError
from refquant.oracle.comparison import Mismatch, compare_problem
from refquant.oracle.problems.base import Problem
from refquant.oracle.problems.neutral_codes import NeutralCodes
from refquant.oracle.problems.table import problem
from refquant.oracle.search import Contradiction, Search

__all__ = ["Diagnosis", "diagnose"]


@dataclass(frozen=True)
class Diagnosis:
    """The result of `diagnose`.

    Attributes
    ----------
    verdict : str
        The first of `explanations`, or ``'unexplained'``.
    changes : tuple of str
        The changes of the first explanation; empty if there is none, or the engine itself agrees.
    explanations : tuple of tuple of str
        All equally small explanations; the data cannot tell them apart.
    rejected : dict of str to Contradiction
        Candidates of at most one change that fail, each with an element that refutes it.
    closest : str
        If unexplained: the candidate that is wrong at the fewest elements.
    remaining : int
        If unexplained: at how many elements the closest candidate is wrong.
    mismatch : Mismatch
        The comparison with the engine.

    Examples
    --------
    >>> import numpy as np, refquant
    >>> from refquant import oracle
    >>> x = refquant.quantize_per_tensor(refquant.tensor([[3.0, 1.0]]), 0.5, 2, refquant.quint8)
    >>> w = refquant.quantize_per_tensor(refquant.tensor([[1.0, -2.0]]), 0.25, 0, refquant.qint8)
    >>> diagnosis = oracle.diagnose(np.array([[10]]), "linear", x, w, scale=0.4, zero_point=10)
    >>> isinstance(diagnosis, oracle.Diagnosis), isinstance(diagnosis.verdict, str)
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
            f"{self.mismatch.operation} against engine {self.mismatch.engine!r}: {self.verdict}"
        ]
        others = [" and ".join(e) for e in self.explanations[1:]]
        if others:
            lines.append(f"  equally good: {'; '.join(others)}")
            lines.append("  no element distinguishes them: use data with more ties and extremes")
        if self.unexplained:
            lines.append(
                f"  closest: {self.closest}, wrong at {self.remaining:,} of "
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


def diagnose(
    actual: Any,
    operation: str | Problem,
    *args: Any,
    engine: str | Engine | None = None,
    **kwargs: Any,
) -> Diagnosis:
    """Find the smallest change of rules that turns an engine's answer into a backend's.

    Parameters
    ----------
    actual : QuantizedTensor or ndarray
        The backend's answer, integers in the shape of the output.
    operation : str
        See `problem`. Axes and engines are tried for all operations, faults for linear layers,
        convolutions, ``add``, ``mul`` and quantizing operations.
    *args, **kwargs
        The operands.
    engine : str or Engine, optional
        The engine to start from; the current engine by default.

    Returns
    -------
    Diagnosis
        Printable: the verdict, equally good explanations, and what refutes the others.

    Raises
    ------
    ArgumentError, ShapeError, DtypeError
        If the operation is not known, or `actual` does not have the form of its output.
    OperationError
        If the operation is one of PyTorch and returns real numbers.

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
    >>> theirs = np.clip(np.floor(acc / 2 + 0.5) + 100, 0, 255).astype(int)  # ties upward
    >>> diagnosis = oracle.diagnose(theirs, "linear", x, w, scale=1 / 16, zero_point=100)
    >>> diagnosis.verdict
    'rounding: half_even -> half_up'
    """
    task = problem(operation, *args, **kwargs)
    return diagnose_problem(task, actual, engines.current().name if engine is None else engine)


def diagnose_problem(task: Problem, actual: Any, start: str | Engine) -> Diagnosis:
    """Diagnose the answer to a problem; see `diagnose`."""
    mismatch = compare_problem(task, actual, start)
    if mismatch.actual.dtype.kind == "f" and not isinstance(task, NeutralCodes):
        raise OperationError(
            f"oracle.diagnose of {task.operation}",
            argument="operation",
            expected="one that returns integers, or one on neutral operands",
            hint="oracle.compare works for real numbers",
        )
    if not mismatch.count:
        verdict = f"engine {mismatch.engine!r} itself"
        return Diagnosis(verdict, (), ((verdict,),), {}, "", 0, mismatch)
    search = Search(task, task.check(actual, start)[0], start, mismatch)
    explanations = search.run()
    if explanations:
        verdict = " and ".join(explanations[0])
        return Diagnosis(verdict, explanations[0], explanations, search.rejected, "", 0, mismatch)
    closest, remaining = search.closest()
    return Diagnosis("unexplained", (), (), search.rejected, closest, remaining, mismatch)
