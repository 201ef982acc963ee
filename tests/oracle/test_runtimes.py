"""Runtimes that read ``.tflite`` files: recorded answers, and the engines that have their bits.

``record_runtimes.py`` made the recordings, with LiteRT 2.3.0 (which has XNNPACK) and TensorFlow
Lite Micro of October 2026, on an x86 processor with AVX512-VNNI.
"""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from oracle.runtime_cases import OPERATIONS, cases, digest

from refquant import engines, oracle

RECORDED = Path(__file__).with_name("recorded") / "runtimes.npz"
ENGINES = ("litert-2.3-reference", "litert-2.3-optimized-x86", "tflite-micro", "xnnpack")


@cache
def recorded():
    with np.load(RECORDED) as file:
        return {name: file[name] for name in file.files}


def answers(runtime, operation):
    for number, case in enumerate(cases(0)):
        if case.operation == operation:
            assert recorded()[f"{number}.digest"] == digest(case), "other cases were recorded"
            yield case.problem(), recorded()[f"{number}.{runtime}"]


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("runtime", ENGINES)
def test_the_engine_of_a_runtime_has_its_bits(runtime, operation):
    elements = 0
    for task, theirs in answers(runtime, operation):
        assert np.array_equal(task.run(runtime), theirs)
        elements += theirs.size
    assert elements > 6000


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
