"""Measure what an element costs, from small operands to large ones.

    python benchmarks/sizes.py                                   10^3 to 10^8 elements
    python benchmarks/sizes.py --sizes 4194304 --peer            beside PyTorch, if it is installed
    python benchmarks/sizes.py --only add relu --kernels reference avx2 --threads 2

The figures are nanoseconds for each element, the least of many turns. They fall while the time of
a call itself matters, are level where they must be if time is linear, and rise once where operands
leave the caches. With a peer, columns with an "x" say by how much refquant is faster.
"""

import argparse
import sys
from functools import partial
from importlib import util
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from turns import add_outputs, add_selection, least, processor, quiet, selected, show, write

import refquant

SIZES = tuple(10**power for power in range(3, 9))
CHANNELS, SIDE = 64, 56  # of the images that are pooled, as many as make the size


class Line(NamedTuple):
    """An operation on elements: what makes it, and the bytes that it moves for each."""

    make: Any  # of a namespace and a size
    moved: float


def floats(T, size, seed=0):
    values = np.random.default_rng(seed).standard_normal(size, np.float32)
    return T.from_numpy(values)


def codes(T, size, seed=0):
    return T.quantize_per_tensor(floats(T, size, seed), 0.02, 128, T.quint8)


def images(T, size):
    count, side = (size // (CHANNELS * SIDE**2), SIDE) if size >= CHANNELS * SIDE**2 else (1, 0)
    side = side or max(2, round((size / CHANNELS) ** 0.5))
    x = floats(T, count * CHANNELS * side**2).reshape(count, CHANNELS, side, side)
    x = T.quantize_per_tensor(x, 0.02, 128, T.quint8)
    return x.contiguous(memory_format=T.channels_last)


def quantize(T, size):
    return partial(T.quantize_per_tensor, floats(T, size), 0.02, 128, T.quint8)


def dequantize(T, size):
    return codes(T, size).dequantize


def of_two(name):
    def make(T, size):
        return partial(getattr(T.ops.quantized, name), codes(T, size), codes(T, size, 1), 0.04, 128)

    return make


def of_one(name):
    return lambda T, size: partial(getattr(T, name), codes(T, size))


def fake_quantize(T, size):
    observer = T.quantization.MovingAverageMinMaxObserver
    module = T.quantization.FakeQuantize(
        observer=observer, quant_min=0, quant_max=255, dtype=T.quint8
    )
    x = floats(T, size)
    module(x)
    module.disable_observer()
    return partial(module, x)


def observe(name):
    return lambda T, size: partial(getattr(T.quantization, name)(), floats(T, size))


def pool(name, *arguments):
    return lambda T, size: partial(getattr(T.nn.functional, name), images(T, size), *arguments)


LINES = {
    "quantize_per_tensor": Line(quantize, 5),
    "dequantize": Line(dequantize, 5),
    "add": Line(of_two("add"), 3),
    "mul": Line(of_two("mul"), 3),
    "relu": Line(of_one("relu"), 2),
    "sigmoid": Line(of_one("sigmoid"), 2),
    "max_pool2d 2": Line(pool("max_pool2d", 2), 1.25),
    "avg_pool2d 2": Line(pool("avg_pool2d", 2), 1.25),
    "FakeQuantize": Line(fake_quantize, 8),
    "MinMaxObserver": Line(observe("MinMaxObserver"), 4),
    "HistogramObserver": Line(observe("HistogramObserver"), 4),
}


def measure(name, size, choices, with_peer, seconds, threads):
    """Measure nanoseconds for each element by choice of kernels, and of the peer as "torch"."""
    make, made = LINES[name].make, {}
    for choice in choices:
        ready = partial(refquant.kernels.use, choice)
        ready()
        made[choice] = ready, make(refquant, size)
    if with_peer:
        import torch

        torch.set_num_threads(threads)
        torch.backends.quantized.engine = "fbgemm"
        made["torch"] = int, make(torch, size)
    found = least(list(made.values()), seconds, threads)
    return {key: 1e9 * value / size for key, value in zip(made, found, strict=True)}


def arguments(words):
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_selection(parser, "lines whose name has a word")
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES, metavar="COUNT")
    parser.add_argument("--threads", type=int, default=1, metavar="COUNT")
    parser.add_argument("--peer", action="store_true", help="measure PyTorch too")
    parser.add_argument("--seconds", type=float, default=0.3, help="of each figure")
    add_outputs(parser)
    options = parser.parse_args(words)
    options.names = selected(parser, options, LINES, "line")
    if min(options.sizes) < 1:
        parser.error(f"--sizes: expected positive numbers, got {min(options.sizes)}")
    if options.peer and util.find_spec("torch") is None:
        parser.error("--peer: torch is not installed")
    return options


def written(size):
    """Write a size in short."""
    power = len(str(size)) - 1
    return f"10^{power}" if size == 10**power else str(size)


def main(words=None):
    """Print the table."""
    options = arguments(words)
    refquant.engines.use("fbgemm")
    refquant.set_num_threads(options.threads)
    headings, rows, figures = ["line", "kernels"], [], []
    for size in options.sizes:
        headings += [written(size), f"x {written(size)}"] if options.peer else [written(size)]
    print(f"{processor()}: nanoseconds for each element, threads {options.threads}", flush=True)
    for name in options.names:
        by_choice = {choice: [name, choice] for choice in options.kernels}
        for size in options.sizes:
            with quiet():
                found = measure(
                    name, size, options.kernels, options.peer, options.seconds, options.threads
                )
            for choice, row in by_choice.items():
                row.append(found[choice])
                if options.peer:
                    row.append(found["torch"] / found[choice])
            moved = LINES[name].moved
            figures.append({
                "line": name, "threads": options.threads, "size": size, "bytes": moved, "ns": found
            })  # fmt: skip
        rows += by_choice.values()
    show(headings, rows, left=2)
    write(options, headings, rows, figures)


if __name__ == "__main__":
    main()
