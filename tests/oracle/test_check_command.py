"""``refquant check``: one verdict over all cases, the trace of an element, everything as JSON."""

import json

import numpy as np
import pytest

from refquant import cli, engines, oracle
from refquant.engines.arithmetic.change import changed

HALF_UP = "rounding: half_even -> half_up"


@pytest.fixture
def half_up(tmp_path):
    """Vectors of a linear layer, and the answers of a backend that rounds ties up."""
    oracle.write_vectors("linear", tmp_path / "vectors", "fbgemm")
    (tmp_path / "results").mkdir()
    backend = changed(engines.get("fbgemm"), {"rounding": "half_up"})
    for case in oracle.read_vectors(tmp_path / "vectors").cases:
        np.savez(tmp_path / "results" / f"{case.name}.npz", output=case.problem.run(backend).array)
    return tmp_path


def check(folder, *words):
    return cli.main(
        ["check", f"{folder / 'vectors'}", "--results", f"{folder / 'results'}", *words]
    )


def test_all_cases_have_one_verdict(half_up, capsys):
    assert check(half_up) == 1
    first = capsys.readouterr().out.splitlines()[0]
    assert first.endswith(HALF_UP)


def test_a_case_alone_may_allow_more_than_all_together():
    def half_away(qa, qb, scale, zero_point):
        task = oracle.problem("mul", qa, qb, scale, zero_point)
        return task.run(changed(engines.get("fbgemm"), {"rounding": "half_away"}))

    grades = oracle.check(half_away, "mul", "fbgemm")
    assert ("rounding: half_even -> half_away",) in grades.explanations
    for grade in grades.grades:
        if grade.diagnosis is not None:
            assert set(grades.explanations) <= set(grade.diagnosis.explanations)


def test_equally_good_explanations_are_printed():
    grade = oracle.Grade("one", elements=2, equal=1, near=1, diagnosis=oracle.diagnose(
        np.uint8([[1]]), oracle.problem(
            "linear", oracle.Codes(np.uint8([[1]]), 1.0), oracle.Codes(np.int8([[1]]), 1.0), None,
            oracle.Output(2.0, dtype="uint8"),
        ), engine="fbgemm",
    ))  # fmt: skip
    found = (("rounding: a -> b",), ("engine 'c'",))
    assert "\n  equally good: engine 'c'\n" in str(oracle.Grades("add", "fbgemm", (grade,), found))


def test_show_traces_the_first_element_that_differs(half_up, capsys):
    assert check(half_up, "--show", "ties-0.5-z100") == 1
    out = capsys.readouterr().out
    assert "differing elements, at [" in out
    assert "linear[" in out
    assert "a tie" in out


def test_show_of_a_case_that_is_equal_says_so(folder, capsys):
    assert check(folder, "--show", "all-codes-z0") == 0
    assert "all elements are equal" in capsys.readouterr().out


def test_show_of_a_function_tells_the_element_its_operand_and_its_exact_value(folder, capsys):
    path = folder / "results" / "all-codes-z100.npz"
    with np.load(path) as kept:
        output = kept["output"].copy()
    output[3] += 1
    np.savez(path, output=output)
    assert check(folder, "--show", "all-codes-z100") == 1
    out = capsys.readouterr().out
    assert "the first of 1 differing elements, at [3]: expected" in out
    for name in ("q ", "s_x", "z_x", "exact number of steps", "result"):
        assert f"\n  {name}" in out


def test_a_case_that_is_not_there_is_an_error_with_a_suggestion(folder, capsys):
    assert check(folder, "--show", "all-code-z0") == 1
    assert "did you mean 'all-codes-z0'?" in capsys.readouterr().err


def test_json_holds_verdict_cases_and_trace(half_up, capsys):
    assert check(half_up, "--json", "--show", "ties-0.5-z100") == 1
    whole = json.loads(capsys.readouterr().out)
    assert whole["verdict"] == HALF_UP
    assert [HALF_UP] in whole["explanations"]
    assert whole["equal"] < whole["elements"] == sum(c["elements"] for c in whole["cases"])
    shown = whole["shown"]
    assert shown["expected"] != shown["got"]
    assert shown["trace"]["result"] == shown["expected"]


def test_a_rule_of_whole_blocks_of_channels_is_named():
    rng = np.random.default_rng(3)
    cases = []
    for channels in (11, 13):
        x = oracle.Codes(rng.integers(-60, 60, (50, 4)).astype(np.int8), 0.5)
        w = oracle.Codes(rng.integers(-9, 9, (channels, 4)).astype(np.int8), 0.5)
        task = oracle.problem("linear", x, w, None, oracle.Output(4.0))
        away = task.run(changed(engines.get("xnnpack"), {"rounding": "half_away"}))
        blocks = task.run("xnnpack").copy()
        blocks[:, 8:] = away[:, 8:]
        cases.append((blocks, task))
    name = "rounding: half_even -> half_away for channels behind whole blocks of 8 channels"
    assert oracle.diagnose_all(cases, "xnnpack") == ((name,),)
    found = oracle.diagnose(*cases[0], engine="xnnpack").explanations  # 8 is two blocks of 4
    assert found == ((name.replace("of 8", "of 4"),), (name,))


def test_a_rule_of_the_first_elements_is_named():
    a = oracle.Codes(np.arange(-62, 63, dtype=np.int8), 0.25)
    task = oracle.problem("add", a, a.like(np.zeros_like(a.array)), oracle.Output(0.5))
    answer = task.run("onnx-reference")
    up = np.floor(a.array / 2 + 0.5)
    answer[:96] = up[:96]  # whole blocks of 32
    found = oracle.diagnose(answer, task, engine="onnx-reference")
    assert "for whole blocks of 32 elements" in found.verdict


def test_two_changes_are_named_for_all_cases_together():
    rng, cases = np.random.default_rng(5), []
    backend = changed(engines.get("fbgemm"), {"rounding": "half_up", "zero_point": "before"})
    for _ in range(2):
        x = oracle.Codes(rng.integers(0, 256, (80, 9)).astype(np.uint8), 0.1, 90)
        w = oracle.Codes(rng.integers(-9, 9, (5, 9)).astype(np.int8), 0.05)
        task = oracle.problem("linear", x, w, None, oracle.Output(0.25, 101, "uint8"))
        cases.append((task.run(backend), task))
    found = {frozenset(names) for names in oracle.diagnose_all(cases, "fbgemm")}
    pair = frozenset({HALF_UP, "zero_point: after -> before"})
    assert pair in found or any(len(names) == 1 for names in found)
