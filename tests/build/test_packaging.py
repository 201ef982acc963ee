"""The lists of the build recipe agree with the folders."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from refquant import kernels

ROOT = Path(__file__).parents[2]

if not (ROOT / "pyproject.toml").exists():
    pytest.skip("the tests are not in a source tree", allow_module_level=True)

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_every_package_is_listed():
    folders = {
        ".".join(file.parent.relative_to(ROOT).parts)
        for file in (ROOT / "refquant").rglob("*.py")
        if "_kernels" not in file.parts
    }
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == folders | {"refquant._kernels"}


@pytest.mark.parametrize("pure", ["1", "0"])
def test_a_build_without_kernels_on_purpose_is_marked(pure, tmp_path):
    pytest.importorskip("setuptools")
    marker = tmp_path / "refquant" / "_kernels" / "_pure.py"
    marker.parent.mkdir(parents=True)
    marker.touch()  # left over from another build
    subprocess.run(
        [sys.executable, "setup.py", "--quiet", "build_py", "--build-lib", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "REFQUANT_PURE_PYTHON": pure, "REFQUANT_REQUIRE_EXT": "0"},
        check=True,
        capture_output=True,
        timeout=120,
    )
    assert (tmp_path / "refquant" / "kernels.py").exists()
    assert marker.exists() is (pure == "1")


def test_every_family_has_a_definition_and_a_kernel():
    sources = {file.stem for file in (ROOT / "_kernels").glob("[!_]*.pyx")}
    definitions = {file.stem for file in (ROOT / "refquant" / "reference").glob("[!_]*.py")}
    assert sources == set(kernels.FAMILIES)
    # The records that all of them take, and formulas for a few numbers or for rare modules.
    assert definitions - {"operands", "qparams", "learned", "random_numbers"} == sources


def test_the_version_stands_in_one_place():
    assert "version" in PROJECT["project"]["dynamic"]
    text = (ROOT / "refquant" / "_version.py").read_text(encoding="utf-8")
    version = re.search(r'^__version__ = "([^"]+)"', text, re.MULTILINE).group(1)
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_numpy_is_the_only_dependency():
    assert [re.split(r"\W", d)[0] for d in PROJECT["project"]["dependencies"]] == ["numpy"]


@pytest.mark.parametrize(
    "source", sorted((ROOT / "_kernels").glob("*.p[yx][xd]")), ids=lambda f: f.name
)
def test_kernels_never_need_the_headers_of_numpy(source):
    assert not re.search(r"cimport\s+numpy", source.read_text(encoding="utf-8"))
