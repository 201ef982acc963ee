"""Real runtimes where they are installed: fresh cases, and the verdict if a release has drifted."""

import importlib.util
import sys

import numpy as np
import pytest
from oracle import processors
from oracle.judging import NEEDS, drift, judged
from oracle.runtime_cases import cases
from oracle.runtimes import JUDGED

from refquant import oracle

SEED = 41


def few():
    """Draw four cases of each operation, one of each kind and one more with ties."""
    drawn, taken = [], {}
    for case in cases(SEED):
        taken[case.operation] = taken.get(case.operation, 0) + 1
        if taken[case.operation] <= 4:
            drawn.append(case)
    return drawn


@pytest.mark.parametrize("runtime", NEEDS)
def test_a_runtime_that_is_installed_has_the_bits_of_its_engine(runtime):
    missing = [name for name in NEEDS[runtime] if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed: pip install 'refquant[judges]'")
    if not processors.here(runtime):
        pytest.skip(f"{runtime} needs {processors.NEEDS[runtime]}")
    _, rows, messages = judged(runtime, sys.executable, few())
    assert set(rows) == set(JUDGED[runtime])
    assert not messages, "\n".join(messages)


def test_a_drift_is_told_with_its_new_verdict():
    x = oracle.Codes(np.arange(-9, 9, dtype=np.int8), 0.25)
    task = oracle.problem("requantize", x, oracle.Output(1.0))
    theirs = task.run("tosa-single")  # as if a release rounded once
    wrong = int((theirs != task.run("tflite-micro")).sum())
    message = drift("tflite-micro", "requantize", (wrong, theirs.size, 9), [(theirs, task)])
    assert message.startswith(f"tflite-micro requantize: {wrong} of 18 elements differ: ")
    assert "engine 'tosa-single'" in message


def _cpuinfo(maker, *flags):
    return f"vendor_id\t: {maker}\nflags\t\t: fpu avx2 {' '.join(flags)}\n"


@pytest.mark.parametrize(
    ("text", "runtimes"),
    [
        (_cpuinfo("GenuineIntel", "avx512f", "avx512_vnni"), {"onnx", "openvino-u8", "ncnn"}),
        (_cpuinfo("GenuineIntel", "avx512f"), {"onnx-avx2", "ncnn"}),
        (_cpuinfo("GenuineIntel", "avx_vnni"), {"onnx", "openvino-u8"}),
        (_cpuinfo("AuthenticAMD"), {"onnx-avx2", "ncnn-amd-avx2"}),
        ("Processor\t: ARMv8\n", set()),
    ],
)
def test_runtimes_that_processors_change_are_judged_on_the_right_ones(text, runtimes):
    assert processors.able(text) == runtimes
