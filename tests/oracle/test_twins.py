"""Legality of PyTorch's functions, averages, pooling and concatenation."""

import numpy as np
import pytest

import refquant
from refquant import oracle
from refquant.errors import ArgumentError
from refquant.oracle.problems.twins import twin_of

FULL = ("sigmoid", "hardswish", "elu", "leaky_relu", "cat")
SOME = ("mean", "avg_pool2d", "max_pool2d", "adaptive_avg_pool2d")


@pytest.mark.parametrize("engine", ["fbgemm", "qnnpack", "onednn"])
@pytest.mark.parametrize("operation", [*FULL, *SOME])
def test_answers_of_engines_are_legal_and_others_are_not(operation, engine):
    judged = 0
    for case in oracle.cases_of(operation):
        task = case.problem
        if twin_of(task) is None:
            continue
        answer = task.result(engine).astype(np.int64)
        found = oracle.legality(answer, task)
        assert found.legal.all(), case.name
        inside = (answer > 3) & (answer < 250)
        assert not oracle.legality(np.asarray(answer + 2), task).legal[inside].any()
        judged += answer.size
    assert judged
    assert operation in SOME or judged == sum(
        case.problem.result(engine).size for case in oracle.cases_of(operation)
    )


def test_windows_beyond_the_image_have_no_legality():
    x = refquant.quantize_per_tensor(refquant.ones(1, 1, 4, 4), 0.5, 3, refquant.quint8)
    with pytest.raises(ArgumentError, match="whole windows"):
        oracle.legality(np.zeros((1, 1, 4, 4), int), "avg_pool2d", x, 3, 1, 1)
