"""Padding as modules; they take quantized tensors where `refquant.nn.functional.pad` does."""

from typing import Any

from refquant import arguments
from refquant._documentation import document
from refquant.nn import functional as F
from refquant.nn.module import Module
from refquant.tensors import Tensor

__all__ = [
    "CircularPad1d",
    "CircularPad2d",
    "CircularPad3d",
    "ConstantPad1d",
    "ConstantPad2d",
    "ConstantPad3d",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReflectionPad3d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ReplicationPad3d",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
]


class _Pad(Module):
    """What all modules of padding share."""

    _spatial, _mode = 2, "constant"

    def __init__(self, padding: Any) -> None:
        super().__init__()
        count = 2 * self._spatial
        if not isinstance(padding, tuple | list):
            padding = (padding,) * count
        self.padding = arguments.integers("padding", tuple(padding), count)

    def forward(self, input: Tensor) -> Tensor:
        """Pad `input`."""
        return F.pad(input, self.padding, self._mode)

    def extra_repr(self) -> str:
        """Describe the sizes."""
        return f"{self.padding}"


class _ConstantPad(_Pad):
    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        arguments.real("value", value)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        """Pad `input`."""
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        """Describe the sizes and the number."""
        return f"padding={self.padding}, value={self.value}"


class _ZeroPad(_ConstantPad):
    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        """Describe the sizes."""
        return f"{self.padding}"


class CircularPad1d(_Pad):
    """Pad a sequence with the elements of the other end.

    %(sides)s

    %(example)s
    >>> refquant.nn.CircularPad1d(1)(refquant.ones(1, 1, 3)).shape
    refquant.Size([1, 1, 5])
    """

    _spatial = 1
    _mode = "circular"


class CircularPad2d(_Pad):
    """Pad an image with the elements of the other end.

    %(sides)s

    %(example)s
    >>> refquant.nn.CircularPad2d(1)(refquant.ones(1, 1, 3, 3)).shape
    refquant.Size([1, 1, 5, 5])
    """

    _mode = "circular"


class CircularPad3d(_Pad):
    """Pad a volume with the elements of the other end.

    %(sides)s

    %(example)s
    >>> refquant.nn.CircularPad3d(1)(refquant.ones(1, 1, 3, 3, 3)).shape
    refquant.Size([1, 1, 5, 5, 5])
    """

    _spatial = 3
    _mode = "circular"


class ConstantPad1d(_ConstantPad):
    """Pad a sequence with a number.

    %(sides)s
    value : number
        The number.

    %(example)s
    >>> refquant.nn.ConstantPad1d(1, 0.5)(refquant.ones(1, 1, 3)).shape
    refquant.Size([1, 1, 5])
    """

    _spatial = 1


class ConstantPad2d(_ConstantPad):
    """Pad an image with a number.

    %(sides)s
    value : number
        The number.

    %(example)s
    >>> refquant.nn.ConstantPad2d(1, 0.5)(refquant.ones(1, 1, 3, 3)).shape
    refquant.Size([1, 1, 5, 5])
    """


class ConstantPad3d(_ConstantPad):
    """Pad a volume with a number.

    %(sides)s
    value : number
        The number.

    %(example)s
    >>> refquant.nn.ConstantPad3d(1, 0.5)(refquant.ones(1, 1, 3, 3, 3)).shape
    refquant.Size([1, 1, 5, 5, 5])
    """

    _spatial = 3


class ReflectionPad1d(_Pad):
    """Pad a sequence with the elements mirrored at the last one.

    %(sides)s

    %(example)s
    >>> refquant.nn.ReflectionPad1d(1)(refquant.ones(1, 1, 3)).shape
    refquant.Size([1, 1, 5])
    """

    _spatial = 1
    _mode = "reflect"


class ReflectionPad2d(_Pad):
    """Pad an image with the elements mirrored at the last one.

    %(sides)s

    %(example)s
    >>> refquant.nn.ReflectionPad2d(1)(refquant.ones(1, 1, 3, 3)).shape
    refquant.Size([1, 1, 5, 5])
    """

    _mode = "reflect"


class ReflectionPad3d(_Pad):
    """Pad a volume with the elements mirrored at the last one.

    %(sides)s

    %(example)s
    >>> refquant.nn.ReflectionPad3d(1)(refquant.ones(1, 1, 3, 3, 3)).shape
    refquant.Size([1, 1, 5, 5, 5])
    """

    _spatial = 3
    _mode = "reflect"


class ReplicationPad1d(_Pad):
    """Pad a sequence with the last element.

    %(sides)s

    %(example)s
    >>> refquant.nn.ReplicationPad1d(1)(refquant.ones(1, 1, 3)).shape
    refquant.Size([1, 1, 5])
    """

    _spatial = 1
    _mode = "replicate"


class ReplicationPad2d(_Pad):
    """Pad an image with the last element.

    %(sides)s

    %(example)s
    >>> refquant.nn.ReplicationPad2d(1)(refquant.ones(1, 1, 3, 3)).shape
    refquant.Size([1, 1, 5, 5])
    """

    _mode = "replicate"


class ReplicationPad3d(_Pad):
    """Pad a volume with the last element.

    %(sides)s

    %(example)s
    >>> refquant.nn.ReplicationPad3d(1)(refquant.ones(1, 1, 3, 3, 3)).shape
    refquant.Size([1, 1, 5, 5, 5])
    """

    _spatial = 3
    _mode = "replicate"


class ZeroPad1d(_ZeroPad):
    """Pad a sequence with zeros.

    %(sides)s

    %(example)s
    >>> refquant.nn.ZeroPad1d(1)(refquant.ones(1, 1, 3)).shape
    refquant.Size([1, 1, 5])
    """

    _spatial = 1


class ZeroPad2d(_ZeroPad):
    """Pad an image with zeros.

    %(sides)s

    %(example)s
    >>> refquant.nn.ZeroPad2d(1)(refquant.ones(1, 1, 3, 3)).shape
    refquant.Size([1, 1, 5, 5])
    """


class ZeroPad3d(_ZeroPad):
    """Pad a volume with zeros.

    %(sides)s

    %(example)s
    >>> refquant.nn.ZeroPad3d(1)(refquant.ones(1, 1, 3, 3, 3)).shape
    refquant.Size([1, 1, 5, 5, 5])
    """

    _spatial = 3


document(
    __name__,
    sides="""
Parameters
----------
padding : int or tuple of int
    Size of the border: on all sides, or before and after, beginning with the last dimension.""",
)
