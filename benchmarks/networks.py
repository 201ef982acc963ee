"""Measure whole networks: milliseconds and memory of ResNet-18 and MobileNetV2, 1x3x224x224.

    python benchmarks/networks.py                      beside PyTorch, if it is installed
    python benchmarks/networks.py --peers --kernels baseline avx2 --threads 1 2
    python benchmarks/networks.py --only mobilenet --kernels reference

Weights are random, batch norms are fused, and one image calibrates. Each network runs in a process
of its own. The columns: the least milliseconds of a forward call; megabytes that the process had at
its peak; what it held when the library was imported, and how much more when the network was
converted; and by how much a forward call raises that. The last three are known on Linux alone.
"""

import argparse
import json
import subprocess
import sys
from importlib import util
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from one_network import NETWORKS
from turns import add_outputs, add_selection, processor, selected, show, write

PEERS = ("fbgemm", "onednn")
MEGABYTE = 2**20
ONE = Path(__file__).parent / "one_network.py"


def start(*words):
    """Run one network in a process of its own."""
    command = [sys.executable, "-W", "ignore", str(ONE), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}:\n{done.stderr}")
    return json.loads(done.stdout)


def megabytes(found):
    """List the columns of memory; None where a figure is not known."""
    grown = None
    if found["converted"] is not None:
        grown = found["converted"] - found["imported"]
    sizes = (found["peak"], found["imported"], grown, found["raised"])
    return [None if size is None else size / MEGABYTE for size in sizes]


def arguments(words):
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_selection(parser, "of " + ", ".join(NETWORKS))
    parser.add_argument("--threads", nargs="+", type=int, default=[1], metavar="COUNT")
    parser.add_argument(
        "--peers",
        nargs="*",
        choices=PEERS,
        metavar="NAME",
        help="engines of PyTorch, among " + ", ".join(PEERS) + "; both if left out",
    )
    parser.add_argument("--seconds", type=float, default=3.0, help="of each network")
    add_outputs(parser)
    options = parser.parse_args(words)
    options.names = selected(parser, options, NETWORKS, "network")
    is_there = util.find_spec("torch") is not None
    if options.peers and not is_there:
        parser.error("--peers: torch is not installed")
    options.peers = (list(PEERS) if is_there else []) if options.peers is None else options.peers
    return options


def main(words=None):
    """Print the table."""
    options = arguments(words)
    headings = ["network", "threads", "by", "ms", "peak MB", "imported", "network", "forward"]
    who = [("torch", engine) for engine in options.peers]
    who += [("refquant", choice) for choice in options.kernels]
    rows, figures = [], []
    print(f"{processor()}: networks end to end", flush=True)
    for name in options.names:
        for threads in options.threads:
            for library, choice in who:
                found = start(name, library, choice, threads, options.seconds)
                by = f"{library} {choice}"
                rows.append([name, str(threads), by, 1e3 * found["seconds"], *megabytes(found)])
                figures.append({"network": name, "threads": threads, "library": library,
                                "choice": choice, **found})  # fmt: skip
    show(headings, rows, left=3)
    write(options, headings, rows, figures)


if __name__ == "__main__":
    main()
