"""What a rule, a split and a choice are: the vocabulary of engine records."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from refquant.dtypes import dtype as Dtype


@dataclass(frozen=True, slots=True)
class Rule:
    """A tiny named function of arithmetic.

    Attributes
    ----------
    name : str
        The word that code, documentation and tests use.
    formula : str
        The rule as a formula, for people.
    source : str
        Where the formula comes from.
    function : callable
        The definition, in NumPy.
    code : int or None
        The number by which kernels know the rule. Without one only the definitions can follow
        it, and they run while an engine with such a rule is chosen.
    """

    name: str
    formula: str = field(repr=False)
    source: str = field(repr=False)
    function: Callable[..., Any] = field(repr=False, compare=False)
    code: int | None = field(default=None, repr=False)

    def __call__(self, *arguments):
        """Apply the definition."""
        return self.function(*arguments)


class Whole(Rule):
    """A rule that computes an element-wise operation at once, integers in and integers out.

    It is called with ``(a, a_scale, a_zero_point, b, b_scale, b_zero_point, scale, zero_point,
    lower, upper)``, flat arrays of integers and plain numbers, and returns int64. Steps ``add`` and
    ``multiply`` take one in place of their own two forms.
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Split:
    """Two rules for one run of elements: engines round whole vectors and the rest differently.

    Attributes
    ----------
    body : Rule
        For the first ``block * (n // block)`` elements of a run of ``n``.
    tail : Rule
        For the others.
    block : int
        Elements that the engine takes at once; 1 where both rules are the same.
    row_major : bool
        Whether the engine first makes the operand row-major: that decides which elements are the
        tail, and the result is row-major too. Otherwise memory formats stay as they are.
    """

    body: Rule
    tail: Rule
    block: int = 1
    row_major: bool = False

    @classmethod
    def everywhere(cls, rule: Rule, row_major: bool = False) -> "Split":
        """One rule for every element."""
        return cls(rule, rule, 1, row_major)


class Operands(NamedTuple):
    """What the conditions of a record may ask about the operands of a step."""

    dtype: Dtype | None = None
    per_channel: bool = False
    channels_last: bool = False
    bias: bool = False
    same_shape: bool = True  # of both operands, and the result is a new tensor
    trailing: bool = False  # the reduced dimensions are the last ones of a row-major tensor
    spatial: bool = False  # they are height and width of an image
    rounded_up: bool = False  # windows may reach over the end (ceil_mode)
    divides: bool = False  # the output size divides that of the image


@dataclass(frozen=True, slots=True)
class Condition:
    """A named question about operands."""

    name: str
    holds: Callable[[Operands], bool] = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Choice:
    """A rule (or a split), and the condition under which it is taken; None means always."""

    rule: Rule | Split
    when: Condition | None = None


def choose(*entries) -> tuple[Choice, ...]:
    """Write an ordered list of choices as ``choose((condition, rule), ..., rule)``.

    Choices of another list may stand among them.
    """
    return tuple(
        e if isinstance(e, Choice) else Choice(e[1], e[0]) if isinstance(e, tuple) else Choice(e)
        for e in entries
    )
