"""The compiler turned the loops over products into dot product instructions."""

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


@pytest.mark.parametrize("family", ["convolution", "matmul"])
@pytest.mark.parametrize("variant", [name for name in kernels.built() if name in INSTRUCTIONS])
def test_products_are_dot_products(family, variant):
    compiler = refquant.show_config(as_dict=True)["compiler"]
    if not compiler.startswith("gcc") or shutil.which("objdump") is None:
        pytest.skip("asks for modules that GCC made, and objdump")
    module = util.find_spec(f"refquant._kernels.{family}_{variant}").origin
    text = subprocess.run(
        ["objdump", "--disassemble", "--no-show-raw-insn", module],
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    ).stdout
    assert len(re.findall(rf"\b{INSTRUCTIONS[variant]}\b", text)) >= LEAST
