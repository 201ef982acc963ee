"""Comparison with engines: counts, classes of differences, and legality."""

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
    assert str(found) == "conv2d against engine 'qnnpack': all 108 elements are equal"


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
    given = ("quantize_per_tensor", x, 0.5, 0, refquant.quint8)
    theirs = np.array([1, 1, 3, 255, 1])
    found = oracle.compare(theirs, *given, engine="fbgemm")
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
        theirs = task.run(oracle.engine_of(arithmetic.change(**change)))
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


def test_engines_with_one_rounding_are_legal_here_and_saturation_is_not():
    args, kwargs = layer(zero_point=200)
    task = oracle.problem("conv2d", *args, **kwargs)
    for engine in engines.names():
        assert oracle.legality(task.run(engine), "conv2d", *args, **kwargs).legal.all()
    assert not oracle.legality(task.run("x86-sat16"), "conv2d", *args, **kwargs).legal.all()


def codes_times(multiplier):
    """A layer of one weight, 1: its sums are the codes 0 to 255."""
    x = refquant.QuantizedTensor(np.arange(256, dtype=np.uint8)[:, None], refquant.quint8, 1.0, 0)
    w = refquant.QuantizedTensor(np.ones((1, 1), np.int8), refquant.qint8, 1.0, 0)
    return {"input": x, "weight": w, "scale": 1 / multiplier, "zero_point": 0}


def test_answers_rounded_twice_are_not_legal():
    given = codes_times(0.3)
    y = oracle.problem("linear", **given).run("qnnpack-1.4")
    assert y.array[[1, 8, 11, 18], 0].tolist() == [1, 3, 4, 6]  # as the real engine
    found = oracle.legality(y, "linear", **given)
    assert found.real[[1, 8, 11, 18], 0].round(6).tolist() == [0.3, 2.4, 3.3, 5.4]
    assert (~found.legal).sum() == 51
    for backend, engine in (("qnnpack-1.4", "fbgemm"), ("fbgemm", "qnnpack-1.4")):
        theirs = oracle.problem("linear", **given).run(backend)
        classes = oracle.compare(theirs, "linear", **given, engine=engine).counts
        assert classes == {"multiplier precision": 10, "double rounding": 51}


def test_sums_of_qnnpack_whose_scales_differ_much_are_not_legal():
    zero = refquant.QuantizedTensor(np.zeros(256, np.uint8), refquant.quint8, 100.0, 0)
    codes = refquant.QuantizedTensor(np.arange(256, dtype=np.uint8), refquant.quint8, 0.033, 0)
    given = ("add", zero, codes, 1.0, 0)
    y = oracle.problem(*given).run("qnnpack")
    found = oracle.legality(y, *given)
    assert np.flatnonzero(~found.legal).tolist() == [197]
    assert found.real[197].round(6) == 6.501
    assert y.array[197] == 6  # as the real engine of PyTorch 2.13
    assert oracle.compare(y, *given, engine="fbgemm").counts == {"multiplier precision": 1}


def test_products_beyond_int32_are_not_legal():
    given = codes_times(1e7)
    y = oracle.problem("linear", **given).run("fbgemm")
    assert y.array[[214, 215, 255], 0].tolist() == [255, 0, 0]
    assert oracle.legality(y, "linear", **given).legal.reshape(-1)[[214, 215]].tolist() == [
        True,
        False,
    ]


def test_an_answer_that_no_rule_for_ties_gives_is_no_tie():
    x = refquant.tensor([-149.75])  # -299.5 steps, both neighbors of which are clipped
    given = ("quantize_per_tensor", x, 0.5, 0, refquant.qint8)
    found = oracle.compare(np.array([-127]), *given, engine="fbgemm")
    assert found.counts == {"unexplained": 1}
    assert found.legal.tolist() == [False]


def ties():
    """Half steps, as many below zero as above."""
    x = refquant.tensor(np.arange(-40, 40, dtype=np.float32) + np.float32(0.5))
    return "quantize_per_tensor", x, 1.0, 101, refquant.quint8


RULES = {
    "up": lambda t, z: np.floor(t + 0.5) + z,
    "down": lambda t, z: np.ceil(t - 0.5) + z,
    "away": lambda t, z: np.trunc(t + np.copysign(0.5, t)) + z,
    "even before the zero point": lambda t, z: np.rint(t) + z,
    "even after it": lambda t, z: np.rint(t + z),
}


@pytest.mark.parametrize("rule", RULES)
def test_ties_are_named_where_one_rule_explains_them_all(rule):
    theirs = RULES[rule](ties()[1].numpy(), 101).astype(int)
    found = oracle.compare(theirs, *ties(), engine="exact")
    assert set(found.counts) <= {"tie"}
    theirs[7] += 1 if theirs[7] == math.floor(ties()[1].numpy()[7]) + 101 else -1
    found = oracle.compare(theirs, *ties(), engine="exact")
    assert set(found.counts) == {"multiplier precision"}  # legal, and no rule for ties


def wide_layer(seed, inputs=64):
    rng = np.random.default_rng(seed)
    x = activations(rng, (50, inputs), 0.02, 120)
    w = weights(rng, (20, inputs), 0.01)
    return {"input": x, "weight": w, "scale": 0.5, "zero_point": 130}


