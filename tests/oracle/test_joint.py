"""One diagnosis of many cases."""

import numpy as np
import pytest
from oracle import test_runtimes

from refquant import oracle
from refquant.errors import ArgumentError, ArgumentTypeError


def case(codes, answer):
    x, w = oracle.Codes(np.int8(codes)[:, None], 1.0), oracle.Codes(np.int8([[1]]), 1.0)
    return np.int8(answer)[:, None], oracle.problem("linear", x, w, None, oracle.Output(2.0))


def test_a_case_that_agrees_refutes_what_explains_another():
    up, even = case([1], [1]), case([-1], [0])
    alone = oracle.diagnose_all([up], "fbgemm")
    assert ("rounding: half_even -> half_away",) in alone
    together = oracle.diagnose_all([up, even], "fbgemm")
    assert ("rounding: half_even -> half_away",) not in together
    assert ("rounding: half_even -> half_up",) in together


def test_the_engine_itself_needs_no_change():
    assert oracle.diagnose_all([case([1, 3], [0, 2])], "fbgemm") == ((),)


def test_what_nothing_explains_has_no_explanation():
    assert oracle.diagnose_all([case([1, 1], [0, 77])], "fbgemm") == ()


def test_cases_are_pairs_of_an_answer_and_a_problem():
    with pytest.raises(ArgumentTypeError, match="pairs"):
        oracle.diagnose_all([np.int8([1])], "fbgemm")
    with pytest.raises(ArgumentError, match="at least one"):
        oracle.diagnose_all([], "fbgemm")


@pytest.mark.parametrize("runtime", test_runtimes.ENGINES)
def test_the_engine_of_a_runtime_is_named_from_a_wrong_one(runtime):
    cases = []
    for operation in ("linear", "depthwise"):
        for number, (task, theirs) in enumerate(test_runtimes.answers(runtime, operation)):
            if number in (0, 3):  # some of those with ties
                cases.append((theirs, task))
    assert (f"engine {runtime!r}",) in oracle.diagnose_all(cases, "onnx-reference")
