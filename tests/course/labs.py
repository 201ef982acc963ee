"""The labs: how their notebooks are made, and the code of each."""

import importlib.util
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "tutorials" / "labs"
SOURCES = sorted(FOLDER.glob("lab_*.py"))


def load_notebooks():
    """Load the script that makes notebooks, which is in no package."""
    spec = importlib.util.spec_from_file_location("notebooks", FOLDER / "notebooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def code_of(cells):
    """Return the sources of the cells of code."""
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
