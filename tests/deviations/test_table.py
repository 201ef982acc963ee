"""Every row of the table of deviations names its test, and every such test has a row."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "exactness" / "deviations.rst"


def rows():
    """Cells of each row below the header."""
    text = PAGE.read_text(encoding="utf-8")
    parts = re.split(r"^ {3}\* - ", text, flags=re.MULTILINE)[2:]
    return [[" ".join(c.split()) for c in re.split(r"^ {5}- ", p, flags=re.MULTILINE)]
            for p in parts]  # fmt: skip


def written():
    """Names of the test functions of this folder."""
    return [
        node.name
        for path in sorted(HERE.glob("test_*.py"))
        if path.name != Path(__file__).name
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]


def test_the_table_and_the_tests_name_each_other():
    if not PAGE.exists():
        pytest.skip("the documentation is not beside the tests")
    table = rows()
    assert len(table) > 30
    assert all(len(row) == 5 and all(row) for row in table)
    named = [row[-1].strip("`") for row in table]
    assert Counter(named) == Counter(written())
    assert max(Counter(named).values()) == 1
