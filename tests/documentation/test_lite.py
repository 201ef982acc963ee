"""What a site runs in the browser is checked, and examples of a page become cells that run."""

import hashlib
import importlib.util
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
SCRIPT = DOCS / "check_lite.py"
KERNEL = "@jupyterlite/pyodide-kernel-extension:kernel"
PAGE = '<a href="../lite/notebooks/index.html?path=learn/affine.ipynb">run</a>'
INSTALL = {"cell_type": "code", "source": "%pip install refquant"}

if not SCRIPT.exists():
    pytest.skip("the tests are not in a source tree", allow_module_level=True)


def check(site):
    return subprocess.run(
        [sys.executable, str(SCRIPT), str(site)], capture_output=True, text=True, check=False
    )


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")


def add_wheel(lite, member="refquant/__init__.py", name="refquant-1.0-py3-none-any.whl"):
    path = lite / "pypi" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(member, "")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    file = {"url": f"./{name}", "digests": {"sha256": digest}}
    write(lite / "pypi" / "all.json", {"refquant": {"releases": {"1.0": [file]}}})


@pytest.fixture
def site(tmp_path):
    lite = tmp_path / "lite"
    write(tmp_path / "learn" / "affine.html", PAGE)
    settings = {"litePluginSettings": {KERNEL: {"pipliteUrls": ["./pypi/all.json?sha256=0"]}}}
    write(lite / "jupyter-lite.json", {"jupyter-config-data": settings})
    add_wheel(lite)
    listing = {"content": [{"path": "learn/affine.ipynb"}]}
    write(lite / "api" / "contents" / "learn" / "all.json", listing)
    write(lite / "files" / "learn" / "affine.ipynb", {"cells": [INSTALL]})
    return tmp_path


def test_a_good_site(site):
    done = check(site)
    assert done.stdout == "1 notebooks for the browser, 0 faults\n"
    assert done.returncode == 0


def test_a_site_without_jupyterlite(tmp_path):
    done = check(tmp_path)
    assert done.returncode == 0
    assert "No page can be run in the browser" in done.stdout


def test_a_compiled_wheel(site):
    add_wheel(site / "lite", "refquant/kernel.so")
    done = check(site)
    assert done.returncode == 1
    assert "is not pure: it has 1 compiled modules" in done.stderr


def test_a_wheel_that_the_index_does_not_mean(site):
    (site / "lite" / "pypi" / "refquant-1.0-py3-none-any.whl").write_bytes(
        b"PK\x05\x06" + bytes(18)
    )
    assert "is another file than the one in the index" in check(site).stderr


@pytest.mark.parametrize(
    ("path", "content", "fault"),
    [
        ("jupyter-lite.json", {"jupyter-config-data": {}}, "the kernel is not told"),
        ("pypi/all.json", {}, "lists 0 wheels of refquant"),
        ("api/contents/learn/all.json", {"content": []}, "learn/affine.ipynb is not listed"),
        (
            "files/learn/affine.ipynb",
            {"cells": [{"cell_type": "code", "source": "import refquant"}]},
            "does not begin by installing refquant",
        ),
        (
            "files/learn/affine.ipynb",
            {"cells": [INSTALL, {"cell_type": "markdown", "source": "See :doc:`affine`."}]},
            "shows markup of a page",
        ),
    ],
)
def test_what_is_missing(site, path, content, fault):
    write(site / "lite" / path, content)
    done = check(site)
    assert done.returncode == 1
    assert fault in done.stderr


@pytest.fixture(scope="module")
def lectures():
    pytest.importorskip("sphinx")
    path = DOCS / "_ext" / "lecture_notebooks.py"
    spec = importlib.util.spec_from_file_location("lecture_notebooks", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_each_result_of_an_example_gets_a_cell(lectures):
    source = (
        ">>> x = 2\n>>> x + 1\n3\n>>> for i in range(2):\n...     print(i)\n0\n1\n"
        ">>> y = 0\n>>> x / y\nTraceback (most recent call last):\n    ...\nZeroDivisionError: x"
    )
    assert lectures.cells_of(source) == [
        ("x = 2\nx + 1", False),
        ("for i in range(2):\n    print(i)\ny = 0", False),
        ("x / y", True),
    ]


def test_a_page_becomes_a_notebook(lectures):
    from docutils.core import publish_doctree

    page = publish_doctree(
        "Title\n=====\n\nA *word*, :math:`x^2` and ``code``.\n\n"
        ".. math:: y = 1\n\n* one\n* `two <other.html>`_\n\n"
        "Next\n----\n\n>>> 1 + 1\n2\n\n.. note:: Mind\n   this.\n",
        settings_overrides={"report_level": 5},
    )
    notebook = lectures.Notebook({"other.html": "other.ipynb"}.get)
    notebook.read(page)
    assert [(cell["cell_type"], cell["source"]) for cell in notebook.cells] == [
        (
            "markdown",
            "# Title\n\nA *word*, $x^2$ and `code`.\n\n$$\ny = 1\n$$\n\n"
            "* one\n* [two](other.ipynb)\n\n## Next",
        ),
        ("code", "1 + 1"),
        ("markdown", "> Mind this."),
    ]
