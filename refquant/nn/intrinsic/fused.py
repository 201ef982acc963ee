"""Containers of modules that run one after the other and are quantized as one.

`refquant.quantization.fuse_modules` makes them. They compute what their members compute; that
they are a type of their own is what lets ``prepare_qat`` and ``convert`` replace them as a whole.
"""

from refquant.errors import ArgumentError
from refquant.nn.activation import ReLU
from refquant.nn.containers import Sequential
from refquant.nn.convolution import Conv2d, Conv3d
from refquant.nn.linear import Linear
from refquant.nn.module import Module
from refquant.nn.normalization import BatchNorm2d, BatchNorm3d

__all__ = [
    "ConvBn2d",
    "ConvBn3d",
    "ConvBnReLU2d",
    "ConvBnReLU3d",
    "ConvReLU2d",
    "ConvReLU3d",
    "Fused",
    "LinearReLU",
]


class Fused(Sequential):
    """Base class of the containers: members of exactly the types that the subclass lists."""

    members: tuple[type[Module], ...] = ()

    def __init__(self, *modules: Module) -> None:
        if tuple(type(module) for module in modules) != self.members:
            raise ArgumentError(
                argument="modules",
                expected=" then ".join(kind.__name__ for kind in self.members),
                got=" then ".join(type(module).__name__ for module in modules),
                hint="pass modules of exactly these types, in this order",
            )
        super().__init__(*modules)


class ConvReLU2d(Fused):
    """A `Conv2d` and the `ReLU` of its output.

    Parameters
    ----------
    conv : Conv2d
    relu : ReLU

    Raises
    ------
    ArgumentError
        If a module is not of exactly that type.

    Examples
    --------
    >>> from refquant import nn
    >>> nn.intrinsic.ConvReLU2d(nn.Conv2d(1, 2, 3), nn.ReLU())
    ConvReLU2d(
      (0): Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1))
      (1): ReLU()
    )
    """

    members = (Conv2d, ReLU)

    def __init__(self, conv: Module, relu: Module) -> None:
        super().__init__(conv, relu)


class ConvReLU3d(Fused):
    """A `Conv3d` and the `ReLU` of its output.

    Parameters
    ----------
    conv : Conv3d
    relu : ReLU

    Raises
    ------
    ArgumentError
        If a module is not of exactly that type.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> m = nn.intrinsic.ConvReLU3d(nn.Conv3d(1, 2, 3), nn.ReLU())
    >>> m(refquant.ones(1, 1, 4, 4, 4)).shape
    refquant.Size([1, 2, 2, 2, 2])
    """

    members = (Conv3d, ReLU)

    def __init__(self, conv: Module, relu: Module) -> None:
        super().__init__(conv, relu)


class LinearReLU(Fused):
    """A `Linear` and the `ReLU` of its output.

    Parameters
    ----------
    linear : Linear
    relu : ReLU

    Raises
    ------
    ArgumentError
        If a module is not of exactly that type.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> m = nn.intrinsic.LinearReLU(nn.Linear(3, 2), nn.ReLU())
    >>> m(refquant.ones(1, 3)).shape
    refquant.Size([1, 2])
    """

    members = (Linear, ReLU)

    def __init__(self, linear: Module, relu: Module) -> None:
        super().__init__(linear, relu)


class ConvBn2d(Fused):
    """A `Conv2d` and the `BatchNorm2d` of its output, for training.

    Parameters
    ----------
    conv : Conv2d
    bn : BatchNorm2d

    Raises
    ------
    ArgumentError
        If a module is not of exactly that type.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> m = nn.intrinsic.ConvBn2d(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    >>> m(refquant.ones(1, 1, 4, 4)).shape
    refquant.Size([1, 2, 2, 2])
    """

    members = (Conv2d, BatchNorm2d)

    def __init__(self, conv: Module, bn: Module) -> None:
        super().__init__(conv, bn)


class ConvBn3d(Fused):
    """A `Conv3d` and the `BatchNorm3d` of its output, for training.

    Parameters
    ----------
    conv : Conv3d
    bn : BatchNorm3d

    Raises
    ------
    ArgumentError
        If a module is not of exactly that type.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> m = nn.intrinsic.ConvBn3d(nn.Conv3d(1, 2, 3), nn.BatchNorm3d(2))
    >>> m(refquant.ones(1, 1, 4, 4, 4)).shape
    refquant.Size([1, 2, 2, 2, 2])
    """

    members = (Conv3d, BatchNorm3d)

    def __init__(self, conv: Module, bn: Module) -> None:
        super().__init__(conv, bn)


class ConvBnReLU2d(Fused):
    """A `Conv2d`, the `BatchNorm2d` of its output and the `ReLU` of that, for training.

    Parameters
    ----------
    conv : Conv2d
    bn : BatchNorm2d
    relu : ReLU

    Raises
    ------
    ArgumentError
        If a module is not of exactly that type.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> m = nn.intrinsic.ConvBnReLU2d(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU())
    >>> m(refquant.ones(1, 1, 4, 4)).shape
    refquant.Size([1, 2, 2, 2])
    """

    members = (Conv2d, BatchNorm2d, ReLU)

    def __init__(self, conv: Module, bn: Module, relu: Module) -> None:
        super().__init__(conv, bn, relu)


class ConvBnReLU3d(Fused):
    """A `Conv3d`, the `BatchNorm3d` of its output and the `ReLU` of that, for training.

    Parameters
    ----------
    conv : Conv3d
    bn : BatchNorm3d
    relu : ReLU

    Raises
    ------
    ArgumentError
        If a module is not of exactly that type.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> m = nn.intrinsic.ConvBnReLU3d(nn.Conv3d(1, 2, 3), nn.BatchNorm3d(2), nn.ReLU())
    >>> m(refquant.ones(1, 1, 4, 4, 4)).shape
    refquant.Size([1, 2, 2, 2, 2])
    """

    members = (Conv3d, BatchNorm3d, ReLU)

    def __init__(self, conv: Module, bn: Module, relu: Module) -> None:
        super().__init__(conv, bn, relu)
