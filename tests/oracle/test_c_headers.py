"""Vectors as C headers: a program in C, compiled here, answers them."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from refquant import cli, oracle
from refquant.errors import FileFormatError
from refquant.oracle.vectors.formats import c

DOCS = Path(__file__).parents[2] / "docs" / "oracle"
PROGRAM, INT8 = DOCS / "linear.c", DOCS / "int8_linear.c"
COMPILER = shutil.which("cc") or shutil.which("gcc")


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    folder = tmp_path_factory.mktemp("c") / "vectors"
    oracle.write_vectors("linear", folder, "fbgemm", format="c", progress=False)
    return folder


@pytest.mark.parametrize("program", [PROGRAM, INT8])
def test_programs_have_at_most_forty_lines(program):
    assert len(program.read_text(encoding="utf-8").splitlines()) <= 40


def answer_of(program, folder, name, top):
    """Compile a program with the header of a case, and run it."""
    command = [COMPILER, "-std=c99", "-O1", "-ffp-contract=off", "-I", str(folder)]
    command += [f'-DCASE="{name}.h"', str(program), "-o", str(top / "program"), "-lm"]
    subprocess.run(command, check=True, capture_output=True)
    done = subprocess.run([top / "program"], check=True, capture_output=True, text=True)
    (top / f"{name}{c.ENDING}").write_text(done.stdout)


SINGLE = "return (sum * q + (1LL << (30 - shift))) >> (31 - shift);"


@pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")
def test_the_verdicts_of_the_page_are_those_of_the_command(tmp_path, capsys):
    page = (DOCS / "five_minutes.rst").read_text(encoding="utf-8")
    assert SINGLE in page
    vectors, answers, other = (tmp_path / name for name in ("vectors", "answers", "other.c"))
    command = [
        "vectors",
        "linear",
        "--neutral",
        "--engine",
        "tflite-micro",
        "--format",
        "c",
        "--out",
    ]
    assert " ".join(command) in page
    assert cli.main([*command, str(vectors), "--quiet"]) == 0
    lines = INT8.read_text(encoding="utf-8").splitlines()
    last = next(k for k, line in enumerate(lines) if line.startswith("    return (shift < 0"))
    lines[last] = SINGLE
    other.write_text("\n".join(lines))
    answers.mkdir()
    grade = ("check", str(vectors), "--results", str(answers))
    for program, code in ((INT8, 0), (other, 1)):
        for path in vectors.glob("*.h"):
            answer_of(program, vectors, path.stem, answers)
        assert cli.main(grade) == code
    passed, differs = (line for line in capsys.readouterr().out.splitlines() if "against" in line)
    assert passed.endswith("3,513 of 3,513 elements equal in 35 cases: passed")
    assert differs in page


@pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")
def test_the_program_answers_like_the_engine(vectors, tmp_path):
    read = oracle.read_vectors(vectors)
    cases = [case for case in read.cases if case.arguments["weight"].axis is None][::9]
    assert len(cases) > 6
    for case in cases:
        answer_of(PROGRAM, vectors, case.name, tmp_path)
        answer = tmp_path / f"{case.name}{c.ENDING}"
        expected = read.expected[case.name]
        assert np.array_equal(c.answer(answer, expected), expected), case.name


def test_numbers_that_are_not_finite_are_kept(tmp_path):
    oracle.write_vectors("quantize_per_tensor", tmp_path / "q", "fbgemm", format="c")
    oracle.write_vectors("quantize_per_tensor", tmp_path / "n", "fbgemm", format="npz")
    one, two = (oracle.read_vectors(tmp_path / name) for name in "qn")
    for mine, theirs in zip(one.cases, two.cases, strict=True):
        x, y = (case.arguments["input"].array for case in (mine, theirs))
        assert np.array_equal(x, y, equal_nan=True)


@pytest.mark.parametrize("text", ["", "1 2", "1 two 3", "300 1 2", "1 2 3 4", "1.5 2 3"])
def test_answers_that_are_no_integers_of_the_dtype_are_rejected(tmp_path, text):
    path = tmp_path / "case.output.txt"
    path.write_text(text)
    with pytest.raises(FileFormatError, match="damaged"):
        c.answer(path, np.zeros(3, np.uint8))


@pytest.mark.parametrize(
    ("text", "reason"), [("1 2", "it has 2 numbers"), ("1 two 3", "'two' is not a number")]
)
def test_an_answer_that_cannot_be_read_is_told_with_its_form(vectors, tmp_path, text, reason):
    for name in oracle.read_vectors(vectors).expected:
        (tmp_path / f"{name}.output.txt").write_text(text)
    with pytest.raises(FileFormatError, match="the answer cannot be read") as caught:
        oracle.check_results(vectors, tmp_path)
    assert reason in str(caught.value)
    assert str(caught.value).endswith("; write CASE.output.txt with its numbers as text, in the "
                                      "order of the output")  # fmt: skip


def test_the_command_grades_text(vectors, tmp_path, capsys):
    for name, integers in oracle.read_vectors(vectors).expected.items():
        c.write(tmp_path, {"name": name}, {"output": integers})
    assert cli.main(["check", str(vectors), "--results", str(tmp_path)]) == 0
    assert "passed" in capsys.readouterr().out
