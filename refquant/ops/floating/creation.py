"""Tensors filled with a value, a range or nothing in particular."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from refquant import arguments, dtypes
from refquant.errors import ArgumentError, NotSupportedError, ShapeError
from refquant.ops import layout
from refquant.ops.dispatch import dispatched
from refquant.ops.floating.operands import cast, element, operand, scalar
from refquant.ops.from_data import from_numpy, plain_dtype, tensor
from refquant.ops.views import sizes
from refquant.tensors import Tensor, differentiable

__all__ = [
    "arange",
    "as_tensor",
    "device",
    "empty",
    "empty_like",
    "eye",
    "full",
    "full_like",
    "is_tensor",
    "linspace",
    "new_zeros",
    "ones",
    "ones_like",
    "tril",
    "triu",
    "zeros",
    "zeros_like",
]


def storage(asked: str, dtype: Any, device: Any = None, default=dtypes.float32) -> np.dtype:
    """Take the dtype and device of a new plain tensor."""
    if device is not None and not (isinstance(device, str) and device == "cpu"):
        raise NotSupportedError(
            asked,
            argument="device",
            expected="'cpu', the only device",
            got=arguments.describe(device),
        )
    return plain_dtype(asked, default if dtype is None else dtype).numpy


def device(type: str = "cpu") -> str:
    """Name a device; there is no other than 'cpu'.

    Parameters
    ----------
    type : str, default 'cpu'
        Only 'cpu'.

    Returns
    -------
    str
        'cpu'.

    Examples
    --------
    >>> import refquant
    >>> refquant.device('cpu')
    'cpu'
    """
    storage("device", None, type)
    return "cpu"


def is_tensor(obj: Any) -> bool:
    """Tell whether something is a tensor, plain or quantized.

    Parameters
    ----------
    obj : object
        Anything.

    Returns
    -------
    bool

    Examples
    --------
    >>> import refquant
    >>> refquant.is_tensor([1.0])
    False
    """
    return isinstance(obj, Tensor)


def zeros(*size, dtype=None, device=None, requires_grad: bool = False) -> Tensor:
    """Make a tensor of zeros.

    Parameters
    ----------
    *size : int
        Shape, one by one or as one sequence.
    dtype : dtype, optional
        float32 if not given.
    device : 'cpu', optional
        There is no other.
    requires_grad : bool
        Whether operations on the tensor are recorded.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import refquant
    >>> refquant.zeros(2, 3).shape
    refquant.Size([2, 3])
    """
    return Tensor(
        np.zeros(sizes("zeros", "size", size), storage("zeros", dtype, device)), requires_grad
    )


def ones(*size, dtype=None, device=None, requires_grad: bool = False) -> Tensor:
    """Make a tensor of ones; see `zeros`.

    Parameters
    ----------
    *size : int, or one sequence of int
        The shape.
    dtype : dtype, optional
        Element type of the result.
    device : str, optional
        Only 'cpu'.
    requires_grad : bool, default False
        Whether to record gradients for the result.

    Returns
    -------
    Tensor
        Of the given shape.

    Examples
    --------
    >>> import refquant
    >>> refquant.ones(2, 2)
    tensor([[1., 1.],
            [1., 1.]])
    """
    return Tensor(
        np.ones(sizes("ones", "size", size), storage("ones", dtype, device)), requires_grad
    )


def empty(
    *size,
    dtype=None,
    device=None,
    requires_grad: bool = False,
    memory_format=dtypes.contiguous_format,
) -> Tensor:
    """Make a tensor whose elements nobody has set yet; see `zeros`.

    Parameters
    ----------
    *size : int, or one sequence of int
        The shape.
    dtype : dtype, optional
        Element type of the result.
    device : str, optional
        Only 'cpu'.
    requires_grad : bool, default False
        Whether to record gradients for the result.
    memory_format : memory_format
        Order of the elements in memory.

    Returns
    -------
    Tensor
        Of the given shape.

    Examples
    --------
    >>> import refquant
    >>> refquant.empty(2, 3).shape
    refquant.Size([2, 3])
    """
    array = layout.empty(
        sizes("empty", "size", size), storage("empty", dtype, device), memory_format
    )
    return Tensor(array, requires_grad)


def full(
    size, fill_value: float, *, dtype=None, device=None, requires_grad: bool = False
) -> Tensor:
    """Make a tensor of one number; its dtype follows the number if not given.

    Parameters
    ----------
    size : int or sequence of int
        The shape.
    fill_value : number
        The number.
    dtype : dtype, optional
        Element type of the result.
    device : str, optional
        Only 'cpu'.
    requires_grad : bool, default False
        Whether to record gradients for the result.

    Returns
    -------
    Tensor
        Of the given shape.

    Examples
    --------
    >>> import refquant
    >>> refquant.full((2,), 7.5)
    tensor([7.5, 7.5])
    """
    default = dtypes.float32
    if isinstance(fill_value, bool):
        default = dtypes.bool_
    elif isinstance(fill_value, int):
        default = dtypes.int64
    kind = storage("full", dtype, device, default)
    value = element("full", "fill_value", fill_value, kind)
    return Tensor(np.full(arguments.shape("full", "size", size), value), requires_grad)


def arange(
    start, end=None, step=1, *, dtype=None, device=None, requires_grad: bool = False
) -> Tensor:
    """Count from `start` (0 if only one number is given) up to, not including, `end`.

    Parameters
    ----------
    start : number
        The first number; 0 if `end` is not given.
    end : number, optional
        Not included.
    step : number, default 1
        The distance.
    dtype : dtype, optional
        Element type of the result.
    device : str, optional
        Only 'cpu'.
    requires_grad : bool, default False
        Whether to record gradients for the result.

    Returns
    -------
    Tensor
        Shape (n,); int64 for integers, else float32.

    Examples
    --------
    >>> import refquant
    >>> refquant.arange(3), refquant.arange(0.0, 1.0, 0.5)
    (tensor([0, 1, 2]), tensor([0. , 0.5]))
    """
    start, end = (0, start) if end is None else (start, end)
    start = scalar("arange", "start", start)
    end = scalar("arange", "end", end)
    step = scalar("arange", "step", step)
    whole = all(isinstance(v, int | np.integer) for v in (start, end, step))
    kind = storage("arange", dtype, device, dtypes.int64 if whole else dtypes.float32)
    counted = np.arange(start, end, step) if _counts(start, end, step, whole) else np.arange(0)
    return Tensor(cast(counted, kind), requires_grad)


def _counts(start: Any, end: Any, step: Any, whole: bool) -> bool:
    """Tell whether a range holds numbers; refuse those that cannot be counted, or not stored."""
    for name, value in (("start", start), ("end", end), ("step", step)):
        if not (-(2**63) <= value < 2**63 if whole else math.isfinite(value)):
            expected = "in the range of int64" if whole else "finite"
            raise ArgumentError("arange", argument=name, expected=expected, got=value)
    if step == 0:
        raise ArgumentError("arange", argument="step", expected="other than 0", got=step)
    # In Python's numbers, which do not wrap around.
    length = int(end) - int(start) if whole else float(end) - float(start)
    length = length if step > 0 else -length
    if not length > 0:
        return False
    size = abs(arguments.real("arange", "step", step))
    count = length / size if size and length / size < 2.0**63 else 2.0**63
    arguments.shape("arange", "end", int(count))
    return True


def linspace(
    start: float, end: float, steps: int, *, dtype=None, device=None, requires_grad: bool = False
) -> Tensor:
    """Spread numbers evenly from `start` to `end`, both included.

    Parameters
    ----------
    start : float
        The first number.
    end : float
        The last number.
    steps : int
        How many.
    dtype : dtype, optional
        Element type of the result.
    device : str, optional
        Only 'cpu'.
    requires_grad : bool, default False
        Whether to record gradients for the result.

    Returns
    -------
    Tensor
        Shape (steps,).

    Examples
    --------
    >>> import refquant
    >>> refquant.linspace(0, 1, 5)
    tensor([0.  , 0.25, 0.5 , 0.75, 1.  ])
    """
    kind = storage("linspace", dtype, device)
    first = arguments.real("linspace", "start", start, finite=True)
    last = arguments.real("linspace", "end", end, finite=True)
    (count,) = arguments.shape("linspace", "steps", arguments.integer("linspace", "steps", steps))
    with np.errstate(all="ignore"):
        return Tensor(np.linspace(first, last, count).astype(kind), requires_grad)


def eye(
    n: int, m: int | None = None, *, dtype=None, device=None, requires_grad: bool = False
) -> Tensor:
    """Make a matrix with ones on its diagonal and zeros elsewhere.

    Parameters
    ----------
    n : int
        Rows.
    m : int, optional
        Columns; as many as rows if not given.
    dtype : dtype, optional
        Element type of the result.
    device : str, optional
        Only 'cpu'.
    requires_grad : bool, default False
        Whether to record gradients for the result.

    Returns
    -------
    Tensor
        Shape (n, m).

    Examples
    --------
    >>> import refquant
    >>> refquant.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    rows = arguments.integer("eye", "n", n, 0)
    columns = rows if m is None else arguments.integer("eye", "m", m, 0)
    shape = arguments.shape("eye", "n", (rows, columns))
    return Tensor(np.eye(*shape, dtype=storage("eye", dtype, device)), requires_grad)


