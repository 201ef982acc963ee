"""Small networks, trained on the handwritten digits of scikit-learn, then quantized."""

from functools import cache

import numpy as np
import pytest

import refquant
from refquant import nn, quantization
from refquant.nn.quantized import FloatFunctional

COUNT = 48  # images that are predicted


class LeNet(nn.Module):
    """Two convolutions and two linear layers."""

    def __init__(self):
        super().__init__()
        self.quant, self.dequant = quantization.QuantStub(), quantization.DeQuantStub()
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        )  # fmt: skip
        self.head = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))

    def forward(self, x):
        x = self.features(self.quant(x))
        return self.dequant(self.head(x.flatten(1)))

    def pairs(self):
        return [["features.0", "features.1"], ["features.3", "features.4"], ["head.0", "head.1"]]


class Inverted(nn.Module):
    """A block of MobileNetV2: wider, one by one, narrower, and the input added."""

    def __init__(self, channels, outputs, stride):
        super().__init__()
        wide = 4 * channels
        self.narrow = nn.Sequential(
            nn.Conv2d(channels, wide, 1), nn.ReLU(),
            nn.Conv2d(wide, wide, 3, stride, 1, groups=wide), nn.ReLU(),
            nn.Conv2d(wide, outputs, 1),
        )  # fmt: skip
        self.sum = FloatFunctional() if stride == 1 and channels == outputs else None

    def forward(self, x):
        y = self.narrow(x)
        return y if self.sum is None else self.sum.add(x, y)


class MobileNet(nn.Module):
    """Four such blocks behind a convolution of stride 2."""

    def __init__(self):
        super().__init__()
        self.quant, self.dequant = quantization.QuantStub(), quantization.DeQuantStub()
        self.first = nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1), nn.ReLU())
        self.blocks = nn.Sequential(
            Inverted(8, 8, 1), Inverted(8, 12, 2), Inverted(12, 12, 1), Inverted(12, 12, 1)
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(12, 10)

    def forward(self, x):
        x = self.pool(self.blocks(self.first(self.quant(x))))
        return self.dequant(self.head(x.flatten(1)))

    def pairs(self):
        found = [["first.0", "first.1"]]
        for k in range(len(self.blocks)):
            found += [[f"blocks.{k}.narrow.{n}", f"blocks.{k}.narrow.{n + 1}"] for n in (0, 2)]
        return found


NETWORKS = {"lenet": LeNet, "mobilenet": MobileNet}


def images(count=None):
    """Return images, float32 with channels first, and their digits."""
    datasets = pytest.importorskip("sklearn.datasets")
    digits = datasets.load_digits()
    x = (digits.images / 16).astype(np.float32)[:, None]
    return x[:count], digits.target[:count].astype(np.int64)


@cache
def trained(name, engine="fbgemm", steps=60):
    """Train a network, and quantize it under an engine."""
    refquant.manual_seed(0)
    model = NETWORKS[name]()
    x, y = images()
    optimizer = refquant.optim.Adam(model.parameters(), lr=0.01)
    rng = np.random.default_rng(0)
    for _ in range(steps):
        batch = rng.choice(len(x), 64, replace=False)
        loss = nn.functional.cross_entropy(
            model(refquant.from_numpy(x[batch])), refquant.from_numpy(y[batch])
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return converted(model, x[:200], engine)


def converted(model, x, engine):
    """Fuse a network, and quantize it by what it computes of images."""
    model.eval()
    quantization.fuse_modules(model, model.pairs(), inplace=True)
    with refquant.engines.using(engine):
        model.qconfig = quantization.get_default_qconfig(engine)
        quantization.prepare(model, inplace=True)
        model(refquant.from_numpy(x))
        quantization.convert(model, inplace=True)
    return model
