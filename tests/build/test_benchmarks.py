"""The benchmark runs and prints a table; no time is judged."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def start(script, *words):
    if not BENCHMARKS.exists():
        pytest.skip("the benchmarks are not beside the tests")
    return subprocess.run(
        [sys.executable, str(BENCHMARKS / script), *words],
        capture_output=True,
        text=True,
        timeout=120,
    )


def run(*words):
    return start("run.py", *words)


def test_a_table_of_microseconds():
    done = run("--only", "add-one", "--kernels", "reference", "--seconds", "0.001",
               "--engine", "qnnpack", "--threads", "1")  # fmt: skip
    assert done.returncode == 0, done.stderr
    title, heading, row = done.stdout.splitlines()
    assert title == "engine qnnpack, threads 1, microseconds (median)"
    assert heading.split() == ["case", "reference"]
    name, value = row.split()
    assert name == "add-one"
    assert float(value) > 0


@pytest.mark.torch
@pytest.mark.usefixtures("installed_torch")
def test_a_peer_adds_its_own_time_and_the_ratio():
    done = run("--only", "relu-one", "--peer", "torch", "--engine", "fbgemm", "--seconds", "0.001")
    assert done.returncode == 0, done.stderr
    _, heading, *rows = done.stdout.splitlines()
    assert heading.split()[2:] == ["torch", "torch/ours"]
    assert all(float(word) > 0 for row in rows for word in row.split()[1:])


def test_cases_are_listed_and_chosen_by_words():
    names = run("--list").stdout.split()
    assert len(names) == len(set(names)) > 40
    assert run("--list", "--only", "lstm").stdout.split() == [n for n in names if "lstm" in n]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--only", "nothing"], "no case has nothing in its name"),
        (["--engine", "metal"], "expected one of qnnpack"),
        (["--kernels", "fast"], "invalid choice"),
    ],
)
def test_what_is_not_there(words, message):
    done = run(*words)
    assert done.returncode == 2
    assert message in done.stderr


def test_loops_are_measured_and_their_sums_are_right():
    if shutil.which("gcc") is None:
        pytest.skip("there is no gcc")
    done = start("loops.py", "--only", "dot 1x1", "float", "pairs", "--depth", "2", "66", "1024")
    assert done.returncode == 0, done.stderr
    title, heading, *rows = done.stdout.splitlines()
    assert "-O3" in title
    assert heading.split() == ["shape", "2", "66", "1024", "instructions"]
    assert [row[:8].strip() for row in rows] == ["dot 1x1", "float 6x", "float 6x", "int16 pa"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--only", "nothing"], "no shape has nothing in its name"),
        (["--depth", "3"], "expected even numbers"),
        (["--compiler", "no-compiler"], "no-compiler is not there"),
    ],
)
def test_loops_that_cannot_be_measured(words, message):
    done = start("loops.py", *words)
    assert done.returncode == 2
    assert message in done.stderr
