"""`Tensor`: a NumPy array that records gradients and can be differentiated.

Here are storage, gradients and conversions; `refquant.tensors.shape` has shape and strides.
`QuantizedTensor` builds on it in `refquant.tensors.quantized`. Operations live in `refquant.ops`,
which installs the documented methods (see the table in `refquant.ops.methods`).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, Self

import numpy as np

from refquant import arguments, dtypes
from refquant._operation import named
from refquant._paths import put_absent
from refquant.errors import (
    ArgumentTypeError,
    DtypeError,
    GradientError,
    NotSupportedError,
    ShapeError,
)
from refquant.tensors import arrays, autograd, formatting
from refquant.tensors.hooks import Watched
from refquant.tensors.shape import Shaped

__all__ = ["Tensor", "differentiable"]


class Tensor(Shaped, Watched):
    """A multi-dimensional array whose operations can be differentiated.

    Make one with `refquant.tensor` (copies) or `refquant.from_numpy` (shares memory).

    Parameters
    ----------
    array : ndarray, or numbers in lists, or int
        The elements, of a dtype that tensors have and aligned in memory; kept, not copied.
        Strides say in which memory format they lie. Numbers in lists become float32. A whole
        number is the first size of a tensor of zeros; the others follow.
    requires_grad : bool, default False
        Whether operations on the tensor are recorded.
    *sizes : int
        Sizes after the second.

    Raises
    ------
    ArgumentTypeError, DtypeError, GradientError
        If `array` is not such an array, or a gradient is required of one that is not floating
        point.

    Attributes
    ----------
    array : ndarray
        The elements. For code of refquant; use `numpy` elsewhere.
    grad : Tensor or None
        What `backward` added up.
    node : autograd.Node or None
        How the tensor was computed; None for a leaf.

    Examples
    --------
    >>> import refquant
    >>> refquant.tensor([[1.0, -1.0]])
    tensor([[ 1., -1.]])
    """

    __slots__ = ("__weakref__", "array", "grad", "hooks", "node", "requires_grad", "retains_grad")
    is_quantized = False
    # NumPy's operators leave ``array * tensor`` to the tensor.
    __array_priority__ = 1000

    def __init__(self, array: Any = (), requires_grad: Any = False, *sizes: int) -> None:
        known = type(array) is np.ndarray and array.dtype in dtypes.BY_STORAGE
        if not known or not array.flags.aligned:
            array, requires_grad = self._data(array, requires_grad, sizes)
        self._fill(array)
        if requires_grad is not False and arguments.flag("requires_grad", requires_grad):
            self._check_differentiable()
            self.requires_grad = True

    @staticmethod
    def _data(given: Any, requires_grad: Any, sizes: tuple[int, ...]) -> tuple[np.ndarray, Any]:
        """Return the elements of what is no array: numbers in lists, or sizes as PyTorch takes."""
        if type(given) is int:
            if type(requires_grad) is int:
                sizes, requires_grad = (requires_grad, *sizes), False
            return np.zeros(arguments.shape("size", (given, *sizes)), np.float32), requires_grad
        if isinstance(given, list | tuple):
            return arguments.numbers("array", given, np.float32), requires_grad
        given = np.asarray(given) if isinstance(given, np.generic) else given
        return arrays.elements("array", given), requires_grad

    def _fill(self, array: np.ndarray) -> None:
        """Begin as a leaf that requires no gradient; `array` is trusted."""
        self.array = array
        self.requires_grad = self.retains_grad = False
        self.grad: Tensor | None = None
        self.hooks: dict[int, Any] | None = None
        self.node: autograd.Node | None = None

    # -- gradients -----------------------------------------------------------------------------

    def _check_differentiable(self) -> None:
        if not self.dtype.is_floating_point:
            raise GradientError(
                argument="requires_grad",
                expected="False for a tensor that is not floating point",
                got=f"True for {self.dtype}",
            )

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation made the tensor."""
        return self.node is None

    @property
    def grad_fn(self) -> autograd.Node | None:
        """How the tensor was computed; None for a leaf."""
        return self.node

    @property
    def data(self) -> Tensor:
        """The same elements, without gradient."""
        return self.detach()

    @data.setter
    @named("assignment to .data")
    def data(self, other: Tensor) -> None:
        if not isinstance(other, Tensor) or other.is_quantized:
            raise DtypeError(
                "assignment to .data",
                argument="data",
                expected="a plain tensor",
                got=repr(other.dtype) if isinstance(other, Tensor) else type(other).__name__,
            )
        if self.requires_grad:
            other._check_differentiable()
        self.array = other.array

    def detach(self) -> Tensor:
        """Share the elements, without gradient."""
        return Tensor(self.array)

    def detach_(self) -> Self:
        """Forget how the tensor was computed: it becomes a leaf; returns the tensor."""
        self.requires_grad = self.retains_grad = False
        self.node = None
        return self

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set whether operations on the tensor are recorded; returns the tensor."""
        requires_grad = arguments.flag("requires_grad", requires_grad)
        if requires_grad:
            self._check_differentiable()
        elif self.node is not None:
            raise GradientError(
                "requires_grad_(False)",
                argument="self",
                expected="a leaf",
                got="the result of a recorded operation",
                hint="use detach()",
            )
        self.requires_grad = requires_grad
        return self

    def retain_grad(self) -> None:
        """Keep the gradient of a tensor that is not a leaf, too."""
        self.retains_grad = True
        if self.node is not None:
            self.node.retained = self

    def accumulate_grad(self, gradient: np.ndarray) -> None:
        """Add to ``.grad``, in the dtype and shape of the tensor.

        Parameters
        ----------
        gradient : ndarray
            Of the shape of the tensor.

        Examples
        --------
        >>> import numpy as np, refquant
        >>> x = refquant.tensor([1.0, 2.0], requires_grad=True)
        >>> x.accumulate_grad(np.float32([0.5, 0.25]))
        >>> x.grad
        tensor([0.5000, 0.2500])
        """
        if type(gradient) is not np.ndarray:
            gradient = arguments.numbers("gradient", gradient)
        if gradient.shape != self.array.shape:
            raise ShapeError(
                argument="gradient",
                expected=f"of the shape {self.array.shape} of the tensor",
                got=f"shape {gradient.shape}",
            )
        if gradient.dtype != self.array.dtype:
            gradient = arguments.numbers("gradient", gradient, self.array.dtype)
        if self.grad is None:
            self.grad = Tensor(gradient.copy())
        else:
            with np.errstate(all="ignore"):
                self.grad = Tensor(self.grad.array + gradient)

    def backward(
        self,
        gradient: Tensor | None = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
    ) -> None:
        """Add to ``.grad`` of every leaf the gradient of this tensor with respect to it.

        Parameters
        ----------
        gradient : Tensor, optional
            Gradient with respect to this tensor; 1 where it has one element.
        retain_graph : bool, optional
            Whether what was recorded is kept for another call; by default it is freed, and a
            second call is an error if an operation kept arrays for the first.
        create_graph : bool, default False
            Gradients of gradients are not there, so only False.

        Raises
        ------
        GradientError
            If nothing was recorded, or the tensor has several elements and no `gradient`, or an
            earlier call has freed what was recorded.
        ShapeError
            If `gradient` has another shape.
        NotSupportedError
            If `create_graph` is true.
        """
        if arguments.flag("create_graph", create_graph):
            raise NotSupportedError(argument="create_graph", expected="False", got=create_graph)
        kept = retain_graph is not None and arguments.flag("retain_graph", retain_graph)
        autograd.backward(self, None if gradient is None else self._seed(gradient), kept)

    def _seed(self, gradient: Any) -> np.ndarray:
        """Return the gradient with which `backward` begins, or raise."""
        if isinstance(gradient, Tensor) and not gradient.is_quantized:
            array = gradient.array
        else:
            array = arguments.numbers("gradient", gradient)
        if array.shape != self.array.shape:
            raise ShapeError(
                argument="gradient",
                expected=f"of shape {self.array.shape}, as the tensor is",
                got=f"shape {array.shape}",
            )
        return array

    # -- out -----------------------------------------------------------------------------------

    def numpy(self) -> np.ndarray:
        """Share the elements as a NumPy array."""
        if self.requires_grad:
            raise GradientError(
                argument="self",
                expected="a tensor that requires no gradient",
                got="one that does",
                hint="call .detach().numpy()",
            )
        return self.array

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        """Convert for NumPy's functions."""
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __dlpack__(self, **options: Any) -> Any:
        """Share the elements with another array library."""
        return self.numpy().__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()

    def item(self) -> Any:
        """Get the only element as a Python number."""
        if self.array.size != 1:
            raise ShapeError(
                argument="self",
                expected="a tensor of one element",
                got=f"shape {self.array.shape}",
                hint="index it, or use tolist()",
            )
        return self.array.item()

    def tolist(self) -> Any:
        """Convert to nested lists of Python numbers."""
        return self.array.tolist()

    def __bool__(self) -> bool:
        return bool(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.array.dtype.kind not in "iub" or self.array.size != 1:
            raise ArgumentTypeError(
                argument="self",
                expected="an integer tensor of one element",
                got=f"{self.dtype} of shape {self.array.shape}",
            )
        return int(self.item())

    def __len__(self) -> int:
        if self.array.ndim == 0:
            raise ArgumentTypeError(
                argument="self", expected="a tensor with dimensions", got="a 0-dimensional tensor"
            )
        return self.array.shape[0]

    def __iter__(self) -> Iterator[Self]:
        return (self[i] for i in range(len(self)))

    def __hash__(self) -> int:
        return id(self)

    def _check_leaf(self) -> None:
        if self.node is not None:
            raise GradientError(
                argument="tensor",
                expected="a leaf",
                got="the result of a recorded operation",
                hint="call detach() first",
            )

    def __getstate__(self) -> tuple[Any, ...]:
        self._check_leaf()
        return (*arrays.to_pickle(self.array), self.requires_grad, self.grad)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        array, order, requires_grad, grad = state
        Tensor.__init__(self, arrays.from_pickle(array, order), requires_grad)
        self.grad = grad

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Copy the elements, for ``copy.deepcopy``; the result of an operation raises."""
        self._check_leaf()
        tensor = object.__new__(type(self))
        memo[id(self)] = tensor
        Tensor.__init__(tensor, self.array.copy(order="K"), self.requires_grad)
        tensor.grad = copy.deepcopy(self.grad, memo)
        return tensor

    # -- printing ------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return formatting.plain(self)

    def __format__(self, spec: str) -> str:
        number = self.array.ndim == 0 or (spec and self.array.size == 1)
        return format(self.item(), spec) if number else repr(self)


put_absent(Tensor)


def differentiable(array: np.ndarray, inputs, function) -> Tensor:
    """Wrap the result of an operation, recorded if one of its inputs requires a gradient.

    Parameters
    ----------
    array : ndarray
        The result.
    inputs : sequence of Tensor
        The operands.
    function : callable
        Takes the gradient of the result (an ndarray of its shape) and returns one for each
        input, an ndarray of the input's shape or None.

    Returns
    -------
    Tensor
    """
    # Reductions and operations on 0-dimensional arrays give NumPy scalars.
    tensor = object.__new__(Tensor)
    tensor._fill(array if type(array) is np.ndarray else np.asarray(array))
    if autograd.is_grad_enabled() and any(t.requires_grad for t in inputs):
        tensor.requires_grad = True
        tensor.node = autograd.Node(inputs, function)
    return tensor
