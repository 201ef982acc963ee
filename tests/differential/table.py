"""Print what was compared with PyTorch: elements by operation and engine, and how many differ.

    python tests/differential/table.py                              # everything: hours
    python tests/differential/table.py --family elementwise --seed 7
    python tests/differential/table.py --only conv2d --elements 10000
    python tests/differential/table.py --write docs/exactness/compared.csv

The first table is computed beside an installed PyTorch 2.13, with one thread: at least
``--elements`` elements of each operation under each engine that has it, ten times as many of
products and convolutions. Its column of ties and ends is the share of integers, of operands or of
results, that lie on a tie of rounding or at an end of their range. ``--write`` updates its rows in
a file, so that families can be computed one after the other. The second table compares with the
answers that PyTorch 1.4.0 and 2.13.0 gave, which lie in ``tests/golden/``.
"""

import argparse
import csv
import os
import sys
import time

import numpy as np

# The records of oneDNN are processors with VNNI and without AMX; it reads this when it starts.
os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_VNNI")
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from cases import registry
from cases.answers import answer, compared
from cases.recordings import SUFFIX, read, unpacked
from differential.comparison import Count, compare_many, edges

import refquant

RECORDINGS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "golden")
ENGINES = ("fbgemm", "qnnpack", "x86", "onednn")
COLUMNS = ("family", "operation", *ENGINES, "ties and ends", "differences", "within", "why")
STEP = 16  # cases until elements are counted again
SAMPLE = range(10**6, 10**6 + 60)  # cases whose ties are counted


def live_row(torch, operation, share, seed, say):
    """Compare an operation under each engine that has it; returns a row of the table."""
    row = dict.fromkeys(COLUMNS, "")
    row.update(family=operation.family, operation=operation.name)
    if operation.tolerance:
        row.update(within=f"{operation.tolerance:g}", why=operation.why)
    differences = 0
    for engine in operation.live:
        count, started = Count(0, 0, 0), time.monotonic()
        while count.elements < operation.elements * share:
            part = range(count.cases, count.cases + STEP)
            found = compare_many(torch, operation, engine, part, seed)
            count = Count(*(a + b for a, b in zip(count[:3], found[:3], strict=True)), found.first)
            if found.differences:
                say(f"{operation.name}, {engine}: {found.first}")
        row[engine], differences = count.elements, differences + count.differences
        say(f"{operation.name}, {engine}: {count.elements:,} elements, {count.differences} differ,"
            f" {time.monotonic() - started:.0f} s")  # fmt: skip
    row["differences"] = differences
    share = edges(operation, operation.live[0], SAMPLE, seed)
    row["ties and ends"] = "" if np.isnan(share) else f"{share:.0%}"
    return row


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


def live_lines(rows):
    """Lay the rows of live comparisons out as a table in Markdown, with their sum."""
    yield "| " + " | ".join(COLUMNS[1:]) + " |"
    yield "|---|" + "---:|" * 7 + "---|"
    total = dict.fromkeys((*ENGINES, "differences"), 0)
    for row in rows:
        for name in total:
            total[name] += row[name] or 0
        yield "| " + " | ".join(_shown(row[name]) for name in COLUMNS[1:]) + " |"
    cells = [f"**{total[name]:,}**" if name in total else "" for name in COLUMNS[2:]]
    yield "| **all** | " + " | ".join(cells) + " |"


def _shown(value):
    return f"{value:,}" if isinstance(value, int) else value


def update(path, rows):
    """Write rows into a file, instead of those of the same operations that it has."""
    known = {}
    if os.path.exists(path):
        with open(path, encoding="utf-8", newline="") as file:
            known = {row["operation"].strip("`"): row for row in csv.DictReader(file)}
    known.update((row["operation"], row) for row in rows)
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        # Literal, as an underscore at the end of a name would be a link in the documentation.
        names = [name for name in registry.load() if name in known]
        writer.writerows({**known[name], "operation": f"``{name}``"} for name in names)


def chosen(options):
    """List the operations that a command line asks for."""
    return [
        operation
        for operation in registry.load().values()
        if operation.live
        and (not options.family or operation.family in options.family)
        and (not options.only or operation.name in options.only)
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--family", nargs="+", help="files of tests/cases; default: all")
    parser.add_argument("--only", nargs="+", help="operations; default: all of the families")
    parser.add_argument("--elements", type=int, default=10**5, help="of each engine at least")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", metavar="CSV", help="a file whose rows are updated")
    options = parser.parse_args()
    try:
        import torch
    except ImportError:
        torch = None
    rows = []
    if torch is not None and torch.__version__.startswith("2.13."):
        torch.set_num_threads(1)
        share = options.elements / 10**5
        for operation in chosen(options):
            say = lambda line: print(line, file=sys.stderr, flush=True)  # noqa: E731
            rows.append(live_row(torch, operation, share, options.seed, say))
            if options.write:
                update(options.write, rows[-1:])
        print("\n".join(live_lines(rows)), end="\n\n", flush=True)
    if not options.family and not options.only:
        print("\n".join(lines("operation, recorded answers", recorded_rows())))
    return any(row["differences"] for row in rows)


if __name__ == "__main__":
    sys.exit(main())