def as_tensor(data: Any, dtype=None) -> Tensor:
    """Take data as a tensor, without a copy where they are one or a NumPy array already.

    Parameters
    ----------
    data : Tensor, ndarray, number or nested sequence
        What it holds.
    dtype : dtype, optional
        Element type of the result.

    Returns
    -------
    Tensor
        Shares storage with the data where it can.

    Examples
    --------
    >>> import refquant
    >>> import numpy as np
    >>> array = np.zeros(2, np.float32)
    >>> refquant.as_tensor(array).numpy() is array
    True
    """
    if isinstance(data, np.ndarray) and data.dtype in dtypes.BY_STORAGE:
        data = from_numpy(data)
    if not isinstance(data, Tensor):
        return tensor(data, dtype)
    return data if dtype is None else data.to(dtype)


# -- of the shape of another -------------------------------------------------------------------


def _like(asked: str, input: Any, dtype: Any, value: Any, requires_grad: bool) -> Tensor:
    x = operand(asked, "input", input)
    kind = storage(asked, dtype, default=x.dtype)
    number = element(asked, "fill_value", value, kind)
    return Tensor(np.full_like(x.array, number, dtype=kind), requires_grad)


def zeros_like(input: Any, *, dtype=None, requires_grad: bool = False) -> Tensor:
    """Make a tensor of zeros of the shape, memory format and dtype of another.

    Parameters
    ----------
    input : Tensor
        Gives shape, memory format and dtype.
    dtype : dtype, optional
        Another element type.
    requires_grad : bool, default False
        Whether to record gradients for the result.

    Returns
    -------
    Tensor
        Of the shape of `input`.

    Examples
    --------
    >>> import refquant
    >>> refquant.zeros_like(refquant.tensor([1.0, 2.0]))
    tensor([0., 0.])
    """
    return _like("zeros_like", input, dtype, 0, requires_grad)