@pytest.mark.parametrize("seed", range(3))
def test_errors_at_random_places_have_no_class(seed):
    rng = np.random.default_rng(seed)
    layer_args, layer_kwargs = layer()
    for operation, args, kwargs in (
        ("linear", (), wide_layer(seed)),
        ("linear", (), codes_times(0.3)),
        ("conv2d", layer_args, layer_kwargs),
    ):
        task = oracle.problem(operation, *args, **kwargs)
        theirs = task.answer("fbgemm").reshape(task.shape)
        hit = rng.choice(theirs.size, min(300, theirs.size // 3), replace=False)
        flat = theirs.reshape(-1)
        flat[hit] += np.where(flat[hit] < 128, 1, -1)
        found = oracle.compare(theirs, operation, *args, **kwargs, engine="fbgemm")
        assert set(found.counts) <= {"unexplained", "tie", "multiplier precision"}
        assert found.counts["unexplained"] > 0.9 * hit.size
        assert not found.legal[found.classes == "unexplained"].any()


def test_one_error_alone_is_neither_saturation_nor_double_rounding_nor_wrapped():
    for kwargs in (wide_layer(0), codes_times(0.3)):
        right = oracle.problem("linear", **kwargs).run("fbgemm").array.astype(int)
        for index in np.random.default_rng(1).choice(right.size, 40, replace=False):
            theirs = right.copy()
            theirs.reshape(-1)[index] ^= 1
            found = oracle.compare(theirs, "linear", **kwargs, engine="fbgemm")
            assert set(found.counts) <= {"unexplained", "multiplier precision"}


def test_halved_weights_have_no_class():
    kwargs = wide_layer(4)
    half = {**kwargs, "weight": kwargs["weight"].like(kwargs["weight"].array // 2)}
    theirs = oracle.problem("linear", **half).run("fbgemm")
    found = oracle.compare(theirs, "linear", **kwargs, engine="fbgemm")
    assert found.count > 300
    assert set(found.counts) <= {"unexplained", "tie", "multiplier precision"}
    assert found.counts["unexplained"] > 0.9 * found.count


def test_wrapping_is_named_only_where_all_that_leave_the_range_wrap():
    x = refquant.tensor(np.linspace(-200, 400, 999).astype(np.float32))
    given = ("quantize_per_tensor", x, 1.0, 0, refquant.quint8)
    wrapped = np.rint(x.numpy()).astype(int) % 256
    assert set(oracle.compare(wrapped, *given, engine="fbgemm").counts) == {"wrap-around"}
    some = np.where(np.arange(999) % 2, wrapped, oracle.problem(*given).answer("fbgemm"))
    assert set(oracle.compare(some, *given, engine="fbgemm").counts) == {"unexplained"}


@pytest.mark.parametrize("pair", ["add", "mul"])
def test_rounding_twice_and_once_between_runtimes(pair):
    a = activations(np.random.default_rng(0), (9000,), 0.1, 100)
    b = activations(np.random.default_rng(1), (9000,), 0.07, 3)
    given = (pair, a, b, 0.0247, 128)
    single, double = (oracle.problem(*given).run(e) for e in ("tflite-single", "tflite"))
    for theirs, engine in ((double, "tflite-single"), (single, "tflite"), (double, "fbgemm")):
        found = oracle.compare(theirs, *given, engine=engine)
        assert set(found.counts) <= {"double rounding", "multiplier precision"}
        assert ("double rounding" in found.counts) == (pair == "mul")


def test_the_engine_s_own_saturation_is_named():
    kwargs = wide_layer(5)
    kwargs["weight"] = kwargs["weight"].like(np.full((20, 64), 120, np.int8))
    theirs = oracle.problem("linear", **kwargs).run("fbgemm")
    found = oracle.compare(theirs, "linear", **kwargs, engine="x86-sat16")
    assert set(found.counts) == {"saturation"}
    assert found.legal.all()


def test_bound_and_real_numbers_of_legality():
    x = refquant.tensor(np.float32([0.3]))
    found = oracle.legality(np.array([3]), "quantize_per_tensor", x, 0.1, 0, refquant.quint8)
    exact = Fraction(float(np.float32(0.3))) / Fraction(0.1)
    assert math.isclose(found.real.item(), float(exact))
    assert 0 < found.bound.item() < 1e-5
    assert found.legal.item()
    assert "0 of 1" in repr(found)
    empty = refquant.tensor(np.zeros((0,), np.float32))
    given = ("quantize_per_tensor", empty, 0.1, 0, refquant.quint8)
    assert oracle.legality(np.zeros(0, int), *given).legal.shape == (0,)


def test_other_operations_have_counts_only():
    w = refquant.quantize_per_tensor(refquant.ones(3, 2), 0.5, 0, refquant.qint8)
    layer = ("linear_dynamic", refquant.ones(4, 2), w)
    theirs = oracle.problem(*layer).run("fbgemm").array + np.float32(1)
    found = oracle.compare(theirs, *layer)
    assert found.legal is None
    assert set(found.counts) == {"unexplained"}
    with pytest.raises(ArgumentError, match=r"oracle\.compare works"):
        oracle.legality(theirs, *layer)


def test_a_tensor_with_another_quantizer_is_rejected():
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
