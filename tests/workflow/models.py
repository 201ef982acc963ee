"""Small models that the tests of the workflow quantize."""

from types import SimpleNamespace

import numpy as np

import refquant
from refquant import nn, quantization


def floats(*shape, seed=0, spread=1.0):
    """A float32 tensor of normally distributed numbers."""
    values = np.random.default_rng(seed).normal(size=shape) * spread
    return refquant.from_numpy(values.astype(np.float32))


def batches(count=4, seed=100):
    return [(floats(4, 3, 8, 8, seed=seed + i, spread=1 + i), None) for i in range(count)]


class Block(nn.Module):
    def __init__(self, bias=True):
        super().__init__()
        self.conv, self.bn, self.relu = nn.Conv2d(3, 6, 3, bias=bias), nn.BatchNorm2d(6), nn.ReLU()
        self.conv2, self.bn2 = nn.Conv2d(6, 6, 1, bias=bias), nn.BatchNorm2d(6)
        self.sum = nn.quantized.FloatFunctional()

    def forward(self, x):
        y = self.relu(self.bn(self.conv(x)))
        return self.sum.add_relu(y, self.bn2(self.conv2(y)))


class Net(nn.Module):
    """Every kind of module that quantization replaces, nested."""

    def __init__(self, bias=True):
        super().__init__()
        self.quant, self.dequant = quantization.QuantStub(), quantization.DeQuantStub()
        self.block = Block(bias)
        self.fc, self.relu, self.last = nn.Linear(6 * 36, 10), nn.ReLU(), nn.Linear(10, 4)

    def forward(self, x):
        x = self.block(self.quant(x))
        x = self.relu(self.fc(x.reshape(x.shape[0], -1)))
        return self.dequant(self.last(x))


FUSE = [["block.conv", "block.bn", "block.relu"], ["block.conv2", "block.bn2"], ["fc", "relu"]]


def randomize(module, seed=0):
    """Give every parameter and statistic random numbers; returns the module."""
    rng = np.random.default_rng(seed)
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        if tensor.array.dtype == np.float32:
            values = rng.normal(size=tensor.array.shape) * 0.3
            values = np.abs(values) + 0.5 if name.endswith("running_var") else values
            tensor.array[...] = values.astype(np.float32)
    return module


def net(bias=True, seed=0):
    return randomize(Net(bias), seed)


def prepared(qconfig=None, seed=0):
    model = quantization.fuse_modules(net(seed=seed).eval(), FUSE)
    model.qconfig = qconfig or quantization.default_qconfig
    return quantization.prepare(model)


def calibrated(qconfig=None, seed=0):
    model = prepared(qconfig, seed)
    quantization.default_eval_fn(model, batches())
    return model


def converted(qconfig=None, seed=0):
    return quantization.convert(calibrated(qconfig, seed))


def qat(qconfig=None, seed=0):
    model = quantization.fuse_modules_qat(net(seed=seed).train(), FUSE)
    model.qconfig = qconfig or quantization.get_default_qat_qconfig("fbgemm")
    return quantization.prepare_qat(model)


def trained(qconfig=None, seed=0, steps=3):
    """A model after some steps of quantization-aware training, and the losses."""
    model = qat(qconfig, seed)
    optimizer = refquant.optim.SGD(model.parameters(), lr=0.02)
    x, y = floats(16, 3, 8, 8, seed=1), floats(16, 4, seed=2)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = nn.MSELoss()(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return model, losses


def types(model):
    return " ".join(type(m).__name__ for m in model.modules())


def normalization(module):
    """The normalization of a layer in training, whichever release keeps it where."""
    if "bn" in module._modules:
        return module.bn
    names = ("running_mean", "running_var", "num_batches_tracked", "eps")
    parts = {name: getattr(module, name) for name in names}
    return SimpleNamespace(weight=module.gamma, bias=module.beta, **parts)


def values(output):
    """NumPy array of a float output."""
    return output.detach().numpy()
