"""What the loops of compiled kernels must consist of, and a command that checks it in objects.

    python tests/instructions.py FOLDER --variants dotprod --objdump aarch64-linux-gnu-objdump

A compiler that no longer recognizes a loop gives the same results at a fraction of the speed. So
each loop names an instruction on whole vectors, and how many of them must stand together: between
two jumps, since instructions that are spread over a module may belong to anything. Where sums have
to stay in registers, no vector may be stored on the stack between them.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

JUMP = re.compile(r"(j[a-z]+|ret\w*|call\w*|b(\.\w+)?|bl|blr|br|cbn?z|tbn?z)$")
ON_STACK = re.compile(r"^(v?mov\w+\s+%[xyz]mm\d+,.*\(%r[sb]p\)|st[rp]\s+q\d+,.*\[(sp|x29))")
ARM = ("dotprod", "i8mm")  # variants of ARM alone; both kinds of processors have a baseline


class Loop(NamedTuple):
    """A loop that must have become vectors."""

    name: str
    families: tuple[str, ...]
    patterns: dict[str, str]  # of an instruction with its operands, by variant
    least: dict[str, int]  # how many stand together
    in_registers: tuple[str, ...] = ()  # variants whose sums have to stay there


def on_x86(sse, avx=None):
    """Write a pattern for each variant of x86, on the widest vectors that it has.

    `avx` is the name where it is more than a "v" before the name.
    """
    avx = avx or f"v{sse}"
    names = {"baseline": (sse, "xmm"), "avx2": (avx, "ymm"), "avx512vnni": (avx, "zmm")}
    return {variant: rf"^{name}\s.*%{width}" for variant, (name, width) in names.items()}


def on_arm(name, lanes="4s"):
    """Write the pattern that every variant of ARM has."""
    return dict.fromkeys(("arm baseline", *ARM), rf"^{name}\s+v\d+\.{lanes},")


def loop(name, families, patterns, **least):
    """Give every variant the number `all`, or its own."""
    number = {variant: least.get(variant, least.get("all", 1)) for variant in patterns}
    return Loop(name, tuple(families.split()), patterns, number)


DOT = {"avx512vnni": r"^vpdpbusd\s", "dotprod": r"^sdot\s", "i8mm": r"^usdot\s"}
FUSED = {**on_x86("mulps", r"vfmadd\d+ps"), **on_arm("fmla")}
PRODUCTS = "matmul convolution"
CONVERTING = "affine elementwise activation normalization pooling resizing " + PRODUCTS
LOOPS = [
    # A tile has sixteen sums.
    loop("tile of dot products", PRODUCTS, DOT, all=16)._replace(in_registers=tuple(DOT)),
    # Six rows of as many vectors as there are registers for: SSE has too few, and on ARM GCC loads
    # numbers of six rows first, for which it keeps three sums in memory.
    loop("tile of float products", PRODUCTS, FUSED, all=16, avx2=8, baseline=24)._replace(
        in_registers=("avx2", "avx512vnni")
    ),
    # Three taps along fourteen outputs.
    loop("tile of a line", "convolution", {"avx512vnni": FUSED["avx512vnni"]}, all=42)._replace(
        in_registers=("avx512vnni",)
    ),
    # Three numbers of a line of each channel become floats for nine products.
    loop(
        "filters of nine taps",
        "convolution",
        {
            "avx2": r"^vpmovzxbd\s.*\(.*%ymm",
            "avx512vnni": r"^vpmovzxbd\s.*\(.*%zmm",
            **on_arm("uxtl2"),
        },
        all=3,
    ),
    loop("integers to floats", CONVERTING, on_x86("cvtdq2ps"), all=4),
    loop("integers to floats", CONVERTING, on_arm("scvtf"), all=4),
    loop("floats to integers", CONVERTING, on_x86("cvttps2dq"), all=4),
    loop("floats to integers", CONVERTING, on_arm("fcvtzs"), all=4),
    loop("larger of two bytes", "elementwise pooling", on_x86("pmaxub")),
    loop("larger of two bytes", "elementwise pooling", on_arm("umax", "16b")),
    loop("smaller of two bytes", "elementwise", on_x86("pminub")),
    loop("smaller of two bytes", "elementwise", on_arm("umin", "16b")),
    loop("values to a grid", "fake_quantization", on_x86("mulps"), all=2),
    loop("values to a grid", "fake_quantization", on_arm("fmul"), all=2),
    loop("parameters of channels", "observation", on_x86("mulps"), all=2),
    loop("parameters of channels", "observation", on_arm("fmul"), all=2),
    loop("search of a histogram", "histograms", on_x86("addps"), all=4),
    loop("search of a histogram", "histograms", on_arm("fadd"), all=4),
    loop("exponentials", "recurrence", {**on_x86("mulpd"), **on_arm("fmul", "2d")}, all=16),
    # The baseline of x86 has no instruction for fused products, and calls a function for each.
    loop(
        "rows of float products",
        "float_products",
        {variant: pattern for variant, pattern in FUSED.items() if variant != "baseline"},
        all=4,
    ),
]


def instructions(module, objdump):
    """List the instructions of a module, in lists that end with a jump."""
    text = subprocess.run(
        [objdump, "--disassemble", "--no-show-raw-insn", module],
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    ).stdout
    blocks = [[]]
    for line in text.splitlines():
        instruction = line.partition("\t")[2].strip()
        if instruction:
            blocks[-1].append(instruction)
            if JUMP.match(instruction.split()[0]):
                blocks.append([])
    return blocks


def together(blocks, pattern, in_registers=False):
    """Count the instructions that match a pattern in the list that has most of them.

    If they have to work in registers, lists that store vectors on the stack do not count.
    """
    found = re.compile(pattern)
    if in_registers:
        blocks = [block for block in blocks if not any(map(ON_STACK.search, block))]
    return max(sum(found.search(line) is not None for line in block) for block in blocks)


def required(family, variant, is_arm=False):
    """List the loops of a module: name, pattern, least number together, whether in registers."""
    key = "arm baseline" if is_arm and variant == "baseline" else variant
    return [
        (loop.name, loop.patterns[key], loop.least[key], key in loop.in_registers)
        for loop in LOOPS
        if family in loop.families and key in loop.patterns
    ]


FAMILIES = sorted({family for loop in LOOPS for family in loop.families})


def main(words=None):
    """Print a line for each loop; the status is 1 if one is not what it must be."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where the compiled modules are")
    parser.add_argument("--variants", nargs="+", required=True, metavar="NAME")
    parser.add_argument("--objdump", default="objdump", metavar="COMMAND")
    options = parser.parse_args(words)
    is_arm = "aarch64" in options.objdump
    missing = 0
    for family in FAMILIES:
        for variant in options.variants:
            module = next(options.folder.glob(f"{family}_{variant}.*so"), None)
            if module is None:
                parser.error(f"folder: there is no {family}_{variant} in {options.folder}")
            blocks = instructions(module, options.objdump)
            for name, pattern, least, in_registers in required(family, variant, is_arm):
                count = together(blocks, pattern, in_registers)
                missing += count < least
                note = f"   expected at least {least}" if count < least else ""
                print(f"   {family}, {variant}: {name}: {count}{note}")
    return int(missing > 0)


if __name__ == "__main__":
    sys.exit(main())
