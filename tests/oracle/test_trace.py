"""Traces: every step computed by hand, and the result of the engine for all engines."""

import json

import numpy as np
import pytest
from oracle.operands import activations, bias, weights

import refquant
from refquant import engines, oracle
from refquant.errors import ArgumentError


def test_a_linear_layer_by_hand():
    x = refquant.QuantizedTensor(np.uint8([[7, 3, 9]]), refquant.quint8, 0.5, 3)
    w = refquant.QuantizedTensor(np.int8([[2, 50, -1]]), refquant.qint8, 0.25, 1)
    b = refquant.tensor([0.75])
    found = oracle.trace("linear", x, w, b, scale=0.5, zero_point=9, index=(0, 0), engine="fbgemm")
    assert found["products"] == 3
    assert "(7 - 3)*(2 - 1) + (9 - 3)*(-1 - 1)" in str(found)
    assert found["sum of raw products"] == 14 + 150 - 9
    assert found["accumulator"] == 4 - 12
    assert found["with bias"] == -8 + 6
    assert found["multiplier"] == 0.25
    assert found["exact number of steps"] == -0.5
    assert "a tie" in str(found)
    assert found["rounded"] == 0  # half to even
    assert found.result == 9
    assert "0x3e800000" in str(found)


def test_a_linear_layer_of_onednn_by_hand():
    x = refquant.QuantizedTensor(np.uint8([[7, 3, 9]]), refquant.quint8, 0.5, 3)
    w = refquant.QuantizedTensor(np.int8([[2, 50, -1]]), refquant.qint8, 0.25, 0)
    given = {"scale": 0.5, "zero_point": 9, "index": (0, 0), "engine": "onednn"}
    found = oracle.trace("linear_relu", x, w, refquant.tensor([0.75]), **given)
    assert found["accumulator"] == 4 * 2 - 6
    assert found["rule"] == "in_turn"
    assert (found["X"], found["W"]) == (0.5, 0.25)
    assert (found["times X"], found["times W"]) == (1.0, 0.25)
    assert (found["with bias"], found["relu"]) == (1.0, 1.0)
    assert (found["unrounded"], found["exact number of steps"]) == (11.0, 2.0)
    assert found.result == 11
    names = [step.name for step in found.steps]
    assert not {"multiplier", "rounded"} & set(names)  # steps of the other engines


def test_a_trace_under_x86_shows_the_rule_of_the_library_that_computes():
    rng = np.random.default_rng(3)
    x, w, b = activations(rng, (1, 4, 5, 5)), weights(rng, (2, 4, 3, 3)), bias(rng, 2)
    given = {"scale": 6.5, "zero_point": 120, "index": (0, 1, 1, 2), "engine": "x86"}
    of_onednn = oracle.trace("conv2d", x, w, b, **given)
    assert of_onednn["rule"] == "in_turn_direct"
    with pytest.raises(KeyError, match="unrounded"):
        of_onednn["multiplier"]
    asymmetric = weights(rng, (2, 4, 3, 3), zero_point=2)
    of_fbgemm = oracle.trace("conv2d", x, asymmetric, b, **given)
    assert "fma" in next(s.formula for s in of_fbgemm.steps if s.name == "with bias")
    with pytest.raises(KeyError, match="multiplier"):
        of_fbgemm["unrounded"]


def test_scales_that_are_multiplied_first_are_shown_so():
    rng = np.random.default_rng(4)
    x, w = activations(rng, (1, 2, 5, 5, 5)), weights(rng, (2, 1, 2, 2, 2))
    given = {"dilation": 2, "groups": 2, "scale": 3.0, "zero_point": 100, "engine": "x86"}
    found = oracle.trace("conv3d", x, w, None, index=(0, 0, 0, 0, 0), **given)
    assert found["rule"] == "product_of_scales_first"
    assert found["X * W"] == float(np.float32(x.scale) * np.float32(w.scale))


@pytest.mark.parametrize("engine", [*engines.names(), *engines.other_runtimes()])
def test_results_are_those_of_the_engine(engine):
    rng = np.random.default_rng(0)
    x, w, b = activations(rng, (2, 4, 6, 5)), weights(rng, (6, 2, 3, 3)), bias(rng, 6)
    kwargs = {"padding": 1, "groups": 2, "scale": 6.5, "zero_point": 120}
    output = oracle.problem("conv2d", x, w, b, **kwargs).run(engine).array
    for index in ((0, 0, 0, 0), (1, 5, 5, 4), (0, 3, 2, 2)):
        found = oracle.trace("conv2d", x, w, b, index=index, engine=engine, **kwargs)
        assert found.result == output[index]
        json.dumps(found.as_dict())
        assert "<table>" in found._repr_html_()
    y = activations(rng, (40,), 0.1, 200)
    total = oracle.problem("add", y, y, 0.3, 5).run(engine).array
    assert oracle.trace("add", y, y, 0.3, 5, index=33, engine=engine).result == total[33]
    z = refquant.tensor(np.float32([0.05, 0.15, 7.0]))
    given = ("quantize_per_tensor", z, 0.1, 3, refquant.quint8)
    q = oracle.problem(*given).run(engine).array
    assert [oracle.trace(*given, index=i, engine=engine).result for i in range(3)] == q.tolist()


def test_operands_lie_in_the_order_of_the_products():
    rng = np.random.default_rng(1)
    x, w = activations(rng, (1, 3, 4, 4)), weights(rng, (2, 3, 2, 2), zero_point=2)
    task = oracle.problem("conv2d", x, w, None, stride=2, padding=1, scale=2.0)
    for flat in range(task.channel.size):
        left, right = task.operands_of(flat)
        assert ((left - 13) * (right - 2)).sum() == task.sums("exact")[flat]


def test_bad_input():
    x = activations(np.random.default_rng(2), (1, 2))
    with pytest.raises(ArgumentError, match="2 indices within"):
        oracle.trace("add", x, x, 1.0, 0, index=(0, 2))
    with pytest.raises(ArgumentError, match="2 indices within"):
        oracle.trace("add", x, x, 1.0, 0, index=0)
    w = refquant.quantize_per_tensor(refquant.ones(1, 2), 0.5, 0, refquant.qint8)
    with pytest.raises(ArgumentError, match="any operation but linear_dynamic"):
        oracle.trace("linear_dynamic", refquant.ones(1, 2), w, index=0)
    with pytest.raises(KeyError, match="accumulator"):
        oracle.trace("add", x, x, 1.0, 0, index=(0, 0))["accumulator"]
