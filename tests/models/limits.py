"""Measure how long a model of thirty layers takes to judge, and how much memory.

    python tests/models/limits.py                  # the layers of MobileNet, an image of 224 x 224
    python tests/models/limits.py --size 96

Prints a line for each backend: seconds of a processor, seconds in all, and the largest resident set
of these processes. Beside another engine layers depart, and each is explained. Exit code 1 over 60
seconds of a processor, or over 1 GiB.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np

from refquant.interop import onnx, tflite
from refquant.oracle.graphs import Graph, Node, Value
from refquant.oracle.vectors.neutral_operands import same_border

MOST_SECONDS, MOST_MIB = 60, 1024
RUNS = (
    ("m.tflite", "litert"), ("m.tflite", "litert-reference"), ("m.onnx", "onnxruntime"),
    ("m.tflite", "litert-reference", "--engine", "xnnpack"),
)  # fmt: skip
# Outputs and stride of each pair of layers: one for each channel, and one of points.
PAIRS = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2),
    (1024, 1),
)  # fmt: skip


def network(size):
    """Make 27 convolutions, an average of the image and two linear layers."""
    rng = np.random.default_rng(0)
    values = [Value("0", "int8", (1, size, size, 3), 0.02, -3)]
    nodes = []

    def product(operation, shape, outputs, axis, result, **settings):
        name, taps = f"{len(nodes) + 1}", np.prod(shape) / outputs
        scales = rng.uniform(0.5, 1.0, outputs) / (60 * np.sqrt(taps))
        zeros, bias = np.zeros(outputs, np.int64), rng.integers(-2000, 2001, outputs)
        weight = rng.integers(-90, 91, shape).astype(np.int8)
        values.extend([
            Value(f"{name}.w", "int8", shape, scales.astype(np.float32), zeros, axis, weight),
            Value(f"{name}.b", "int32", (outputs,), data=bias.astype(np.int32)),
            Value(name, "int8", result, 0.02, -3),
        ])  # fmt: skip
        operands = {"x": f"{len(nodes)}", "weight": f"{name}.w", "bias": f"{name}.b"}
        nodes.append(Node(operation, operands, name, settings, f"layer {name}"))

    def convolution(shape, layout, stride, groups=1):
        _, width, _, _ = values[-1].shape
        outputs, axis = (shape[0], 0) if layout == "OHWI" else (shape[3], 3)
        wide = -(-width // stride)
        product(
            "conv2d", shape, outputs, axis, (1, wide, wide, outputs), stride=(stride, stride),
            padding=(same_border(width, shape[1], stride),) * 2, dilation=(1, 1), groups=groups,
            layout="NHWC", weight_layout=layout, activation="relu6",
        )  # fmt: skip

    convolution((32, 3, 3, 3), "OHWI", 2)
    channels = 32
    for outputs, stride in PAIRS:
        convolution((1, 3, 3, channels), "1HWO", stride, channels)
        convolution((outputs, 1, 1, channels), "OHWI", 1)
        channels = outputs
    values.append(Value("28", "int8", (1, channels), 0.02, -3))
    nodes.append(Node("mean", {"x": "27"}, "28", {"axes": (1, 2), "keepdims": False}, "layer 28"))
    product("linear", (1000, channels), 1000, 0, (1, 1000))
    product("linear", (10, 1000), 10, 0, (1, 10))
    return Graph(values, nodes, ["0"], ["30"])


def used():
    """Return what processes that have ended used."""
    return resource.getrusage(resource.RUSAGE_CHILDREN)


def main(words=None):
    """Print a line for each backend."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--size", type=int, default=224, help="pixels in a line of the image")
    options = parser.parse_args(words)
    fits = True
    with tempfile.TemporaryDirectory() as folder:
        graph = network(options.size)
        tflite.write(graph, f"{folder}/m.tflite")
        onnx.write(graph, f"{folder}/m.onnx")
        for file, backend, *more in RUNS:
            command = [sys.executable, "-m", "refquant", "judge", file, "--backend", backend, *more]
            start, before = time.monotonic(), used()
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            whole, now = time.monotonic() - start, used()
            seconds = now.ru_utime + now.ru_stime - before.ru_utime - before.ru_stime
            largest = now.ru_maxrss // 1024
            said = ["nothing", *(done.stdout.strip() or done.stderr.strip()).splitlines()][-1][:100]
            print(
                f"{' '.join((backend, *more)):36} {seconds:6.1f} s, {whole:6.1f} s in all, "
                f"at most {largest} MiB: {said}",
                flush=True,
            )
            fits &= seconds <= MOST_SECONDS and largest <= MOST_MIB
    return 0 if fits else 1


if __name__ == "__main__":
    sys.exit(main())
