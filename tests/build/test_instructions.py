"""The compiler turned loops into the instructions that make them fast."""

import platform
import re
import shutil
import subprocess
from importlib import util

import pytest

import refquant
from refquant import kernels

# What the product loops of a variant must consist of; the other variants have no such instruction.
INSTRUCTIONS = {"avx512vnni": "vpdpbusd", "dotprod": "sdot", "i8mm": "usdot"}
# A tile has sixteen sums, a row of them four.
LEAST = 20


def disassembly(family, variant):
    """Return the instructions of a compiled module, or skip where they cannot be read."""
    compiler = refquant.show_config(as_dict=True)["compiler"]
    if not compiler.startswith("gcc") or shutil.which("objdump") is None:
        pytest.skip("asks for modules that GCC made, and objdump")
    module = util.find_spec(f"refquant._kernels.{family}_{variant}").origin
    return subprocess.run(
        ["objdump", "--disassemble", "--no-show-raw-insn", module],
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    ).stdout


@pytest.mark.parametrize("family", ["convolution", "matmul"])
@pytest.mark.parametrize("variant", [name for name in kernels.built() if name in INSTRUCTIONS])
def test_products_are_dot_products(family, variant):
    text = disassembly(family, variant)
    assert len(re.findall(rf"\b{INSTRUCTIONS[variant]}\b", text)) >= LEAST


@pytest.mark.parametrize("variant", kernels.built())
def test_clamping_bytes_takes_vectors(variant):
    if platform.machine().lower() not in ("x86_64", "amd64"):
        pytest.skip("looks for instructions of x86")
    text = disassembly("elementwise", variant)
    assert re.search(r"\bv?pmaxub\b", text)
    assert re.search(r"\bv?pminub\b", text)
