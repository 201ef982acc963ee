"""Engines are data: six are known, unknown ones are rejected, others can be registered."""

import numpy as np
import processes
import pytest

import refquant
from refquant import engines, kernels
from refquant.engines import Operands, Rule, Split, first_of, registry
from refquant.engines.rules import quantize
from refquant.engines.steps import CAPABILITIES, STEPS
from refquant.errors import ArgumentTypeError, EngineError

BUILT_IN = ("qnnpack", "onednn", "x86", "fbgemm", "qnnpack-1.4", "fbgemm-1.4")


@pytest.fixture
def own_engines(monkeypatch):
    """Let a test register engines that the next test does not see."""
    monkeypatch.setattr(registry, "_records", dict(registry._records))


def truncate(x, scale, zero_point, quant_min, quant_max):
    t = np.trunc(np.nan_to_num(x / np.float32(scale)))
    return np.clip(t.astype(np.float64) + zero_point, quant_min, quant_max).astype(np.int64)


TRUNCATE = Rule("truncate", "clip(trunc(x / S) + z)", "a test", truncate)


def truncating(name="truncating", **changes):
    return engines.get("fbgemm").derive(
        name,
        "cuts off",
        steps={"quantize_per_tensor": first_of(Split.uniform(TRUNCATE))},
        **changes,
    )


def test_the_engines_of_pytorch_are_there_in_its_order():
    assert engines.names() == BUILT_IN
    assert refquant.backends.quantized.supported_engines == list(BUILT_IN)


def test_the_supported_engines_begin_with_those_of_an_installed_pytorch(torch):
    theirs = [name for name in torch.backends.quantized.supported_engines if name != "none"]
    assert refquant.backends.quantized.supported_engines[: len(theirs)] == theirs


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_documented_setting_chooses_the_engine(name):
    refquant.backends.quantized.engine = name
    assert refquant.backends.quantized.engine == name
    assert engines.current().name == name


@pytest.mark.parametrize("name", ["metal", "", None, 3, "FBGEMM"])
def test_an_unknown_engine_is_an_error_that_lists_the_known_ones(name):
    before = engines.current()
    with pytest.raises(RuntimeError, match="not a valid value for quantized engine") as raised:
        refquant.backends.quantized.engine = name
    for known in BUILT_IN:
        assert repr(known) in str(raised.value)
    assert engines.current() is before


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_record_has_a_rule_for_every_step_and_known_limits(name):
    record = engines.get(name)
    assert set(record.steps) == set(STEPS)
    assert set(record.unsupported) <= set(CAPABILITIES)
    assert kernels.knows(record) or not kernels.built()
    for rule in record.rules:
        assert rule.formula
        assert rule.source


def test_a_record_cannot_be_changed():
    record = engines.get("fbgemm")
    with pytest.raises(AttributeError):
        record.name = "mine"
    with pytest.raises(TypeError):
        record.steps["quantize_per_tensor"] = ()


def test_a_record_has_no_rule_for_an_unknown_step():
    with pytest.raises(EngineError, match="no rule for 'fly'"):
        engines.get("fbgemm").rule("fly", Operands())


@pytest.mark.usefixtures("own_engines")
def test_an_own_engine_runs_its_own_rule():
    engines.register(truncating())
    x = refquant.tensor([0.19, -0.19, 1.0, 99.0, float("nan")])
    choice = kernels.current()
    with engines.using("truncating"):
        q = refquant.quantize_per_tensor(x, 0.1, 10, refquant.quint8)
        assert kernels.running() == kernels.REFERENCE
        back = q.dequantize()
    assert q.int_repr().tolist() == [11, 9, 20, 255, 10]
    assert back.array.tolist() == (np.float32(0.1) * np.float32([1, -1, 10, 245, 0])).tolist()
    assert kernels.current() == choice
    assert kernels.running() == choice


@pytest.mark.usefixtures("own_engines")
def test_an_own_engine_is_among_the_known_ones():
    engines.register(truncating())
    assert "truncating" in refquant.backends.quantized.supported_engines
    with pytest.raises(EngineError, match="'truncating'"):
        engines.use("unknown")


