"""Which kernels are there, and which run: built, chosen, taken away."""

import os
import platform
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from processes import output, run

import refquant
from refquant import kernels
from refquant.errors import ArgumentError, KernelError

QUANTIZE = (
    "import refquant; x = refquant.tensor([[-1.0, 0.05], [0.15, 99.0]]);"
    "print(refquant.quantize_per_tensor(x, 0.1, 3, refquant.quint8).int_repr().tolist())"
)
CHOICE = "import refquant.kernels as k; print(k.current()); print(*k.available())"
WITH_KERNELS = pytest.mark.skipif(
    len(kernels.available()) == 1, reason="refquant was installed without compiled kernels"
)


def expected_variants():
    machine = platform.machine().lower()
    if machine in ("x86_64", "amd64"):
        return ("baseline",) if sys.platform == "darwin" else ("baseline", "avx2", "avx512vnni")
    return ("baseline", "dotprod", "i8mm") if machine in ("aarch64", "arm64") else ("baseline",)


@pytest.fixture
def without_kernels(tmp_path):
    """Make a copy of the package that has no compiled module; returns its folder."""
    no_modules = shutil.ignore_patterns("*.so", "*.pyd", "__pycache__", "_kernels")
    shutil.copytree(refquant.__path__[0], tmp_path / "refquant", ignore=no_modules)
    (tmp_path / "refquant" / "_kernels").mkdir()
    (tmp_path / "refquant" / "_kernels" / "__init__.py").touch()
    return tmp_path


def test_all_variants_are_built_where_that_is_required():
    if os.environ.get("REFQUANT_REQUIRE_EXT", "0") in ("", "0"):
        pytest.skip("REFQUANT_REQUIRE_EXT is not set: kernels may be missing")
    assert kernels.built() == expected_variants()


def test_variants_are_built_completely_or_not_at_all():
    assert kernels.built() in ((), expected_variants())


@WITH_KERNELS
def test_the_best_variant_is_chosen():
    chosen, available = output(CHOICE)
    assert chosen == available.split()[-1] != "reference"


def test_without_kernels_the_definitions_run_after_one_warning(without_kernels):
    done = run(QUANTIZE, package=without_kernels)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[[0, 4], [4, 255]]"
    assert done.stderr.count("RuntimeWarning") == 1
    assert "without compiled kernels" in done.stderr
    assert "Install a C compiler" in done.stderr


def test_without_kernels_all_settings_work(without_kernels):
    code = (
        "import refquant; refquant.set_num_threads(3); print(refquant.get_num_threads());"
        "refquant.show_config();"
        "refquant.engines.use('qnnpack-1.4'); print(refquant.kernels.available())"
    )
    lines = output(code, "-W", "error", package=without_kernels, REFQUANT_KERNELS="reference")
    assert lines[0] == "1"
    assert "  built: none" in lines
    assert lines[-1] == "('reference',)"


def test_without_kernels_asking_for_some_is_an_error(without_kernels):
    done = run("import refquant", package=without_kernels, REFQUANT_KERNELS="avx2")
    assert done.returncode != 0
    assert "KernelError: kernels 'avx2' are not available: expected one of reference" in done.stderr


@pytest.mark.parametrize("choice", kernels.available())
def test_every_choice_can_be_made_by_the_environment(choice):
    assert output(CHOICE, "-W", "error", REFQUANT_KERNELS=choice)[0] == choice
    assert output(QUANTIZE, REFQUANT_KERNELS=choice) == ["[[0, 4], [4, 255]]"]


def test_an_unknown_choice_is_an_error():
    done = run("import refquant", REFQUANT_KERNELS="sse9")
    assert done.returncode != 0
    assert "kernels 'sse9' are not available" in done.stderr
    assert "reference" in done.stderr


def test_no_warning_where_kernels_were_left_out_on_purpose(without_kernels):
    (without_kernels / "refquant" / "_kernels" / "_pure.py").touch()
    done = run(CHOICE, "-W", "error", package=without_kernels)
    assert done.stdout.split() == ["reference", "reference"], done.stderr


def test_no_warning_where_there_is_no_compiler_to_install(without_kernels):
    code = "import numpy, sys; sys.platform = 'emscripten'\n"
    done = run(code + CHOICE, "-W", "error", package=without_kernels)
    assert done.stdout.split() == ["reference", "reference"], done.stderr


@WITH_KERNELS
def test_variants_can_be_taken_away():
    best = kernels.available()[-1]
    chosen, available = output(CHOICE, REFQUANT_DISABLE_CPU_FEATURES=best)
    assert available.split() == list(kernels.available()[:-1])
    assert chosen == kernels.available()[-2]


@WITH_KERNELS
def test_what_was_taken_away_cannot_be_chosen():
    best = kernels.available()[-1]
    done = run("import refquant", REFQUANT_DISABLE_CPU_FEATURES=best, REFQUANT_KERNELS=best)
    assert done.returncode != 0
    assert f"kernels {best!r} are not available" in done.stderr


def test_all_can_be_taken_away_without_a_warning():
    taken = ", ".join(expected_variants())
    lines = output(CHOICE, "-W", "error", REFQUANT_DISABLE_CPU_FEATURES=taken)
    if kernels.built():
        assert lines == ["reference", "reference"]


def test_taking_away_what_does_not_exist_is_an_error():
    done = run("import refquant", REFQUANT_DISABLE_CPU_FEATURES="avx3")
    assert done.returncode != 0
    assert "REFQUANT_DISABLE_CPU_FEATURES" in done.stderr
    assert "avx3" in done.stderr


def test_use_and_using():
    before = kernels.current()
    with kernels.using("reference"):
        assert kernels.current() == "reference"
        assert kernels.running() == "reference"
    assert kernels.current() == before
    with pytest.raises(KernelError, match="one of reference"):
        kernels.use("avx9000")
    assert kernels.current() == before


def test_a_failing_block_gives_the_choice_back():
    before = kernels.current()
    with pytest.raises(ZeroDivisionError), kernels.using("reference"):
        1 / 0  # noqa: B018
    assert kernels.current() == before


@pytest.mark.parametrize(
    "count", [0, -1, 2.0, True, "2", None, 1025, 2**31, 2**70, -(2**31), np.zeros(2, np.int64)]
)
def test_a_number_of_threads_is_a_whole_number(count):
    before = refquant.get_num_threads()
    with pytest.raises(ArgumentError, match="at least 1"):
        refquant.set_num_threads(count)
    assert refquant.get_num_threads() == before


def test_a_number_of_threads_may_be_numpys():
    before = refquant.get_num_threads()
    refquant.set_num_threads(np.int64(before))
    assert refquant.get_num_threads() == before


def test_no_source_of_a_kernel_is_installed():
    installed = Path(refquant.__path__[0])
    if (installed.parent / "setup.py").exists() or installed.is_symlink():
        pytest.skip("an editable installation runs from its sources")
    assert not list(installed.rglob("*.pyx"))
    assert (installed / "py.typed").exists()
