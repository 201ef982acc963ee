r"""An engine with other choices on some axes, and all else as it was.

Every step of a record is changed in the form that its rule has
(`refquant.engines.arithmetic.forms`): a sum in fixed point stays one, vectors and tails keep their
differences, and what int32 cannot hold stays what the engine makes of it. A rule that stands at the
chosen values already, or that depends on none of the axes, stays itself. So a change of nothing is
the engine, bit for bit.
"""

from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Any

from refquant.engines.arithmetic.axes import Arithmetic
from refquant.engines.arithmetic.compose import ACCUMULATORS, BIASES, BORDERS, REQUANTIZE, Form
from refquant.engines.arithmetic.forms import MULTIPLY, place
from refquant.engines.arithmetic.orders import ORDERS
from refquant.engines.arithmetic.placed import Placed
from refquant.engines.record import Engine
from refquant.engines.rule import Choice, FusedRule, Operands, Rule, Split
from refquant.engines.rule import Form as ChosenForm
from refquant.engines.rules import elementwise, requantize
from refquant.engines.rules.pipeline import IN_STEPS

__all__ = ["changed", "place_of", "steps_of_product", "values_of", "values_of_rule"]

# Steps whose rule is the value of an axis.
_NAMED = {
    "accumulator": ("accumulator", ACCUMULATORS),
    "border": ("border", BORDERS),
    "bias": ("bias", BIASES),
    "product_of_reals": ("order", ORDERS),
}
_OF_PRODUCTS = ("multiplier", "requantize_sum")


def _is_written_out(rule: Any) -> bool:
    """Whether a rule is a formula of its own, neither made of axes nor chosen by name."""
    return isinstance(rule, Rule) and not isinstance(rule.function, partial)


def _rule_at(rule: Any, form: Form, own: Arithmetic, changes: Mapping[str, str]) -> Any:
    moved = {a: v for a, v in changes.items() if a in form.axes and getattr(own, a) != v}
    # A sum that is made real first is divided where it is rounded, by the rule of another step.
    if form is REQUANTIZE and changes.get("formed_by") == "staged":
        moved["formed_by"] = "staged"
    if not moved:
        return rule
    axes = own.change(**moved)
    # What int32 does not hold is left to the engine's own rule.
    kept = None
    if "overflow" in form.axes and "overflow" not in moved:
        made = getattr(rule, "function", None)
        kept = made.own if isinstance(made, Placed) else rule if _is_written_out(rule) else None
    source = f"{rule.name.removesuffix('_changed')}, changed on axes"
    kind = FusedRule if isinstance(rule, ChosenForm) else type(rule)
    name = rule.name.removesuffix("_changed")
    return kind(f"{name}_changed", form.formula(axes), source, Placed(form, axes, kept))


# A search changes the same rules of the same records over and over.
@lru_cache(maxsize=4096)
def _axes_of(rule: Any) -> frozenset[str]:
    """Return the axes that can change a rule."""
    if isinstance(rule, Split):
        return _axes_of(rule.vector) | _axes_of(rule.tail)
    channels = requantize.parts_by_channels(rule)
    if channels is not None:
        return _axes_of(channels[0]) | _axes_of(channels[1])
    found = place(rule)
    if found is None:
        return frozenset()
    return frozenset(found[0].axes) | ({"formed_by"} if found[0] is REQUANTIZE else set())


def _changed_rule(rule: Any, changes: Mapping[str, str]) -> Any:
    own = _axes_of(rule)
    items = tuple(item for item in changes.items() if item[0] in own)
    return _moved(rule, items) if items else rule


@lru_cache(maxsize=4096)
def _moved(rule: Any, items: tuple[tuple[str, str], ...]) -> Any:
    changes = dict(items)
    if isinstance(rule, Split):
        vector = _changed_rule(rule.vector, changes)
        tail = vector if rule.tail is rule.vector else _changed_rule(rule.tail, changes)
        return Split(vector, tail, rule.block, rule.row_major)
    channels = requantize.parts_by_channels(rule)
    if channels is not None:
        vector, tail = (_changed_rule(part, changes) for part in channels[:2])
        if (vector, tail) == channels[:2]:
            return rule
        source = f"{rule.name}, changed on axes"
        return requantize.split_by_channels(vector, tail, channels[2], source)
    found = place(rule)
    return rule if found is None else _rule_at(rule, *found, changes)


def _changed_product(record: Engine, changes: Mapping[str, str], choice: Choice) -> Any:
    """Change how a product of integers is multiplied, of which elementwise_requantize is a part."""
    own = _place_of_integers(record)
    if (
        own is None
        or not {"precision", "multiplier", "formed_by", "scaling", "width"}
        & own.differences(
            own.change(**{a: v for a, v in changes.items() if a in MULTIPLY.axes})
        ).keys()
    ):
        return choice.rule
    axes = own.change(**{a: v for a, v in changes.items() if a in MULTIPLY.axes})
    return FusedRule(
        "product_of_integers_changed",
        MULTIPLY.formula(axes),
        "product_of_integers, changed on axes",
        partial(MULTIPLY.function, axes),
    )


