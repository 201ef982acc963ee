"""Configuration of the documentation; build it with ``make docs``."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))
os.environ.setdefault("MPLBACKEND", "Agg")

import tutorial_notebooks  # noqa: E402  the settings above come first

import refquant  # noqa: E402

project = "refquant"
author = "the refquant developers"
copyright = f"2026, {author}"
version = release = refquant.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.doctest",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_design",
    "code_words",
    "definitions",
    "pictures",
    "readme_table",
    "labs",
    "api_pages",
    "rule_tables",
    "pytorch_names",
]
if any((HERE.parent / "tutorials").glob("plot_*.py")):
    extensions += ["sphinx_gallery.gen_gallery", "tutorial_notebooks"]

missing = [m for m in ("jupyterlite_sphinx", "jupyterlite_pyodide_kernel") if not find_spec(m)]
if missing:
    print(
        f"No page can be run in the browser: there is no module {' and no '.join(missing)}. "
        "Install JupyterLite with: pip install 'refquant[browser]'"
    )
else:
    extensions += ["jupyterlite_sphinx", "in_browser"]
jupyterlite_contents = ["generated/lite/*"]
jupyterlite_dir = str(HERE / "generated")
jupyterlite_bind_ipynb_suffix = False

root_doc = "index"
exclude_patterns = ["_build", "_contents"]
nitpicky = True
nitpick_ignore_regex = [
    # Words of numpydoc's type descriptions, and libraries whose pages are not linked.
    (r"py:.*", r"(numpy|np|matplotlib|concurrent|typing|collections)\..*"),
]
default_role = "py:obj"

autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

html_theme = "pydata_sphinx_theme"
html_title = "refquant"
# Where the site will lie, for links in notebooks: REFQUANT_SITE=https://... make docs
html_baseurl = os.environ.get("REFQUANT_SITE", "")
html_static_path = ["_static"]
html_css_files = ["refquant.css"]
html_js_files = ["fit_formulas.js"]
html_show_sourcelink = False
# Sections of a single page have nothing to navigate.
html_sidebars = {
    page: []
    for page in ("index", "start/index", "from_pytorch/index", "speed/index", "contribute/index")
}
html_theme_options = {
    "show_prev_next": True,
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
    "footer_start": ["copyright"],
    "footer_end": [],
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

_ENGINE = refquant.backends.quantized.engine


def choose_engine(gallery, script):
    """Choose the default engine again before each tutorial: all run in one process."""
    refquant.backends.quantized.engine = _ENGINE


sphinx_gallery_conf = {
    "reset_modules": ("matplotlib", "seaborn", choose_engine),
    "examples_dirs": "../tutorials",
    "gallery_dirs": "tutorials",
    "filename_pattern": r"plot_",
    "within_subsection_order": "FileNameSortKey",
    "doc_module": ("refquant",),
    "backreferences_dir": "generated/backreferences",
    "abort_on_example_error": True,
    "show_memory": False,
    "write_computation_times": False,
    "image_srcset": ["2x"],
    "first_notebook_cell": tutorial_notebooks.INSTALL,
    "jupyterlite": None,  # in_browser links to notebooks where the page begins
}
# The gallery's configuration holds functions, which the cache of Sphinx cannot keep.
suppress_warnings = ["config.cache"]
