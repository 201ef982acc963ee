"""Diagnoses start from the engine itself: records with nothing changed have the engine's bits."""

import numpy as np
import pytest
from oracle.operands import activations, bias, weights

import refquant
from refquant import engines, oracle
from refquant.engines import Choice, Form, FusedRule, Split
from refquant.engines.arithmetic.change import changed, place_of
from refquant.engines.arithmetic.compose import Placed
from refquant.engines.arithmetic.forms import place
from refquant.errors import EngineError

ENGINES = (
    "fbgemm",
    "qnnpack",
    "fbgemm-1.4",
    "qnnpack-1.4",
    "x86",
    "onednn",
    *engines.other_runtimes(),
)
CODES = np.arange(256)


def every_pair(dtype=refquant.quint8, zeros=(100, 3)):
    """All pairs of codes, whose sums and products are often ties or nearly so."""
    low = dtype.quant_min
    return tuple(
        refquant.QuantizedTensor((codes + low).astype(dtype.numpy), dtype, scale, zero + low)
        for codes, scale, zero in zip(
            (np.repeat(CODES, 256), np.tile(CODES, 256)), (0.1, 0.05), zeros, strict=True
        )
    )


def real_numbers():
    rng = np.random.default_rng(0)
    ends = [np.inf, -np.inf, np.nan, 3e9, -3e9, 1e30, 2147483520.0, 0.0, -0.0]
    quarters = rng.integers(-400, 400, 3000) / 4
    return np.concatenate([rng.normal(size=3001) * 20, quarters, ends]).astype(np.float32)


def problems():
    rng = np.random.default_rng(1)
    unsigned, signed = every_pair(), every_pair(refquant.qint8)
    x = refquant.tensor(real_numbers())
    rows = refquant.tensor(real_numbers()[:6000].reshape(6, -1))
    image = activations(rng, (2, 18, 9, 9), 0.1, 57)
    last = image.contiguous(memory_format=refquant.channels_last)
    layers = [
        (activations(rng, (40, 37), 0.1), weights(rng, (16, 37), 0.07, 2, per_channel=channels), b)
        for channels in (False, True)
        for b in (None, bias(rng, 16))
    ]
    filters = weights(rng, (6, 18, 3, 3), 0.02)
    volume = activations(rng, (1, 3, 4, 5, 5))
    of_six = (np.linspace(0.1, 0.7, 6), np.arange(6), 0)
    for relu in ("", "_relu"):
        for pair in (unsigned, signed):
            z = pair[0].dtype.quant_min + 60
            yield from ((f"add{relu}", *pair, s, z) for s in (0.15, 0.25))
            yield from ((f"mul{relu}", *pair, s, z + 1) for s in (0.7, 0.0247, 0.01))
        yield from ((f"linear{relu}", *layer, s, 7) for layer in layers for s in (1.0, 3.3))
        yield f"conv2d{relu}", image, filters, None, 2, 1, 1, 1, "zeros", 1.7, 9
        yield (
            f"conv3d{relu}",
            volume,
            weights(rng, (2, 3, 2, 2, 2)),
            None,
            1,
            1,
            1,
            1,
            "zeros",
            2,
            9,
        )
        yield f"cat{relu}", [image, image], 1, 0.3, 9
        yield f"cat{relu}", [last, last], 1, 0.3, 9
        yield f"add_scalar{relu}", image, 50.3
        yield f"mul_scalar{relu}", image, -0.3
    for dtype in (refquant.quint8, refquant.qint8, refquant.qint32):
        yield from (("quantize_per_tensor", x, s, 7, dtype) for s in (0.1, 0.5))
        yield "quantize_per_channel", rows, *of_six, dtype
    for q in (image, last):
        yield from (("avg_pool2d", q, *window) for window in ((3,), (3, 2, 1), (2,)))
        yield from (("adaptive_avg_pool2d", q, size) for size in (3, 4))
        yield from (("mean", q, dims) for dims in ((2, 3), 1, 3))
        yield "relu6", q
        yield "elu", q, 0.3, 100
        yield "celu", q, 0.3, 100
        yield "leaky_relu", q, 0.1, False, 0.3, 100
        yield "sigmoid", q, 1 / 256, 0
        yield "hardswish", q, 0.3, 100
        yield "threshold", q, 0.5, -1.0
        yield "relu", q
        yield "max_pool2d", q, 2
        yield "max_pool1d", q[0], 2
        yield "avg_pool1d", q[0], 3, 2, 1
        yield "adaptive_avg_pool1d", q[0], 4
        yield "pad", q, (1, 2), "constant", 0.7
        yield "interpolate", q, (5, 7), None, "bilinear", False
        yield "upsample_nearest", q, (5, 7)
        yield "dequantize", q
        yield "upsample_bilinear", q, (12, 15)
        yield "upsample", q, (5, 7)
        grid = np.linspace(-1.2, 1.2, 36, dtype=np.float32).reshape(2, 3, 3, 2)
        yield "grid_sample", q, refquant.tensor(grid), "bilinear", "border", True
    for name, *window in (("max_pool3d", 2), ("avg_pool3d", 2, 1, 1), ("adaptive_avg_pool3d", 2)):
        yield name, volume, *window
    yield (
        "linear_dynamic",
        refquant.tensor(rng.normal(size=(5, 37)).astype(np.float32)),
        layers[0][1],
    )


