"""Measure what compilers make of loops over bytes: speed, and the instructions that multiply.

    python benchmarks/loops.py
    python benchmarks/loops.py --compiler gcc --compiler clang --flags "-O3 -march=native"
    python benchmarks/loops.py --only dot --depth 64 1024

A shape is a tile of a matrix product, uint8 times int8, written as plain C that a compiler may turn
into vectors. Operands lie in the first cache, so a figure is the most that the shape can reach: in
10^9 products and sums a second, the best of many repetitions. Results are compared with NumPy.
"""

import argparse
import ctypes
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

COLUMNS = 64  # of tiles that go along columns
FEW_COLUMNS = 16  # of groups with few outputs: one vector of AVX-512
MULTIPLYING = (
    r"\b(v?pdpbusd|v?pdpwssd|v?pmaddubsw|v?pmaddwd|v?pmull[dw]|v?fmadd\w+"
    r"|[us]{1,2}dot|smlal2?|fmla|mla)\b"
)
DEPTHS = (64, 128, 256, 576, 1024, 2304)
SECONDS = 0.05  # of each figure
HEAD = "#include <math.h>\n#include <stdint.h>\n"


class Shape(NamedTuple):
    """A tile: its C source, and how many rows and columns it has."""

    source: str
    rows: int
    columns: int
    operands: str  # "bytes", "bytes by columns", "floats" or "pairs"
    taps: int = 1  # rows of the input that belong to a row, as they do along a line of an image


def dot(rows, columns):
    """Sums of a tile, each a scalar: the loop goes along the depth, lanes are added behind it."""
    pairs = [(i, j) for i in range(rows) for j in range(columns)]
    sums = ", ".join(f"s{i}_{j} = 0" for i, j in pairs)
    steps = "\n".join(
        f"        s{i}_{j} += (int32_t)x[{i} * n + k] * (int32_t)w[{j} * n + k];" for i, j in pairs
    )
    ends = "\n".join(f"    y[{i} * {columns} + {j}] = s{i}_{j};" for i, j in pairs)
    return Shape(
        f"""{HEAD}
void tile(const uint8_t *restrict x, const int8_t *restrict w, int32_t *restrict y, long n)
{{
    int32_t {sums};
    for (long k = 0; k < n; k++) {{
{steps}
    }}
{ends}
}}
""",
        rows,
        columns,
        "bytes",
    )


def columns_of(kind, product, rows, together=False):
    """Sums of some rows by COLUMNS columns, for each number of the depth one loop over columns."""
    sums = ", ".join(f"s{i}[{COLUMNS}] = {{0}}" for i in range(rows))
    loop = f"for (int j = 0; j < {COLUMNS}; j++)"
    steps = [f"s{i}[j] = {product.format(x=f'x[{i} * n + k]', s=f's{i}[j]')};" for i in range(rows)]
    if together:
        body = f"        {loop} {{\n" + "\n".join(f"            {s}" for s in steps) + "\n        }"
    else:
        body = "\n".join(f"        {loop}\n            {s}" for s in steps)
    ends = "\n".join(
        f"    {loop}\n        y[{i} * {COLUMNS} + j] = (int32_t)s{i}[j];" for i in range(rows)
    )
    given = {"float": ("float", "float"), "int32_t": ("uint8_t", "int8_t")}[kind]
    return Shape(
        f"""{HEAD}
void tile(const {given[0]} *restrict x, const {given[1]} *restrict w, int32_t *restrict y, long n)
{{
    {kind} {sums};
    for (long k = 0; k < n; k++, w += {COLUMNS}) {{
{body}
    }}
{ends}
}}
""",
        rows,
        COLUMNS,
        "floats" if kind == "float" else "bytes by columns",
    )


