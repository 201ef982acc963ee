"""Comparison with engines: what is counted, why elements differ, and what is legal."""

import math
from fractions import Fraction

import numpy as np
import pytest
from oracle.operands import activations, bias, weights

import refquant
from refquant import engines, oracle
from refquant.errors import ArgumentError, ArgumentTypeError
from refquant.plotting import mismatch_bars


def layer(zero_point=13):
    rng = np.random.default_rng(0)
    args = (
        activations(rng, (1, 4, 6, 6), 0.25, zero_point),
        weights(rng, (3, 4, 3, 3)),
        bias(rng, 3),
    )
    return args, {"padding": 1, "scale": 3.0, "zero_point": 120}


def test_equal_answers():
    args, kwargs = layer()
    theirs = oracle.problem("conv2d", *args, **kwargs).run("qnnpack")
    found = oracle.compare(theirs, "conv2d", *args, engine="qnnpack", **kwargs)
    assert found.count == 0
    assert found.size == 108
    assert str(found) == "conv2d beside engine 'qnnpack': all 108 elements are equal"


def test_counts_places_and_steps():
    args, kwargs = layer()
    theirs = oracle.problem("conv2d", *args, **kwargs).run("fbgemm").array.astype(int)
    theirs[0, 1, 0, 3] = (theirs[0, 1, 0, 3] + 3) % 256
    theirs[0, 2, 4, 4] = (theirs[0, 2, 4, 4] + 5) % 256
    found = oracle.compare(theirs, "conv2d", *args, engine="fbgemm", **kwargs)
    assert found.indices.tolist() == [[0, 1, 0, 3], [0, 2, 4, 4]]
    assert found.at_border.tolist() == [True, False]
    assert found.channels.tolist() == [0, 1, 1]
    assert sum(found.histogram.values()) == 2
    assert "2 of 108 elements differ" in found._repr_html_()


def test_classes():
    rng = np.random.default_rng(1)
    x = refquant.tensor(np.float32([0.25, 0.35, 1.0, 60.0, 0.75]))
    asked = ("quantize_per_tensor", x, 0.5, 0, refquant.quint8)
    theirs = np.array([1, 1, 3, 255, 1])
    found = oracle.compare(theirs, *asked, engine="fbgemm")
    assert dict(zip(found.where.tolist(), found.classes.tolist(), strict=True)) == {
        0: "tie",
        2: "unexplained",
        3: "unexplained",
        4: "tie",
    }
    assert found.legal.tolist() == [True, False, False, True]
    big = refquant.tensor(np.float32([200.0]))
    wrapped = oracle.compare(
        np.array([400 % 256]), "quantize_per_tensor", big, 0.5, 0, refquant.quint8
    )
    assert wrapped.counts == {"wrap-around": 1}
    args, kwargs = layer()
    task = oracle.problem("conv2d", *args, **kwargs)
    arithmetic = oracle.arithmetic_of("fbgemm")
    for change, name in (
        ({"border": "zero"}, "border"),
        ({"accumulator": "saturated_pairs"}, "saturation"),
    ):
        theirs = task.run(arithmetic.change(**change).record())
        found = oracle.compare(theirs, "conv2d", *args, engine="fbgemm", **kwargs)
        assert set(found.counts) <= {name, "tie", "multiplier precision"}
        assert found.counts[name] > 3
        if name == "border":
            assert found.at_border.all()
    a = activations(rng, (3000,), 0.1, 100)
    b = activations(rng, (3000,), 0.07, 3)
    summed = oracle.problem("add", a, b, 0.06, 9).run("qnnpack")
    found = oracle.compare(summed, "add", a, b, 0.06, 9, engine="fbgemm")
    assert set(found.counts) <= {"tie", "multiplier precision", "unexplained"}


def test_every_engine_of_pytorch_is_legal_and_saturation_is_not():
    args, kwargs = layer(zero_point=200)
    task = oracle.problem("conv2d", *args, **kwargs)
    for engine in engines.names():
        assert oracle.legality(task.run(engine), "conv2d", *args, **kwargs).legal.all()
    assert not oracle.legality(task.run("x86-sat16"), "conv2d", *args, **kwargs).legal.all()


def test_bound_and_real_numbers_of_legality():
    x = refquant.tensor(np.float32([0.3]))
    found = oracle.legality(np.array([3]), "quantize_per_tensor", x, 0.1, 0, refquant.quint8)
    exact = Fraction(float(np.float32(0.3))) / Fraction(0.1)
    assert math.isclose(found.real.item(), float(exact))
    assert 0 < found.bound.item() < 1e-5
    assert found.legal.item()
    assert "0 of 1" in repr(found)
    empty = refquant.tensor(np.zeros((0,), np.float32))
    asked = ("quantize_per_tensor", empty, 0.1, 0, refquant.quint8)
    assert oracle.legality(np.zeros(0, int), *asked).legal.shape == (0,)


def test_other_operations_have_counts_only():
    x = activations(np.random.default_rng(3), (1, 2, 5, 5))
    theirs = oracle.problem("max_pool2d", x, 2).run("fbgemm").array.astype(int) + 1
    found = oracle.compare(theirs, "max_pool2d", x, 2)
    assert found.legal is None
    assert set(found.counts) == {"unexplained"}
    with pytest.raises(ArgumentError, match=r"oracle\.compare works"):
        oracle.legality(theirs, "max_pool2d", x, 2)


def test_a_tensor_with_another_quantizer_is_refused():
    x = activations(np.random.default_rng(4), (5,))
    theirs = refquant.QuantizedTensor(x.array, refquant.quint8, 0.5, 1)
    with pytest.raises(ArgumentError, match=r"scale 0\.3"):
        oracle.compare(theirs, "add", x, x, 0.3, 1)
    with pytest.raises(ArgumentTypeError, match="an ndarray, got list"):
        oracle.compare([1, 2], "add", x, x, 0.3, 1)


def test_picture():
    x = refquant.tensor(np.float32([0.25, 1.0, 2.0]))
    found = oracle.compare(
        np.array([1, 9, 4]), "quantize_per_tensor", x, 0.5, 0, refquant.quint8, engine="fbgemm"
    )
    ax = found.plot()
    assert [bar.get_height() for bar in ax.patches] == [1, 0, 0, 1]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["+1", "+7"]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["tie", "unexplained"]
    assert "2 of 3" in ax.get_title()
    assert mismatch_bars(found, ax=ax) is ax
