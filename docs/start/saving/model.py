"""One network at each of its stages, with numbers that are still to be learned or loaded."""

import warnings
from collections.abc import Callable

import refquant
from refquant import nn, quantization
from refquant.errors import NoDataWarning

GROUPS = [["conv", "norm", "relu"]]


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.quant, self.dequant = quantization.QuantStub(), quantization.DeQuantStub()
        self.conv, self.norm, self.relu = nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU()
        self.add = nn.quantized.FloatFunctional()
        self.head = nn.Linear(8, 10)

    def forward(self, x: refquant.Tensor) -> refquant.Tensor:
        x = self.relu(self.norm(self.conv(self.quant(x))))
        x = self.add.add(x, x)
        return self.dequant(self.head(x.mean([2, 3])))


def prepared() -> Net:
    """Ready for calibration."""
    net = quantization.fuse_modules(Net().eval(), GROUPS)
    net.qconfig = quantization.get_default_qconfig("fbgemm")
    return quantization.prepare(net)


def trainable() -> Net:
    """Ready for quantization-aware training."""
    net = quantization.fuse_modules_qat(Net().train(), GROUPS)
    net.qconfig = quantization.get_default_qat_qconfig("fbgemm")
    return quantization.prepare_qat(net)


def converted() -> Net:
    """Quantized, with weights of no meaning and scales of 1."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NoDataWarning)
        return quantization.convert(prepared())


STAGES: dict[str, Callable[[], Net]] = {
    "float": Net,
    "calibrated": prepared,
    "trained": trainable,
    "converted": converted,
}


def batch(seed: int) -> refquant.Tensor:
    """Noise to show to the network."""
    refquant.manual_seed(seed)
    return refquant.randn(16, 1, 8, 8)
