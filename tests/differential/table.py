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
from cases import registry
from cases.answers import answer, compared
from cases.recordings import SUFFIX, read, unpacked
from differential.comparison import compare

import refquant

RECORDINGS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "golden")


def live_rows(torch, cases, seed):
    """Compute every operation in both libraries."""
    torch.set_num_threads(1)
    for name, operation in registry.load().items():
        within = f" (within {operation.tolerance:g})" if operation.tolerance else ""
        for release, engine in operation.peers:
            if release == "2.13":
                yield name + within, engine, *compare(torch, operation, engine, cases, seed)[:3]


def recorded_rows():
    """Compare every recorded answer."""
    operations = registry.load()
    for file in sorted(f for f in os.listdir(RECORDINGS) if f.endswith(".npz")):
        provenance, answers = read(os.path.join(RECORDINGS, file))
        release = provenance["release"]
        for (engine, name), arrays in answers.items():
            wanted, ours = unpacked(arrays), engine + SUFFIX[release]
            got = [
                answer(operations[name], refquant, case, engine, release, 0, ours)
                for case in range(len(wanted))
            ]
            yield name, ours, len(wanted), *compared(wanted, got)[:2]


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
    print("\n".join(lines("operation, recorded answers", recorded_rows())))


if __name__ == "__main__":
    main()
