r"""Comparison of a backend's answer with an engine's, element by element, and why they differ.

Each differing element gets the first class that explains it:

===================== =================================================================
class                 the element
===================== =================================================================
tie                   differs by one step, and the exact number lies half-way between two
                      integers
multiplier precision  is legal: float arithmetic may land on either side of the edge
border                is what padding with the integer 0 gives, in a window at the border
saturation            is what sums of pairs in 16 bits give
wrap-around           has the lower bits of a result that should have been clipped
unexplained           none of these
===================== =================================================================
"""

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from html import escape
from typing import Any

import numpy as np

from refquant import engines
from refquant.engines import Engine
from refquant.oracle.legality import knows, legal
from refquant.oracle.problem import Problem, problem
from refquant.oracle.products import Product
from refquant.plotting.mismatch import mismatch_bars

__all__ = ["CLASSES", "Mismatch", "compare"]

CLASSES = (
    "tie",
    "multiplier precision",
    "border",
    "saturation",
    "wrap-around",
    "unexplained",
)


@dataclass(frozen=True)
class Mismatch:
    """How a backend's answer differs from that of an engine.

    Attributes
    ----------
    operation, engine : str
        What was compared with whom.
    shape : tuple of int
        Of the output.
    where : ndarray of int64, shape (count,)
        Flat indices of the elements that differ.
    actual, expected : ndarray, shape (count,)
        Their integers, or real numbers where the operation returns such.
    classes : ndarray of str, shape (count,)
        Why each differs: one of `CLASSES`.
    legal : ndarray of bool, shape (count,), or None
        Whether a sound implementation may answer so; None where that is not known.
    at_border : ndarray of bool, shape (count,)
        Whether the window reaches outside of the image.

    Examples
    --------
    >>> import numpy as np, refquant
    >>> from refquant import oracle
    >>> x = refquant.tensor([0.25, 0.26, 0.5])
    >>> theirs = np.array([3, 3, 9])
    >>> found = oracle.compare(theirs, "quantize_per_tensor", x, 0.1, 0, refquant.quint8)
    >>> isinstance(found, oracle.Mismatch)
    True
    """

    operation: str
    engine: str
    shape: tuple[int, ...]
    where: np.ndarray
    actual: np.ndarray
    expected: np.ndarray
    classes: np.ndarray
    legal: np.ndarray | None
    at_border: np.ndarray

    @property
    def size(self) -> int:
        """Number of elements compared."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def count(self) -> int:
        """Number of elements that differ."""
        return int(self.where.size)

    @property
    def histogram(self) -> dict[int, int]:
        """How many elements are how many steps off, smallest first; equal ones are left out."""
        steps = Counter((self.actual - self.expected).tolist())
        return dict(sorted(steps.items()))

    @property
    def indices(self) -> np.ndarray:
        """Where the elements that differ are, shape (count, dimensions)."""
        return np.stack(np.unravel_index(self.where, self.shape), axis=1)

    @property
    def counts(self) -> dict[str, int]:
        """How many elements are of each class."""
        found = Counter(self.classes.tolist())
        return {name: found[name] for name in CLASSES if found[name]}

    @property
    def channels(self) -> np.ndarray:
        """How many elements differ in each channel, dimension 1 of the output (or the last)."""
        axis = 1 if len(self.shape) > 1 else 0
        extent = self.shape[axis] if self.shape else 1
        at = self.indices[:, axis] if self.shape else np.zeros(self.count, np.int64)
        return np.bincount(at, minlength=extent)

    def __str__(self) -> str:
        head = f"{self.operation} beside engine {self.engine!r}: "
        if not self.count:
            return head + f"all {self.size:,} elements are equal"
        lines = [head + f"{self.count:,} of {self.size:,} elements differ"]
        steps = ", ".join(f"{n:,} by {d:+g}" for d, n in list(self.histogram.items())[:8])
        lines.append(f"  by steps: {steps}")
        lines.append("  why: " + ", ".join(f"{n:,} {name}" for name, n in self.counts.items()))
        if self.legal is not None:
            lines.append(f"  legal: {int(self.legal.sum()):,} of {self.count:,}")
        if self.at_border.any():
            lines.append(f"  at the border: {int(self.at_border.sum()):,}")
        for row, a, e, c in list(zip(self.indices, self.actual, self.expected, self.classes))[:5]:  # noqa: B905
            place = ", ".join(str(i) for i in row)
            lines.append(f"  [{place}]: got {a}, expected {e} ({c})")
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"

    def plot(self, ax: Any = None) -> Any:
        """Draw how many elements are how many steps off, coloured by class.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; new ones by default.

        Returns
        -------
        matplotlib Axes
        """
        return mismatch_bars(self, ax=ax)


def _classes(task: Any, where, actual, expected, real, is_legal) -> np.ndarray:
    classes = np.full(where.size, "unexplained", dtype=object)
    if real is None:
        return classes
    left = np.ones(where.size, bool)

    def give(name: str, holds: np.ndarray) -> None:
        classes[left & holds] = name
        left[holds] = False

    half = np.array([abs(r - round(r)) == Fraction(1, 2) for r in real], bool)
    give("tie", half & (np.abs(actual - expected) == 1))
    give("multiplier precision", is_legal)
    if isinstance(task, Product):
        record = engines.get("exact")
        for name, sums in (
            ("border", task.sums(border="zero")),
            ("saturation", task.sums("saturated_pairs")),
        ):
            rest = np.flatnonzero(left)
            changed = sums[where[rest]] != task.sums("exact")[where[rest]]
            holds = np.zeros(where.size, bool)
            near = np.abs(task.answer_for(record, where[rest], sums) - actual[rest]) <= 1
            holds[rest] = near & changed
            give(name, holds)
    rest = np.flatnonzero(left)
    steps = np.array([round(r) for r in real[rest]], dtype=object)
    bits = int(task.upper - task.lower + 1) if task.upper - task.lower in (255, 2**32 - 1) else 256
    beyond = np.array([not task.lower <= n <= task.upper for n in steps], bool)
    low = np.array([n % bits for n in steps], dtype=object)
    holds = np.zeros(where.size, bool)
    holds[rest] = beyond & np.asarray(low == actual[rest] % bits, bool)
    give("wrap-around", holds)
    return classes


def compare_problem(task: Problem, actual: Any, engine: str | Engine) -> Mismatch:
    """Compare an answer to a problem with that of an engine; see `compare`."""
    answers, expected, shape = task.check(actual, engine)
    with np.errstate(invalid="ignore"):
        differ = (answers != expected) & ~(np.isnan(answers) & np.isnan(expected))
    where = np.flatnonzero(differ)
    real = task.exact(where) if knows(task) else None  # type: ignore[attr-defined]
    is_legal = None if real is None else legal(task, where, answers[where], real, True)
    at_border = task.border[where] if isinstance(task, Product) else np.zeros(where.size, bool)
    return Mismatch(
        task.operation,
        engine if isinstance(engine, str) else engine.name,
        shape,
        where,
        answers[where],
        expected[where],
        _classes(task, where, answers[where], expected[where], real, is_legal),
        is_legal,
        at_border,
    )


def compare(
    actual: Any, operation: str, *args: Any, engine: str | Engine | None = None, **kwargs: Any
) -> Mismatch:
    """Compare a backend's answer with that of an engine.

    Parameters
    ----------
    actual : QuantizedTensor, Tensor or ndarray
        What the backend answered, integers in the shape of the output.
    operation : str
        See `problem`.
    *args, **kwargs
        Its operands.
    engine : str or Engine, optional
        With whose answer to compare; the engine that is chosen by default.

    Returns
    -------
    Mismatch
        Printable: counts, steps, places, classes. `Mismatch.plot` draws it.

    Raises
    ------
    ArgumentError, ShapeError, DtypeError
        If the operation is not known, or `actual` does not have the form of its output.

    Examples
    --------
    >>> import numpy as np, refquant
    >>> from refquant import oracle
    >>> x = refquant.tensor([0.25, 0.26, 0.5])
    >>> theirs = np.array([3, 3, 9])
    >>> oracle.compare(theirs, "quantize_per_tensor", x, 0.1, 0, refquant.quint8, engine="fbgemm")
    quantize_per_tensor beside engine 'fbgemm': 2 of 3 elements differ
      by steps: 1 by +1, 1 by +4
      why: 1 multiplier precision, 1 unexplained
      legal: 1 of 2
      [0]: got 3, expected 2 (multiplier precision)
      [2]: got 9, expected 5 (unexplained)
    """
    task = problem(operation, *args, **kwargs)
    return compare_problem(task, actual, engines.current().name if engine is None else engine)
