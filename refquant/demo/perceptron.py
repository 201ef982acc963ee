"""A small network for handwritten digits, trained within a second: what lectures quantize."""

from refquant import dtypes, nn, optim
from refquant.demo.data import Images
from refquant.demo.schemes import quantize_statically
from refquant.quantization import (
    DeQuantStub,
    MinMaxObserver,
    PerChannelMinMaxObserver,
    QConfig,
    QuantStub,
    default_observer,
    fuse_modules,
)
from refquant.random import manual_seed
from refquant.tensors import Tensor

__all__ = ["Perceptron", "few_bits", "perceptron"]

_LEARNING_RATE = 0.02


class Perceptron(nn.Module):
    """A linear layer with batch normalization and ReLU, and another linear layer.

    Parameters
    ----------
    hidden : int, default 32
        Outputs of the first layer.

    Examples
    --------
    >>> import refquant
    >>> from refquant.demo.perceptron import Perceptron
    >>> tuple(Perceptron()(refquant.zeros(2, 1, 8, 8)).shape)
    (2, 10)
    """

    def __init__(self, hidden: int = 32):
        super().__init__()
        self.quant = QuantStub()
        self.fc1 = nn.Linear(64, hidden)
        self.bn1 = nn.BatchNorm1d(hidden)
        self.relu1 = nn.ReLU()
        self.fc2 = nn.Linear(hidden, 10)
        self.dequant = DeQuantStub()

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of the ten digits; `x` has the shape (n, 1, 8, 8)."""
        x = self.quant(x.reshape(x.shape[0], -1))
        return self.dequant(self.fc2(self.relu1(self.bn1(self.fc1(x)))))


def perceptron(images: Images, *, hidden: int = 32, steps: int = 60, seed: int = 0) -> Perceptron:
    """Train a `Perceptron` on all images at once.

    Parameters
    ----------
    images : Images
        The training images.
    hidden : int, default 32
        Outputs of the first layer.
    steps : int, default 60
        Of Adam.
    seed : int, default 0
        Determines the initial weights.

    Returns
    -------
    Perceptron
        In evaluation mode, with the normalization folded into ``fc1`` and the ReLU fused with it.

    Examples
    --------
    >>> from refquant.demo.data import load_digits
    >>> from refquant.demo.perceptron import perceptron
    >>> type(perceptron(load_digits().train, steps=1).fc1).__name__
    'LinearReLU'
    """
    manual_seed(seed)
    model = Perceptron(hidden)
    loss_of = nn.CrossEntropyLoss()
    optimizer = optim.Adam(model.parameters(), lr=_LEARNING_RATE)
    for _ in range(steps):
        optimizer.zero_grad()
        loss_of(model(images.pixels), images.labels).backward()
        optimizer.step()
    model.eval()
    folded = fuse_modules(model, [["fc1", "bn1"]])
    return fuse_modules(folded, [["fc1", "relu1"]])


def few_bits(
    model: Perceptron, bits: int, pixels: Tensor, *, per_channel: bool = False
) -> Perceptron:
    """Quantize a network with weights of few bits and activations of 8, by minima and maxima.

    Parameters
    ----------
    model : Perceptron
        Float, in evaluation mode; stays as it is.
    bits : int
        Of a weight, 2 to 8.
    pixels : Tensor
        What to calibrate with.
    per_channel : bool, default False
        Whether each output of a weight has a scale of its own.

    Returns
    -------
    Perceptron

    Examples
    --------
    >>> from refquant.demo.data import load_digits
    >>> from refquant.demo.perceptron import few_bits, perceptron
    >>> digits = load_digits()
    >>> model = perceptron(digits.train, steps=1)
    >>> quantized = few_bits(model, 4, digits.calibration.pixels)
    >>> integers = quantized.fc1.weight().int_repr()
    >>> -8 <= integers.min().item() and integers.max().item() <= 7
    True
    """
    half = 2 ** (bits - 1)
    observer = PerChannelMinMaxObserver if per_channel else MinMaxObserver
    weight = observer.with_args(
        dtype=dtypes.qint8,
        qscheme=dtypes.per_channel_symmetric if per_channel else dtypes.per_tensor_symmetric,
        quant_min=-half,
        quant_max=half - 1,
    )
    return quantize_statically(model, QConfig(default_observer, weight), [pixels])
