"""Comparison of a backend's answer with an engine's, element by element, and why they differ.

Each differing element gets a class. A class that says how the backend computes is assigned only if
that explains the *entire* answer (`refquant.oracle.hypotheses`): every element, including those
that agree with the engine, must be one that such a backend may return.

===================== =================================================================
class                 element
===================== =================================================================
tie                   the exact value lies halfway between two integers, of which the engine
                      takes one and the backend the other; one rule for ties explains all of them
multiplier precision  answer and engine are both legal: float arithmetic may land on either side;
                      or the result of sums with multipliers of 22 bits
border                the result of padding with the integer 0, in a window at the border
saturation            the result of sums of two products that saturate to int16
double rounding       the result of requantization in fixed point with two roundings
wrap-around           the lower bits of a result that should have been clipped
unexplained           none of these
===================== =================================================================

If the engine saturates, pads with 0 or rounds twice and the backend does not, the class says so
too.
"""

from collections import Counter
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from refquant import engines
from refquant.engines import Engine
from refquant.engines.rules.ratios import Ratios
from refquant.oracle.error_bounds import bounds_of, has_exact_values
from refquant.oracle.hypotheses import explaining, plain
from refquant.oracle.problems.base import Problem
from refquant.oracle.problems.elementwise import Quantization
from refquant.oracle.problems.products import Product
from refquant.oracle.problems.table import problem
from refquant.plotting.mismatch import mismatch_bars

__all__ = ["CLASSES", "Mismatch", "compare"]

CLASSES = (
    "tie",
    "multiplier precision",
    "border",
    "saturation",
    "double rounding",
    "wrap-around",
    "unexplained",
)


HALF = 2.0**-40  # how far a value in float64 may be from the tie that it is


