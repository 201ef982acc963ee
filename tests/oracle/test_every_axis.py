"""Every value of every axis is planted into an engine and named by one diagnosis of some cases."""

import numpy as np
import pytest

from refquant import engines, oracle
from refquant.engines.arithmetic.change import changed
from refquant.engines.arithmetic.orders import ORDERS
from refquant.oracle import Codes, Output
from refquant.oracle.joint import diagnose_all

VALUES = [(axis.name, value) for axis in oracle.AXES.values() for value in axis.values]
ENGINES = ("xnnpack", "litert-2.3-reference", "tflite-micro", "fbgemm", "onnxruntime-qdq-float")
# Where values of an axis show, or one of them.
PLACES = {
    "order": "dequantized",
    "places": "resize",
    "border": "conv",
    "accumulator": "sums",
    "overflow": "overflow",
    "clamp": "overflow",
    "q31_merged": "sub",
}
# In the precision of products these are other words for "same".
SAME = {("multiplier", "float32"): "xnnpack", ("multiplier", "float64"): "litert-2.3-reference"}


def codes(rng, dtype, *shape):
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max + 1, shape).astype(dtype)


def linear(rng, number):
    """Draw ties, numbers near ties, and any scales."""
    s_x, s_w, s_y = ((0.5, 0.25, 0.25), (0.1, 0.3, 0.06), (0.0321, 0.0137, 0.0011))[number]
    reach = 128 if number == 2 else 4
    x, w = codes(rng, "int8", 50, 12), rng.integers(-reach, reach, (17, 12)).astype(np.int8)
    # Every second bias is a tie of the steps of sums.
    b = (np.arange(17) / 2 - 4).astype(np.float32) * np.float32(s_x * s_w)
    return oracle.problem("linear", Codes(x, s_x, -77), Codes(w, s_w), b, Output(s_y, 5, "int16"))


