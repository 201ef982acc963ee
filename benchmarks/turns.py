"""What the benchmarks share: figures as the least of many turns, and tables."""

import csv
import gc
import json
import platform
import sys
import time
import warnings
from contextlib import contextmanager
from pathlib import Path

FEWEST = 3  # turns
RUN = 0.005  # seconds of a turn for one call, at most 20 times
REST = 0.01  # seconds after which threads that wait no longer take a core


def least(calls, seconds, threads=1):
    """Measure calls in turns until the time is over; returns the fewest seconds of each.

    What is called is a pair of functions: one that makes ready, and one that is timed. The latter
    runs once before the clock starts, so that its operands are where it left them and not what
    another left in the caches. Threads of one library wait for more work for some milliseconds;
    with more than one thread there is a rest, so that they do not take the cores of the next.
    """
    best = [float("inf")] * len(calls)
    turns, end = 0, time.perf_counter() + seconds
    gc.disable()
    try:
        while turns < FEWEST or time.perf_counter() < end:
            turns += 1
            for index, (ready, call) in enumerate(calls):
                time.sleep(REST if threads > 1 else 0)
                ready()
                call()
                for _ in range(20 if best[index] < RUN / 20 else max(1, int(RUN / best[index]))):
                    start = time.perf_counter()
                    call()
                    best[index] = min(best[index], time.perf_counter() - start)
    finally:
        gc.enable()
    return best


@contextmanager
def quiet():
    """Leave out warnings: about missing calibration, and a peer's about itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def processor():
    """Name the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts = dict(line.replace("\t", "").partition(":")[::2] for line in lines if ":" in line)
    words = [facts.get("model name", platform.machine()).strip()]
    if "cpu family" in facts:
        words.append(f"family {facts['cpu family'].strip()} model {facts['model'].strip()}")
    return ", ".join(words)


def compiler():
    """Name the compiler of the kernels."""
    import refquant  # not above, for processes that measure a peer alone

    return refquant.show_config(as_dict=True)["compiler"] or "no compiler"


def number(value):
    """Write a figure with three digits, or nothing where there is none."""
    if value is None or isinstance(value, str):
        return value or ""
    if value != value:
        return ""
    places = next((n for n, least in enumerate((99.5, 9.95, 0.0995)) if value >= least), 3)
    return f"{value:.{places}f}"


def show(headings, rows, left=1):
    """Print a table whose first columns, `left` of them, are words."""
    cells = [headings, *([number(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        words = [cell.ljust(w) for cell, w in zip(row[:left], widths[:left], strict=True)]
        words += [cell.rjust(w) for cell, w in zip(row[left:], widths[left:], strict=True)]
        print("  ".join(words).rstrip())
    sys.stdout.flush()


def add_selection(parser, only):
    """Add the options that choose what is measured and by which kernels; `only` is a help text."""
    import refquant

    known = refquant.kernels.available()
    parser.add_argument("--only", nargs="+", metavar="WORD", help=only)
    parser.add_argument(
        "--kernels",
        nargs="+",
        metavar="NAME",
        choices=known,
        default=[refquant.kernels.current()],
        help="choices of kernels, among " + ", ".join(known) + "; reference: the definitions",
    )


def selected(parser, options, names, what):
    """List the names that have a word of `--only`; none is an error."""
    found = [n for n in names if not options.only or any(word in n for word in options.only)]
    if not found:
        parser.error(f"--only: no {what} has {' or '.join(options.only)} in its name")
    return found


def add_outputs(parser):
    """Add the options that write files."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the table there")


def write(options, headings, rows, figures):
    """Write the files that the options name."""
    if options.json is not None:
        facts = {"processor": processor(), "compiler": compiler(), "figures": figures}
        options.json.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    if options.csv is not None:
        with options.csv.open("w", encoding="utf-8", newline="") as file:
            lines = csv.writer(file, lineterminator="\n")
            lines.writerows([headings, *([number(value) for value in row] for row in rows)])