def pairs(rows):
    """As `columns_of`, for pairs of int16 that lie beside each other."""
    sums = ", ".join(f"s{i}[{COLUMNS}] = {{0}}" for i in range(rows))
    loop = f"for (int j = 0; j < {COLUMNS}; j++)"
    body = "\n".join(
        f"        {loop}\n            s{i}[j] += x[{i} * n + k] * w[2 * j] "
        f"+ x[{i} * n + k + 1] * w[2 * j + 1];"
        for i in range(rows)
    )
    ends = "\n".join(f"    {loop}\n        y[{i} * {COLUMNS} + j] = s{i}[j];" for i in range(rows))
    return Shape(
        f"""{HEAD}
void tile(const int16_t *restrict x, const int16_t *restrict w, int32_t *restrict y, long n)
{{
    int32_t {sums};
    for (long k = 0; k < n; k += 2, w += {2 * COLUMNS}) {{
{body}
    }}
{ends}
}}
""",
        rows,
        COLUMNS,
        "pairs",
    )


def few_columns(rows, taps):
    """As `columns_of`, for FEW_COLUMNS; taps share the numbers of the input."""
    sums = ", ".join(f"s{i}[{FEW_COLUMNS}] = {{0}}" for i in range(rows))
    loop = f"for (int j = 0; j < {FEW_COLUMNS}; j++)"
    numbers = ", ".join(f"x{i} = x[{i} * n + k]" for i in range(rows + taps - 1))
    body = "\n".join(
        f"        {loop}\n"
        f"            s{i}[j] = fmaf(x{i + t}, w[{t} * n * {FEW_COLUMNS} + j], s{i}[j]);"
        for t in range(taps)
        for i in range(rows)
    )
    ends = "\n".join(
        f"    {loop}\n        y[{i} * {FEW_COLUMNS} + j] = (int32_t)s{i}[j];" for i in range(rows)
    )
    return Shape(
        f"""{HEAD}
void tile(const float *restrict x, const float *restrict w, int32_t *restrict y, long depth)
{{
    long n = depth / {taps};
    float {sums};
    for (long k = 0; k < n; k++, w += {FEW_COLUMNS}) {{
        float {numbers};
{body}
    }}
{ends}
}}
""",
        rows,
        FEW_COLUMNS,
        "floats",
        taps,
    )


FUSED = "fmaf({x}, w[j], {s})"
SHAPES = {
    "dot 1x1": dot(1, 1),
    "dot 2x2": dot(2, 2),
    "dot 4x4": dot(4, 4),
    "dot 6x4": dot(6, 4),
    "dot 7x4": dot(7, 4),
    "float 6x64": columns_of("float", FUSED, 6),
    "float 6x64, rows in one loop": columns_of("float", FUSED, 6, together=True),
    "float 10x16": few_columns(10, 1),
    "float 14x16, three taps": few_columns(14, 3),
    "int32 6x64": columns_of("int32_t", "{s} + {x} * w[j]", 6),
    "int16 pairs 6x64": pairs(6),
}