def ones_like(input: Any, *, dtype=None, requires_grad: bool = False) -> Tensor:
    """Make a tensor of ones of the shape, memory format and dtype of another.

    Parameters
    ----------
    input : Tensor
        Gives shape, memory format and dtype.
    dtype : dtype, optional
        Another element type.
    requires_grad : bool, default False
        Whether to record gradients for the result.

    Returns
    -------
    Tensor
        Of the shape of `input`.

    Examples
    --------
    >>> import refquant
    >>> refquant.ones_like(refquant.tensor([1.0, 2.0]))
    tensor([1., 1.])
    """
    return _like("ones_like", input, dtype, 1, requires_grad)


def full_like(input: Any, fill_value: float, *, dtype=None, requires_grad: bool = False) -> Tensor:
    """Make a tensor of one number of the shape, memory format and dtype of another.

    Parameters
    ----------
    input : Tensor
        Gives shape, memory format and dtype.
    fill_value : number
        The number.
    dtype : dtype, optional
        Another element type.
    requires_grad : bool, default False
        Whether to record gradients for the result.

    Returns
    -------
    Tensor
        Of the shape of `input`.

    Examples
    --------
    >>> import refquant
    >>> refquant.full_like(refquant.tensor([1.0, 2.0]), 7.0)
    tensor([7., 7.])
    """
    return _like("full_like", input, dtype, fill_value, requires_grad)


