"""A rule that kernels do not know runs by its definition, in every step, whatever its name."""

import copy
from importlib import import_module

import numpy as np
import pytest
from engines import own_engine
from fuzz import programs

import refquant
from refquant import engines, kernels
from refquant.engines import Condition, Form, FusedRule, Rule, Split, first_of
from refquant.engines.rules import elementwise, quantize
from refquant.engines.steps import STEPS
from refquant.errors import EngineError
from refquant.reference.operands import Output

BASE = engines.get("fbgemm")
ALWAYS = Condition("always", lambda operands: True)


def tables():
    """Rules that kernels know, and their numbers, by step."""
    return import_module("refquant._kernels._rules").BY_STEP


def agree(count, seed, record, other):
    """Run programs under two engines, both by the best kernels that know their rules."""
    best = kernels.available()[-1]
    report = programs.run(count, seed, [record], [other], (best, best))
    assert not report.differences, report.differences[0]
    assert report.valid > count / 2


def copied(rule):
    """Make a rule with the name, formula, source and function of another: another rule."""
    return type(rule)(rule.name, rule.formula, rule.source, rule.function)


def own_entry(entry):
    if isinstance(entry, Form):
        return entry
    if isinstance(entry, Split):
        return Split(copied(entry.vector), copied(entry.tail), entry.block, entry.row_major)
    return copied(entry)


def with_own(*steps, base=BASE):
    """Derive an engine whose rules of some steps are copies, which kernels do not know."""
    made = {
        step: tuple(engines.Choice(own_entry(c.rule), c.when) for c in base.steps[step])
        for step in steps
    }
    return base.derive("mine", "as its base, by rules of its own", steps=made)


RULED = [step for step in STEPS if STEPS[step].parameters and STEPS[step].kind is Rule]


def test_a_rule_of_the_name_of_a_known_one_runs_by_its_definition():
    seven = Rule("fused", "q = 7", "a test", lambda x, s, z, lo, hi: np.full(np.shape(x), 7))
    record = BASE.derive("mine", "", steps={"quantize_per_tensor": first_of(Split.uniform(seven))})
    for choice in kernels.available():
        with kernels.using(choice), engines.using(record):
            q = refquant.quantize_per_tensor(refquant.tensor([0.1, 0.2]), 0.1, 0, refquant.quint8)
        assert q.int_repr().tolist() == [7, 7]


def test_a_rule_carries_no_number():
    with pytest.raises(TypeError):
        Rule("mine", "", "", lambda x: x, code=1)
    assert not hasattr(quantize.FUSED, "code")


def test_two_rules_of_one_name_are_both_among_the_rules_of_an_engine():
    own = copied(quantize.FUSED)
    record = BASE.derive("mine", "", steps={"copy": first_of(Split.uniform(own))})
    assert own in record.rules
    assert quantize.FUSED in record.rules
    assert own != quantize.FUSED
    assert not kernels.knows(record)


def test_a_copy_of_an_engine_has_the_rules_of_the_engine():
    assert copy.deepcopy(quantize.FUSED) is quantize.FUSED
    assert copy.copy(elementwise.SUM_OF_REALS) is elementwise.SUM_OF_REALS


@pytest.mark.skipif(not kernels.built(), reason="there are no kernels")
def test_a_known_rule_in_a_step_of_another_kind_is_not_known():
    record = BASE.derive("mine", "", steps={"dequantize_per_tensor": first_of(quantize.SUBTRACT)})
    assert kernels.knows(record)
    every = tables().values()
    for table in every:
        assert all(other is table or not set(table) & set(other) for other in every)


@pytest.mark.skipif(not kernels.built(), reason="there are no kernels")
def test_kernels_know_every_rule_that_a_built_in_engine_gives_them():
    for name in engines.names():
        assert kernels.knows(engines.get(name))
        for step, table in tables().items():
            found = engines.get(name).rules_of(step)
            assert {rule for rule in found if not isinstance(rule, engines.Form)} <= set(table)


@pytest.mark.skipif(not kernels.built(), reason="there are no kernels")
def test_a_kernel_rejects_a_rule_that_it_does_not_know():
    function = kernels.twins("affine", kernels.available()[-1])["quantize_per_tensor"]
    own, output = copied(quantize.FUSED), Output(0.5, 0, 0, 255)
    x = np.float32([1.0])
    with pytest.raises(KeyError):
        function(x, output, np.dtype("uint8"), 1, Split(own, quantize.FUSED))
    with pytest.raises(KeyError):
        function(x, output, np.dtype("uint8"), 1, Split(quantize.FUSED, own))


