"""Print what was compared with PyTorch: operation by engine, cases, elements, differences.

    python tests/differential/table.py                    # 200 random cases each
    python tests/differential/table.py --cases 1000 --seed 7

The first table is computed beside an installed PyTorch 2.13, with one thread; the second compares
with the answers that PyTorch 1.4.0 and 2.13.0 gave, which lie in ``tests/golden/``.
"""

import argparse
import os
import sys

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from differential.comparison import OPERATIONS, compare
from golden import programs as p

import refquant

SUFFIX = {"1.4": "-1.4", "2.13": ""}


def live_rows(torch, cases, seed):
    """Compute every operation in both libraries."""
    torch.set_num_threads(1)
    for name, function in OPERATIONS.items():
        for engine in function.engines:
            count = compare(torch, name, engine, cases, seed)
            within = f" (within {function.tolerance:g})" if function.tolerance else ""
            yield name + within, engine, *count[:3]


def recorded_rows():
    """Compare every recorded answer."""
    for file in sorted(f for f in os.listdir(p.HERE) if f.endswith(".npz")):
        provenance, answers = p.read(os.path.join(p.HERE, file))
        programs = p.programs(file.split("-torch-")[0])
        for (engine, name), wanted in answers.items():
            chosen = engine + SUFFIX[provenance["release"]]
            got = p.run(refquant, programs[name], chosen)
            differences = sum(unequal(wanted[key], got[key]) for key in wanted)
            yield name, chosen, len(wanted), sum(v.size for v in wanted.values()), differences


def unequal(wanted, got):
    """Count elements that differ; NaN equals NaN."""
    if wanted.shape != got.shape or wanted.dtype.kind != got.dtype.kind:
        return max(wanted.size, 1)
    nan = (wanted != wanted) & (got != got)
    return int(np.sum((wanted != got) & ~nan))


def lines(title, rows):
    """Lay rows out as a table in Markdown, with their sum."""
    yield f"| {title} | engine | cases | elements | differences |"
    yield "|---|---|---:|---:|---:|"
    total = np.zeros(3, np.int64)
    for name, engine, *numbers in rows:
        total += numbers
        yield f"| {name} | {engine} | " + " | ".join(f"{n:,}" for n in numbers) + " |"
    yield "| **all** | | " + " | ".join(f"**{n:,}**" for n in total) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=200, help="of each operation and engine")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    try:
        import torch
    except ImportError:
        torch = None
    if torch is not None and torch.__version__.startswith("2.13."):
        rows = live_rows(torch, options.cases, options.seed)
        title = f"operation, beside PyTorch {torch.__version__.split('+')[0]}"
        print("\n".join(lines(title, rows)), end="\n\n", flush=True)
    print("\n".join(lines("program, recorded answers", recorded_rows())))


if __name__ == "__main__":
    main()
