"""Operations on codes: legal answers, traces and faults, for each that a runtime has."""

import re

import numpy as np
import pytest

from refquant import engines, oracle
from refquant.errors import ArgumentError, EngineError
from refquant.oracle import Codes, Output
from refquant.oracle.error_bounds import FAMILIES

PRODUCTS = (
    "linear", "linear_uint8", "linear_int16", "conv1d", "conv2d", "conv2d_uint8", "conv2d_int16",
    "conv3d", "depthwise_conv2d", "depthwise_conv2d_int16", "conv_transpose2d", "conv_integer",
    "matmul", "matmul_integer",
)  # fmt: skip
OPERATIONS = tuple(name for name in oracle.NEUTRAL_OPERATIONS if name not in PRODUCTS)
# What scales in fixed point, or by multipliers of 8 or 16 bits.
FIXED = ("litert-2.3-reference", "litert-2.3-optimized-x86", "tflite-micro")
SHORT = {"hardswish": FIXED, "requantize": ("xnnpack",), "leaky_relu": ("xnnpack",)}
NOT_SOUND = {("mean", "litert-2.3-optimized-x86")}  # rounds the share of the zero point apart


def answers(operation, engine, count=6):
    """Yield problems of an operation with the answers of an engine that has it."""
    cases = oracle.cases_of(operation, neutral=True)
    for case in cases[:: max(1, len(cases) // count)]:
        try:
            yield case.problem, case.problem.run(engine)
        except EngineError:
            continue


@pytest.mark.parametrize("engine", [*FIXED, "xnnpack", "onnx", "tflite-single"])
@pytest.mark.parametrize("operation", [*OPERATIONS, *PRODUCTS])
def test_answers_of_engines_are_legal_in_their_family(operation, engine):
    family = "float32" if engine == "onnx" else "fixed_point"
    if engine in SHORT.get(operation, ()):
        family = "short_multipliers"
    if (operation, engine) in NOT_SOUND:
        pytest.skip("not a sound implementation")
    if operation.endswith("_int16") and engine not in FIXED:
        pytest.skip("its runtime has no products of int16")
    for task, answer in answers(operation, engine):
        wide = operation in PRODUCTS and task.operands().wide_sums
        own = "multipliers_of_15_bits" if wide else family
        assert oracle.legality(answer, task, family=own).legal.all()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_answers_that_are_far_off_are_illegal(operation, family):
    alone = operation in ("cat", "global_avg_pool2d", "dynamic_quantize")
    engine = "onnx" if alone else "litert-2.3-reference"
    engine = "tflite-micro" if operation == "elu" else engine
    task, answer = next(answers(operation, engine))
    wrong = np.where(answer < 0, answer + 99, answer - 99).astype(answer.dtype)
    assert not oracle.legality(wrong, task, family=family).legal.any()


def test_bounds_by_hand():
    x = Codes(np.int8([[10, -6]]), 0.5, 2)
    found = oracle.legality(np.int8([[7]]), "mean", x, 1, Output(0.5, 3))
    assert found.real.tolist() == [[3.0]]  # (4 - 4) / 2 / 0.5 + 3
    assert not found.legal.any()
    half = oracle.problem("requantize", Codes(np.int8([5]), 0.5), Output(1.0))
    assert [oracle.legality(np.int8([q]), half).legal.item() for q in (1, 2, 3, 4)] == [
        False, True, True, False,
    ]  # fmt: skip
    third = oracle.problem("requantize", Codes(np.int8([8]), 0.3), Output(1.0))
    narrow = oracle.legality(np.int8([3]), third)  # 2.4, by way of 4.8 and 5
    wide = oracle.legality(np.int8([3]), third, family="fixed_point")
    assert narrow.bound[0] < 1e-5
    assert 0.25 < wide.bound[0] < 0.2501
    assert (narrow.legal.item(), wide.legal.item()) == (False, True)


def test_sums_of_float32_in_any_order_are_legal():
    rng = np.random.default_rng(0)
    x = Codes(rng.integers(-128, 128, (40, 600)).astype(np.int8), 0.013, 5)
    w = Codes(rng.integers(-128, 128, (16, 600)).astype(np.int8), 0.0071, 0)
    out = Output(0.7, 3, "int16")
    real = np.float32(x.scale) * (x.array.astype(np.int64) - 5).astype(np.float32)
    weight = np.float32(w.scale) * w.array.astype(np.float32)
    for order in (slice(None), slice(None, None, -1), rng.permutation(600)):
        total = np.zeros((40, 16), np.float32)
        for k in np.arange(600)[order]:
            total += real[:, k : k + 1] * weight[:, k]
        answer = (np.rint(total / np.float32(0.7)) + 3).astype(np.int16)
        task = oracle.problem("linear", x, w, None, out)
        assert oracle.legality(answer, task, family="float32_sums").legal.all()
        bound = oracle.legality(answer, task, family="float32_sums").bound
        assert (np.abs(total / 0.7 + 3 - oracle.legality(answer, task).real) < bound).all()
        assert bound.max() < 0.2


def test_families_are_named():
    task = oracle.problem("requantize", Codes(np.int8([5]), 0.5), Output(1.0))
    with pytest.raises(ArgumentError, match="did you mean 'fixed_point'"):
        oracle.legality(np.int8([2]), task, family="fixed_pont")


@pytest.mark.parametrize("engine", ["litert-2.3-optimized-x86", "tflite-micro", "xnnpack", "onnx"])
@pytest.mark.parametrize("operation", [*OPERATIONS, *PRODUCTS])
def test_traces_end_with_the_answer(operation, engine):
    for task, answer in answers(operation, engine, 3):
        for flat in {0, answer.size // 2, answer.size - 1}:
            index = tuple(map(int, np.unravel_index(flat, answer.shape)))
            found = oracle.trace(task, index=index, engine=engine)
            assert found.result == answer[index]


def test_a_trace_of_fixed_point_has_multiplier_and_both_roundings():
    x = Codes(np.int8([8]), 0.3)
    task = oracle.problem("requantize", x, Output(1.0))
    found = oracle.trace(task, index=0, engine="litert-2.3-reference")
    assert re.fullmatch(r"\d+ \* 2\*\*-32", found["multiplier"])
    assert (found["q"], found["s_x"], found["z_x"]) == (8, float(np.float32(0.3)), 0)
    assert (found["shifted"], found["shifted 2"], found.result) == (5, 3, 3)


def test_a_trace_of_a_mean_has_its_sum_and_count():
    x = Codes(np.int8([[10, -6]]), 0.5, 2)
    task = oracle.problem("mean", x, 1, Output(0.5, 3))
    found = oracle.trace(task, index=(0, 0), engine="tflite-micro")
    assert (found["sum q"], found["n"]) == (4, 2)


@pytest.mark.parametrize("name", ["output zero point ignored", "input and output scales swapped"])
@pytest.mark.parametrize("operation", ["requantize", "elu", "hardswish", "leaky_relu", "mean"])
def test_faults_of_functions_are_named(operation, name):
    engine = "tflite-micro"
    cases = []
    for task, _ in answers(operation, engine):
        a, to = dict(task.arguments), task.output
        scale, zero = to.scale, to.zero_point
        if name.startswith("output"):
            zero = 0
        else:
            scale, a["x"] = a["x"].scale, Codes(a["x"].array, to.scale, a["x"].zero_point)
        a["output"] = Output(scale, zero, to.dtype, lower=to.lower, upper=to.upper)
        cases.append((oracle.problem(operation, **a).run(engine), task))
    assert (name,) in oracle.diagnose_all(cases, engine)


def test_differences_have_classes():
    task = oracle.problem("requantize", Codes(np.int8([5, 7, 9]), 0.5), Output(1.0))
    found = oracle.compare(np.int8([2, 4, 9]), task, engine="litert-2.3-reference")
    assert found.classes.tolist() == ["tie", "unexplained"]
    assert found.legal.tolist() == [True, False]


def test_engines_without_the_operation_say_so():
    task = oracle.problem("tanh", Codes(np.int8([5]), 0.5), Output(1 / 128))
    with pytest.raises(EngineError, match="one that has the operation"):
        oracle.trace(task, index=0, engine="fbgemm")
    assert "fbgemm" in engines.names()
