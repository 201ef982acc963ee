"""Measure everything on this machine: limits, classes, sizes, networks, cases, and a picture.

    python benchmarks/report.py --output speed
    python benchmarks/report.py --output speed --only classes picture
    python benchmarks/report.py --output docs/speed/measured --readme README.md

It takes ten minutes, on a machine that does nothing else. Tables are printed, and written as CSV
beside the figures of each benchmark as JSON. Peers are measured where they are installed. The cases
are those of `run.py`. The last command remakes what the documentation shows, and the ratios of the
table "How fast" of the README, for which PyTorch has to be installed.
"""

import argparse
import json
import os
import re
import sys
from importlib import util
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import classes
import machine
import networks
import picture
import run as run_cases
import sizes

import refquant

STEPS = ("machine", "classes", "sizes", "networks", "peer", "cases", "picture")
SHOWN = tuple(step for step in STEPS if step != "cases")  # by the documentation
MANY = 2**22  # elements, "4M" in the README
PEER_LINES = ("quantize_per_tensor", "add", "HistogramObserver", "FakeQuantize")


def measure(step, folder, seconds):
    """Run one benchmark, with files in a folder."""
    files = ["--json", str(folder / f"{step}.json"), "--csv", str(folder / f"{step}.csv")]
    spent = ["--seconds", str(seconds)]
    threads = ["1", str(os.cpu_count() or 1)] if (os.cpu_count() or 1) > 1 else ["1"]
    if step == "machine":
        machine.main([*files, *spent])
    elif step == "classes":
        compiled = refquant.kernels.available()[1:] or ("reference",)
        classes.main(["--kernels", *compiled, "--threads", *threads, *files, *spent])
    elif step == "sizes":
        sizes.main([*files, *spent])
    elif step == "networks":
        networks.main(["--threads", *threads, *files, *spent])
    elif step == "peer" and util.find_spec("torch"):
        sizes.main(["--peer", "--sizes", str(MANY), "--only", *PEER_LINES, *files, *spent])
    elif step == "cases":
        peer = ["--peer", "torch"] if util.find_spec("torch") else []
        run_cases.main([*peer, "--engine", "fbgemm", "--threads", *threads, *files, *spent])
    elif step == "picture" and util.find_spec("matplotlib"):
        written = [str(folder / f"{name}.json") for name in ("machine", "classes", "sizes")]
        picture.main([*written, "--output", str(folder / "picture.svg")])
    else:
        print(f"left out: {step}, for want of what it needs")


def figures(folder, step):
    """Read the figures of a step."""
    return json.loads((folder / f"{step}.json").read_text(encoding="utf-8"))["figures"]


def ratios(folder):
    """Compute the ratios of the README, by operation, from what was measured with one thread."""
    found, best = {}, refquant.kernels.current()
    for figure in figures(folder, "peer"):
        found[figure["line"]] = figure["ns"]["torch"] / figure["ns"][best]
    for figure in figures(folder, "classes"):
        if figure["threads"] == 1:
            found[figure["class"]] = figure["rates"][best] / figure["rates"]["fbgemm"]
    whole = {
        (figure["library"], figure["choice"]): figure["seconds"]
        for figure in figures(folder, "networks")
        if figure["threads"] == 1 and figure["network"] == "resnet18"
    }
    found["resnet18"] = whole["torch", "fbgemm"] / whole["refquant", best]
    return {cell: found[name] for cell, name in CELLS.items()}


# What the README calls an operation, and what it is here.
CELLS = {
    "`quantize_per_tensor` 4M": "quantize_per_tensor",
    "`ops.quantized.add` 4M": "add",
    "`HistogramObserver` 4M": "HistogramObserver",
    "`FakeQuantize` forward 4M": "FakeQuantize",
    "`nn.quantized.Linear` 512x512x512": "Linear 512x512x512",
    "`nn.quantized.Conv2d` 3x3, 64 channels": "Conv 3x3, 64 channels",
    "`nn.quantized.Conv2d` 1x1, 64 to 256": "Conv 1x1, 64 to 256",
    "ResNet-18, whole": "resnet18",
}


def with_ratios(text, found):
    """Replace the ratio behind each operation of a table."""
    for cell, ratio in found.items():
        written = f"{ratio:.1f}" if ratio < 9.95 else f"{ratio:.0f}"
        text, count = re.subn(rf"(\| {re.escape(cell)} \| )[\d.]+( \|)", rf"\g<1>{written}\2", text)
        if count != 1:
            sys.exit(f"--readme: expected one cell {cell!r} in a table, found {count}")
    return text


def main(words=None):
    """Run the steps."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=Path("speed"), metavar="FOLDER")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=STEPS,
        metavar="STEP",
        help=", ".join(STEPS) + "; all if left out, without cases if there is --readme",
    )
    parser.add_argument("--seconds", type=float, default=1.0, help="of each figure")
    parser.add_argument("--readme", type=Path, metavar="FILE", help="write its ratios anew")
    options = parser.parse_args(words)
    options.output.mkdir(parents=True, exist_ok=True)
    busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0
    if busy > 0.5:
        print(f"other programs run ({busy:.1f} on average): figures of several threads will be low")
    for step in STEPS:
        if step in (options.only or (STEPS if options.readme is None else SHOWN)):
            print(f"== {step}", flush=True)
            measure(step, options.output, options.seconds)
    if options.readme is not None:
        text = options.readme.read_text(encoding="utf-8")
        found = ratios(options.output)
        options.readme.write_text(with_ratios(text, found), encoding="utf-8")


if __name__ == "__main__":
    main()
