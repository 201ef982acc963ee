"""Collation: how the items of a batch become tensors."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from refquant import arguments
from refquant.errors import ArgumentTypeError, ShapeError
from refquant.ops.floating.concat import stack
from refquant.ops.from_data import as_tensor, tensor
from refquant.tensors import Tensor

__all__ = ["default_collate", "default_convert"]


def _rebuilt(like: Any, parts: list[Any]) -> Any:
    """Make a sequence of the type of another: a named tuple, a tuple, or a list."""
    if isinstance(like, tuple) and hasattr(like, "_fields"):
        return type(like)(*parts)
    return tuple(parts) if isinstance(like, tuple) else parts


def default_convert(data: Any) -> Any:
    """Convert the arrays in a structure to tensors.

    Parameters
    ----------
    data : object
        Arrays, and dicts and sequences of them; anything else stays.

    Returns
    -------
    object

    Examples
    --------
    >>> import numpy as np
    >>> from refquant.utils.data import default_convert
    >>> default_convert({"x": np.array([1, 2])})
    {'x': tensor([1, 2])}
    """
    if isinstance(data, np.ndarray | np.generic) and data.dtype.kind in "biuf":
        return as_tensor(data)
    if isinstance(data, Mapping):
        return {key: default_convert(value) for key, value in data.items()}
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        return _rebuilt(data, [default_convert(value) for value in data])
    return data


def default_collate(batch: Any) -> Any:
    """Join the items of a batch: tensors and arrays are stacked, numbers become tensors.

    Parameters
    ----------
    batch : sequence
        Items of the same structure: tensors, arrays, numbers, texts, and dicts and sequences of
        them, which are joined one by one.

    Returns
    -------
    object
        Of the structure of an item.

    Raises
    ------
    ShapeError
        If sequences have different lengths.
    ArgumentTypeError
        If an item is something else.

    Examples
    --------
    >>> from refquant.utils.data import default_collate
    >>> default_collate([(1, "a"), (2, "b")])
    [tensor([1, 2]), ('a', 'b')]
    """
    items = arguments.sequence("batch", batch, "items")
    if not items:
        raise ArgumentTypeError(argument="batch", expected="at least one item", got="none")
    first = items[0]
    if isinstance(first, Tensor):
        return stack(items)
    if isinstance(first, np.ndarray | np.generic) and first.dtype.kind in "biuf":
        return stack([as_tensor(item) for item in items])
    if isinstance(first, float):
        return Tensor(np.array(items, np.float64))
    if isinstance(first, int):
        return tensor(items)
    if isinstance(first, str | bytes):
        return batch
    return _structure(items, first)


def _structure(items: list[Any], first: Any, collate: Callable[..., Any] = default_collate) -> Any:
    if isinstance(first, Mapping):
        return {key: collate([item[key] for item in items]) for key in first}
    if not isinstance(first, Sequence):
        raise ArgumentTypeError(
            argument="batch",
            expected="tensors, arrays, numbers, texts, dicts or sequences",
            got=arguments.describe(first),
            hint="give the DataLoader a collate_fn",
        )
    lengths = {len(item) for item in items}
    if len(lengths) != 1:
        raise ShapeError(
            argument="batch",
            expected="sequences of one length",
            got=f"lengths {sorted(lengths)}",
            hint="give the DataLoader a collate_fn",
        )
    parts = [collate(part) for part in zip(*items, strict=True)]
    return _rebuilt(first, parts) if hasattr(first, "_fields") else parts
