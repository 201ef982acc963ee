"""A small convolutional network that is ready for quantization."""

from refquant import nn
from refquant.quantization import DeQuantStub, QuantStub
from refquant.tensors import Tensor

__all__ = ["CONVOLUTIONS", "FUSIBLE", "DigitNet"]

# Modules to fuse: BatchNorm is folded into the weights, ReLU into the requantization.
CONVOLUTIONS = (("conv1", "bn1", "relu1"), ("conv2", "bn2", "relu2"))
FUSIBLE = (*CONVOLUTIONS, ("fc1", "relu3"))


class DigitNet(nn.Module):
    """Two convolutions and two linear layers for images of 8x8 pixels.

    The stubs mark where activations become integers and where they become floats again; in the
    float model they do nothing. Every ReLU is a module of its own, because each is observed, fused
    and converted separately.

    Examples
    --------
    >>> import refquant
    >>> from refquant.demo.network import DigitNet
    >>> tuple(DigitNet()(refquant.zeros(2, 1, 8, 8)).shape)
    (2, 10)
    """

    def __init__(self):
        super().__init__()
        self.quant = QuantStub()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu1 = nn.ReLU()
        self.pool1 = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(32)
        self.relu2 = nn.ReLU()
        self.pool2 = nn.MaxPool2d(2)
        self.fc1 = nn.Linear(128, 64)
        self.relu3 = nn.ReLU()
        self.fc2 = nn.Linear(64, 10)
        self.dequant = DeQuantStub()

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of the ten digits; `x` has the shape (n, 1, 8, 8)."""
        x = self.quant(x)
        x = self.pool1(self.relu1(self.bn1(self.conv1(x))))
        x = self.pool2(self.relu2(self.bn2(self.conv2(x))))
        x = x.reshape(x.shape[0], -1)
        x = self.fc2(self.relu3(self.fc1(x)))
        return self.dequant(x)
