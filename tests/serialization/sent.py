"""A network that tests send to other processes, which import it from here."""

import numpy as np

import refquant
from refquant import engines, nn, quantization
from refquant.quantization import DeQuantStub, QuantStub


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.quant, self.dequant = QuantStub(), DeQuantStub()
        self.conv, self.bn, self.relu = nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU()
        self.linear = nn.Linear(5, 4)

    def forward(self, x):
        x = self.relu(self.bn(self.conv(self.quant(x)))).mean((2, 3))
        return self.dequant(self.linear(x))


def images(seed=0):
    rng = np.random.default_rng(seed)
    return refquant.from_numpy(rng.normal(size=(2, 3, 7, 7)).astype(np.float32))


def prepared():
    refquant.manual_seed(0)
    model = quantization.fuse_modules(Net().eval(), ["conv", "bn", "relu"])
    model.qconfig = quantization.default_qconfig
    model = quantization.prepare(model)
    return quantization.calibrate(model, [images(1)], progress=False)


def run_model(model, x, engine):
    with engines.using(engine):
        return model(x).tolist()
