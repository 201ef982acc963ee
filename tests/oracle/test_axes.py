"""Arithmetic as a choice on every axis: rounding, and points that answer like their engines."""

from fractions import Fraction

import numpy as np
import pytest
from oracle.operands import activations, bias, weights

from refquant import engines, oracle
from refquant.engines import Convolution, Operands
from refquant.engines.arithmetic import compose
from refquant.engines.arithmetic.change import changed
from refquant.engines.rules.rounding import ROUNDINGS, as_fractions, round_number, round_shift
from refquant.errors import ArgumentError, EngineError
from refquant.nn.quantized import functional as F

_FBGEMM = oracle.Arithmetic()
_QNNPACK = oracle.Arithmetic(formed_by="product", bias="int32_product")
_TFLITE = oracle.Arithmetic(
    rounding="half_away",
    precision="float64",
    scaling="q31_double",
    bias="int32_half_away",
    overflow="saturated",
)
_OPERANDS = Operands(
    bias=True,
    convolution=Convolution((1, 1), (1, 1), 1, 1, 1),
)
POINTS = {
    "fbgemm": _FBGEMM,
    "qnnpack": _QNNPACK,
    "fbgemm-1.4": _FBGEMM,
    "qnnpack-1.4": oracle.Arithmetic(
        rounding="half_away", scaling="q31_double", bias="int32_division"
    ),
    "exact": oracle.Arithmetic(
        precision="exact", bias="exact", accumulator="exact", overflow="saturated"
    ),
    "tflite": _TFLITE,
    "tflite-single": _TFLITE.change(scaling="q31_single", rounding="half_up"),
    "onnx": oracle.Arithmetic(bias="int32_division", clamp="before", overflow="saturated"),
    "x86-sat16": _FBGEMM.change(accumulator="saturated_pairs"),
}


@pytest.fixture
def composed():
    """Register a record for the test."""
    yield lambda record: engines.register(record).name
    if "composed" in engines.names():
        engines.unregister("composed")


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_floats_fractions_and_shifts_round_alike(rounding):
    eighths = np.arange(-80, 81)
    wide = round_number(eighths / 8, rounding)
    single = round_number((eighths / 8).astype(np.float32), rounding)
    exact = round_number(as_fractions(eighths / 8), rounding)
    assert single.dtype == np.float32
    assert wide.tolist() == single.tolist() == [float(v) for v in exact]
    assert wide.tolist() == round_shift(eighths, 3, rounding).tolist()


def test_the_largest_float_below_one_half_is_no_tie():
    below = np.nextafter(np.float32(0.5), np.float32(0))
    for rounding in ("half_even", "half_away", "half_up"):
        assert round_number(np.array([below, -below]), rounding).tolist() == [0, 0]


def test_numbers_that_are_not_finite_stay():
    odd = np.array([np.inf, -np.inf, np.nan], np.float32)
    for rounding in ROUNDINGS:
        assert str(round_number(odd, rounding).tolist()) == "[inf, -inf, nan]"


@pytest.mark.parametrize(("name", "point"), POINTS.items())
def test_engines_stand_where_they_are_known_to_stand(name, point):
    assert oracle.arithmetic_of(name) == point
    divided = {"bias": "divided"} if point.bias == "fused" else {}
    assert oracle.arithmetic_of(name, per_channel=True) == point.change(**divided)


@pytest.mark.parametrize("per_channel", [False, True])
def test_onednn_stands_where_it_goes_through_real_numbers(per_channel):
    bias = {"bias": "divided"} if per_channel else {}
    assert oracle.arithmetic_of("x86", per_channel) == _FBGEMM.change(**bias)
    assert oracle.arithmetic_of("onednn", per_channel) == oracle.Arithmetic(
        zero_point="before", formed_by="product", clamp="before", overflow="saturated"
    )


@pytest.mark.parametrize("name", ["onednn", "x86"])
def test_a_choice_changes_products_that_are_computed_at_once(name, composed):
    x = activations(np.random.default_rng(0), (1, 1, 1, 1))
    x.array[...] = x.zero_point + 5
    w = weights(np.random.default_rng(0), (1, 1, 1, 1), scale=0.25)
    w.array[...] = 2
    scale = x.scale  # 5 steps times 2 of 1/4 are 2.5 steps
    given = {"scale": scale, "zero_point": 1}
    assert engines.get(name).rule("product", _OPERANDS).name == "in_turn_direct"
    for rounding, wanted in (("half_even", 4), ("half_away", 4), ("floor", 3), ("truncate", 3)):
        arithmetic = oracle.arithmetic_of(name).change(rounding=rounding)
        with engines.using(composed(oracle.engine_of(arithmetic, base=name))):
            assert F.conv2d(x, w, None, **given).array.item() == wanted
    with engines.using(composed(changed(engines.get(name), {"zero_point": "after"}))):
        assert F.conv2d(x, w, None, **given).array.item() == 3  # 2.5 to even, then 1


