"""Real runtimes: recorded answers, and the engines that have their bits.

``record_runtimes.py`` made the recordings, on x86 processors: LiteRT 2.3.0
(which has XNNPACK), tflite-runtime 2.14.0, TensorFlow Lite Micro of October 2026, ONNX Runtime
1.32, the evaluator of onnx 1.23, OpenVINO 2026.4, ncnn of October 2026 and Arm's reference model
of TOSA, of August 2026.
"""

import math

import numpy as np
import pytest
from oracle import runtime_pages
from oracle.recordings import answers, drawn, rows
from oracle.runtime_cases import PRODUCTS, Case
from oracle.runtime_ties import ties
from oracle.runtimes import JUDGED, OPEN, PAIRS

from refquant import engines, oracle
from refquant.engines.arithmetic.mlas import run_length
from refquant.errors import EngineError

# Where diagnoses start: the first one that has the operation, and is not the right one.
WRONG = ("litert-2.3-optimized-x86", "xnnpack", "onnx", "fbgemm")
_ROUNDED = (
    *PRODUCTS, "sub", "requantize", "quantize", "elu", "hardswish", "leaky_relu", "avg_pool2d",
    "mean", "resize_bilinear",
)  # fmt: skip
# Operations whose results can be ties, and an engine that has them.
TIED = {
    **dict.fromkeys(_ROUNDED, "tflite-micro"),
    **dict.fromkeys(("global_avg_pool2d", "concat", "conv_u8"), "onnx"),
}
ENGINES = ("litert-2.3-reference", "litert-2.3-optimized-x86", "tflite-micro", "xnnpack")


@pytest.mark.parametrize(("runtime", "operation"), PAIRS)
def test_the_engine_of_a_runtime_has_its_bits(runtime, operation):
    elements = differing = 0
    for task, theirs in answers(runtime, operation):
        mine = task.run(runtime)
        assert mine.dtype == theirs.dtype
        differing += int((mine != theirs).sum())
        elements += theirs.size
    assert elements > 10_000
    assert differing == OPEN.get((runtime, operation), 0)


@pytest.mark.parametrize("runtime", JUDGED)
def test_the_page_of_a_runtime_counts_what_was_compared(runtime):
    path = runtime_pages.FOLDER / f"{runtime}.rst"
    assert path.read_text(encoding="utf-8") == runtime_pages.page(runtime, rows(runtime))


def test_a_third_of_what_is_rounded_is_a_tie():
    rounded, tied = {}, {}
    for case in map(Case.plain, drawn()):
        near = ties(case)
        if near is not None and case.operation in TIED:
            shape = case.problem().run(TIED[case.operation]).shape
            rounded[case.operation] = rounded.get(case.operation, 0) + math.prod(shape)
            tied[case.operation] = tied.get(case.operation, 0) + near
    assert set(tied) == set(TIED)
    for operation, count in tied.items():
        assert count > rounded[operation] / 3, operation


@pytest.mark.parametrize("runtime", JUDGED)
def test_a_diagnosis_of_all_cases_from_a_wrong_engine_names_the_right_one(runtime):
    """It does so for each operation, unless the engine has its bits already."""
    started = 0
    for operation in JUDGED[runtime]:
        pairs = [(theirs, task) for task, theirs in answers(runtime, operation)]
        if pairs[0][0].dtype.kind == "f" or (runtime, operation) in OPEN:
            continue
        for start in WRONG:
            try:
                found = oracle.diagnose_all(pairs, start)
            except EngineError:  # its runtime lacks the operation
                continue
            if start != runtime:
                assert found == ((),) or (f"engine {runtime!r}",) in found, operation
                started += found != ((),)
                break
    assert started > 1


def test_a_runtime_without_an_operation_says_which_have_it():
    x = oracle.Codes(np.int8([1, 2]), 0.5)
    with pytest.raises(EngineError, match=r"one that has the operation: .*tflite-micro.*'fbgemm'"):
        oracle.problem("hardswish", x).run("fbgemm")


@pytest.mark.parametrize("operation", ["linear", "depthwise", "add", "mul"])
def test_the_runtimes_differ_from_each_other(operation):
    """Otherwise the recordings would not tell the engines apart."""
    pairs = [("litert-2.3-reference", "xnnpack")]
    if operation in ("linear", "depthwise"):
        pairs += [("litert-2.3-reference", "litert-2.3-optimized-x86")]
    if operation == "linear":  # the reference kernel of LiteRT 2.3 multiplies in float64
        pairs += [("litert-2.3-reference", "tflite-micro")]
    for one, other in pairs:
        both = zip(answers(one, operation), answers(other, operation), strict=True)
        assert any((mine != theirs).any() for (_, mine), (_, theirs) in both)