@pytest.mark.usefixtures("own_engines")
def test_an_own_engine_can_be_replaced_while_it_is_chosen():
    engines.register(truncating())
    with engines.using("truncating"):
        engines.register(engines.get("fbgemm").derive("truncating", "rounds after all"))
        x = refquant.tensor([0.19])
        assert refquant.quantize_per_tensor(x, 0.1, 0, refquant.quint8).int_repr().tolist() == [2]


@pytest.mark.usefixtures("own_engines")
def test_what_cannot_be_registered():
    with pytest.raises(EngineError, match="built in"):
        engines.register(truncating("fbgemm"))
    with pytest.raises(ArgumentTypeError, match="must be an Engine"):
        engines.register({"name": "mine"})
    with pytest.raises(EngineError, match="no rule for"):
        engines.register(engines.Engine("bare", "without rules", steps={}))
    with pytest.raises(EngineError, match="last has no condition"):
        engines.Engine("open", "ends with a condition", steps={"quantize_per_tensor": ()})


@pytest.mark.usefixtures("own_engines")
@pytest.mark.parametrize("step", ["add", "multiply", "add_scalar"])
def test_steps_that_choose_a_form_take_the_known_rules_only(step):
    record = engines.get("fbgemm").derive("mine", "", steps={step: first_of(TRUNCATE)})
    with pytest.raises(EngineError, match=f"{step}.*elementwise_requantize"):
        engines.register(record)
    assert "mine" not in engines.names()


@pytest.mark.usefixtures("own_engines")
def test_an_own_engine_can_be_forgotten():
    engines.register(truncating())
    with engines.using("truncating"), pytest.raises(EngineError, match="is chosen"):
        engines.unregister("truncating")
    engines.unregister("truncating")
    assert engines.names() == BUILT_IN
    with pytest.raises(EngineError, match="not a valid value"):
        engines.unregister("truncating")


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_built_in_engine_stays(name):
    with pytest.raises(EngineError, match="is built in"):
        engines.unregister(name)
    assert engines.names() == BUILT_IN


@pytest.mark.usefixtures("own_engines")
def test_a_limit_names_the_engines_that_can():
    reason = "too small"
    engines.register(truncating(unsupported={"per_channel_weights": reason}))
    with engines.using("truncating"), pytest.raises(EngineError, match=reason) as raised:
        engines.require("per_channel_weights")
    assert "'fbgemm'" in str(raised.value)
    lifted = engines.get("truncating").derive("free", "", unsupported={"per_channel_weights": None})
    assert "per_channel_weights" not in lifted.unsupported


def test_choosing_for_a_block_gives_the_former_engine_back():
    before = engines.current().name
    with pytest.raises(ZeroDivisionError), engines.using("qnnpack-1.4"):
        1 / 0  # noqa: B018
    assert engines.current().name == before


@pytest.mark.parametrize(
    ("machine", "wanted"),
    [
        ("x86_64", "x86"),
        ("AMD64", "x86"),
        ("aarch64", "qnnpack"),
        ("arm64", "qnnpack"),
        ("riscv64", "qnnpack"),
    ],
)
def test_the_default_is_that_of_pytorch_on_the_same_kind_of_machine(machine, wanted):
    program = (
        f"import platform; platform.machine = lambda: {machine!r}\n"
        "import refquant; print(refquant.backends.quantized.engine)"
    )
    assert processes.output(program) == [wanted]


@pytest.mark.usefixtures("own_engines")
def test_a_built_in_rule_keeps_the_kernels():
    made = engines.get("fbgemm").derive(
        "mine",
        "adds after rounding",
        steps={"quantize_per_tensor": first_of(Split.uniform(quantize.ROUND_THEN_ADD))},
    )
    engines.register(made)
    before = kernels.quantize_per_tensor
    with engines.using("mine"):
        assert kernels.quantize_per_tensor is before
        x = refquant.tensor([0.25])
        assert refquant.quantize_per_tensor(x, 0.5, 1, refquant.quint8).int_repr().tolist() == [1]
    assert refquant.quantize_per_tensor(x, 0.5, 1, refquant.quint8).int_repr().tolist() == [2]
