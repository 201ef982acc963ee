"""Properties of a tensor's array: dtype, shape, strides and size in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np

from refquant import arguments, dtypes
from refquant.errors import IndexRangeError

if TYPE_CHECKING:
    from refquant.ops.declared import Methods
else:
    Methods = object  # the real ones are installed by `refquant.ops.methods`

__all__ = ["Shaped", "Size"]


class Size(tuple[int, ...]):
    """The shape of a tensor: a tuple that knows its number of elements.

    Parameters
    ----------
    iterable : iterable of int
        Extents of the dimensions.

    Examples
    --------
    >>> import refquant
    >>> refquant.Size([2, 3]).numel()
    6
    """

    __slots__ = ()

    def numel(self) -> int:
        """Count the elements of a tensor of this shape."""
        count = 1
        for extent in self:
            count *= extent
        return count

    def __repr__(self) -> str:
        return f"refquant.Size({list(self)})"


class Shaped(Methods):
    """The properties of a tensor that follow from its array alone."""

    __slots__ = ()
    array: np.ndarray

    @property
    def dtype(self) -> dtypes.dtype:
        """Type of the elements."""
        return dtypes.BY_STORAGE[self.array.dtype]

    @property
    def shape(self) -> Size:
        """Extent of every dimension."""
        return Size(self.array.shape)

    @property
    def device(self) -> dtypes.device:
        """Where the elements are: always 'cpu'."""
        return dtypes.device()

    @property
    def is_cuda(self) -> bool:
        """Whether the elements are on a graphics processor: always False."""
        return False

    @property
    def T(self) -> Self:
        """The same elements with the dimensions in reverse order."""
        return self.permute(tuple(reversed(range(self.array.ndim))))

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return self.array.ndim

    @overload
    def size(self, dim: None = None) -> Size: ...
    @overload
    def size(self, dim: int) -> int: ...
    def size(self, dim: int | None = None) -> Size | int:
        """Extent of every dimension, or of one."""
        return self.shape if dim is None else self.array.shape[self._place(dim)]

    def dim(self) -> int:
        """Count the dimensions."""
        return self.array.ndim

    def numel(self) -> int:
        """Count the elements."""
        return self.array.size

    @overload
    def stride(self, dim: None = None) -> tuple[int, ...]: ...
    @overload
    def stride(self, dim: int) -> int: ...
    def stride(self, dim: int | None = None) -> tuple[int, ...] | int:
        """Elements to step over for one step along every dimension, or along one."""
        strides = tuple(s // self.array.itemsize for s in self.array.strides)
        return strides if dim is None else strides[self._place(dim)]

    def _place(self, dim: Any) -> int:
        """Check the number of a dimension."""
        place = arguments.integer("dim", dim)
        if not -self.array.ndim <= place < self.array.ndim:
            raise IndexRangeError(
                argument="dim", expected=f"a dimension of shape {self.array.shape}", got=place
            )
        return place

    def element_size(self) -> int:
        """Bytes of one element."""
        return self.array.itemsize

    def data_ptr(self) -> int:
        """Address of the first element."""
        return self.array.__array_interface__["data"][0]

    def is_floating_point(self) -> bool:
        """Whether the elements are floating-point numbers."""
        return self.dtype.is_floating_point
