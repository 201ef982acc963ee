"""Every lecture has the parts that a course needs, and its quoted code has no docstrings."""

import importlib.util
import inspect
import re

import pytest
from documentation.claims import ROOT

from refquant.reference.histograms import search_range
from refquant.reporting.measures import sqnr

LEARN = ROOT / "docs" / "learn"
LECTURES = sorted(p.stem for p in LEARN.glob("*.rst") if p.stem not in ("index", "labs"))
pytestmark = pytest.mark.skipif(not LECTURES, reason="the tests are not in a source tree")


def page(name):
    return (LEARN / f"{name}.rst").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", LECTURES)
def test_a_lecture_says_what_it_is_for(name):
    text = page(name)
    goals = text.index(".. admonition:: Goals")
    assert goals < text.index("\n---"), "goals are the first thing on the page"
    assert 2 <= len(re.findall(r"^   \* ", text[goals : text.index("Time:")], re.M)) <= 4
    assert re.search(r"Time: \d\d minutes, .* Difficulty: (easy|medium|hard)\.", text)
    assert "Before it: " in text


@pytest.mark.parametrize("name", LECTURES)
def test_the_time_of_a_lecture_fits_its_length(name):
    text = page(name).split("Exercises\n---")[0]
    minutes = int(re.search(r"Time: (\d+) minutes", text)[1])
    # Formulas and code take several times as long as prose.
    assert 25 <= len(text.split()) / minutes <= 60


@pytest.mark.parametrize("name", LECTURES)
def test_a_lecture_ends_with_what_to_take_away_exercises_and_sources(name):
    text = page(name)
    ends = ["What to take away\n---", "Exercises\n---", "Sources\n---"]
    places = [text.index(end) for end in ends]
    assert places == sorted(places)
    assert (
        text.count(".. dropdown:: Solution") == len(re.findall(r"^\*\*\d\.\*\*", text, re.M)) >= 3
    )


def test_the_index_names_every_lecture():
    text = page("index")
    assert sorted(re.findall(r"^   \* - \d+\. :doc:`(\w+)`", text, re.M)) == LECTURES
    listed = text.split(":hidden:\n\n")[1].split("\n\n")[0].split()
    assert listed == re.findall(r"^   \* - \d+\. :doc:`(\w+)`", text, re.M)


@pytest.mark.parametrize("source", ["2004.09602", "1810.05723", "1902.08153", "2004.10568"])
def test_the_sources_of_the_field_are_cited(source):
    assert any(f"https://arxiv.org/abs/{source}" in page(name) for name in LECTURES)


def test_quoted_code_has_no_docstring():
    path = ROOT / "docs" / "_ext" / "docstrings.py"
    spec = importlib.util.spec_from_file_location("docstrings", path)
    docstrings = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(docstrings)
    for quoted in (search_range, sqnr):
        code = inspect.getsource(quoted)
        shown = docstrings.without_docstring(code)
        assert '"""' in code
        assert '"""' not in shown
        head, _, rest = code.split('"""')
        assert shown == head.rstrip(" r") + rest.removeprefix("\n").removeprefix("\n")
    assert not any("literalinclude" in page(name) for name in LECTURES)
