"""Processors without VNNI: PyTorch restricted to AVX2, and the engine ``x86-sat16``."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from oracle import real_backends

from refquant import engines, oracle

SCRIPT = """
import json, sys, warnings
warnings.simplefilter("ignore")
sys.path.insert(0, sys.argv[1])
from oracle import real_backends
from refquant import oracle
answers = {}
for operation in ("linear", "conv2d"):
    answer = real_backends.torch_backend("fbgemm", operation)
    for case in oracle.cases_of(operation, 3):
        answers[operation + " " + case.name] = answer(**case.arguments).reshape(-1).tolist()
print(json.dumps(answers))
"""


def has_exact_kernel(case):
    """Return whether FBGEMM may choose a kernel for small groups, which does not saturate."""
    if case.operation != "conv2d":
        return False
    outputs, channels, *kernel = case.arguments["weight"].shape
    per_group = outputs // case.arguments["groups"]
    return kernel == [3, 3] and channels == per_group and per_group in (4, 8, 16)


@pytest.fixture(scope="module")
def answers():
    if not real_backends.present("pytorch fbgemm"):
        pytest.skip("PyTorch 2.13 is not installed")
    environment = {**os.environ, "FBGEMM_ENABLE_INSTRUCTIONS": "AVX2"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(Path(__file__).parents[1])],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("operation", ["linear", "conv2d"])
def test_every_case_is_reproduced(answers, operation):
    saturated = 0
    for case in oracle.cases_of(operation, 3):
        theirs = np.array(answers[f"{operation} {case.name}"])
        ours = case.problem.run("x86-sat16").array.reshape(-1)
        exact = case.problem.run("fbgemm").array.reshape(-1)
        if has_exact_kernel(case) and not np.array_equal(theirs, ours):
            assert np.array_equal(theirs, exact)
            continue
        assert np.array_equal(theirs, ours), case.name
        saturated += int((ours != exact).sum())
    assert saturated > 100


def test_the_diagnosis_names_the_accumulator(answers):
    case = next(c for c in oracle.cases_of("conv2d", 3) if c.name == "batch-3")
    theirs = np.array(answers["conv2d batch-3"]).reshape(case.problem.run("fbgemm").shape)
    found = oracle.diagnose(theirs, "conv2d", engine="fbgemm", **case.arguments)
    assert found.verdict == "accumulator: wrapped -> saturated_pairs"
    assert engines.get("x86-sat16").rule("accumulator").name == "saturated_pairs"
