"""The benchmark runs and prints a table; no time is judged."""

import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parents[2] / "benchmarks" / "run.py"


def run(*words):
    if not RUN.exists():
        pytest.skip("the benchmarks are not beside the tests")
    return subprocess.run(
        [sys.executable, str(RUN), *words], capture_output=True, text=True, timeout=120
    )


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