def _place_of_integers(record: Engine) -> Arithmetic | None:
    """Find the place of a product of integers: its multiplier is formed as qmul of PyTorch does."""
    found = place(record.rule("elementwise_requantize").vector)
    return None if found is None else found[1].change(formed_by="product")


def changed(base: Engine, changes: Mapping[str, str], name: str = "composed") -> Engine:
    """Make an engine with other values on some axes, wherever its rules depend on them.

    Parameters
    ----------
    base : Engine
        Where to start.
    changes : mapping of str to str
        Values by axis.
    name : str
        Of the new record.

    Returns
    -------
    Engine

    Examples
    --------
    >>> from refquant import engines
    >>> from refquant.engines.arithmetic.change import changed
    >>> tflite = engines.get("tflite")
    >>> changed(tflite, {"rounding": "half_even"}).rule("multiply").formula
    'half_even(f64(total * q * 2**(shift - 31), q31_double)) + z, clipped, m = f64(s_x * s_w / s_y)'
    >>> changed(tflite, {}).steps == tflite.steps
    True
    """
    steps = {}
    for step, choices in base.steps.items():
        rules = []
        for choice in choices:
            rule = choice.rule
            if step in _NAMED:
                axis, named = _NAMED[step]
                if axis in changes and rule is not requantize.NO_BIAS:
                    rule = named[changes[axis]]
            elif rule is elementwise.PRODUCT_OF_INTEGERS:
                rule = _changed_product(base, changes, choice)
            else:
                rule = _changed_rule(rule, changes)
            rules.append(rule)
        if any(new is not choice.rule for new, choice in zip(rules, choices, strict=True)):
            steps[step] = tuple(
                Choice(new, choice.when) for new, choice in zip(rules, choices, strict=True)
            )
    title = f"{base.title}, changed on axes" if changes else base.title
    return base.derive(name, title, steps=steps)


def values_of_rule(
    record: Engine, step: str, rule: Any, run: int | None = None
) -> dict[str, tuple[str, ...]]:
    """List the values on which a rule of a step stands, by axis.

    Of a split these are both rules', unless a run of that length has vectors alone, or none.
    """
    if isinstance(rule, Split):
        parts = (
            (rule.vector, run is None or run >= rule.block),
            (rule.tail, run is None or run % rule.block != 0),
        )
        return _joined(*(values_of_rule(record, step, part) for part, occurs in parts if occurs))
    channels = requantize.parts_by_channels(rule)
    if channels is not None:
        return _joined(*(values_of_rule(record, step, part) for part in channels[:2]))
    if step in _NAMED:
        axis, named = _NAMED[step]
        return {axis: tuple(name for name, known in named.items() if known == rule)}
    if rule is elementwise.PRODUCT_OF_INTEGERS:
        own = _place_of_integers(record)
        return {axis: (getattr(own, axis),) for axis in MULTIPLY.axes} if own else {}
    found = place(rule)
    return {} if found is None else {a: (getattr(found[1], a),) for a in found[0].axes}


def _joined(*parts: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    axes = dict.fromkeys(axis for part in parts for axis in part)
    return {a: tuple(dict.fromkeys(v for part in parts for v in part.get(a, ()))) for a in axes}


def values_of(
    record: Engine, steps: tuple[str, ...], operands: Operands, run: int | None = None
) -> dict[str, tuple[str, ...]]:
    """List the values on which the rules of some steps stand, by the axes that they depend on.

    Parameters
    ----------
    record : Engine
        Whose rules.
    steps : tuple of str
        Names of steps; the most important first.
    operands : Operands
        What conditions are asked of.
    run : int, optional
        How many elements are one run, if that is known.

    Returns
    -------
    dict of str to tuple of str
        More than one value where rules of an operation differ, as for vectors and tails.
    """
    parts = (values_of_rule(record, step, record.rule(step, operands), run) for step in steps)
    return {axis: values for axis, values in _joined(*parts).items() if values}


def steps_of_product(record: Engine, operands: Operands) -> tuple[str, ...]:
    """List the steps by which a linear layer or a convolution is computed, most important first."""
    if record.rule("product", operands) is not IN_STEPS:
        return ("accumulator", "border", "product")
    # The requantization says how precise its own product is; the multiplier comes first.
    return ("accumulator", "border", "bias", *_OF_PRODUCTS)


def place_of(engine: Engine, per_channel: bool = False) -> Arithmetic:
    """Tell where an engine stands on the axes, for linear layers and convolutions.

    An axis that its rules do not show has the value of `Arithmetic`'s own default.
    """
    operands = Operands(per_channel=per_channel, bias=True)
    found = values_of(engine, steps_of_product(engine, operands), operands)
    return Arithmetic(**{axis: values[0] for axis, values in found.items()})