@dataclass(frozen=True)
class Mismatch:
    """How a backend's answer differs from that of an engine.

    Attributes
    ----------
    operation, engine : str
        What was compared, and with which engine.
    shape : tuple of int
        Of the output.
    where : ndarray of int64, shape (count,)
        Flat indices of the elements that differ.
    actual, expected : ndarray, shape (count,)
        Their integers, or real numbers where the operation returns such.
    classes : ndarray of str, shape (count,)
        Why each differs: one of `CLASSES`.
    legal : ndarray of bool, shape (count,), or None
        Whether a sound implementation may give this answer; None if not known.
    at_border : ndarray of bool, shape (count,)
        Whether the window reaches outside the image.

    Examples
    --------
    >>> import numpy as np, refquant
    >>> from refquant import oracle
    >>> x = refquant.tensor([0.25, 0.26, 0.5])
    >>> theirs = np.array([3, 3, 9])
    >>> mismatch = oracle.compare(theirs, "quantize_per_tensor", x, 0.1, 0, refquant.quint8)
    >>> isinstance(mismatch, oracle.Mismatch)
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
        """Number of elements by their difference in steps, ascending; without equal ones."""
        steps = Counter((self.actual - self.expected).tolist())
        return dict(sorted(steps.items()))

    @property
    def indices(self) -> np.ndarray:
        """Indices of the elements that differ, shape (count, dimensions)."""
        return np.stack(np.unravel_index(self.where, self.shape), axis=1)

    @property
    def counts(self) -> dict[str, int]:
        """Number of elements of each class."""
        counts = Counter(self.classes.tolist())
        return {name: counts[name] for name in CLASSES if counts[name]}

    @property
    def channels(self) -> np.ndarray:
        """Number of differing elements by channel: dimension 1 of the output, or its only one."""
        axis = 1 if len(self.shape) > 1 else 0
        extent = self.shape[axis] if self.shape else 1
        at = self.indices[:, axis] if self.shape else np.zeros(self.count, np.int64)
        return np.bincount(at, minlength=extent)

    def __str__(self) -> str:
        head = f"{self.operation} against engine {self.engine!r}: "
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
        """Draw the number of elements by their difference in steps, colored by class.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; new ones by default.

        Returns
        -------
        matplotlib Axes
        """
        return mismatch_bars(self, ax=ax)


def _classes(task: Any, where, answers, expected) -> tuple[np.ndarray, np.ndarray]:
    """Classify elements, and find whether their answers are legal."""
    first = plain(task)
    ours, theirs = (explaining(task, first, q) for q in (expected, answers))
    sound, engine_sound = (first.allows(q)[where] for q in (answers, expected))
    classes = np.full(where.size, "unexplained", dtype=object)
    if ours is not None:
        classes[~engine_sound] = ours.names[where][~engine_sound]
    if theirs is not None:
        classes[~sound] = theirs.names[where][~sound]
    # Both compute in the same way, or both are legal: they differ only in how they round.
    same = ours is not None and theirs is not None and ours.key == theirs.key
    near = np.full(where.size, same) | (sound & engine_sound)
    classes[near] = "multiplier precision"
    basis = theirs if same and theirs is not None else first
    if basis.real is not None:
        ties = _ties(task, basis.real, answers, expected, basis.allows(answers))
        classes[near & ties[where]] = "tie"
    return classes, sound & ~task.undefined[where]


def _ties(task: Any, real: Ratios, answers, expected, sound) -> np.ndarray:
    """Find where answer and engine take different neighbors of a tie.

    One tie rule must explain all sound answers to ties; otherwise ties are not the reason.
    """
    ties = real.ties() & sound
    low = real.round("floor").astype(np.float64)
    zero = task.zeros if isinstance(task, Quantization) else task.zero_point
    down, up = (np.clip(q, task.lower, task.upper) for q in (low, low + 1))
    odd, odd_after = low % 2 == 1, (low - zero) % 2 == 1
    rules = (odd, ~odd, odd_after, ~odd_after, low >= 0, low < 0, low >= zero, low < zero)
    everywhere = (np.ones(task.size, bool), np.zeros(task.size, bool))
    taken = [np.where(rule, up, down) for rule in (*rules, *everywhere)]
    if not any((answers == q)[ties].all() for q in taken):
        return np.zeros(task.size, bool)
    return ties & ((expected == down) | (expected == up))


def compare_problem(task: Problem, actual: Any, engine: str | Engine) -> Mismatch:
    """Compare an answer to a problem with that of an engine; see `compare`."""
    answers, expected, shape = task.check(actual, engine)
    with np.errstate(invalid="ignore"):
        differ = (answers != expected) & ~(np.isnan(answers) & np.isnan(expected))
    where = np.flatnonzero(differ)
    classes, is_legal = np.full(where.size, "unexplained", dtype=object), None
    if has_exact_values(task) and where.size:
        classes, is_legal = _classes(task, where, answers, expected)
    elif (found := bounds_of(task)) is not None:
        sound, ours = (found.allow(q)[where] for q in (answers, expected))
        classes[sound & ours], is_legal = "multiplier precision", sound
        rounded = found.ends is not None
        halves = rounded & (np.abs(found.real - np.floor(found.real) - 0.5)[where] < HALF)
        classes[sound & ours & halves] = "tie"
    at_border = task.border[where] if isinstance(task, Product) else np.zeros(where.size, bool)
    return Mismatch(
        task.operation,
        engine if isinstance(engine, str) else engine.name,
        shape,
        where,
        answers[where],
        expected[where],
        classes,
        is_legal,
        at_border,
    )


def compare(
    actual: Any,
    operation: str | Problem,
    *args: Any,
    engine: str | Engine | None = None,
    **kwargs: Any,
) -> Mismatch:
    """Compare a backend's answer with that of an engine.

    Parameters
    ----------
    actual : QuantizedTensor, Tensor or ndarray
        The backend's answer, integers in the shape of the output.
    operation : str
        See `problem`.
    *args, **kwargs
        Its operands.
    engine : str or Engine, optional
        The engine to compare with; the current engine by default.

    Returns
    -------
    Mismatch
        Printable: counts, steps, indices, classes. `Mismatch.plot` draws it.

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
    quantize_per_tensor against engine 'fbgemm': 2 of 3 elements differ
      by steps: 1 by +1, 1 by +4
      why: 1 multiplier precision, 1 unexplained
      legal: 1 of 2
      [0]: got 3, expected 2 (multiplier precision)
      [2]: got 9, expected 5 (unexplained)
    """
    task = problem(operation, *args, **kwargs)
    return compare_problem(task, actual, engines.current().name if engine is None else engine)