@pytest.mark.parametrize("name", POINTS)
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("how", ["from axes alone", "from the engine"])
def test_points_answer_like_their_engines(name, per_channel, with_bias, how, composed):
    if per_channel and name == "qnnpack-1.4":
        pytest.skip("QNNPACK of PyTorch 1.4 has no weights with a scale for each channel")
    arithmetic = oracle.arithmetic_of(name, per_channel)
    alone = how == "from axes alone"
    chosen = composed(
        compose.record(arithmetic, "composed", engines.get(name))
        if alone
        else oracle.engine_of(arithmetic, "composed", name)
    )
    for seed in range(6):
        rng = np.random.default_rng(seed)
        scale = float(2.0 ** rng.integers(-1, 3)) if seed % 2 else float(rng.uniform(0.6, 3))
        b = bias(rng, 6) if with_bias else None
        x, w = activations(rng, (3, 37)), weights(rng, (6, 37), per_channel=per_channel)
        image = activations(rng, (1, 4, 7, 9))
        filters = weights(rng, (6, 4, 3, 3), per_channel=per_channel)
        answers = []
        for engine in (name, chosen):
            with engines.using(engine):
                y = F.linear(x, w, b, scale=scale, zero_point=7)
                z = F.conv2d(image, filters, b, padding=1, scale=scale, zero_point=7)
                answers.append((y.array, z.array))
        for one, other in zip(*answers, strict=True):
            assert np.array_equal(one, other)


def test_every_value_of_every_axis_can_be_computed(composed):
    rng = np.random.default_rng(0)
    x, w, b = activations(rng, (1, 3, 5, 5)), weights(rng, (2, 3, 3, 3)), bias(rng, 2)
    for name, axis in oracle.AXES.items():
        for value in axis.values:
            arithmetic = oracle.arithmetic_of("fbgemm").change(**{name: value})
            with engines.using(composed(oracle.engine_of(arithmetic))):
                y = F.conv2d(x, w, b, padding=1, scale=4.0, zero_point=100)
            assert y.shape == (1, 2, 5, 5)


def test_what_axes_change_is_what_they_say(composed):
    x = activations(np.random.default_rng(0), (1, 1))
    x.array[...] = 18  # 5 steps of 1/4 times 2 of 1/4: 2.5 steps of 1/4
    w = weights(np.random.default_rng(0), (1, 1), scale=0.25)
    w.array[...] = 2
    expected = {"half_even": 2, "half_away": 3, "half_up": 3, "truncate": 2, "floor": 2}
    for rounding, steps in expected.items():
        record = oracle.engine_of(oracle.arithmetic_of("fbgemm").change(rounding=rounding))
        with engines.using(composed(record)):
            assert F.linear(x, w, scale=0.25, zero_point=1).array.item() == steps + 1
    before = oracle.engine_of(oracle.arithmetic_of("fbgemm").change(zero_point="before"))
    with engines.using(composed(before)):
        assert F.linear(x, w, scale=0.25, zero_point=1).array.item() == 4  # 3.5 to even


def test_wrong_words_are_rejected():
    with pytest.raises(ArgumentError, match=r"rounding.*half_even, half_away"):
        oracle.Arithmetic(rounding="nearest")
    with pytest.raises(ArgumentError, match="axes among rounding"):
        oracle.Arithmetic().change(tie="even")
    with pytest.raises(EngineError, match="no known place"):
        oracle.arithmetic_of("mine")


def test_fractions_are_exact():
    assert as_fractions(np.float32(0.1)).item() == Fraction(13421773, 134217728)


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        ("full", np.float32(0.3)),
        ("bits_21", 1258291 * 2.0**-22),
        ("bits_15", 19661 * 2.0**-16),
        ("bits_8", 154 * 2.0**-9),
        ("power_of_two", 0.25),
    ],
)
def test_multipliers_of_fewer_bits(width, expected):
    arithmetic = oracle.Arithmetic(width=width)
    assert compose.narrowed(arithmetic, np.float32(0.3)) == np.float32(expected)
    assert compose.narrowed(arithmetic, 2.0**-7) == 2.0**-7


def test_a_narrow_multiplier_scales_in_fixed_point():
    base = engines.get("tflite-single")
    x, w = oracle.Codes(np.int8([[100]]), 0.3), oracle.Codes(np.int8([[1]]), 1.0)
    task = oracle.problem("linear", x, w, None, oracle.Output(1.0))
    found = {
        width: task.run(changed(base, {"width": width})).item()
        for width in oracle.AXES["width"].values
    }
    assert found == {"full": 30, "bits_21": 30, "bits_15": 30, "bits_8": 30, "power_of_two": 25}


def test_sums_in_int16_and_offsets_in_int8_wrap():
    x = oracle.Codes(np.full((1, 3), 127, np.int8), 1.0, -3)
    w = oracle.Codes(np.full((1, 3), 100, np.int8), 1.0)
    task = oracle.problem("linear", x, w, None, oracle.Output(1.0, dtype="int32"))
    exact = 3 * 130 * 100
    assert task.run("tflite").item() == exact
    base = engines.get("tflite")
    assert task.run(changed(base, {"accumulator": "wrapped_int16"})).item() == exact - 2**16
    wrapped = task.run(changed(base, {"accumulator": "offsets_in_int8"})).item()
    assert wrapped == 3 * (130 - 256) * 100
