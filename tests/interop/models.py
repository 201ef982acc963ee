"""Networks of PyTorch, written as its users write them."""

import numpy as np


def build():
    """Make the classes; PyTorch may not be installed."""
    from torch import flatten, nn
    from torch.ao import quantization
    from torch.ao.nn.quantized import FloatFunctional
    from torch.nn import functional as F

    class LeNet(nn.Module):
        SHAPE, GROUPS = (
            (4, 1, 28, 28),
            (["conv1", "relu1"], ["conv2", "bn2", "relu2"], ["fc1", "relu3"]),
        )

        def __init__(self):
            super().__init__()
            self.quant, self.dequant = quantization.QuantStub(), quantization.DeQuantStub()
            self.conv1, self.relu1 = nn.Conv2d(1, 6, 5, padding=2), nn.ReLU()
            self.pool = nn.MaxPool2d(2)
            self.conv2, self.bn2, self.relu2 = nn.Conv2d(6, 16, 5), nn.BatchNorm2d(16), nn.ReLU()
            self.fc1, self.relu3, self.fc2 = nn.Linear(400, 20), nn.ReLU(), nn.Linear(20, 10)

        def forward(self, x):
            x = self.pool(self.relu1(self.conv1(self.quant(x))))
            x = self.pool(self.relu2(self.bn2(self.conv2(x))))
            x = flatten(x, 1)
            return self.dequant(self.fc2(self.relu3(self.fc1(x))))

    class Block(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.ReLU())
            self.skip = FloatFunctional()

        def forward(self, x):
            return self.skip.add(x, self.body(x))

    class Residual(nn.Module):
        SHAPE, GROUPS = (2, 3, 8, 8), (["blocks.0.body.0", "blocks.0.body.1"],)

        def __init__(self):
            super().__init__()
            self.quant, self.dequant = quantization.QuantStub(), quantization.DeQuantStub()
            self.stem = nn.Conv2d(3, 8, 3, stride=2)
            self.blocks = nn.ModuleList([Block(8), Block(8)])
            self.spare = FloatFunctional()
            self.fc = nn.Linear(8, 4)

        def forward(self, x):
            x = F.relu(self.stem(self.quant(x)))
            for block in self.blocks:
                x = block(x)
            return self.dequant(self.fc(pooled(x)))

    def pooled(x):
        return F.adaptive_avg_pool2d(x, 1).reshape(x.shape[0], -1)

    class Words(nn.Module):
        SHAPE, GROUPS = (5, 3, 8), ()

        def __init__(self):
            super().__init__()
            self.lstm, self.fc = nn.LSTM(8, 16, 2, bidirectional=True), nn.Linear(32, 5)

        def forward(self, x):
            return self.fc(self.lstm(x)[0])

    return {"LeNet": LeNet, "Residual": Residual, "Words": Words}


def batch(shape, seed=0):
    """Draw numbers."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)