@pytest.fixture(scope="module")
def tasks():
    return [oracle.problem(*given) for given in problems()]


def in_its_form(record):
    """Compute every rule by its form, at its point on the axes."""

    def form_of(rule):
        if isinstance(rule, Split):
            return Split(form_of(rule.vector), form_of(rule.tail), rule.block, rule.row_major)
        found = place(rule)
        if found is None:
            return rule
        if isinstance(rule, Form):  # chosen by name: there is no formula to fall back to
            return FusedRule(rule.name, "", "", Placed(*found))
        return type(rule)(rule.name, "", "", Placed(*found, own=rule))

    steps = {
        step: tuple(Choice(form_of(choice.rule), choice.when) for choice in choices)
        for step, choices in record.steps.items()
    }
    return record.derive("forms", "computed by forms", steps=steps)


def test_every_operation_of_the_oracle_is_tried(tasks):
    assert {task.operation for task in tasks} == set(oracle.operations())


@pytest.mark.parametrize("name", ENGINES)
def test_the_engine_with_nothing_changed_has_its_bits(name, tasks):
    records = (
        oracle.engine_of(oracle.arithmetic_of(name), "composed", name),
        changed(engines.get(name), {}),
        in_its_form(engines.get(name)),
    )
    tried = 0
    for task in tasks:
        try:
            own = task.answer(name)
        except EngineError:
            continue  # a limit of the engine
        tried += 1
        for record in records:
            assert np.array_equal(task.answer(record), own, equal_nan=True), task
    assert tried > 50


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("name", ENGINES)
def test_the_place_of_an_engine_follows_from_its_rules(name, per_channel):
    assert place_of(engines.get(name), per_channel) == oracle.arithmetic_of(name, per_channel)


@pytest.mark.parametrize("name", ENGINES)
def test_some_elements_are_answered_as_among_all(name, tasks):
    rng = np.random.default_rng(2)
    for task in tasks:
        if task.family == "other":
            continue
        try:
            everything = task.answer(name)
        except EngineError:
            continue
        few = np.sort(rng.choice(task.size, min(task.size, 90), replace=False))
        few = np.union1d(few, np.arange(max(task.size - 70, 0), task.size))
        found = task.answer_for(engines.get(name), few)
        assert np.array_equal(found, everything[few]), task
        assert task.answer_for(engines.get(name), few[:0]).size == 0


def test_a_user_s_own_engine_is_where_its_diagnosis_starts():
    a, b = every_pair()
    record = changed(engines.get("tflite"), {"rounding": "half_even"}, "mine")
    theirs = oracle.problem("mul", a, b, 0.0247, 60).answer(changed(record, {"rounding": "floor"}))
    found = oracle.diagnose(theirs, "mul", a, b, 0.0247, 60, engine=record)
    assert found.verdict == "rounding: half_even -> floor"


def test_the_changed_axis_of_a_product_of_tensorflow_lite_is_named():
    a, b = every_pair()
    given = ("mul", a, b, 0.04, 60)
    # Multiplied by 31 bits of s_a * s_b / s and shifted, as TensorFlow Lite; ties go up.
    n = (a.array.astype(np.int64) - 100) * (b.array.astype(np.int64) - 3)
    fraction, exponent = np.frexp(0.1 * 0.05 / 0.04)
    high = (n * round(fraction * 2**31) + 2**30) >> 31
    steps = (high + ((1 << -exponent) >> 1)) >> -exponent
    theirs = np.clip(steps + 60, 0, 255)
    found = oracle.diagnose(theirs, *given, engine="tflite")
    assert found.mismatch.count > 100
    assert found.explanations == (("rounding: half_away -> half_up",),)
