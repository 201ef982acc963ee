r"""
11. A model that answers differently on a device
================================================

A network is right in training and wrong on a device. Which layer departs, and by which rule? We
train one, quantize it, write it as a ``.tflite`` file, plant a fault into the device that runs it,
and let `refquant.oracle.judge` find it.

All backends and the protocol for devices: :doc:`/oracle/devices`.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import refquant as torch
from refquant import nn, oracle, quantization
from refquant.interop import tflite

torch.manual_seed(0)
torch.backends.quantized.engine = "fbgemm"

# %%
# A network
# ---------
#
# Two convolutions and a linear layer, trained for a few steps on images of 8 by 8 pixels.

digits = load_digits()
images = (digits.images / 16).astype(np.float32)[:, None]
labels = digits.target.astype(np.int64)

model = nn.Sequential(
    quantization.QuantStub(),
    nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(8, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(48, 10),
)  # fmt: skip
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
rng = np.random.default_rng(0)
for _ in range(80):
    batch = rng.choice(len(images), 64, replace=False)
    scores = model(torch.from_numpy(images[batch]))
    loss = nn.functional.cross_entropy(scores, torch.from_numpy(labels[batch]))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

model.eval()
quantization.fuse_modules(model, [["1", "2"], ["4", "5"]], inplace=True)
model.qconfig = quantization.get_default_qconfig("fbgemm")
quantization.prepare(model, inplace=True)
model(torch.from_numpy(images[:200]))
quantization.convert(model, inplace=True)

# %%
# The file
# --------
#
# It holds the integers of the model: int8 with channels last, and biases of int32.

folder = tempfile.TemporaryDirectory()
path = tflite.write(model, Path(folder.name) / "digits.tflite", torch.from_numpy(images[:8]))
graph = tflite.read(path)
for node in graph.nodes:
    print(f"{node.operation:12} {node.output}")

# %%
# The device
# ----------
#
# It should compute as TensorFlow Lite Micro does. But its author filled the border of the second
# convolution with the integer 0, where the zero point belongs. A device that is a program reads and
# writes files; here it is a function.

second = [node.output for node in graph.nodes if node.operation == "conv2d"][1]


def device(content, inputs, wanted):
    arrays = dict(inputs)
    for node in graph.nodes:
        task = graph.problem(node, arrays)
        if node.output == second:
            given = dict(task.arguments)
            x = given["x"]
            padded = np.pad(x.array, ((0, 0), (1, 1), (1, 1), (0, 0)))  # with the integer 0
            task = oracle.problem("conv2d", **{**given, "x": x.like(padded), "padding": 0})
        arrays[node.output] = task.run("tflite-micro")
    return {name: arrays[name] for name in wanted}


# %%
# The verdict
# -----------

fed = np.ascontiguousarray(images[:8].transpose(0, 2, 3, 1))
judged = oracle.judge(path, device, {"input": fed}, "tflite-micro")
print(judged)

assert judged.first is not None
assert judged.first.name == second
assert "border: zero_point -> zero" in judged.first.rule
assert sum(layer.departs for layer in judged.layers) == 1

# %%
# Only one layer departs: those behind it are computed of what the device gave them. Computed from
# the inputs on, the fault spreads to all of them.

fig, ax = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
places = np.arange(len(judged.layers))
alone = [100 * layer.differing / layer.elements for layer in judged.layers]
spread = [100 * layer.total_differing / layer.elements for layer in judged.layers]
ax.bar(places - 0.2, alone, 0.4, label="alone")
ax.bar(places + 0.2, spread, 0.4, label="from the inputs on")
ax.set_xticks(places, [layer.operation for layer in judged.layers], rotation=30, ha="right")
ax.set_ylabel("differing elements in %")
ax.legend()
plt.show()

# %%
# The reproducer is that layer alone, as arrays and as a model.

for file in judged.write_reproducer(Path(folder.name) / "one"):
    print(file.name)
folder.cleanup()
