"""What a rule, a form, a split and a choice are: the vocabulary of engine records."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

import numpy as np

from refquant.dtypes import dtype as Dtype
from refquant.errors import ArgumentError, ArgumentTypeError


class _Constant:
    """An object that is equal to itself alone, and that copies are not made of."""

    __slots__ = ()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


@dataclass(frozen=True, slots=True, eq=False)
class Rule(_Constant):
    """A tiny named function of arithmetic.

    Rules are compared by identity: two of the same name are two rules. Kernels hold a table of
    those that they know; an engine with another one runs by the definitions.

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

    Examples
    --------
    >>> from refquant import engines
    >>> from refquant.engines.rules import quantize
    >>> quantize.FUSED.name
    'fused'
    >>> quantize.FUSED in engines.get('fbgemm').rules
    True
    """

    name: str
    formula: str = field(repr=False)
    source: str = field(repr=False)
    function: Callable[..., Any] = field(repr=False)

    def __call__(self, *arguments: Any) -> Any:
        """Apply the definition, which decides what becomes of NaN, infinities and overflows.

        Raises
        ------
        TypeError, ValueError
            What the function raises for operands that it is not made for. Operations check theirs
            before.
        """
        for operand in arguments:
            kind = type(operand)
            array = kind is np.ndarray and operand.dtype.kind == "c"
            if array or issubclass(kind, (complex, np.complexfloating)):
                raise ArgumentTypeError(
                    f"rule {self.name!r}",
                    argument="arguments",
                    expected="real numbers",
                    got="complex ones",
                )
        with np.errstate(all="ignore"):
            return self.function(*arguments)


class IntegerBiasRule(Rule):
    """A rule of a whole product that takes a bias of integers as it is, in steps of the sums.

    Other such rules take real numbers, of which float64 holds the product of both scales.
    """


class FusedRule(Rule):
    """A rule that computes an element-wise operation at once, integers in and integers out.

    It is called with ``(a, a_scale, a_zero_point, b, b_scale, b_zero_point, scale, zero_point,
    lower, upper)``, flat arrays of integers and plain numbers, and returns int64. Steps ``add`` and
    ``multiply`` take one in place of their own two forms.

    Parameters
    ----------
    name : str
        Its name.
    formula : str
        What it computes.
    source : str
        Where that is to be found.
    function : callable
        The formula on NumPy arrays.

    Examples
    --------
    >>> from refquant import engines
    >>> from refquant.engines import FusedRule
    >>> FusedRule('negate', 'y = -x', 'an example', lambda x: -x).function(3)
    -3
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True, eq=False)
class Form(_Constant):
    """A named way in which an operation computes: it is chosen, not called.

    Steps ``add``, ``multiply`` and ``add_scalar`` take the forms of
    `refquant.engines.rules.elementwise`; how results are rounded is left to other steps.

    Attributes
    ----------
    name : str
        The word that code, documentation and tests use.
    formula : str
        What is computed, for people.
    source : str
        Where the formula comes from.

    Examples
    --------
    >>> from refquant import engines
    >>> from refquant.engines.rules import elementwise
    >>> engines.get('fbgemm').rule('add') is elementwise.SUM_OF_REALS
    True
    """

    name: str
    formula: str = field(repr=False)
    source: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Split:
    """Two rules for one run of elements: engines round whole vectors and the rest differently.

    Attributes
    ----------
    vector : Rule
        For the first ``block * (n // block)`` elements of a run of ``n``.
    tail : Rule
        For the others.
    block : int
        Elements that the engine takes at once; 1 where both rules are the same.
    row_major : bool
        Whether the engine first makes the operand row-major: that decides which elements are the
        tail, and the result is row-major too. Otherwise memory formats stay as they are.

    Examples
    --------
    >>> from refquant import engines
    >>> from refquant.engines import Rule, Split
    >>> one = Rule('one', 'y = 1', 'an example', lambda x: 1)
    >>> Split(one, one).block
    1
    """

    vector: Rule
    tail: Rule
    block: int = 1
    row_major: bool = False

    @classmethod
    def uniform(cls, rule: Rule, row_major: bool = False) -> "Split":
        """One rule for every element."""
        return cls(rule, rule, 1, row_major)


