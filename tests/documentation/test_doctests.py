"""The examples in docstrings and in the pages of the documentation print what they say."""

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import refquant

DOCS = Path(__file__).parents[2] / "docs"
# Pages generated from the source are left out: the docstrings themselves are tested.
MADE = {"_build", "generated", "tutorials"}
PAGES = [p for p in sorted(DOCS.rglob("*.rst")) if not MADE & set(p.relative_to(DOCS).parts)]


def modules():
    yield "refquant"
    for module in pkgutil.walk_packages(refquant.__path__, "refquant."):
        if not module.name.startswith("refquant._kernels"):
            yield module.name


@pytest.mark.parametrize("name", sorted(modules()))
def test_examples(name):
    module = importlib.import_module(name)
    result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_examples_of_pages(page):
    chosen = refquant.engines.current().name
    result = doctest.testfile(
        str(page),
        module_relative=False,
        optionflags=doctest.NORMALIZE_WHITESPACE,
        encoding="utf-8",
    )
    assert result.failed == 0
    assert refquant.engines.current().name == chosen


@pytest.mark.skipif(not DOCS.exists(), reason="the tests are not in a source tree")
def test_there_are_pages():
    assert PAGES
