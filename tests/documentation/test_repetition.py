"""Documentation that recurs comes from templates: no sentence is written more than ten times."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOST = 10


def docstrings(path):
    """List the docstrings of a source as they are written, before templates are filled in."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield text


def sentences(text):
    """Take a docstring apart; examples, headings and lines that name parameters do not count."""
    for paragraph in re.split(r"\n\s*\n|\n(?=\S+ : )|\n-{3,}\n", text):
        lines = [
            line.strip()
            for line in paragraph.splitlines()
            if ">>>" not in line and not re.match(r"\S.* : ", line)
        ]
        for sentence in re.split(r"(?<=[.;])\s+", " ".join(lines)):
            if len(sentence) >= 12 and " " in sentence:
                yield sentence


def test_no_sentence_stands_often():
    sources = [path for folder in ("refquant", "tests", "docs") for path in
               sorted((ROOT / folder).rglob("*.py")) if "tutorials" not in path.parts]  # fmt: skip
    if not (ROOT / "refquant").exists():
        pytest.skip("the tests are not in a source tree")
    found = Counter(
        sentence for path in sources for text in docstrings(path) for sentence in sentences(text)
    )
    often = {sentence: count for sentence, count in found.items() if count > MOST}
    assert not often, "write it once, as a part in refquant/_documentation.py"
