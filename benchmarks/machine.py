"""Measure what the machine can do: the limits beside which an operation is fast or slow.

    python benchmarks/machine.py
    python benchmarks/machine.py --threads 2 --compiler clang --flags "-O3 -march=native"

Copying by NumPy shows how many bytes can be read and written, in 10^9 a second, from the caches and
from memory, to where a copy was before and to newly allocated memory. With a C compiler, the
tiles of `loops.py` show how many operations loops can reach, in 10^9 a second: dot products of
bytes, for which lanes are added up, and float32, each by the depth of a sum.
"""

import argparse
import ctypes
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import loops
from turns import add_outputs, least, processor, show, write

import refquant

SIZES = tuple(2**power for power in range(14, 30, 3))  # bytes that are read, as many are written
DEPTHS = (32, 64, 128, 256, 512, 1024, 2048, 4096)
DOTS, FLOATS = ("dot 4x4", "dot 6x4", "dot 7x4"), "float 6x64"


def copying(size, threads, seconds, fresh=False):
    """Measure 10^9 bytes a second, read and written, when each thread copies its part.

    With `fresh` each copy goes to newly allocated memory, as results of operations do.
    """
    parts = [np.ones(size // threads, np.uint8) for _ in range(threads)]
    copies = [part.copy() for part in parts]
    times = max(1, 2**20 // size)  # of one measurement, so that threads have something to do

    def copy(index):
        for _ in range(times):
            if fresh:
                parts[index].copy()
            else:
                np.copyto(copies[index], parts[index])

    with ThreadPoolExecutor(threads) as pool:
        every = partial(copy, 0) if threads == 1 else lambda: list(pool.map(copy, range(threads)))
        best = least([(int, every)], seconds, threads)[0]
    return 2e-9 * (size // threads) * threads * times / best


def tile(name, depths, compiler, flags):
    """Measure a tile of `loops.py`, by depth."""
    shape, rng = loops.SHAPES[name], np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        library = loops.compiled(shape, compiler, flags, Path(folder))
        repeat = ctypes.CDLL(str(library)).repeat
        return [loops.rate(repeat, shape, depth, rng) for depth in depths]


def flags_of_kernels():
    """Return the flags with which the best kernels were compiled."""
    facts = refquant.show_config(as_dict=True)
    if not (facts["compiler"] or "").startswith("gcc"):
        return "-O3 -march=native"
    words = [facts["flags"]["common"], facts["flags"][facts["kernels"]["available"][-1]]]
    return " ".join(words).replace("-fvisibility=hidden", "")


def arguments(words):
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=1, metavar="COUNT", help="that copy")
    parser.add_argument("--compiler", default="gcc", metavar="COMMAND", help="default: gcc")
    parser.add_argument("--flags", help="default: those of the best kernels, if gcc made them")
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES, metavar="BYTES")
    parser.add_argument("--depth", nargs="+", type=int, default=DEPTHS, metavar="N", help="even")
    parser.add_argument("--seconds", type=float, default=0.3, help="of each copy")
    add_outputs(parser)
    options = parser.parse_args(words)
    options.flags = options.flags or flags_of_kernels()
    return options


def main(words=None):
    """Print two tables."""
    options = arguments(words)
    print(f"{processor()}: 10^9 bytes a second, read and written, threads {options.threads}")
    copied = [
        [size, *(copying(size, options.threads, options.seconds, fresh) for fresh in (False, True))]
        for size in options.sizes
    ]
    rows = [[f"copy of {size} bytes", *rates] for size, *rates in copied]
    headings = ["limit", "rate", "to new memory"]
    show(headings, rows)
    figures = {"threads": options.threads, "copies": copied, "tiles": {}}
    if shutil.which(options.compiler.split()[0]) is None:
        print(f"no tiles: {options.compiler} is not there")
    else:
        print(f"{options.compiler} {options.flags}: 10^9 operations a second by depth, one thread")
        made = {
            name: tile(name, options.depth, options.compiler, options.flags)
            for name in (*DOTS, FLOATS)
        }
        show(["tile", *map(str, options.depth)], [[name, *rates] for name, rates in made.items()])
        figures["tiles"] = {
            "depths": list(options.depth),
            "dot": [max(rates) for rates in zip(*(made[name] for name in DOTS), strict=True)],
            "float": made[FLOATS],
        }
        rows += [[f"{n}, depth {options.depth[-1]}", rates[-1], None] for n, rates in made.items()]
    write(options, headings, rows, figures)


if __name__ == "__main__":
    main()
