"""Draw each operation beside what the machine can do, from what other benchmarks have written.

    python benchmarks/machine.py --json machine.json
    python benchmarks/classes.py --json classes.json
    python benchmarks/sizes.py --json sizes.json
    python benchmarks/picture.py machine.json classes.json sizes.json --output picture.svg

Above, operations on elements: how many bytes they read and write, beside copying. Below, products
and convolutions: operations by the depth of a sum, beside the tiles of plain loops.
"""

import argparse
import json
import sys
from importlib import util
from pathlib import Path

import numpy as np

CACHE, MEMORY = 10**6, 10**8  # elements of operands that lie in caches, and that do not
BLUE, ORANGE, GREEN, GREY = "#2b7bba", "#d95f02", "#2a9d5c", "#8a8a8a"
PEERS = ("fbgemm", "onednn", "onnxruntime")
# What stands beside the point of a class, and where.
SHORT = {
    "Linear 512x512x512": ("Linear 512", "left"),
    "Linear 1024x1024x1024": ("Linear 1024", "below"),
    "Conv 1x1, 64 to 64": ("1x1, 64 to 64", "left"),
    "Conv 1x1, 64 to 256": ("1x1, 64 to 256", "left"),
    "Conv 3x3, 64 channels": ("3x3, 64", "left"),
    "Conv 3x3, 256 channels": ("3x3, 256", "right"),
    "Conv 7x7/2, 3 to 64": ("7x7, 3", "right"),
    "Conv 3x3, depthwise, 96": ("depthwise 3x3", "right"),
    "Conv 3x3, 4 groups of 16": ("groups of 16", "below"),
    "Linear 16x1024x1024": ("16 rows, 1024", "below"),
    "Linear 16x1024x4096": ("16 rows, 4096", "below"),
    "LSTM, dynamic, 256": ("LSTM, 4 rows", "below"),
}
LINE = 10  # points between labels


def by_line(sizes, size):
    """Look up 10^9 bytes a second of each line, with its last choice of kernels."""
    return {
        figure["line"]: figure["bytes"] / next(reversed(ours(figure["ns"]).values()))
        for figure in sizes["figures"]
        if figure["size"] == size
    }


def ours(figures):
    """Leave out peers."""
    return {name: value for name, value in figures.items() if name != "torch"}


def copy_of(machine, size, column):
    """Look up the copy whose size, in bytes, is nearest."""
    rows = machine["figures"]["copies"]
    return min(rows, key=lambda row: abs(row[0] - size))[column]


def draw_elements(axes, machine, sizes, ink):
    """Draw bytes a second of each line, in caches and in memory, beside copying."""
    cached, stored = by_line(sizes, CACHE), by_line(sizes, MEMORY)
    lines = sorted(cached, key=cached.get)
    for values, color, label in ((cached, BLUE, "10$^6$"), (stored, ORANGE, "10$^8$")):
        there = [name for name in lines if name in values]
        axes.plot(
            [values[name] for name in there],
            [lines.index(name) for name in there],
            "o",
            color=color,
            label=f"{label} elements",
        )
    limits = (
        (copy_of(machine, 2**29, 2), ORANGE, ":", "copy to\nnew memory"),
        (copy_of(machine, 2**29, 1), ORANGE, "-", "copy in\nmemory"),
        (copy_of(machine, 2**23, 1), BLUE, "-", "copy in\nthe cache"),
    )
    for value, color, style, label in limits:
        axes.axvline(value, color=color, linestyle=style, linewidth=1.2)
        axes.text(
            value, 1.01, label, color=color, ha="center", fontsize="small",
            transform=axes.get_xaxis_transform(),
        )  # fmt: skip
    axes.set_yticks(range(len(lines)), lines)
    axes.set_xscale("log")
    decades(axes.xaxis)
    axes.set_xlabel("10$^9$ bytes a second, read and written")
    axes.grid(axis="y", color=ink, alpha=0.15)
    axes.legend(loc="lower right", fontsize="small")
    axes.set_title("Elements: moving bytes", loc="left", pad=30)