@pytest.mark.parametrize("step", RULED)
def test_kernels_do_not_hide_an_own_rule_of_a_step(step):
    """The engine with copies of the rules of one step gives the answers of its base."""
    entries = [choice.rule for choice in BASE.steps[step]]
    base = engines.get("onednn") if all(isinstance(e, Form) for e in entries) else BASE
    base = base.derive("mine", "")  # errors name the engine
    record = with_own(step, base=base)
    assert step in ("resize_step", "resize_place") or not kernels.knows(record)
    agree(30, RULED.index(step), base, record)


def test_an_engine_of_own_rules_runs_alike_under_all_kernels():
    """Own copies in every step, and an engine that truncates: kernels chosen or not, one answer."""
    record = with_own(*RULED)
    assert not kernels.knows(record)
    agree(100, 100, BASE.derive("mine", ""), record)
    report = programs.run(100, 101, [own_engine.record()])
    assert not report.differences, report.differences[0]
    assert report.valid > 50


RULE = Rule("mine", "", "", lambda x: x)
QUANTIZE = Rule("mine", "", "", lambda x, scale, zero_point, quant_min, quant_max: x)
WHOLE = FusedRule("mine", "", "", lambda *operands: operands[0])
SAME_NAME = Form("sum_of_reals", "", "")


@pytest.mark.parametrize(
    ("step", "entry", "message"),
    [
        ("add", RULE, "must be sum_of_reals.* or a FusedRule, got the Rule 'mine'"),
        ("add", SAME_NAME, "of refquant.engines, or a FusedRule, got the Form"),
        ("add_scalar", WHOLE, "got the FusedRule 'mine'"),
        (
            "multiply",
            FusedRule("w", "", "", lambda a: a),
            r"called with \(a, a_scale, .*the FusedRule 'w'",
        ),
        ("mean", QUANTIZE, r"called with \(total, sizes, .*got the Rule 'mine'; give its function"),
        ("mean", Split.uniform(RULE), "or a Rule, got Split"),
        ("mean", WHOLE, "or a Rule, got the FusedRule 'mine'"),
        ("mean", elementwise.SUM_OF_REALS, "or a Rule, got the Form 'sum_of_reals'"),
        ("mean", "half up", "or a Rule, got str 'half up'"),
        ("quantize_per_tensor", QUANTIZE, r"must be a Split.*Split.uniform\(rule\)"),
        ("quantize_per_tensor", Split.uniform(RULE), r"called with \(x, scale, zero_point"),
        ("quantize_per_tensor", Split(QUANTIZE, None), "must be a Rule, got NoneType None"),
        ("bias", Rule("mine", "", "", 3), "can be called"),
        ("border", Rule("mine", "", "", None), "can be called"),
    ],
)
def test_an_entry_of_the_wrong_kind_is_an_error_that_says_what_fits(step, entry, message):
    for entries in (first_of(entry), first_of((ALWAYS, entry), *BASE.steps[step])):
        record = BASE.derive("mine", "", steps={step: entries})
        for rejected in (engines.register, engines.use):
            before = engines.current()
            with pytest.raises(EngineError, match=message) as raised:
                rejected(record)
            assert f"engine 'mine': `steps['{step}']`" in str(raised.value)
            assert "mine" not in engines.names()
            assert engines.current() is before


def test_a_list_that_is_none_of_choices_is_an_error():
    entries = (RULE, *BASE.steps["border"])
    record = BASE.derive("mine", "", steps={"border": entries})
    with pytest.raises(EngineError, match=r"must be a list of Choice.*first_of\(\.\.\.\)"):
        engines.register(record)


def test_a_step_that_does_not_exist_is_an_error():
    record = BASE.derive("mine", "", steps={"quantise": BASE.steps["copy"]})
    with pytest.raises(EngineError, match=r"unknown steps 'quantise'.*expected steps among"):
        engines.register(record)


def test_a_function_that_does_not_tell_its_parameters_is_taken():
    record = BASE.derive(
        "mine", "", steps={"resize_place": first_of(Rule("m", "", "", np.multiply))}
    )
    engines.use(BASE)
    with engines.using(record):
        assert engines.current() is record
