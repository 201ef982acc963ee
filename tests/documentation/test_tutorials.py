"""Every tutorial runs without a warning, its assertions hold, and its notebook is the same."""

import ast
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "tutorials"
SCRIPTS = sorted(FOLDER.glob("plot_*.py"))
ALLOWED = (
    # The suite also runs where no kernels could be built,
    "default:refquant runs without compiled kernels:RuntimeWarning",
    # and draws where there is a screen, but without using it.
    "ignore:FigureCanvasAgg is non-interactive:UserWarning",
)

if not FOLDER.exists():
    pytest.skip("the tests are not in a source tree", allow_module_level=True)

each = pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)


def test_numbers_are_consecutive():
    assert [int(script.name[5:7]) for script in SCRIPTS] == list(range(1, len(SCRIPTS) + 1))


@each
def test_runs_quietly_and_its_claims_hold(script, tmp_path):
    # One thread for BLAS, so that several runs at once do not wait for each other.
    environment = {**os.environ, "MPLBACKEND": "Agg", "OPENBLAS_NUM_THREADS": "1"}
    filters = [word for allowed in ("error", *ALLOWED) for word in ("-W", allowed)]
    command = [sys.executable, *filters, str(script)]
    result = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    said = [line for line in result.stderr.splitlines() if "without compiled kernels" not in line]
    assert not [line for line in said if "warn" in line.lower()]
    assert not list(tmp_path.iterdir()), "a tutorial leaves files behind"


@each
def test_claims_something_and_shows_something(script):
    text = script.read_text(encoding="utf-8")
    assert re.search(r"^assert ", text, re.MULTILINE)
    assert re.search(r"^(fig|ax)\b.*=", text, re.MULTILINE)
    # In a notebook, a picture is followed by nothing that matplotlib returned.
    for cell in text.split("\n# %%\n"):
        if "plt.subplots(" in cell and "def " not in cell:
            assert cell.rstrip().endswith("\nplt.show()")
    # What a reader meets on the page: a title, then text and code in turn.
    assert text.startswith(('"""\n', 'r"""\n'))
    assert text.count("\n# %%\n") >= 5


def notebook_of(script, folder):
    notebook = pytest.importorskip("sphinx_gallery.notebook")
    copy = folder / script.name
    copy.write_text(script.read_text(encoding="utf-8"), encoding="utf-8")
    notebook.python_to_jupyter_cli([str(copy)])
    return copy.with_suffix(".ipynb")


@each
def test_notebook_has_the_code_of_the_script(script, tmp_path):
    cells = json.loads(notebook_of(script, tmp_path).read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
    # The first statement of the script is its text.
    expected = ast.parse(script.read_text(encoding="utf-8")).body[1:]
    assert list(map(ast.dump, ast.parse(code).body)) == list(map(ast.dump, expected))
    assert cells[0]["cell_type"] == "markdown"


@pytest.fixture(scope="module")
def extension():
    pytest.importorskip("sphinx_gallery.notebook")
    path = FOLDER.parent / "docs" / "_ext" / "tutorial_notebooks.py"
    spec = importlib.util.spec_from_file_location("tutorial_notebooks", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@each
def test_notebook_has_links_where_the_page_has_roles(script, tmp_path, extension):
    copy = tmp_path / script.name
    linked = extension.linked(script.read_text(encoding="utf-8"), "https://example.org")
    copy.write_text(linked, encoding="utf-8")
    extension.notebook.python_to_jupyter_cli([str(copy)])
    cells = json.loads(copy.with_suffix(".ipynb").read_text(encoding="utf-8"))["cells"]
    text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    assert not re.search(r":[a-z]+:`|`_|^\.\. ", text, re.MULTILINE)
    assert re.search(r"\[[^\]]+\]\(https://example.org/\w+/\w+\.html\)", text)


def test_a_link_has_the_title_of_its_page(extension):
    title = extension.title_of("/learn/affine")
    assert title.startswith("The affine map")
    linked = extension.linked("See :doc:`/learn/affine`.", "../..")
    assert linked == f"See `{title} <../../learn/affine.html>`_."


@each
def test_notebook_runs(script, tmp_path):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    notebook = nbformat.read(notebook_of(script, tmp_path), as_version=4)
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert not [o for o in outputs if o["output_type"] == "error" or o.get("name") == "stderr"]
    assert any("image/png" in output.get("data", ()) for output in outputs)
