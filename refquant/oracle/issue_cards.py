"""What a known issue is: a public report of a mismatch, with operands and both answers."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from refquant.oracle.diagnosis import Diagnosis, diagnose
from refquant.oracle.problems.base import Problem
from refquant.oracle.problems.table import problem
from refquant.oracle.traces import Trace
from refquant.oracle.tracing import trace

__all__ = ["KnownIssue"]


@dataclass(frozen=True)
class KnownIssue:
    """A mismatch that was reported in public.

    Attributes
    ----------
    thread : str
        ``owner/repository#number`` on GitHub.
    title : str
        The report in a few words.
    actual : ndarray
        The backend's answer.
    engine : str
        The engine that it was expected to match.
    cause : str
        The explanation, in a sentence.
    operands : str
        Where the operands come from: ``'thread'``, or ``'constructed'`` if the thread gives none.
    operation : str
        The name of the operation.
    arguments : dict
        Its operands by name.

    Examples
    --------
    >>> from refquant import oracle
    >>> oracle.known_issues()[0].cause
    'The first of two roundings takes 11.4991 to 11.5, and the second to 12.'
    """

    thread: str
    title: str
    actual: np.ndarray
    engine: str
    cause: str
    operands: str
    operation: str = field(repr=False)
    arguments: dict[str, Any] = field(repr=False)

    @property
    def problem(self) -> Problem:
        """The operation with its operands."""
        return problem(self.operation, **self.arguments)

    def card(self) -> str:
        """Tell the report in a few lines: operands, both answers, the verdict and the cause.

        Examples
        --------
        >>> from refquant import oracle
        >>> issue = next(i for i in oracle.known_issues() if i.thread == "google/ruy#227")
        >>> print(issue.card().splitlines()[4])
          verdict   scaling: q31_single -> q31_double
        """
        expected = self.problem.answer(self.engine).tolist()
        got = self.actual.reshape(-1).tolist()
        rows = {
            "operands": self.problem.describe(),
            "expected": f"{', '.join(map(str, expected))}, by engine {self.engine!r}",
            "got": ", ".join(map(str, got)),
            "verdict": self.diagnosis().verdict,
            "cause": self.cause,
        }
        lines = [f"  {name:<8}  {text}" for name, text in rows.items()]
        return "\n".join([f"{self.thread}: {self.title}", *lines])

    def diagnosis(self) -> Diagnosis:
        """Diagnose the backend's answer.

        Examples
        --------
        >>> from refquant import oracle
        >>> issue = next(i for i in oracle.known_issues() if i.thread == "pytorch/pytorch#44939")
        >>> issue.diagnosis().verdict
        'accumulator: wrapped -> saturated_pairs'
        """
        return diagnose(self.actual, self.operation, engine=self.engine, **self.arguments)

    def trace(self, engine: str | None = None) -> Trace:
        """Trace how the expected engine, or another one, computes the first element.

        Raises
        ------
        ArgumentError
            If the operation cannot be traced, for example an average.
        """
        index = (0,) * self.actual.ndim
        name = self.engine if engine is None else engine
        return trace(self.operation, index=index, engine=name, **self.arguments)
