"""What tests of claims share: the text of a page, as one line."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def says(name: str, *sentences: str) -> bool:
    """Return whether a page or tutorial, named from the root, contains all sentences."""
    path = ROOT / name
    if not path.exists():
        pytest.skip("the tests are not in a source tree")
    lines = path.read_text(encoding="utf-8").splitlines()
    # The text of a tutorial is in comments.
    text = " ".join(" ".join(line.removeprefix("# ") for line in lines).split())
    absent = [sentence for sentence in sentences if sentence not in text]
    assert not absent, f"{name} does not say {absent}"
    return True
