"""Dropout as modules."""

from refquant import arguments
from refquant.nn import functional as F
from refquant.nn.module import Module
from refquant.ops.floating.creation import ones
from refquant.tensors import Tensor

__all__ = ["Dropout", "Dropout2d"]


class Dropout(Module):
    r"""In training set elements to 0 with probability p, and multiply the others by 1 / (1 - p).

    Parameters
    ----------
    p : float
        Probability, in 0..1.
    inplace : bool
        Whether to overwrite the input.

    Examples
    --------
    >>> import refquant
    >>> refquant.nn.Dropout(0.5).eval()(refquant.ones(3))
    tensor([1., 1., 1.])
    """

    _shown = ("p", "inplace")

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        self.p = arguments.number("p", p, 0, 1)
        self.inplace = arguments.switch("inplace", inplace)

    def forward(self, input: Tensor) -> Tensor:
        """Drop elements of `input`, in training."""
        return F.dropout(input, self.p, self.training, self.inplace)


class Dropout2d(Dropout):
    """Set whole channels to 0 instead of single elements; see `Dropout`.

    Parameters
    ----------
    p : float, default 0.5
        Probability.
    inplace : bool, default False
        Whether to change the input itself.

    Examples
    --------
    >>> import refquant
    >>> refquant.nn.Dropout2d(0.5).eval()(refquant.ones(1, 2, 1, 1)).shape
    refquant.Size([1, 2, 1, 1])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Drop channels of `input`, in training."""
        if not self.training or self.p == 0:
            return input
        shape = (*input.shape[:2], *(1,) * (input.dim() - 2))
        dropped = input * F.dropout(ones(*shape, dtype=input.dtype), self.p)
        return input.copy_(dropped) if self.inplace else dropped
