"""Engines given as objects, operands by position, and backends that do not return."""

import inspect
import json
import threading

import numpy as np
import pytest

import refquant
from refquant import cli, engines, oracle
from refquant.engines.arithmetic.change import changed
from refquant.engines.builtin import SHORT_NAMES
from refquant.errors import ArgumentError, EngineError, FileFormatError, OperationError
from refquant.oracle.problems.table import bind, in_order

MINE = changed(engines.get("fbgemm"), {"rounding": "half_up"}, "mine")


def half_away(qa, qb, scale, zero_point):
    backend = changed(engines.get("fbgemm"), {"rounding": "half_away"})
    return oracle.problem("mul", qa, qb, scale, zero_point).run(backend)


def test_a_backend_is_graded_against_an_engine_that_has_no_name():
    grades = oracle.check(half_away, "mul", MINE)
    assert grades.engine == "mine"
    assert ("rounding: half_up -> half_away",) in grades.explanations


def test_cases_are_diagnosed_from_an_engine_that_has_no_name():
    case = oracle.cases_of("mul")[0]
    answer = half_away(**case.arguments)
    assert ("rounding: half_up -> half_away",) in oracle.diagnose_all(
        [(answer, case.problem)], MINE
    )


def test_files_of_an_engine_that_has_no_name_are_graded_with_it(tmp_path):
    vectors, results = tmp_path / "vectors", tmp_path / "results"
    oracle.write_vectors("relu6", vectors, MINE, progress=False)
    results.mkdir()
    with pytest.raises(FileFormatError, match="give it as engine="):
        oracle.read_vectors(vectors)
    with pytest.raises(EngineError, match="which the vectors name"):
        oracle.read_vectors(vectors, "qnnpack")
    for name, integers in oracle.read_vectors(vectors, MINE).expected.items():
        np.savez(results / f"{name}.npz", output=integers)
    assert oracle.check_results(vectors, results, engine=MINE, progress=False).passed


@pytest.mark.parametrize(
    ("neutral", "operation"),
    [(False, name) for name in oracle.OPERATIONS]
    + [(True, name) for name in oracle.NEUTRAL_OPERATIONS],
)
def test_operands_of_the_manifest_are_in_the_order_of_the_signature(neutral, operation):
    for case in oracle.cases_of(operation, neutral=neutral)[::20]:
        operands = in_order(case.operation, case.arguments)
        by_position = bind(case.operation, tuple(operands.values()), {})[2]
        by_name = bind(case.operation, (), case.arguments)[2]
        assert {k: id(v) for k, v in by_position.items() if k in operands} == {
            k: id(v) for k, v in by_name.items() if k in operands
        }


def test_the_manifest_of_a_convolution_has_the_signature_of_functional_conv2d(tmp_path):
    oracle.write_vectors("conv2d", tmp_path / "v", "fbgemm", progress=False)
    manifest = json.loads((tmp_path / "v" / "manifest.json").read_text())
    names = list(inspect.signature(refquant.nn.quantized.functional.conv2d).parameters)
    for case in manifest["cases"]:
        given = list(case["arguments"])
        assert given == names[: len(given)]


def test_help_lists_operations_and_engines(capsys):
    with pytest.raises(SystemExit):
        cli.main(["vectors", "--help"])
    words = set(capsys.readouterr().out.replace(",", " ").split())
    known = (*oracle.OPERATIONS, *oracle.NEUTRAL_OPERATIONS, *engines.names())
    assert words.issuperset(
        (*known, *engines.other_runtimes(), "npz", "onnx", "tflite", "c", "raw")
    )


def test_a_backend_that_hangs_is_an_error():
    forever = threading.Event()
    with pytest.raises(OperationError, match=r"has not returned within 0\.05 seconds in case 'all"):
        oracle.check(lambda **operands: forever.wait(), "relu", "fbgemm", time_limit=0.05)
    forever.set()


@pytest.mark.parametrize("limit", [None, 30])
def test_what_a_backend_raises_is_told_with_and_without_a_limit(limit):
    def broken(**operands):
        raise KeyError("no such kernel")

    with pytest.raises(OperationError, match="KeyError in case 'all-codes-z0'"):
        oracle.check(broken, "relu", "fbgemm", time_limit=limit)


@pytest.mark.parametrize("limit", [None, 60.0])
def test_a_backend_that_ends_the_program_is_an_error_of_its(limit):
    def leaving(**operands):
        raise SystemExit(3)

    with pytest.raises(OperationError, match="raised SystemExit"):
        oracle.check(leaving, "relu", "fbgemm", time_limit=limit)


def test_the_engine_of_the_caller_is_that_of_the_backend():
    seen = set()

    def backend(input):
        seen.add(engines.current().name)
        return np.maximum(input.array, input.zero_point)

    with engines.using("qnnpack"):
        assert oracle.check(backend, "relu").passed
    assert seen == {"qnnpack"}


@pytest.mark.parametrize("limit", [-1, float("nan"), "soon"])
def test_a_limit_is_a_number_of_seconds(limit):
    with pytest.raises((ArgumentError, TypeError), match="time_limit"):
        oracle.check(half_away, "mul", "fbgemm", time_limit=limit)


@pytest.mark.parametrize("limit", [float("inf"), 1e300])
def test_a_limit_may_be_longer_than_a_thread_can_wait(limit):
    def relu(input):
        return np.maximum(input.array, input.zero_point)

    assert oracle.check(relu, "relu", "fbgemm", time_limit=limit).passed


@pytest.mark.parametrize(("short", "name"), SHORT_NAMES.items())
def test_short_names_point_to_the_newest_release(short, name):
    assert engines.get(short) is engines.get(name)
    assert short not in engines.other_runtimes()
    with pytest.raises(EngineError, match="is built in"):
        engines.register(engines.get("fbgemm").derive(short, "one of mine"))
