"""The programs whose types are checked run, and the checkers see what is there."""

import ast
import contextlib
import io
import runpy
from importlib import import_module, util
from pathlib import Path

import pytest

from refquant import kernels

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

if not (ROOT / "README.md").exists():
    pytest.skip("the tests are not in a source tree", allow_module_level=True)


@pytest.fixture(scope="module")
def check():
    spec = util.spec_from_file_location("check", HERE / "check.py")
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_program_of_every_namespace_runs():
    pytest.importorskip("matplotlib").use("agg")
    with contextlib.redirect_stdout(io.StringIO()) as out:
        runpy.run_path(str(HERE / "every_namespace.py"), run_name="__main__")
    assert "engine" in out.getvalue()


def test_the_program_of_every_name_runs(check):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(check.every_name(), "every_name.py", "exec"), {})
    assert out.getvalue().count("\n") > 500


def test_programs_are_found_in_the_documentation(check):
    found = check.programs()
    assert {"readme_0.py", "start_index.py", "start_saving.py", "model.py"} <= set(found)
    for text in found.values():
        ast.parse(text)


def test_checkers_see_every_kernel_in_the_kernels_module():
    tree = ast.parse(Path(kernels.__file__).read_text("utf-8"))
    starred = {
        node.module.rpartition(".")[2]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*"
    }
    assert starred == set(kernels.FAMILIES)
    for family in kernels.FAMILIES:
        assert import_module(f"refquant.reference.{family}").__all__
