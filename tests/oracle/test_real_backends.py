"""Results of real backends for the oracle's vectors: which are exact, and why others differ."""

import pytest
from oracle import real_backends
from oracle.processors import has_vnni

from refquant import oracle

EXPLAINED = {"tie", "multiplier precision"}

# FBGEMM's kernels for depthwise convolutions saturate pairs on every x86 processor.
SATURATES = {"saturation", *EXPLAINED}


def pairs():
    for backend in real_backends.ENGINES:
        for operation in real_backends.OPERATIONS[backend.split()[0]]:
            yield pytest.param(backend, operation, id=f"{backend}-{operation}")


@pytest.mark.parametrize(("backend", "operation"), list(pairs()))
def test_backend(backend, operation):
    if not real_backends.present(backend):
        pytest.skip(f"{backend} is not installed")
    engine = real_backends.ENGINES[backend]
    if engine == "exact" and not operation.startswith(("linear", "conv")):
        engine = "fbgemm"  # the kernels of elementwise operations are the same for all engines
    sums = operation.startswith(("linear", "conv"))
    if sums and not has_vnni() and backend in ("pytorch onednn", "onnxruntime"):
        pytest.skip("without AVX512-VNNI sums of pairs saturate, in an order of its own")
    found = real_backends.results_of(backend, operation, engine)
    if backend == "pytorch qnnpack" and operation == "conv3d":
        assert found["cases"] == 0
        return
    assert found["elements"] > 700
    if sums and not has_vnni() and backend == "pytorch fbgemm":
        assert set(found["classes"]) <= SATURATES
        assert found["differ"]
        return
    if backend == "pytorch onednn" and sums:
        assert found["differ"] < 0.02 * found["elements"]
        assert set(found["classes"]) <= EXPLAINED
    elif backend == "pytorch fbgemm" and operation.startswith("conv"):
        assert found["differ"] < 0.01 * found["elements"]
        assert set(found["classes"]) <= SATURATES
    else:
        assert found["differ"] == 0


@pytest.mark.parametrize("operation", ["conv2d", "conv3d"])
def test_differences_of_fbgemm_are_those_of_its_depthwise_kernels(operation):
    if not has_vnni():
        pytest.skip("all kernels of FBGEMM saturate without AVX512-VNNI; see test_x86_sat16.py")
    if not real_backends.present("pytorch fbgemm"):
        pytest.skip("PyTorch 2.13 is not installed")
    answer = real_backends.torch_backend("fbgemm", operation)
    differ = 0
    for case in oracle.cases_of(operation):
        actual = answer(**case.arguments)
        found = oracle.compare(actual, operation, engine="fbgemm", **case.arguments)
        if found.count:
            groups, channels = case.arguments["groups"], case.arguments["input"].shape[1]
            assert groups == channels
            assert groups % 8 == 0
            again = oracle.compare(actual, operation, engine="x86-sat16", **case.arguments)
            assert again.count == 0
            differ += found.count
    assert differ > 0