class Convolution(NamedTuple):
    """What the conditions of a record may ask about a convolution.

    Attributes
    ----------
    stride, dilation : tuple of int
        Along each dimension of the image; a sequence is an image of height 1.
    groups, inputs, outputs : int
        Number of groups; channels and outputs of one of them.
    transposed : bool
        Whether it is a transposed convolution.
    output_padding : bool
        Whether a transposed convolution has any.
    symmetric : bool
        Whether all zero points of the weight are 0.
    divisible : bool
        Whether each extent of the result is a multiple of its stride.
    kernel, padding : tuple of int
        Along each dimension of the image.
    separate : bool
        Whether it was given as a depthwise convolution, whatever its number of channels.

    Examples
    --------
    >>> from refquant.engines import Convolution
    >>> Convolution((1, 1), (1, 1), 1, 3, 8).depthwise
    False
    """

    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    inputs: int
    outputs: int
    transposed: bool = False
    output_padding: bool = False
    symmetric: bool = True
    divisible: bool = False
    kernel: tuple[int, ...] = ()
    padding: tuple[int, ...] = ()
    separate: bool = False

    @property
    def depthwise(self) -> bool:
        """Whether each channel has one filter of its own."""
        return self.groups > 1 and self.inputs == self.outputs == 1


class Operands(NamedTuple):
    """What the conditions of a record may ask about the operands of a step.

    Attributes
    ----------
    dtype : dtype or None
        Element type of the result.
    per_channel : bool
        Whether the weight has a scale for each channel.
    channels_last : bool
        Whether channels lie innermost in memory.
    bias : bool
        Whether there is a bias.
    same_shape : bool
        Whether both operands have one shape, and the result is a new tensor.
    trailing : bool
        Whether the reduced dimensions are the last ones of a row-major tensor.
    spatial : bool
        Whether they are height and width of an image.
    rounded_up : bool
        Whether windows may reach over the end (``ceil_mode``).
    divides : bool
        Whether the output size divides that of the image.
    volume : bool
        Whether there are three spatial dimensions.
    convolution : Convolution or None
        The convolution whose sums are meant; None for linear layers.
    int16 : bool
        Whether the activations that are multiplied have 16 bits.
    wide_sums : bool
        Whether sums have 64 bits, as the bias of such a product may.
    equal_biases : bool
        Whether all outputs have the same bias, or none.
    activations : bool
        Whether both factors of a product are activations, and neither is a constant weight.
    number : bool
        Whether the first of two operands has one element alone.
    unsigned : bool
        Whether the activations that are multiplied are uint8, in products of neutral operands.

    Examples
    --------
    >>> from refquant import engines
    >>> from refquant.engines import Operands
    >>> Operands(bias=True).per_channel
    False
    """

    dtype: Dtype | None = None
    per_channel: bool = False
    channels_last: bool = False
    bias: bool = False
    same_shape: bool = True
    trailing: bool = False
    spatial: bool = False
    rounded_up: bool = False
    divides: bool = False
    volume: bool = False
    convolution: Convolution | None = None
    int16: bool = False
    wide_sums: bool = False
    equal_biases: bool = False
    activations: bool = False
    number: bool = False
    unsigned: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """A named question about operands.

    Parameters
    ----------
    name : str
        The question in words.
    holds : callable
        Takes `Operands` and returns a bool.

    Examples
    --------
    >>> from refquant import engines
    >>> from refquant.engines import Condition, Operands
    >>> Condition('there is a bias', lambda operands: operands.bias).holds(Operands(bias=True))
    True
    """

    name: str
    holds: Callable[[Operands], bool] = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Choice:
    """A rule (or a split, or a form), and the condition under which it is taken; None means always.

    Parameters
    ----------
    rule : Rule, Form or Split
        What is done.
    when : Condition, optional
        When; always if there is none.

    Examples
    --------
    >>> from refquant import engines
    >>> from refquant.engines import Choice, Rule
    >>> Choice(Rule('one', 'y = 1', 'an example', lambda x: 1)).when is None
    True
    """

    rule: Rule | Form | Split
    when: Condition | None = None


def first_of(*entries: Any) -> tuple[Choice, ...]:
    """Write an ordered list of choices as ``first_of((condition, rule), ..., rule)``.

    Choices of another list may stand among them.

    Parameters
    ----------
    *entries : Rule, Form, Split, Choice, or (Condition, Rule)
        In the order in which conditions are asked.

    Returns
    -------
    tuple of Choice

    Examples
    --------
    >>> from refquant import engines
    >>> from refquant.engines import Condition, Rule, first_of
    >>> one = Rule('one', 'y = 1', 'an example', lambda x: 1)
    >>> two = Rule('two', 'y = 2', 'an example', lambda x: 2)
    >>> with_bias = Condition('there is a bias', lambda operands: operands.bias)
    >>> [choice.rule.name for choice in first_of((with_bias, two), one)]
    ['two', 'one']
    """
    return tuple(map(_choice, entries))


def _choice(entry) -> Choice:
    if isinstance(entry, Choice):
        return entry
    if not isinstance(entry, tuple):
        return Choice(entry)
    if len(entry) != 2:
        raise ArgumentError(
            argument="entries",
            expected="rules, or pairs of a condition and a rule",
            got=f"a tuple of {len(entry)}",
        )
    return Choice(entry[1], entry[0])
