"""Each promise of the page of guarantees names a test that exists."""

import csv
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "exactness" / "guarantees.rst"

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="the tests are not in a source tree")


def test_each_promise_names_a_test_that_exists():
    rows = PAGE.read_text().split("   * - ")[2:]
    assert len(rows) > 10
    for row in rows:
        named = re.findall(r"``(tests/[^`]+)``", row.split("\n     - ")[2])
        assert named, f"no test is named of {row.splitlines()[0]}"
        assert all((ROOT / path).exists() for path in named), named


def test_figures_have_one_row_a_run():
    with (PAGE.parent / "long_runs.csv").open() as file:
        heads, *rows = csv.reader(file)
    assert heads == ["What ran", "Result", "Minutes"]
    assert rows
    assert {len(row) for row in rows} == {3}
