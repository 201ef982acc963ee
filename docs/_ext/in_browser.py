"""Lectures, tutorials and labs as notebooks that run in the browser, by JupyterLite.

The site gets a folder ``lite`` with JupyterLite, the notebooks, and a wheel of refquant without
compiled modules, which Pyodide can install: there is no compiler, thread or process in a browser.
Pyodide, NumPy and matplotlib come from the address that JupyterLite names, when a notebook is
opened. Each page that has a notebook links to it below its title.
"""

import json
import os
import posixpath
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from docutils import nodes
from lecture_notebooks import Notebook
from sphinx.errors import ExtensionError

DOCS = Path(__file__).parents[1]
CONTENTS = DOCS / "generated" / "lite"
WHEELS = DOCS / "generated" / "wheels"
INSTALL = "%pip install --quiet refquant matplotlib scikit-learn ipywidgets"
# Notebooks are dark where the system is. JupyterLite reads that from overrides.json in its folder.
SETTINGS = {"@jupyterlab/apputils-extension:themes": {"adaptive-theme": True}}
KERNEL = {"display_name": "Python (Pyodide)", "language": "python", "name": "python"}


def configure(app):
    """Build the wheel that the browser installs, outside the source tree, and write settings."""
    shutil.rmtree(WHEELS, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "setup.py", "--quiet", "egg_info", "--egg-base", folder]
        command += ["build", "--build-base", folder, "bdist_wheel", "--dist-dir", str(WHEELS)]
        result = subprocess.run(
            command,
            cwd=DOCS.parent,
            env={**os.environ, "REFQUANT_PURE_PYTHON": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
    if result.returncode:
        raise ExtensionError(f"the wheel for the browser could not be built:\n{result.stderr}")
    (DOCS / "generated" / "overrides.json").write_text(json.dumps(SETTINGS), encoding="utf-8")
    (wheel,) = WHEELS.glob("*-py3-none-any.whl")
    app.config.jupyterlite_build_command_options = {
        "piplite-wheels": str(wheel),
        "LiteBuildConfig.no_sourcemaps": "True",  # they are two thirds of all bytes
    }


def has_notebook(name):
    """Whether a page can be run in the browser."""
    lecture = name.startswith("learn/") and name not in ("learn/index", "learn/labs")
    return lecture or name.startswith("tutorials/plot_")


def write_notebook(path, cells):
    """Write a notebook that begins with a cell which installs refquant."""
    first = {"cell_type": "code", "execution_count": None, "id": "install", "metadata": {}}
    first |= {"outputs": [], "source": INSTALL}
    made = {
        "cells": [first, *cells],
        "metadata": {"kernelspec": KERNEL, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def write_lecture(app, doctree, name):
    """Write the notebook of a lecture, and link to each notebook from its page."""
    if not has_notebook(name) or app.builder.format != "html":
        return
    if name.startswith("learn/"):
        notebook = Notebook(lambda target: address_of(target, name, app.config.html_baseurl))
        notebook.read(doctree)
        write_notebook(CONTENTS / f"{name}.ipynb", notebook.cells)
    title = doctree.next_node(nodes.title)
    title.parent.insert(title.parent.index(title) + 1, link_to(name))


def address_of(target, page, site):
    """Turn a link of a page into one from its notebook, or into None where none leads there.

    A page that has a notebook is reached as that, any other one by the address of the site.
    """
    if "://" in target:
        return target
    path, mark, anchor = target.partition("#")
    folder = posixpath.dirname(page)
    name = posixpath.normpath(posixpath.join(folder, path)).removesuffix(".html") if path else page
    if has_notebook(name):
        return f"{posixpath.relpath(name, folder)}.ipynb"
    return f"{site.rstrip('/')}/{name}.html{mark}{anchor}" if site else None


def link_to(name):
    """Make the link from a page, two folders deep at most, to its notebook."""
    address = f"../lite/notebooks/index.html?path={name}.ipynb"
    html = f'<p class="run-in-browser"><a href="{address}">Run this page in the browser</a></p>'
    return nodes.raw("", html, format="html")


def copy_notebooks(app):
    """Put notebooks that other extensions have made where JupyterLite looks for them."""
    to_lecture = re.compile(r"\]\([^()]*/(learn/\w+)\.html\)")
    for path in sorted((DOCS / "tutorials").glob("plot_*.ipynb")):
        text = to_lecture.sub(r"](../\1.ipynb)", path.read_text(encoding="utf-8"))
        # The first cell installs refquant as one does outside a browser.
        write_notebook(CONTENTS / "tutorials" / path.name, json.loads(text)["cells"][1:])
    for path in sorted((DOCS / "generated" / "labs" / "student").glob("lab_*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        write_notebook(CONTENTS / "labs" / path.name, cells)


def tidy(app, error):
    """Remove what JupyterLite leaves among the pages."""
    (DOCS / ".jupyterlite.doit.db").unlink(missing_ok=True)


def setup(app):
    """Register what makes notebooks; JupyterLite itself is built when the pages are written."""
    app.connect("builder-inited", configure)
    app.connect("builder-inited", copy_notebooks, priority=950)
    app.connect("doctree-resolved", write_lecture)
    app.connect("build-finished", tidy, priority=900)
    return {"parallel_read_safe": True}