@dispatched
def empty_like(input: Any, *, dtype=None, requires_grad: bool = False) -> Tensor:
    """Make a tensor of the shape, memory format and dtype of another, with any elements.

    Parameters
    ----------
    input : Tensor
        Gives shape, memory format and dtype.
    dtype : dtype, optional
        Another element type.
    requires_grad : bool, default False
        Whether to record gradients for the result.

    Returns
    -------
    Tensor
        Of the shape of `input`.

    Examples
    --------
    >>> import refquant
    >>> refquant.empty_like(refquant.tensor([1.0, 2.0])).shape
    refquant.Size([2])
    """
    return _like("empty_like", input, dtype, 0, requires_grad)


def new_zeros(input: Tensor, *size, dtype=None) -> Tensor:
    """Make a tensor of zeros of the dtype of another."""
    kind = operand("new_zeros", "input", input).dtype if dtype is None else dtype
    return zeros(*size, dtype=kind)


# -- triangles ---------------------------------------------------------------------------------


def _triangle(asked: str, find: Callable, input: Any, diagonal: Any) -> Tensor:
    x = operand(asked, "input", input)
    if x.array.ndim < 2:
        raise ShapeError(
            asked,
            argument="input",
            expected="a tensor of at least 2 dimensions",
            got=f"shape {x.array.shape}",
        )
    place = arguments.integer(asked, "diagonal", diagonal)
    most = max(x.array.shape[-2:])  # there is nothing beyond
    place = max(-most, min(place, most))

    def cut(array: np.ndarray) -> np.ndarray:
        # Not a product, which leaves NaN.
        kept = find(np.ones(array.shape[-2:], np.bool_), place)
        return np.where(kept, array, array.dtype.type(0))

    return differentiable(cut(x.array), (x,), lambda g: (cut(g),))


def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """Keep what lies on and above a diagonal, and make the rest 0.

    Parameters
    ----------
    input : Tensor
        At least two dimensions.
    diagonal : int, default 0
        0 is the main one; above it numbers are positive.

    Returns
    -------
    Tensor
        Of the shape of `input`.

    Examples
    --------
    >>> import refquant
    >>> refquant.triu(refquant.ones(3, 3))
    tensor([[1., 1., 1.],
            [0., 1., 1.],
            [0., 0., 1.]])
    """
    return _triangle("triu", np.triu, input, diagonal)


def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """Keep what lies on and below a diagonal, and make the rest 0.

    Parameters
    ----------
    input : Tensor
        At least two dimensions.
    diagonal : int, default 0
        0 is the main one; above it numbers are positive.

    Returns
    -------
    Tensor
        Of the shape of `input`.

    Examples
    --------
    >>> import refquant
    >>> refquant.tril(refquant.ones(3, 3))
    tensor([[1., 0., 0.],
            [1., 1., 0.],
            [1., 1., 1.]])
    """
    return _triangle("tril", np.tril, input, diagonal)
