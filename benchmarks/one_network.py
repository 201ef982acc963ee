"""ResNet-18 and MobileNetV2, written once for refquant and PyTorch; `networks.py` measures them.

As a script it measures one of them in this process, which imports no other library:

    python benchmarks/one_network.py resnet18 refquant avx2 1 3.0
"""

import ctypes
import gc
import json
import resource
import sys
from importlib import import_module
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from turns import least, quiet

# Channels and stride of each pair of blocks.
RESNET = ((64, 1), (128, 2), (256, 2), (512, 2))
# Expansion, channels, count and stride of the first of equal blocks.
MOBILENET = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
    (6, 320, 1, 1),
)  # fmt: skip


def convolved(T, inputs, outputs, kernel, stride=1, groups=1, relu=True):
    """Make a convolution with what is fused into it."""
    nn = T.nn
    layers = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    module = nn.Sequential(*layers, nn.ReLU()) if relu else nn.Sequential(*layers)
    names = ["0", "1", "2"] if relu else ["0", "1"]
    return T.quantization.fuse_modules(module.eval(), [names])


def resnet18(T):
    nn = T.nn

    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride):
            super().__init__()
            self.first = convolved(T, inputs, outputs, 3, stride)
            self.second = convolved(T, outputs, outputs, 3, relu=False)
            changes = inputs != outputs
            self.shortcut = (
                convolved(T, inputs, outputs, 1, stride, relu=False) if changes else nn.Identity()
            )
            self.add = nn.quantized.FloatFunctional()

        def forward(self, x):
            return self.add.add_relu(self.second(self.first(x)), self.shortcut(x))

    blocks, inputs = [], 64
    for outputs, stride in RESNET:
        blocks += [Block(inputs, outputs, stride), Block(outputs, outputs, 1)]
        inputs = outputs
    stem = [convolved(T, 3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)]
    return nn.Sequential(*stem, *blocks, *head(nn, inputs, 1000))


def mobilenet_v2(T):
    nn = T.nn

    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride, expansion):
            super().__init__()
            wide = inputs * expansion
            expanding = [convolved(T, inputs, wide, 1)] if expansion > 1 else []
            self.layers = nn.Sequential(
                *expanding,
                convolved(T, wide, wide, 3, stride, groups=wide),
                convolved(T, wide, outputs, 1, relu=False),
            )
            self.skips = stride == 1 and inputs == outputs
            self.add = nn.quantized.FloatFunctional()

        def forward(self, x):
            return self.add.add(x, self.layers(x)) if self.skips else self.layers(x)

    blocks, inputs = [], 32
    for expansion, outputs, count, stride in MOBILENET:
        for index in range(count):
            blocks.append(Block(inputs, outputs, stride if index == 0 else 1, expansion))
            inputs = outputs
    stem, last = convolved(T, 3, 32, 3, 2), convolved(T, inputs, 1280, 1)
    return nn.Sequential(stem, *blocks, last, *head(nn, 1280, 1000))


def head(nn, inputs, outputs):
    return nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, outputs)


NETWORKS = {"resnet18": resnet18, "mobilenet_v2": mobilenet_v2}


def converted(T, name, x):
    """Quantize a network by the default recipe of an engine."""
    model = T.quantization.QuantWrapper(NETWORKS[name](T)).eval()
    model.qconfig = T.quantization.default_qconfig
    prepared = T.quantization.prepare(model)
    prepared(x)
    return T.quantization.convert(prepared)


def status(name):
    """Read bytes from what Linux knows about this process, None elsewhere."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = [line.split() for line in lines if line.startswith(f"{name}:")]
    return int(found[0][1]) * 1024 if found else None


def peak():
    """Return the most bytes that this process ever had in memory."""
    # Linux counts what the process had that started this one as part of its resources.
    unit = 1 if sys.platform == "darwin" else 1024
    return status("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def held():
    """Return the bytes that are in use, None if unknown; what was freed goes back to the system."""
    gc.collect()
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).malloc_trim(0)
    return status("VmRSS")


def raised_by(call):
    """Return by how many bytes a call raises the memory of this process, None if unknown."""
    before = held()
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # sets the peak back
    except OSError:
        return None
    call()
    after = status("VmHWM")
    return None if before is None or after is None else after - before


def run(name, library, choice, threads, seconds):
    """Measure a network in this process; `choice` is an engine of PyTorch, or kernels of ours."""
    T = import_module(library)
    imported = held()
    T.set_num_threads(threads)
    T.backends.quantized.engine = "fbgemm" if library == "refquant" else choice
    if library == "refquant":
        T.kernels.use(choice)
    x = T.from_numpy(np.random.default_rng(0).normal(size=(1, 3, 224, 224)).astype(np.float32))
    with quiet():
        model = converted(T, name, x)
        model(x)
        most, size = peak(), held()
        raised = raised_by(lambda: model(x))
        best = least([(int, lambda: model(x))], seconds, threads)[0]
    return {
        "seconds": best,
        "peak": most,
        "imported": imported,
        "converted": size,
        "raised": raised,
    }


if __name__ == "__main__":
    network, library, choice, threads, seconds = sys.argv[1:]
    print(json.dumps(run(network, library, choice, int(threads), float(seconds))))
