"""Convolutions whose result is added to another tensor, fused with the addition."""

import inspect
from collections.abc import Callable
from typing import Any

from refquant import arguments
from refquant.nn.activation import ReLU
from refquant.nn.convolution import Conv2d
from refquant.nn.intrinsic.fused import Fused
from refquant.nn.module import Module

__all__ = ["ConvAdd2d", "ConvAddReLU2d"]


class ConvAdd2d(Fused):
    """A `Conv2d` and a function that adds another tensor to its output.

    Parameters
    ----------
    conv : Conv2d
    add : callable
        Takes the output and the other tensor.

    Raises
    ------
    ArgumentError
        If a module is not of exactly that type.
    ArgumentTypeError
        If `add` cannot be called.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> m = nn.intrinsic.ConvAdd2d(nn.Conv2d(3, 2, 1), refquant.add)
    >>> m(refquant.ones(1, 3, 4, 4), refquant.ones(1, 2, 4, 4)).size()
    refquant.Size([1, 2, 4, 4])
    """

    members: tuple[type[Module], ...] = (Conv2d,)

    def __init__(self, conv: Module, add: Callable[[Any, Any], Any]) -> None:
        super().__init__(conv)
        self.add = arguments.function("add", add)

    def forward(self, x1: Any, x2: Any) -> Any:  # type: ignore[override]
        """Convolve `x1` and add `x2`."""
        return self.add(self[0](x1), x2)


class ConvAddReLU2d(ConvAdd2d):
    """A `Conv2d`, a function that adds another tensor to its output, and the `ReLU` of that.

    Parameters
    ----------
    conv : Conv2d
    add : callable
        Takes the output and the other tensor.
    relu : callable
        `ReLU`, or what computes it.

    Raises
    ------
    ArgumentError
        If a module is not of exactly that type.
    ArgumentTypeError
        If `add` or `relu` cannot be called.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> m = nn.intrinsic.ConvAddReLU2d(nn.Conv2d(3, 2, 1), refquant.add, nn.ReLU())
    >>> m(refquant.ones(1, 3, 4, 4), refquant.full((1, 2, 4, 4), -9.0)).sum().item()
    0.0
    """

    def __init__(
        self, conv: Module, add: Callable[[Any, Any], Any], relu: Callable[[Any], Any] | ReLU
    ) -> None:
        super().__init__(conv, add)
        self.relu = arguments.function("relu", relu)

    def forward(self, x1: Any, x2: Any) -> Any:  # type: ignore[override]
        """Convolve `x1`, add `x2` and replace negative numbers by zero."""
        return self.relu(super().forward(x1, x2))


for _kind in (ConvAdd2d, ConvAddReLU2d):
    _parameters = list(inspect.signature(_kind.__init__).parameters.values())[1:]
    _kind.__signature__ = inspect.Signature(_parameters)
