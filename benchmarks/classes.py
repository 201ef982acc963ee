"""Measure products and convolutions by class: 10^9 operations a second, and beside other libraries.

    python benchmarks/classes.py                                 every class, the kernels that run
    python benchmarks/classes.py --kernels baseline avx2 avx512vnni --threads 1 2
    python benchmarks/classes.py --only Linear --kernels reference avx2
    python benchmarks/classes.py --peers                         refquant alone

An operation is a product or a sum. All that is measured takes turns, so that a busy machine slows
all of it, and a figure is the best of many turns, through the public modules: checking arguments
and memory for the result are included. Where PyTorch or ONNX Runtime is installed, it is measured
too, and a column says what fraction of its speed the last choice of kernels has, or by how much it
is faster: above 1 refquant is. ONNX Runtime takes images with channels first.
"""

import argparse
import sys
from functools import partial
from importlib import util
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from layers import CLASSES, onnx_session
from turns import add_outputs, add_selection, least, processor, quiet, selected, show, write

import refquant

PEERS = {"fbgemm": "torch", "onednn": "torch", "onnxruntime": "onnxruntime"}


def installed():
    """List the peers that are there."""
    found = [name for name, package in PEERS.items() if util.find_spec(package)]
    return [name for name in found if name != "onnxruntime" or util.find_spec("onnx")]


def of_refquant(layer, choice):
    """Make a layer under a choice of kernels; returns what makes ready, and what is timed."""
    ready = partial(refquant.kernels.use, choice)
    ready()
    return ready, layer.make(refquant)


def of_peer(layer, name, threads):
    """Make a layer of a peer, or return None if it has no such."""
    if name == "onnxruntime":
        call = onnx_session(layer, threads)
        return None if call is None else (int, call)
    import torch

    if name not in torch.backends.quantized.supported_engines:
        return None
    torch.set_num_threads(threads)
    ready = partial(setattr, torch.backends.quantized, "engine", name)
    ready()
    return ready, layer.make(torch)


def measure(name, threads, choices, peers, seconds):
    """Measure one class; returns 10^9 operations a second by name, None where there is no such."""
    layer = CLASSES[name]
    refquant.set_num_threads(threads)
    made = {choice: of_refquant(layer, choice) for choice in choices}
    made |= {peer: of_peer(layer, peer, threads) for peer in peers}
    there = {key: calls for key, calls in made.items() if calls is not None}
    found = dict(zip(there, least(list(there.values()), seconds, threads), strict=True))
    return {key: layer.operations / found[key] / 1e9 if key in found else None for key in made}


def arguments(words):
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_selection(parser, "classes whose name has a word")
    parser.add_argument("--list", action="store_true", help="print the names of the classes")
    parser.add_argument("--threads", nargs="+", type=int, default=[1], metavar="COUNT")
    parser.add_argument(
        "--peers",
        nargs="*",
        choices=list(PEERS),
        metavar="NAME",
        help="among " + ", ".join(PEERS) + "; all that are installed if left out",
    )
    parser.add_argument("--seconds", type=float, default=1.0, help="of each class and count")
    add_outputs(parser)
    options = parser.parse_args(words)
    options.names = selected(parser, options, CLASSES, "class")
    if options.peers is None:
        options.peers = installed()
    missing = set(options.peers) - set(installed())
    if missing:
        parser.error(f"--peers: {missing.pop()} is not installed")
    return options


def main(words=None):
    """Print a table for each number of threads."""
    options = arguments(words)
    if options.list:
        print("\n".join(options.names))
        return
    refquant.engines.use("fbgemm")
    of = [f"of {peer}" for peer in options.peers]
    headings, table, figures = ["class", "threads", *options.kernels, *of], [], []
    print(f"{processor()}: 10^9 operations a second, engine fbgemm", flush=True)
    for threads in options.threads:
        rows = []
        for name in options.names:
            with quiet():
                found = measure(name, threads, options.kernels, options.peers, options.seconds)
            ours = found[options.kernels[-1]]
            theirs = [found[peer] and ours / found[peer] for peer in options.peers]
            rows.append([name, str(threads), *(found[c] for c in options.kernels), *theirs])
            depth = CLASSES[name].depth
            figures.append({"class": name, "threads": threads, "depth": depth, "rates": found})
        show(headings, rows, left=2)
        table += rows
    write(options, headings, table, figures)


if __name__ == "__main__":
    main()