def sums(rng, number):
    """Draw sums that int16, pairs of int16, float16, float32 or int32 cannot hold."""
    if number < 2:
        x, w = codes(rng, "int8", 20, 20), codes(rng, "int8", 7, 20)
        x, w = (x, w) if number else (np.abs(x // 2 + 63), np.abs(w // 2 + 63))
        zero = -100
    else:
        x, w = rng.integers(20000, 32768, (4, 700)), rng.integers(60, 128, (5, 700))
        x, w, zero = x.astype(np.int16), w.astype(np.int8), 0
    return oracle.problem("linear", Codes(x, 1.0, zero), Codes(w, 1.0), None, Output(1, 0, "int32"))


def overflow(rng, number):
    x, w = codes(rng, "int8", 30, 8), codes(rng, "int8", 5, 8)
    return oracle.problem(
        "linear", Codes(x, 1000.0), Codes(w, 1000.0), None, Output(1e-6 if number else 100.0, 3)
    )


def conv(rng, number):
    x, w = codes(rng, "int8", 1, 2, 5, 6), codes(rng, "int8", 4, 2, 3, 3)
    return oracle.problem(
        "conv2d", Codes(x, 0.1, 9), Codes(w, 0.2), None, Output(8.0, number), padding=1
    )


def sub(rng, number):
    a, b = (grid.reshape(-1).astype(np.int8) for grid in np.mgrid[-128:128, -128:128])
    scales = ((0.1, 0.3, 0.2), (0.013, 0.21, 0.17), (0.05, 0.07, 0.03))[number]
    return oracle.problem(
        "sub", Codes(a, scales[0], 3), Codes(b, scales[1], -9), Output(scales[2], 1)
    )


def resize(rng, number):
    x = codes(rng, "int8", 2, 5, 7, 3)
    return oracle.problem(
        "resize_bilinear", Codes(x, 0.1, 2), (9 + number, 13), half_pixel_centers=number > 1,
        layout="NHWC",
    )  # fmt: skip


def dequantized(rng, number):
    depth = (40, 300, 150)[number]
    x, w = codes(rng, "int8", 9, depth), codes(rng, "int8", 25, depth)
    # Steps so fine that the last bits of a sum show.
    return oracle.problem(
        "linear", Codes(x, 0.0123, 3), Codes(w, 0.0371), None, Output(1e-6, 0, "int32")
    )


DRAW = {
    "linear": linear, "sums": sums, "overflow": overflow, "conv": conv, "sub": sub,
    "resize": resize, "dequantized": dequantized,
}  # fmt: skip


def draw(kind):
    rng = np.random.default_rng(7)
    return [DRAW[kind](rng, number) for number in range(3)]


def starts(axis, value, tasks):
    """Find engines, or ones with another value on the axis, whose answers a value changes."""
    for name in ENGINES:
        engine = engines.get(name)
        if axis not in tasks[0].values(engine) or SAME.get((axis, value)) == name:
            continue
        for other in oracle.AXES[axis].values:
            start = changed(engine, {axis: other})
            planted = changed(engine, {axis: value})
            answers = [task.run(planted) for task in tasks]
            own = [task.run(start) for task in tasks]
            if not all(map(np.array_equal, answers, own)):
                yield start, answers, tasks[0].values(start)[axis][0]


@pytest.mark.parametrize(("axis", "value"), VALUES)
def test_a_planted_value_is_named(axis, value):
    tasks = draw(PLACES.get(value) or PLACES.get(axis, "linear"))
    start, answers, own = next(starts(axis, value, tasks))
    found = diagnose_all(zip(answers, tasks, strict=True), start)
    assert (f"{axis}: {own} -> {value}",) in found


@pytest.mark.parametrize(
    ("engine", "changes"),
    [
        ("xnnpack", {"precision": "float16", "multiplier": "float32"}),
        ("xnnpack", {"multiplier": "float16", "rounding": "floor"}),
        ("xnnpack", {"formed_by": "staged", "rounding": "half_away"}),
        ("xnnpack", {"accumulator": "float16", "zero_point": "before"}),
        ("tflite-micro", {"scaling": "q31_single", "width": "bits_15"}),
    ],
)
def test_two_planted_values_are_named(engine, changes):
    tasks = draw("linear")
    planted = changed(engines.get(engine), changes)
    found = diagnose_all([(task.run(planted), task) for task in tasks], engine)
    values = tasks[0].values(engines.get(engine))
    names = {f"{axis}: {values[axis][0]} -> {value}" for axis, value in changes.items()}
    assert names in [set(explanation) for explanation in found]


def test_another_engine_with_one_change_is_named():
    # Three changes from the start: the width, the zero point and how sums are scaled.
    tasks = draw("linear")
    planted = changed(engines.get("onnx-reference"), {"width": "bits_15"})
    found = diagnose_all([(task.run(planted), task) for task in tasks], "tflite-micro")
    assert ("engine 'onnx-reference'", "width: bits_15") in found
    alone = oracle.diagnose(tasks[1].run(planted), tasks[1], engine="tflite-micro")
    assert alone.changes


def test_orders_of_sums_are_what_they_say():
    a, b = np.float32([[1, 2.0**24, 1, -(2.0**24)]]), np.ones((4, 1), np.float32)
    found = {name: rule(a, b).item() for name, rule in ORDERS.items()}
    assert found["ascending"] == found["unfused"] == 0  # 1 is lost beside 2**24, twice
    assert (found["pairwise"], found["lanes_8"]) == (1, 0)
    three = np.float32([[2.0**24, 1, 1, 1]])
    found = {name: rule(three, b).item() - 2.0**24 for name, rule in ORDERS.items()}
    assert found["ascending"] == found["lanes_8"] == 0
    assert found["pairwise"] == 2  # the last two are added first


def test_sums_in_float16_lose_ones_beyond_2048():
    x, w = Codes(np.full((1, 3), 100, np.int8), 1.0), Codes(np.int8([[30, 0, 1]]), 1.0)
    ones = Codes(np.int8([[100, 1, 1]]), 1.0)
    task = oracle.problem("linear", ones, w, None, Output(1.0, 0, "int32"))
    half = changed(engines.get("xnnpack"), {"accumulator": "float16"})
    assert task.run("xnnpack").item() == 3001
    assert task.run(half).item() == 3000  # 3001 is a tie of steps of 2
    many = oracle.problem(
        "linear", x, Codes(np.full((1, 3), 127, np.int8), 1.0), None, Output(1.0, 0, "int32")
    )
    assert many.run(half).item() == 38112  # 25400 and 38100 between steps of 16 and 32
    wide = changed(engines.get("xnnpack"), {"accumulator": "float32"})
    assert many.run(wide).item() == 38100


def test_scales_in_float16_are_those_of_a_model_that_stores_halves():
    x, w = Codes(np.int8([[100]]), 0.1), Codes(np.int8([[100]]), 1.0)
    task = oracle.problem("linear", x, w, None, Output(1.0, 0, "int32"))
    for value in ("float16_scales", "float16"):
        record = changed(engines.get("xnnpack"), {"multiplier": value})
        assert task.run(record).item() == np.rint(10000 * np.float64(np.float16(0.1)))