@pytest.mark.parametrize("runtime", ENGINES)
def test_a_diagnosis_from_another_engine_names_the_runtime(runtime):
    task, theirs = next(iter(answers(runtime, "linear")))  # one with ties
    found = oracle.diagnose(theirs, task, engine="onnx-reference")
    assert found.mismatch.count
    named = {" and ".join(e) for e in found.explanations}
    assert f"engine {runtime!r}" in named, found


def test_whole_blocks_of_channels_are_rounded_by_another_rule():
    for channels in (7, 8, 17):
        codes = np.arange(-24, 24, 2, dtype=np.int8)[:, None]  # even: the first rounding is exact
        x = oracle.Codes(np.repeat(codes, channels, axis=1)[None, None], 1.0)
        w = oracle.Codes(np.ones((1, 1, 1, channels), np.int8), np.ones(channels), axis=3)
        task = oracle.problem(
            "conv2d", x, w, None, oracle.Output(4.0), groups=channels, layout="NHWC",
            weight_layout="1HWO",
        )  # fmt: skip
        y = task.run("litert-2.3-optimized-x86")
        whole = channels - channels % 8
        up = np.floor(codes / 4 + 0.5)
        away = np.trunc(codes / 4 + np.copysign(0.5, codes))
        assert (y[0, 0, :, :whole] == up).all()
        assert (y[0, 0, :, whole:] == away).all()


def test_zero_points_of_the_reference_of_onnx_are_added_before_rounding():
    x, w = oracle.Codes(np.int8([[1]]), 1.0), oracle.Codes(np.int8([[1]]), 1.0)
    task = oracle.problem("linear", x, w, None, oracle.Output(2.0, 3))
    assert task.run("onnx-reference").item() == 4
    assert task.run("onnx").item() == 3


def test_sums_of_reals_are_traced_by_the_rules_that_made_them():
    task, theirs = next(iter(answers("onnxruntime-qdq-float", "conv")))
    found = oracle.trace(task, index=(0, 0, 0, 0), engine="onnxruntime-qdq-float")
    assert found["multiplied"] == "product_of_reals_by_mlas"
    assert found["clipped"] == theirs[0, 0, 0, 0]


@pytest.mark.parametrize(("columns", "run"), [(16, 1024), (17, 512), (25, 512), (200, 128)])
def test_runs_of_sums_are_as_long_as_the_shape_says(columns, run):
    assert run_length(columns, 300) == run


def test_what_int32_cannot_hold_becomes_the_lowest_integer_of_ncnn():
    out = oracle.Output(1.0)
    x = np.float32([3e9, -3e9, 130.0, -130.0, 0.0])
    assert oracle.problem("quantize", x, out).run("ncnn").tolist() == [-127, -127, 127, -127, 0]


def test_halves_are_added_in_whole_vectors_of_ncnn():
    """The sum of 0.49999997 and one half is 1 in float32."""
    x = np.full(5, 0.49999997, np.float32)
    codes = oracle.problem("quantize", x, oracle.Output(1.0)).run("ncnn")
    assert codes.tolist() == [1, 1, 1, 1, 0]


def test_means_over_axes_whose_order_of_sums_is_not_known_say_so():
    x = oracle.Codes(np.zeros((2, 3, 4, 5), np.int8), 0.5)
    with pytest.raises(EngineError, match="order of sums is known"):
        oracle.problem("mean", x, (0, 1)).run("onnxruntime-qdq-float")


def test_changes_on_axes_reach_both_rules_of_channels():
    base = engines.get("litert-2.3-optimized-x86")
    place = oracle.arithmetic_of("litert-2.3-optimized-x86")
    same = oracle.engine_of(place, base=base)
    assert same.steps == base.steps
    floor = oracle.engine_of(place.change(rounding="floor"), base=base)
    x = oracle.Codes(np.full((1, 1, 1, 9), 2, np.int8), 1.0)
    w = oracle.Codes(np.ones((1, 1, 1, 9), np.int8), np.ones(9), axis=3)
    task = oracle.problem(
        "conv2d", x, w, None, oracle.Output(4.0), groups=9, layout="NHWC", weight_layout="1HWO"
    )
    assert (task.run(floor) == 0).all()
