"""Vectors as C headers: a program in C, compiled here, answers them."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from refquant import cli, oracle
from refquant.errors import FileFormatError
from refquant.oracle.vectors.formats import c

PROGRAM = Path(__file__).parents[2] / "docs" / "oracle" / "linear.c"
COMPILER = shutil.which("cc") or shutil.which("gcc")


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    folder = tmp_path_factory.mktemp("c") / "vectors"
    oracle.write_vectors("linear", folder, "fbgemm", format="c", progress=False)
    return folder


def test_the_program_has_at_most_forty_lines():
    assert len(PROGRAM.read_text(encoding="utf-8").splitlines()) <= 40


@pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")
def test_the_program_answers_like_the_engine(vectors, tmp_path):
    read = oracle.read_vectors(vectors)
    cases = [case for case in read.cases if case.arguments["weight"].axis is None][::9]
    assert len(cases) > 6
    for case in cases:
        command = [COMPILER, "-std=c99", "-O1", "-ffp-contract=off", "-I", str(vectors)]
        command += [f'-DCASE="{case.name}.h"', str(PROGRAM), "-o", str(tmp_path / "linear"), "-lm"]
        subprocess.run(command, check=True, capture_output=True)
        done = subprocess.run([tmp_path / "linear"], check=True, capture_output=True, text=True)
        answer = tmp_path / f"{case.name}{c.ENDING}"
        answer.write_text(done.stdout)
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
def test_answers_that_are_no_integers_of_the_dtype_are_refused(tmp_path, text):
    path = tmp_path / "case.output.txt"
    path.write_text(text)
    with pytest.raises(FileFormatError, match="damaged"):
        c.answer(path, np.zeros(3, np.uint8))


def test_the_command_grades_text(vectors, tmp_path, capsys):
    for name, integers in oracle.read_vectors(vectors).expected.items():
        c.write(tmp_path, {"name": name}, {"output": integers})
    assert cli.main(["check", str(vectors), "--results", str(tmp_path)]) == 0
    assert "passed" in capsys.readouterr().out
