"""The compiler turned loops into the instructions that make them fast."""

import platform
import shutil
from functools import cache
from importlib import util

import pytest

import refquant
from instructions import FAMILIES, instructions, main, required, together
from refquant import kernels

IS_ARM = platform.machine().lower() in ("aarch64", "arm64")


@cache
def blocks_of(family, variant):
    """Disassemble a compiled module, or skip where that cannot be read."""
    compiler = refquant.show_config(as_dict=True)["compiler"]
    if not compiler.startswith("gcc") or shutil.which("objdump") is None:
        pytest.skip("asks for modules that GCC made, and objdump")
    if platform.machine().lower() not in ("x86_64", "amd64", "aarch64", "arm64"):
        pytest.skip("knows instructions of x86 and ARM")
    return instructions(util.find_spec(f"refquant._kernels.{family}_{variant}").origin, "objdump")


@pytest.mark.parametrize(
    ("family", "variant", "name", "pattern", "least", "in_registers"),
    [
        pytest.param(family, variant, *loop, id=f"{family}-{variant}-{loop[0].replace(' ', '-')}")
        for family in FAMILIES
        for variant in kernels.built()
        for loop in required(family, variant, IS_ARM)
    ],
)
def test_loops_are_vectors(family, variant, name, pattern, least, in_registers):
    found = together(blocks_of(family, variant), pattern, in_registers)
    assert found >= least, f"{name}: {found} of {pattern} stand together, expected {least}"


@pytest.mark.parametrize(
    "store", ["vmovaps %ymm5,-0x38(%rsp)", "movaps %xmm1,0x8(%rbp)", "str q3, [sp, #16]"]
)
def test_sums_that_go_to_the_stack_do_not_count(store):
    product = "vfmadd231ps %ymm0,%ymm1,%ymm2"
    blocks = [[product] * 3 + [store], [product], ["vmovaps %ymm5,(%rax)"]]
    assert together(blocks, "^vfmadd") == 3
    assert together(blocks, "^vfmadd", in_registers=True) == 1


def test_the_command_says_what_is_missing(tmp_path, monkeypatch, capsys):
    """Modules of scalar code alone are reported."""
    for family in FAMILIES:
        (tmp_path / f"{family}_avx2.cpython-311.so").touch()
    monkeypatch.setattr("instructions.instructions", lambda *_: [["addss %xmm0,%xmm1"]])
    assert main([str(tmp_path), "--variants", "avx2"]) == 1
    written = capsys.readouterr().out
    assert "matmul, avx2: tile of float products: 0   expected at least 8" in written
