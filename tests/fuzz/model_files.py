"""Give damaged ``.onnx`` and ``.tflite`` files to their readers.

    python tests/fuzz/model_files.py --count 10000 --seed 1

A file may be rejected by an error of refquant's own. One that is read runs on zeros, and is written
again, unless its images have become large; both may be rejected, too. Anything else that is raised
is a fault: the bytes of the file are printed.
"""

import argparse
import contextlib
import os
import sys
import tempfile

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from models import planted

from refquant.errors import RefquantError
from refquant.interop import onnx, tflite

MODULES = {"tflite": tflite, "onnx": onnx}
FORMS = (("tflite", {}), ("onnx", {"form": "qdq"}), ("onnx", {"form": "qoperator"}))
ENGINES = ("tflite-micro", "onnx", "onnxruntime-qdq-float")
# What sizes and places of files become.
NUMBERS = (b"\xff" * 4, bytes(4), b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\1\0\0\0")
LARGE = 100_000  # elements


def seeds(folder):
    """Make files that are as they should be, by the ending of their names."""
    graph = planted.model()
    for name, form in FORMS:
        yield name, MODULES[name].write(graph, os.path.join(folder, "m"), **form).read_bytes()


def damaged(data, rng):
    """Cut a file, change bytes or bits, put a number, leave a part out, or repeat one."""
    kind, begin, end = int(rng.integers(6)), *sorted(int(n) for n in rng.integers(0, len(data), 2))
    if kind == 0:
        return data[:begin]
    if kind == 1:
        return data[:begin] + NUMBERS[rng.integers(len(NUMBERS))] + data[begin + 4 :]
    if kind == 2:
        return data[:begin] + data[min(end, begin + 64) :]
    if kind == 3:
        return data[:begin] + data[end : end + int(rng.integers(1, 64))] + data[begin:]
    changed = bytearray(data)
    for place in rng.integers(0, len(data), rng.integers(1, 6)):
        if kind == 4:
            changed[place] = rng.integers(256)
        else:
            changed[place] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def check(name, data, folder):
    """Read a file, run it and write it again; whether it could be read."""
    try:
        graph = MODULES[name].read(data)
    except RefquantError:
        return False
    shapes = [value.shape or (1,) for value in graph.values.values()]
    if max(np.prod(np.abs(shape)) for shape in shapes) > LARGE:
        return True
    fed = [graph.values[name] for name in graph.inputs]
    zeros = {v.name: np.zeros(np.abs(v.shape or (1,)), v.dtype) for v in fed}
    for run in (
        lambda: graph.run(zeros, ENGINES),
        lambda: MODULES[name].write(graph, os.path.join(folder, "again")),
    ):
        with contextlib.suppress(RefquantError):
            run()
    return True


def run(count, seed):
    """Check files of each kind; returns how many could be read, and the faults."""
    rng, held, faults = np.random.default_rng(seed), 0, []
    with tempfile.TemporaryDirectory() as folder:
        for name, good in list(seeds(folder)):
            assert check(name, good, folder)
            for _ in range(count):
                data = damaged(good, rng)
                try:
                    held += check(name, data, folder)
                except Exception as error:
                    faults.append(data)
                    print(f"{name}: {type(error).__name__}: {error}\n  {data!r}")
    return held, faults


def main():
    """Run from the command line; the exit code is nonzero if there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=10_000, help="how many files of each kind")
    parser.add_argument("--seed", type=int, default=1, help="which files")
    options = parser.parse_args()
    held, faults = run(options.count, options.seed)
    count = len(FORMS) * options.count
    print(f"{count} damaged files of models, {held} could be read, {len(faults)} faults")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
