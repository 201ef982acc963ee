"""What the elements of a result stand for, whatever the kind of its problem."""

from refquant.oracle.problems.base import Problem
from refquant.oracle.problems.code_meanings import meaning_of_codes
from refquant.oracle.problems.function_meanings import meaning_of_function
from refquant.oracle.problems.meaning import Meaning
from refquant.oracle.problems.neutral_codes import NeutralCodes

__all__ = ["meaning_of"]


def meaning_of(task: Problem) -> Meaning | None:
    """Return what the elements of a result stand for in float64; None if that is not known."""
    if isinstance(task, NeutralCodes):
        return meaning_of_codes(task)
    return meaning_of_function(task) if type(task) is Problem else None
