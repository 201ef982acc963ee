"""Every public name is documented in full, on exactly one of the API pages."""

import ast
import importlib.util
import inspect
import re
import textwrap
from collections import Counter
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
pytestmark = pytest.mark.skipif(not DOCS.exists(), reason="the tests are not in a source tree")


def load_public_names():
    spec = importlib.util.spec_from_file_location("public_names", DOCS / "_ext" / "public_names.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


names = load_public_names() if DOCS.exists() else None
DESCRIBED = [
    pytest.param(value, id=f"{face}.{name}")
    for face in (names.FACES if names else ())
    for name, value in names.public(face).items()
    if names.is_described(value)
]


def sections(value):
    return set(re.findall(r"^([A-Z][A-Za-z ]+)\n-{3,}$", inspect.getdoc(value) or "", re.MULTILINE))


def takes_something(value):
    try:
        parameters = inspect.signature(value).parameters
    except ValueError:
        return False
    return any(name != "self" for name in parameters)


def gives_something(function):
    """Return whether a function returns a value, by its source."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function)))).body[0]
    return any(
        isinstance(node, ast.Return)
        and node.value is not None
        and not (isinstance(node.value, ast.Constant) and node.value.value is None)
        for node in ast.walk(tree)
    )


@pytest.mark.parametrize("value", DESCRIBED)
def test_a_docstring_tells_all(value):
    found = sections(value)
    assert inspect.getdoc(value).split("\n")[0].strip()
    assert "Examples" in found
    if takes_something(value):
        assert found & {"Parameters", "Attributes"}
    if not inspect.isclass(value) and gives_something(value):
        assert found & {"Returns", "Yields"}


@pytest.mark.parametrize("face", names.FACES if names else ())
def test_every_name_stands_on_one_page(face):
    text = "\n".join(page.read_text(encoding="utf-8") for page in sorted(DOCS.glob("api/*.rst")))
    written = re.findall(
        rf"^\.\. public-names:: {re.escape(face)}\n(?:   :home: (.+)\n)?", text, re.MULTILINE
    )
    count = Counter(
        name
        for homes in written
        for name, value in names.public(face).items()
        if not homes or names.home(value).startswith(tuple(homes.split()))
    )
    assert count == dict.fromkeys(names.public(face), 1)


def test_every_definition_is_shown():
    assert ".. definitions::" in (DOCS / "api" / "definitions.rst").read_text(encoding="utf-8")
    assert {"affine", "matmul", "convolution"} <= set(names.definitions())


def test_pages_of_the_api_are_reached():
    index = (DOCS / "api" / "index.rst").read_text(encoding="utf-8")
    for page in DOCS.glob("api/*.rst"):
        assert page.stem == "index" or f"   {page.stem}\n" in index