def operands_of(shape, depth, rng):
    """Draw operands as the tile takes them, and the sums that it must give."""
    x = rng.integers(0, 256, (shape.rows + shape.taps - 1, depth // shape.taps), dtype=np.uint8)
    w = rng.integers(-128, 128, (shape.columns, depth), dtype=np.int8)
    under = np.concatenate([x[t : t + shape.rows] for t in range(shape.taps)], axis=1)
    y = under.astype(np.int32) @ w.T.astype(np.int32)
    if shape.operands == "bytes":
        return x, w, y
    by_columns = np.ascontiguousarray(w.T)
    if shape.operands == "floats":
        return x.astype(np.float32), by_columns.astype(np.float32), y
    if shape.operands == "pairs":
        paired = by_columns.reshape(depth // 2, 2, shape.columns).transpose(0, 2, 1)
        return x.astype(np.int16), np.ascontiguousarray(paired).astype(np.int16), y
    return x, by_columns, y


REPEAT = """
void tile(const void *, const void *, void *, long);
void repeat(const void *x, const void *w, void *y, long n, long times)
{
    while (times--)
        tile(x, w, y, n);
}
"""


def compiled(shape, compiler, flags, folder):
    """Compile a tile and, apart from it, a loop that calls it; returns the library's path."""
    library = folder / "tile.so"
    (folder / "tile.c").write_text(shape.source)
    (folder / "repeat.c").write_text(REPEAT)
    command = [*compiler.split(), *flags.split(), "-shared", "-fPIC", "tile.c", "repeat.c"]
    done = subprocess.run(
        [*command, "-o", library.name, "-lm"], cwd=folder, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)}:\n{done.stderr}")
    return library


def instructions(library):
    """Count the instructions of a tile that multiply, the two most frequent."""
    if shutil.which("objdump") is None:
        return "no objdump"
    text = subprocess.run(
        ["objdump", "--disassemble=tile", "--no-show-raw-insn", library],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    found = Counter(re.findall(MULTIPLYING, text)).most_common(2)
    return ", ".join(f"{count} {name}" for name, count in found) or "none"


def rate(repeat, shape, depth, rng):
    """Measure 10^9 products and sums a second, the best of many; raise if a sum is wrong."""
    depth -= depth % shape.taps
    x, w, wanted = operands_of(shape, depth, rng)
    y = np.empty_like(wanted)
    pointers = [ctypes.c_void_p(array.ctypes.data) for array in (x, w, y)]
    times = max(1, 2_000_000 // max(1, wanted.size * depth))
    best, end = float("inf"), time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        start = time.perf_counter()
        repeat(*pointers, ctypes.c_long(depth), ctypes.c_long(times))
        best = min(best, (time.perf_counter() - start) / times)
    held = shape.operands != "floats" or 255 * 128 * depth < 2**24  # else float32 rounds some
    if held and not np.array_equal(y, wanted):
        raise RuntimeError(f"a tile of {shape.rows} by {shape.columns} gives wrong sums")
    return 2e-9 * wanted.size * depth / best


def arguments(words):
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--compiler", action="append", metavar="COMMAND", help="gcc if left out")
    parser.add_argument("--flags", default="-O3 -march=native", help="default: %(default)s")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="shapes whose name has a word")
    parser.add_argument("--depth", nargs="+", type=int, default=DEPTHS, metavar="N", help="even")
    options = parser.parse_args(words)
    options.compiler = options.compiler or ["gcc"]
    options.names = [n for n in SHAPES if not options.only or any(w in n for w in options.only)]
    if not options.names:
        parser.error(f"--only: no shape has {' or '.join(options.only)} in its name")
    if any(depth < 2 or depth % 2 for depth in options.depth):
        parser.error(f"--depth: expected even numbers of at least 2, got {options.depth}")
    for compiler in options.compiler:
        if shutil.which(compiler.split()[0]) is None:
            parser.error(f"--compiler: {compiler.split()[0]} is not there")
    return options


def main(words=None):
    """Print a table for each compiler."""
    options = arguments(words)
    width = max(map(len, options.names))
    for compiler in options.compiler:
        version = subprocess.run(
            [*compiler.split(), "--version"], check=True, capture_output=True, text=True
        ).stdout.splitlines()[0]
        print(f"{version}, {options.flags}: 10^9 products and sums a second by depth")
        print("shape".ljust(width), *(f"{d:6}" for d in options.depth), " instructions")
        for name in options.names:
            with tempfile.TemporaryDirectory() as folder:
                library = compiled(SHAPES[name], compiler, options.flags, Path(folder))
                repeat, rng = ctypes.CDLL(str(library)).repeat, np.random.default_rng(0)
                rates = [rate(repeat, SHAPES[name], depth, rng) for depth in options.depth]
                made = instructions(library)
            print(name.ljust(width), *(f"{r:6.0f}" for r in rates), f" {made}", flush=True)


if __name__ == "__main__":
    main()
