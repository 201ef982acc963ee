"""Measure the cases: microseconds of each choice of kernels, and ratios to a peer.

    python benchmarks/run.py --only add conv2d
    python benchmarks/run.py --kernels reference avx2 --threads 1 2
    python benchmarks/run.py --peer torch --engine qnnpack
    python benchmarks/run.py --peer torch --peer-engines fbgemm qnnpack x86 onednn

A figure is the median over repeated calls. With a peer, calls of the peer and of the last choice
of kernels alternate, so that a busy machine slows both; the ratio peer / ours is the median of the
ratios of neighboring calls, and above 1 where refquant is faster. Of several engines of the peer
the fastest counts, among those that have the operation.
"""

import argparse
import importlib
import math
import statistics
import sys
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from measured import CASES
from turns import add_outputs, quiet, write

import refquant

LONGEST = 0.002  # seconds of one measurement; short calls are repeated within it


def repetitions(call):
    """Calls that fill one measurement."""
    call()  # the first one may prepare something
    start = time.perf_counter()
    call()
    once = time.perf_counter() - start
    return max(1, min(1000, int(LONGEST / max(once, 1e-7))))


def measure(call, times):
    """Seconds of one call, the mean of some."""
    start = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - start) / times


def alternate(calls, seconds):
    """Seconds of each call, measured in turns until the time is over; at least three turns."""
    times = [repetitions(call) for call in calls]
    turns, end = [], time.perf_counter() + seconds
    while len(turns) < 3 or time.perf_counter() < end:
        turns.append([measure(call, n) for call, n in zip(calls, times, strict=True)])
    return turns


def medians(turns):
    """The median of each call."""
    return [statistics.median(column) for column in zip(*turns, strict=True)]


def of_engines(name, peer, engines):
    """List the calls of the peer, one for each of its engines that has the operation."""
    calls = []
    for engine in engines:
        peer.backends.quantized.engine = engine
        try:
            made = CASES[name](peer)
            made()
        except RuntimeError:  # what PyTorch raises where an engine lacks something
            continue
        calls.append(partial(under, peer, engine, made))
    return calls


def under(peer, engine, call):
    """Make a call of the peer under an engine; choosing it takes no measurable time."""
    peer.backends.quantized.engine = engine
    return call()


def figures(name, choices, peer, peer_engines, seconds):
    """Microseconds per choice; with a peer also its own, and the ratio to the last choice."""
    found = []
    call = None
    for choice in choices:
        refquant.kernels.use(choice)
        call = CASES[name](refquant)
        if peer is None or choice != choices[-1]:
            found += [1e6 * m for m in medians(alternate([call], seconds))]
    if peer is not None:
        turns = alternate([call, *of_engines(name, peer, peer_engines)], seconds)
        ours, *theirs = medians(turns)
        found += [1e6 * ours, 1e6 * min(theirs, default=math.nan)]
        ratios = [min(theirs, default=math.nan) / ours for ours, *theirs in turns]
        found.append(statistics.median(ratios))
    return found


def arguments(words):
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", metavar="WORD", help="cases whose name has a word")
    parser.add_argument("--list", action="store_true", help="print the names of the cases")
    parser.add_argument(
        "--kernels",
        nargs="+",
        metavar="NAME",
        choices=refquant.kernels.available(),
        default=[refquant.kernels.current()],
        help="choices of kernels, among " + ", ".join(refquant.kernels.available()),
    )
    parser.add_argument("--peer", choices=["torch"], help="compare with it")
    parser.add_argument("--engine", default=refquant.engines.current().name, metavar="NAME")
    parser.add_argument("--peer-engines", nargs="+", metavar="NAME", help="default: that engine")
    parser.add_argument("--threads", nargs="+", type=int, default=[1], metavar="COUNT")
    parser.add_argument("--seconds", type=float, default=0.5, help="for each case and choice")
    add_outputs(parser)
    options = parser.parse_args(words)
    options.names = [n for n in CASES if not options.only or any(w in n for w in options.only)]
    if not options.names:
        parser.error(f"--only: no case has {' or '.join(options.only)} in its name")
    known = refquant.engines.names()
    if options.peer is not None:
        supported = importlib.import_module(options.peer).backends.quantized.supported_engines
        known = [name for name in known if name in supported]
    if options.engine not in known:
        parser.error(f"--engine: expected one of {', '.join(known)}, got {options.engine}")
    options.peer_engines = options.peer_engines or [options.engine]
    unknown = set(options.peer_engines) - set(known)
    if unknown:
        parser.error(f"--peer-engines: expected some of {', '.join(known)}, got {unknown.pop()}")
    return options


def load(options, threads):
    """Give both libraries the engine and threads; returns the peer, or None."""
    refquant.engines.use(options.engine)
    refquant.set_num_threads(threads)
    if options.peer is None:
        return None
    peer = importlib.import_module(options.peer)
    peer.backends.quantized.engine = options.engine
    peer.set_num_threads(threads)
    return peer


def print_table(options, threads):
    """Measure every case with a number of threads; returns the cells of its line by case."""
    peer, rows = load(options, threads), {}
    extra = [] if peer is None else [options.peer, f"{options.peer}/ours"]
    width = max(map(len, options.names))
    print(f"engine {options.engine}, threads {threads}, microseconds (median)")
    print("case".ljust(width), *(h.rjust(12) for h in [*options.kernels, *extra]))
    for name in options.names:
        rows[name] = figures(name, options.kernels, peer, options.peer_engines, options.seconds)
        cells = [f"{value:12.1f}" for value in rows[name]]  # nan: no engine of the peer has it
        if peer is not None:
            cells[-1] = f"{rows[name][-1]:12.2f}"
        print(name.ljust(width), *cells, flush=True)
    return rows


def main(words=None):
    """Print a table for each number of threads."""
    options = arguments(words)
    if options.list:
        print("\n".join(options.names))
        return
    with quiet():
        found = {threads: print_table(options, threads) for threads in options.threads}
    columns = [*options.kernels, *([] if options.peer is None else [options.peer, "ratio"])]
    lines = [
        {"case": name, "threads": threads, **dict(zip(columns, cells, strict=True))}
        for threads, rows in found.items()
        for name, cells in rows.items()
    ]
    table = [[line["case"], str(line["threads"]), *(line[c] for c in columns)] for line in lines]
    write(options, ["case", "threads", *columns], table, lines)


if __name__ == "__main__":
    main()
