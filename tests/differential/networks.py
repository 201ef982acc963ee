"""Six small networks, each written once for PyTorch and refquant, and what they are trained on."""

import functools

import numpy as np

__all__ = ["NETWORKS", "batches", "build", "groups", "trained_state"]


def _mlp(nn, Q, functional):
    class MLP(nn.Module):
        fused = (("fc1", "relu1"), ("fc2", "relu2"))

        def __init__(self):
            super().__init__()
            self.quant, self.dequant = Q.QuantStub(), Q.DeQuantStub()
            self.fc1, self.relu1 = nn.Linear(64, 48), nn.ReLU()
            self.fc2, self.relu2 = nn.Linear(48, 32), nn.ReLU()
            self.last = nn.Linear(32, 10)

        def forward(self, x):
            x = self.quant(x.reshape(x.shape[0], -1))
            return self.dequant(self.last(self.relu2(self.fc2(self.relu1(self.fc1(x))))))

    return MLP()


def _lenet(nn, Q, functional):
    class LeNet(nn.Module):
        fused = (("conv1", "relu1"), ("conv2", "relu2"), ("fc", "relu3"))

        def __init__(self):
            super().__init__()
            self.quant, self.dequant = Q.QuantStub(), Q.DeQuantStub()
            self.conv1, self.relu1, self.pool1 = nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2)
            self.conv2, self.relu2 = nn.Conv2d(8, 16, 3, padding=1), nn.ReLU()
            self.pool2 = nn.MaxPool2d(3)
            self.fc, self.relu3, self.last = nn.Linear(16, 24), nn.ReLU(), nn.Linear(24, 10)

        def forward(self, x):
            x = self.pool1(self.relu1(self.conv1(self.quant(x))))
            x = self.pool2(self.relu2(self.conv2(x)))
            return self.dequant(self.last(self.relu3(self.fc(x.reshape(x.shape[0], -1)))))

    return LeNet()


def _conv_bn(nn, Q, functional):
    class ConvBn(nn.Module):
        fused = (("conv1", "bn1", "relu1"), ("conv2", "bn2", "relu2"), ("conv3", "bn3"))

        def __init__(self):
            super().__init__()
            self.quant, self.dequant = Q.QuantStub(), Q.DeQuantStub()
            self.conv1, self.bn1, self.relu1 = nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU()
            self.conv2, self.bn2 = nn.Conv2d(8, 16, 3, stride=2, bias=False), nn.BatchNorm2d(16)
            self.relu2, self.conv3, self.bn3 = nn.ReLU(), nn.Conv2d(16, 16, 1), nn.BatchNorm2d(16)
            self.pool, self.last = nn.AdaptiveAvgPool2d((1, 1)), nn.Linear(16, 10)

        def forward(self, x):
            x = self.relu1(self.bn1(self.conv1(self.quant(x))))
            x = self.bn3(self.conv3(self.relu2(self.bn2(self.conv2(x)))))
            return self.dequant(self.last(self.pool(x).reshape(x.shape[0], -1)))

    return ConvBn()


def _residual(nn, Q, functional):
    class Block(nn.Module):
        fused = (("conv1", "bn1", "relu1"), ("conv2", "bn2"))

        def __init__(self):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
            self.relu1 = nn.ReLU(inplace=True)
            self.conv2, self.bn2 = nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
            self.skip_add = functional()

        def forward(self, x):
            y = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
            return self.skip_add.add_relu(x, y)

    class Residual(nn.Module):
        fused = (("conv", "bn", "relu"),)

        def __init__(self):
            super().__init__()
            self.quant, self.dequant = Q.QuantStub(), Q.DeQuantStub()
            self.conv, self.bn = nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
            self.relu = nn.ReLU(inplace=True)
            self.block1, self.block2, self.pool = Block(), Block(), nn.AvgPool2d(4)
            self.last = nn.Linear(32, 10)

        def forward(self, x):
            x = self.block2(self.block1(self.relu(self.bn(self.conv(self.quant(x))))))
            return self.dequant(self.last(self.pool(x).reshape(x.shape[0], -1)))

    return Residual()


