"""What a lab is made of: questions, the mistakes that are made with them, and verdicts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Mistake", "Question", "Text", "Verdict"]


@dataclass(frozen=True)
class Mistake:
    """A typical wrong answer, and what to say to it.

    Attributes
    ----------
    message : str
        What was done, and what is right: ends the sentence that begins with "your function".
    answer : callable
        Gives the same wrong results, with the parameters of the solution.
    """

    message: str
    answer: Callable[..., Any]


@dataclass(frozen=True)
class Question:
    """A programming question: what is asked, what is right, and what goes wrong.

    Attributes
    ----------
    number : str
        Number of the lab, a dot, number within the lab.
    title, task : str
        A heading, and the task in Markdown.
    solution : callable
        A right answer, built on refquant. Its name and parameters are those to be used.
    cases : tuple of tuple
        Arguments with which answers are called.
    rule : str
        The rule behind the question, as one sentence.
    lecture : str
        The page of the course that derives it, below ``docs/learn``.
    mistakes : tuple of Mistake
        Known wrong answers, told apart by the cases.
    hints : tuple of str
        Revealed one after the other.
    exact : bool
        Whether real numbers must be equal to the last bit, instead of to four digits.
    """

    number: str
    title: str
    task: str
    solution: Callable[..., Any]
    cases: tuple[tuple, ...]
    rule: str
    lecture: str
    mistakes: tuple[Mistake, ...]
    hints: tuple[str, ...]
    exact: bool = False


class Text(str):
    """A text that a notebook shows as it is, without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True, repr=False)
class Verdict:
    """What `check` says of an answer; true if it is right.

    Parameters
    ----------
    number : str
        The question.
    correct : bool
        Whether the answer is right.
    message : str
        What is wrong, in which case.
    rule : str, default ''
        The rule that a wrong answer breaks, and the lecture that derives it.

    Examples
    --------
    >>> from refquant.course import Verdict
    >>> verdict = Verdict("1.1", False, "the zero point is added", "dequantizing subtracts it")
    >>> verdict
    1.1 is not right yet: the zero point is added.
    Rule: dequantizing subtracts it.
    >>> bool(verdict)
    False
    """

    number: str
    correct: bool
    message: str
    rule: str = ""

    def __bool__(self) -> bool:
        return bool(self.correct)

    def __str__(self) -> str:
        if self.correct:
            return f"{self.number} is right: {self.message}."
        rule = f"\nRule: {self.rule}." if self.rule else ""
        return f"{self.number} is not right yet: {self.message}.{rule}"

    __repr__ = __str__
