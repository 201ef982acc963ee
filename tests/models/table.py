"""Count the integers of whole models in real runtimes, and those that are not as predicted.

    python tests/models/table.py
    python tests/models/table.py --package ccexam-1.0.0-py3-none-any.whl --file kws.tflite

Without arguments the networks that the tests train. ``pip download --no-deps ccexam==1.0.0`` brings
the package, whose network has six convolutions with batch normalization and was trained on house
numbers; PyTorch reads it. Files are ``.tflite`` models of integers that any tool made, fed random
integers. Every layer is compared, given what the runtime itself computed before it. Exit code 1 if
an integer differs.
"""

import argparse
import io
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from models.networks import NETWORKS, converted, images, trained

import refquant
from refquant import nn, oracle, quantization
from refquant.errors import MissingExtraError
from refquant.interop import onnx, tflite
from refquant.oracle.graphs import from_model

BACKENDS = {
    "tflite": ("litert-reference", "litert-optimized", "litert", "tflite-micro"),
    "onnx": ("onnxruntime", "openvino"),
}
ROUNDS = 8  # random inputs of a file


def block(inputs, outputs):
    """Make two convolutions with batch normalization, and a maximum."""
    layers = []
    for channels in (inputs, outputs):
        layers += [nn.Conv2d(channels, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.MaxPool2d(2))


class HouseNumbers(nn.Module):
    """The network of ``ccexam/weights/svhn.pth``."""

    def __init__(self):
        super().__init__()
        self.quant, self.dequant = quantization.QuantStub(), quantization.DeQuantStub()
        self.features = nn.Sequential(block(3, 32), block(32, 64), block(64, 128))
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Linear(2048, 256), nn.ReLU(), nn.Dropout(), nn.Linear(256, 10)
        )

    def forward(self, x):
        return self.dequant(self.classifier(self.features(self.quant(x))))

    def pairs(self):
        found = [["classifier.1", "classifier.2"]]
        for k in range(3):
            found += [[f"features.{k}.{n + step}" for step in range(3)] for n in (0, 3)]
        return found


def of_package(wheel):
    """Read the network of a wheel, quantize it, and make images for it."""
    import torch

    with zipfile.ZipFile(wheel) as files:
        held = io.BytesIO(files.read("ccexam/weights/svhn.pth"))
    state = torch.load(held, map_location="cpu", weights_only=True)
    model = HouseNumbers()
    model.load_state_dict(refquant.from_torch(dict(state)))
    x = np.repeat(images(64)[0].repeat(4, 2).repeat(4, 3), 3, 1) * 2 - 1
    return converted(model, x, "fbgemm"), x[:8]


def judged(name, path, draw):
    """Judge a file in all runtimes that read it; returns how many integers differ, of how many."""
    total = np.zeros(2, np.int64)
    for backend in BACKENDS[path.suffix[1:]]:
        elements = differing = hidden = 0
        for given in draw():
            try:
                found = oracle.judge(path, backend, given)
            except MissingExtraError as error:
                print(f"{name:24} {backend:18} {error}")
                break
            elements += sum(layer.elements for layer in found.layers if layer.shown)
            hidden = sum(not layer.shown for layer in found.layers)
            differing += sum(layer.differing for layer in found.layers)
        else:
            print(
                f"{name:24} {backend:18} {elements:>12,} integers, {differing:,} differ, "
                f"{hidden} of {len(found.layers)} layers not shown"
            )
        total += differing, elements
    return total


def of_graph(name, graph, x, folder):
    """Judge a network as both kinds of files."""
    (fed,) = graph.inputs
    last = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    found = judged(name, tflite.write(graph, folder / "m.tflite"), lambda: [{fed: last}])
    return found + judged(name, onnx.write(graph, folder / "m.onnx"), lambda: [{fed: x}])


def of_file(path, folder):
    """Judge a file of another tool, and what it becomes as ``.onnx``."""
    graph = tflite.read(path)
    (fed,) = graph.inputs
    value = graph.values[fed]
    info = np.iinfo(value.dtype)

    def draw():
        rng = np.random.default_rng(0)
        for _ in range(ROUNDS):
            yield {fed: rng.integers(info.min, info.max + 1, value.shape).astype(value.dtype)}

    found = judged(path.name, path, draw)
    return found + judged(path.name, onnx.write(graph, folder / "m.onnx"), draw)


def main(words=None):
    """Print a line for each network and runtime."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--package", type=Path, help="a wheel of ccexam 1.0.0")
    parser.add_argument("--file", type=Path, action="append", default=[], help="a .tflite file")
    options = parser.parse_args(words)
    networks = {name: (trained(name), images(48)[0]) for name in NETWORKS}
    if options.package is not None:
        networks["ccexam svhn"] = of_package(options.package)
    total = np.zeros(2, np.int64)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for title, (model, x) in networks.items():
            with refquant.engines.using("fbgemm"):
                graph = from_model(model, refquant.from_numpy(x))
            total += of_graph(title, graph, x, folder)
        for path in options.file:
            total += of_file(path, folder)
    print(f"{total[1]:,} integers, {total[0]:,} differ")
    return 1 if total[0] else 0


if __name__ == "__main__":
    sys.exit(main())
