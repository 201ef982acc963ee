"""Every picture of the pages is drawn, labels its axes, and is on its page."""

import importlib.util
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PICTURES = sorted([*DOCS.glob("pictures/*.py"), *DOCS.glob("*/pictures/*.py")])

if not DOCS.exists():
    pytest.skip("the tests are not in a source tree", allow_module_level=True)


@pytest.fixture(scope="module")
def drawing():
    spec = importlib.util.spec_from_file_location("drawing", DOCS / "_ext" / "drawing.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("script", PICTURES, ids=lambda script: script.stem)
def test_axes_say_what_they_show(drawing, script):
    figure = drawing.figure_of(script)
    try:
        figure.canvas.draw()
        assert figure.axes
        assert all(ax.get_xlabel() or ax.get_ylabel() or ax.get_title() for ax in figure.axes)
    finally:
        drawing.pyplot.close(figure)


def test_every_picture_stands_on_a_page():
    named = set()
    for page in [*DOCS.glob("*.rst"), *DOCS.glob("*/*.rst")]:
        for name in re.findall(r"^\.\. picture:: (\w+)$", page.read_text("utf-8"), re.MULTILINE):
            named.add(page.parent / "pictures" / f"{name}.py")
    assert named == set(PICTURES)


def test_ink_becomes_the_colour_of_the_text(drawing):
    svg = drawing.svg_of(PICTURES[0], "a <description>")
    assert "currentColor" in svg
    assert drawing.INK not in svg
    assert 'aria-label="a &lt;description&gt;"' in svg
    assert svg == drawing.svg_of(PICTURES[0], "a <description>")
