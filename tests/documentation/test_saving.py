"""The programs of the page *Save and load*: one process saves, another loads the same bits."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "start" / "saving"

if not FOLDER.exists():
    pytest.skip("the tests lie outside of a source tree", allow_module_level=True)


def run(program, *arguments):
    """Run a program in a process of its own; returns its lines, the first word of each a key."""
    # A program finds its neighbors where it lies, unless the safe path forbids it.
    unset = ("PYTHONWARNINGS", "PYTHONSAFEPATH")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-B", str(FOLDER / program), *map(str, arguments)],
        env={name: value for name, value in os.environ.items() if name not in unset},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())


def test_another_process_computes_the_same_bits(tmp_path):
    saved = run("save.py", tmp_path)
    assert list(saved) == ["float", "calibrated", "trained", "converted"]
    # A list shows every bit of its numbers.
    assert run("load.py", tmp_path) == saved
    assert len(set(saved.values())) == 4
