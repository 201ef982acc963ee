"""What a backend's answers to test vectors are worth: grades of cases and of an operation."""

from dataclasses import dataclass
from html import escape
from typing import Any

from refquant.oracle.diagnosis import Diagnosis

__all__ = ["Grade", "Grades"]


@dataclass(frozen=True)
class Grade:
    """Grade of a backend's answer to one case.

    Attributes
    ----------
    name : str
        Name of the case.
    elements, equal, near : int
        Number of elements, of equal ones, and of those that differ by one step; of real numbers
        by a unit in the last place.
    diagnosis : Diagnosis or None
        Why elements differ; None if all are equal.

    Examples
    --------
    >>> from refquant import oracle
    >>> oracle.Grade("two-values", elements=2, equal=2, near=0, diagnosis=None).equal
    2
    """

    name: str
    elements: int
    equal: int
    near: int
    diagnosis: Diagnosis | None

    @property
    def verdict(self) -> str:
        """The verdict in one line: equal, or why not."""
        return "equal" if self.diagnosis is None else self.diagnosis.verdict


@dataclass(frozen=True)
class Grades:
    """Grades of a backend's answers to all cases of an operation.

    Attributes
    ----------
    operation, engine : str
        What was computed, and the engine it was compared with.
    grades : tuple of Grade
        One for each case.
    explanations : tuple of tuple of str
        All equally small changes that explain the answers to all cases together.

    Examples
    --------
    >>> from refquant import oracle
    >>> grade = oracle.Grade("two-values", elements=2, equal=2, near=0, diagnosis=None)
    >>> oracle.Grades("relu6", "fbgemm", (grade,)).engine
    'fbgemm'
    """

    operation: str
    engine: str
    grades: tuple[Grade, ...]
    explanations: tuple[tuple[str, ...], ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every element of every case is equal."""
        return all(grade.diagnosis is None for grade in self.grades)

    @property
    def elements(self) -> int:
        """Number of elements compared."""
        return sum(grade.elements for grade in self.grades)

    @property
    def equal(self) -> int:
        """Number of elements that are equal."""
        return sum(grade.equal for grade in self.grades)

    @property
    def verdict(self) -> str:
        """The first explanation of all cases, or why there is none."""
        if self.passed:
            return "equal"
        if self.explanations:
            return " and ".join(self.explanations[0])
        if any(g.diagnosis is not None and g.diagnosis.unexplained for g in self.grades):
            return "unexplained"
        return "several causes"

    def as_dict(self) -> dict[str, Any]:
        """Return the grades as plain values that JSON can represent."""
        names = ("name", "elements", "equal", "near", "verdict")
        return {
            "operation": self.operation,
            "engine": self.engine,
            "elements": self.elements,
            "equal": self.equal,
            "passed": self.passed,
            "verdict": self.verdict,
            "explanations": [list(explanation) for explanation in self.explanations],
            "cases": [{name: getattr(grade, name) for name in names} for grade in self.grades],
        }

    def __str__(self) -> str:
        head = (
            f"{self.operation} against engine {self.engine!r}: {self.equal:,} of "
            f"{self.elements:,} elements equal in {len(self.grades)} cases"
        )
        wrong = [grade for grade in self.grades if grade.diagnosis is not None]
        if not wrong:
            return f"{head}: passed"
        width = max(len(grade.name) for grade in wrong)
        lines = [f"{head}: {self.verdict}"]
        if len(self.explanations) > 1:
            others = "; ".join(" and ".join(e) for e in self.explanations[1:])
            lines.append(f"  equally good: {others}")
        lines += [
            f"  {'case':<{width}}  elements  off by 1  more  verdict",
        ]
        for grade in wrong:
            more = grade.elements - grade.equal - grade.near
            lines.append(
                f"  {grade.name:<{width}}  {grade.elements:>8,}  {grade.near:>8,}  {more:>4,}  "
                f"{grade.verdict}"
            )
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"
