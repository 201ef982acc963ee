"""Known issues: each is reproduced, and explained by the diagnosis or by a trace."""

import numpy as np
import pytest

from refquant import oracle

# One of the explanations of each; where there is a single number, others do as well.
EXPLANATIONS = {
    "tensorflow/tensorflow#25087": ("scaling: q31_single -> q31_double",),
    "tensorflow/tensorflow#102943": ("engine 'fbgemm'",),
    "microsoft/onnxruntime#25512": ("engine 'onnx'",),
    "microsoft/onnxruntime#16105": ("accumulator: wrapped -> saturated_pairs",),
    "pytorch/pytorch#44939": ("accumulator: wrapped -> saturated_pairs",),
    "pytorch/pytorch#37343": ("engine 'qnnpack'",),
    "pytorch/pytorch#56331": ("engine 'fbgemm' itself",),
    "onnx/onnx#7868": ("zero_point: after -> before",),
    "apache/tvm#13364": ("border: zero_point -> zero",),
    "tenstorrent/tt-metal#56525": ("rounding: half_even -> half_away",),
    "pytorch/pytorch#49779": ("zero_point: fused -> after",),
    "tinygrad/tinygrad#9301": ("formed_by: product -> division",),
    "apache/tvm#20298": ("rounding: half_even -> truncate",),
    "tensorflow/tensorflow#104605": ("rounding: half_away -> half_up",),
    "tensorflow/tensorflow#99072": ("engine 'litert-2.3-optimized-x86'",),
    "google/ruy#227": ("scaling: q31_single -> q31_double",),
    "google-ai-edge/LiteRT#7441": ("engine 'xnnpack'",),
    "apache/tvm#4828": ("rounding: half_away -> half_up",),
    "sonos/tract#2850": ("rounding: half_even -> half_away",),
    "microsoft/onnxruntime#32452": ("rounding: half_even -> truncate",),
    "microsoft/onnxruntime#25045": ("rounding: half_even -> half_away",),
    "ARM-software/ComputeLibrary#834": ("rounding: half_even -> truncate",),
    "uxlfoundation/oneDNN#560": ("engine 'onnx'",),
    "tensorflow/tensorflow#54333": ("engine 'onnx'",),
    "tensorflow/tensorflow#40781": ("engine 'tflite-micro' itself",),
}
UNTRACED = ("avg_pool2d", "quantize")  # all elements at once


@pytest.mark.parametrize("issue", oracle.known_issues(), ids=lambda issue: issue.thread)
def test_issue(issue):
    found = issue.diagnosis()
    assert EXPLANATIONS[issue.thread] in found.explanations
    assert issue.operands in ("thread", "constructed")
    assert issue.cause.endswith((".", ")"))
    assert "\n  verdict   " in issue.card()
    if found.mismatch.count and issue.operation not in UNTRACED:
        assert issue.trace().result == found.mismatch.expected[0]


def test_all_are_listed_once():
    assert [i.thread for i in oracle.known_issues()] == list(EXPLANATIONS)


def test_a_trace_answers_where_nothing_differs():
    issue = next(i for i in oracle.known_issues() if i.thread == "pytorch/pytorch#56331")
    steps = issue.trace()
    assert steps["accumulator"] == -2012
    assert steps["rounded"] == -63
    assert steps["clipped"] == 0


def test_the_tie_of_float32():
    issue = next(i for i in oracle.known_issues() if i.thread == "tensorflow/tensorflow#102943")
    multiplier = np.float32(issue.trace("fbgemm")["multiplier"])
    assert multiplier * np.float32(585) == 6.5
    assert issue.trace("exact")["exact number of steps"] > 6.5