def draw_products(axes, machine, classes, ink):
    """Draw operations a second of each class by depth, beside the walls of plain loops."""
    tiles = machine["figures"]["tiles"]
    if tiles:
        depths, dot, floats = tiles["depths"], tiles["dot"], tiles["float"]
        axes.plot([1, 400], [max(dot)] * 2, color=ink, linestyle="--", linewidth=1)
        axes.text(8, max(dot) * 1.05, "most of dot products", fontsize="small")
        axes.plot(depths, dot, color=BLUE, linewidth=1.2)
        axes.text(depths[0], dot[0] * 0.8, "wall of dot products", color=BLUE, fontsize="small")
        axes.axhline(max(floats), color=GREEN, linewidth=1.2)
        axes.text(8, max(floats) * 1.05, "wall of float32", color=GREEN, fontsize="small")
    points = []
    for figure in classes["figures"]:
        name, depth, rates = figure["class"], figure["depth"], figure["rates"]
        if figure["threads"] != 1 or name not in SHORT:
            continue
        rate = [value for key, value in rates.items() if key not in PEERS and value][-1]
        points.append((depth, rate, *SHORT[name]))
        peers = [rates[key] for key in ("fbgemm", "onednn") if rates.get(key)]
        if peers:
            axes.plot([depth] * 2, [rate, max(peers)], color=GREY, linewidth=0.6)
            axes.plot(depth, max(peers), "_", color=GREY, markersize=9)
        axes.plot(depth, rate, "o", color=ORANGE, markersize=5)
    axes.plot([], [], "o", color=ORANGE, label="refquant")
    axes.plot([], [], "_", color=GREY, markersize=9, label="the faster engine of PyTorch")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlim(7.5, 9000)
    axes.set_xticks([2**power for power in range(3, 14)])
    axes.xaxis.set_major_formatter("{x:.0f}")
    decades(axes.yaxis)
    axes.set_xlabel("depth: products of a sum")
    axes.set_ylabel("10$^9$ operations a second")
    axes.legend(loc="lower right", fontsize="small")
    axes.set_title("Products and convolutions: multiplying bytes", loc="left")
    return points


def label(axes, points):
    """Write names beside points, one below the other where points are near; needs the layout."""
    lowest = {}  # by side and depth
    for depth, rate, name, side in sorted(points, key=lambda point: -point[1]):
        height = axes.transData.transform((depth, rate))[1] * 72 / axes.figure.dpi
        key = side, round(np.log2(depth))
        y = min(height - LINE * (side == "below"), lowest.get(key, np.inf) - LINE)
        lowest[key] = y
        axes.annotate(
            name,
            (depth, rate),
            (-7 if side == "left" else 7, y - height),
            textcoords="offset points",
            ha="right" if side == "left" else "left",
            va="center",
            fontsize="small",
        )


def decades(axis):
    """Label an axis whose scale is logarithmic at 1, 2 and 5 of each decade."""
    from matplotlib.ticker import LogLocator, NullLocator

    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(NullLocator())


def draw(machine, classes, sizes, ink="black"):
    """Return the figure; what is drawn in the color `ink` is what axes and letters are."""
    from matplotlib import pyplot

    figure, (above, below) = pyplot.subplots(
        2, figsize=(7.2, 7.6), height_ratios=(3, 4), layout="constrained"
    )
    draw_elements(above, machine, sizes, ink)
    points = draw_products(below, machine, classes, ink)
    figure.suptitle(f"{classes['processor']}; kernels by {classes['compiler']}", fontsize="medium")
    figure.draw_without_rendering()
    label(below, points)
    return figure


def read(path):
    """Read what a benchmark has written."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def main(words=None):
    """Draw the picture into a file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("machine", help="what machine.py wrote")
    parser.add_argument("classes", help="what classes.py wrote")
    parser.add_argument("sizes", help="what sizes.py wrote, of 10^6 and 10^8 elements")
    parser.add_argument("--output", default="picture.svg", metavar="FILE", help="svg, png or pdf")
    options = parser.parse_args(words)
    if util.find_spec("matplotlib") is None:
        parser.error("matplotlib is not installed")
    paths = [options.machine, options.classes, options.sizes]
    missing = [path for path in paths if not Path(path).exists()]
    if missing:
        parser.error(f"{missing[0]} is not there")
    machine, classes, sizes = map(read, paths)
    figure = draw(machine, classes, sizes)
    figure.suptitle(f"{classes['processor']}; kernels by {classes['compiler']}", fontsize="medium")
    figure.savefig(
        options.output, metadata={"Date": None} if options.output[-3:] == "svg" else None
    )


if __name__ == "__main__":
    sys.exit(main())
