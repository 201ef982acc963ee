"""Real runtimes: recorded answers, and the engines that have their bits.

``record_runtimes.py`` made the recordings, on an x86 processor with AVX512-VNNI: LiteRT 2.3.0
(which has XNNPACK), tflite-runtime 2.14.0, TensorFlow Lite Micro of October 2026, ONNX Runtime
1.32, the evaluator of onnx 1.23, OpenVINO 2026.4 and Arm's reference model of TOSA, of August 2026.
"""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from oracle.runtime_cases import PRODUCTS, cases, digest

from refquant import engines, oracle
from refquant.errors import EngineError

RECORDED = Path(__file__).with_name("recorded")
# Operations that kernels of each runtime compute.
_ALL = (
    *PRODUCTS, "sub", "requantize", "quantize", "dequantize", "sigmoid", "tanh", "leaky_relu",
    "max_pool2d", "mean", "cat", "resize_bilinear",
)  # fmt: skip
_TFLITE = (*_ALL, "hardswish", "softmax", "avg_pool2d")
_LINEAR = ("requantize", "quantize", "dequantize", "max_pool2d")
JUDGED = {
    "litert-2.3-reference": _TFLITE,
    "litert-2.3-optimized-x86": (*_TFLITE, "elu"),
    "tflite-2.14-reference": _TFLITE,
    "tflite-2.14-optimized-x86": (*_TFLITE, "elu"),
    "tflite-micro": (*_TFLITE, "elu"),
    "xnnpack": _ALL,
    "onnx": (
        *PRODUCTS, *_LINEAR, "sigmoid", "leaky_relu", "softmax", "avg_pool2d", "global_avg_pool2d",
        "concat", "conv_u8",
    ),
    "onnx-reference": ("linear", "conv", "depthwise", "conv_u8", *_LINEAR),
    "openvino-u8": ("conv_u8", *_LINEAR),
    "tosa-double": (*PRODUCTS, "sub", "requantize"),
    "tosa-single": (*PRODUCTS, "sub", "requantize"),
}  # fmt: skip
ONNX = ("onnx", "onnx-reference", "openvino-u8")
TOSA = ("tosa-double", "tosa-single")
ENGINES = ("litert-2.3-reference", "litert-2.3-optimized-x86", "tflite-micro", "xnnpack")
PAIRS = [(runtime, operation) for runtime, names in JUDGED.items() for operation in names]


def as_asked(runtime, case):
    """Return a case as the files of a runtime can hold it."""
    return case.plain(bias=runtime in TOSA) if runtime in (*ONNX, *TOSA) else case


@cache
def recorded(runtime):
    with np.load(RECORDED / f"{runtime}.npz") as file:
        return {name: file[name] for name in file.files}


@cache
def drawn():
    return cases(0)


def answers(runtime, operation):
    for number, given in enumerate(drawn()):
        if given.operation == operation:
            case = as_asked(runtime, given)
            assert recorded(runtime)[f"{number}.digest"] == digest(case), "other cases"
            yield case.problem(), recorded(runtime)[f"{number}"]


@pytest.mark.parametrize(("runtime", "operation"), PAIRS)
def test_the_engine_of_a_runtime_has_its_bits(runtime, operation):
    elements = 0
    for task, theirs in answers(runtime, operation):
        mine = task.run(runtime)
        assert mine.dtype == theirs.dtype
        assert np.array_equal(mine, theirs)
        elements += theirs.size
    assert elements > 10_000


@pytest.mark.parametrize(
    ("runtime", "operation"),
    [pair for pair in PAIRS if pair[0] in ("tflite-micro", "xnnpack", "onnx")],
)
def test_other_engines_are_refuted_or_have_the_same_bits(runtime, operation):
    """A diagnosis of all cases from another engine names this one, with those that equal it."""
    pairs = [(theirs, task) for task, theirs in answers(runtime, operation)]
    if pairs[0][0].dtype.kind == "f" or operation in PRODUCTS:
        return  # the former have no diagnosis, the latter tests of their own
    start = "xnnpack" if runtime == "litert-2.3-optimized-x86" else "litert-2.3-optimized-x86"
    try:
        found = oracle.diagnose_all(pairs, start)
    except EngineError:
        return  # a runtime without the operation
    assert found == ((),) or (f"engine {runtime!r}",) in found


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