def _mobile(nn, Q, functional):
    class Inverted(nn.Module):
        fused = (("expand", "bn1", "relu1"), ("depth", "bn2", "relu2"), ("project", "bn3"))

        def __init__(self, inner, outer, stride):
            super().__init__()
            wide = 3 * inner
            self.expand, self.bn1 = nn.Conv2d(inner, wide, 1, bias=False), nn.BatchNorm2d(wide)
            self.relu1 = nn.ReLU(inplace=True)
            self.depth = nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False)
            self.bn2, self.relu2 = nn.BatchNorm2d(wide), nn.ReLU(inplace=True)
            self.project, self.bn3 = nn.Conv2d(wide, outer, 1, bias=False), nn.BatchNorm2d(outer)
            self.skip_add = functional()
            self.skips = stride == 1 and inner == outer

        def forward(self, x):
            y = self.relu1(self.bn1(self.expand(x)))
            y = self.bn3(self.project(self.relu2(self.bn2(self.depth(y)))))
            return self.skip_add.add(x, y) if self.skips else y

    class Mobile(nn.Module):
        fused = (("conv", "bn", "relu"),)

        def __init__(self):
            super().__init__()
            self.quant, self.dequant = Q.QuantStub(), Q.DeQuantStub()
            self.conv, self.bn = nn.Conv2d(1, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6)
            self.relu = nn.ReLU(inplace=True)
            self.blocks = nn.Sequential(Inverted(6, 8, 2), Inverted(8, 8, 1), Inverted(8, 12, 2))
            self.last = nn.Linear(12, 10)

        def forward(self, x):
            x = self.blocks(self.relu(self.bn(self.conv(self.quant(x)))))
            return self.dequant(self.last(x.mean([2, 3])))

    return Mobile()


def _auxiliary(nn, Q, functional):
    class Head(nn.Module):
        fused = (("fc1", "relu"),)

        def __init__(self):
            super().__init__()
            self.fc1, self.relu, self.fc2 = nn.Linear(72, 16), nn.ReLU(), nn.Linear(16, 10)
            self.spare = functional()

        def forward(self, x):
            return self.fc2(self.relu(self.fc1(x.reshape(x.shape[0], -1))))

    class Auxiliary(nn.Module):
        fused = (("conv1", "bn1", "relu1"), ("conv2", "bn2", "relu2"))

        def __init__(self):
            super().__init__()
            self.quant, self.dequant = Q.QuantStub(), Q.DeQuantStub()
            self.conv1, self.bn1 = nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8)
            self.relu1, self.pad = nn.ReLU(), nn.MaxPool2d(2, stride=1)
            self.aux = Head()
            self.conv2, self.bn2, self.relu2 = nn.Conv2d(8, 16, 3), nn.BatchNorm2d(16), nn.ReLU()
            self.last = nn.Linear(16, 10)

        def forward(self, x):
            x = self.pad(self.relu1(self.bn1(self.conv1(self.quant(x)))))
            y = self.relu2(self.bn2(self.conv2(x)))
            y = self.dequant(self.last(y.reshape(y.shape[0], -1)))
            return (y, self.dequant(self.aux(x))) if self.training else y

    return Auxiliary()


NETWORKS = {
    "MLP": _mlp,
    "LeNet": _lenet,
    "convolution and normalization": _conv_bn,
    "residual": _residual,
    "MobileNetV2-like": _mobile,
    "auxiliary heads": _auxiliary,
}


def build(name, nn, quantization, functional):
    """Build a network from the modules of a library."""
    return NETWORKS[name](nn, quantization, functional)


def groups(model):
    """List the groups of modules to fuse, by dotted names."""
    return [
        [f"{path}.{part}".lstrip(".") for part in group]
        for path, module in model.named_modules()
        for group in getattr(module, "fused", ())
    ]


@functools.cache
def _digits():
    from sklearn.datasets import load_digits

    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    images = (data.images / 8 - 1).astype(np.float32)[order, None]
    return images, data.target[order].astype(np.int64)


def batches(first, count, size=32):
    """Return batches of images as arrays; training uses the first thousand."""
    images, _ = _digits()
    return [images[i : i + size] for i in range(first, first + count * size, size)]


@functools.cache
def trained_state(name, torch):
    """Train a network with PyTorch, always alike; return its state as arrays, and its accuracy."""
    torch.manual_seed(0)
    functional = torch.ao.nn.quantized.FloatFunctional
    model = build(name, torch.nn, torch.ao.quantization, functional).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
    images, labels = (torch.from_numpy(part) for part in _digits())
    for _ in range(6):
        for i in range(0, 1024, 64):
            answers = model(images[i : i + 64])
            answers = answers if isinstance(answers, tuple) else (answers,)
            losses = [torch.nn.functional.cross_entropy(y, labels[i : i + 64]) for y in answers]
            optimizer.zero_grad()
            sum(losses).backward()
            optimizer.step()
    with torch.no_grad():
        right = model.eval()(images[1024:]).argmax(1) == labels[1024:]
    state = {key: value.numpy().copy() for key, value in model.state_dict().items()}
    return state, float(right.float().mean())
