"""Compute layers on an emulated processor, and note what of its log belongs to each.

Runs there, for `executed.py`: ``python products.py VARIANT [LOG]``. It prints, as JSON, where
the modules of the variant are in memory, and of each layer the number of products and the bytes of
the log that were written while it ran once.
"""

import json
import os
import sys
import warnings
from functools import partial

import numpy as np

import refquant as torch

FAMILIES = ("matmul", "convolution")
# Rows, inputs and outputs; or inputs, outputs, kernel, size, stride and groups.
LINEAR = {"linear, depth 256": (16, 256, 64), "linear, one row": (1, 256, 64)}
CONV = {
    "1x1, depth 64": (64, 64, 1, 6, 1, 1),
    "3x3, 32 channels": (32, 32, 3, 6, 1, 1),
    "7x7/2, depth 147": (3, 32, 7, 12, 2, 1),
    "depthwise 3x3": (32, 32, 3, 8, 1, 32),
    "4 groups of 16": (64, 64, 3, 6, 1, 4),
}


def quantized(values, scale, zero_point, dtype):
    return torch.quantize_per_tensor(torch.from_numpy(values), scale, zero_point, dtype)


def ready(module, shape):
    """Give a module its weight."""
    values = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    module.set_weight_bias(quantized(values, 0.05, 0, torch.qint8), None)
    module.scale, module.zero_point = 0.5, 128
    return module


def layers():
    """Make every layer; returns its name, its products, and a function that runs it."""
    rng = np.random.default_rng(0)
    for name, (rows, inputs, outputs) in LINEAR.items():
        module = ready(torch.nn.quantized.Linear(inputs, outputs), (outputs, inputs))
        x = quantized(rng.normal(size=(rows, inputs)).astype(np.float32), 0.05, 128, torch.quint8)
        yield name, rows * inputs * outputs, partial(module, x)
    for name, (inputs, outputs, kernel, size, stride, groups) in CONV.items():
        module = torch.nn.quantized.Conv2d(
            inputs, outputs, kernel, stride=stride, padding=kernel // 2, groups=groups
        )
        module = ready(module, (outputs, inputs // groups, kernel, kernel))
        values = rng.normal(size=(1, inputs, size, size)).astype(np.float32)
        x = quantized(values, 0.05, 128, torch.quint8)
        x = x.contiguous(memory_format=torch.channels_last)
        depth = inputs // groups * kernel**2
        yield name, depth * outputs * (size // stride) ** 2, partial(module, x)


def places(variant):
    """Look up the first address of each module, and where its instructions end."""
    found = {}
    with open("/proc/self/maps", encoding="utf-8") as lines:
        for line in lines:
            for family in FAMILIES:
                if f"/{family}_{variant}." in line and "r-xp" in line:
                    words = line.split()
                    first, last = (int(word, 16) for word in words[0].split("-"))
                    found[family] = [first, last, words[-1]]
    return found


def main():
    warnings.simplefilter("ignore")
    variant, log = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
    torch.kernels.use(variant)
    torch.engines.use("qnnpack")
    torch.set_num_threads(1)
    ran = []
    for name, products, run in layers():
        run()
        begin = os.stat(log).st_size if log else 0
        run()
        end = os.stat(log).st_size if log else 0
        ran.append({"name": name, "products": products, "begin": begin, "end": end})
    print(json.dumps({"places": places(variant), "layers": ran}))


if __name__ == "__main__":
    main()
