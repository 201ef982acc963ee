"""Windows that slide over the last dimensions: their sizes, and the elements that they see."""

import operator
from collections.abc import Callable, Iterator
from functools import lru_cache, wraps
from typing import Any, TypeVar

import numpy as np

from refquant.arguments import describe, flag, integer, shape
from refquant.errors import (
    ArgumentError,
    ArgumentTypeError,
    OperationError,
    RefquantError,
    ShapeError,
)
from refquant.ops.checks import whole_number

__all__ = [
    "IMAGE",
    "SEQUENCE",
    "VOLUME",
    "adaptive_sizes",
    "adaptive_spans",
    "border",
    "divisor",
    "output_sizes",
    "padded",
    "pooled_sizes",
    "positions",
    "spans",
    "strides",
    "unpadded",
    "windows",
]

# What documentation says of the inputs of pooling.
SEQUENCE, IMAGE, VOLUME = (
    f"Of shape (batch, channels, {sizes}), plain or quantized; the batch may be left out."
    for sizes in ("length", "height, width", "depth, height, width")
)

_Found = TypeVar("_Found")

# Larger than any image; offsets in bytes stay below 2**63.
_MOST = 2**31 - 1


def per_dimension(argument: str, value: Any, ndim: int, least: int) -> tuple[int, ...]:
    """Return a number for each dimension, or raise; one number stands for all."""
    if type(value) is int and least <= value <= _MOST:
        return (value,) * ndim
    values = tuple(value) if isinstance(value, tuple | list) else (value,)
    values = values * ndim if len(values) == 1 else values
    try:
        numbers = tuple(operator.index(v) for v in values)
    except TypeError:
        raise ArgumentTypeError(
            argument=argument,
            expected=f"a whole number or {ndim} of them",
            got=describe(value),
        ) from None
    if len(numbers) != ndim or min(numbers) < least or max(numbers) > _MOST:
        limit = "" if len(numbers) != ndim or max(numbers) <= _MOST else f" and at most {_MOST}"
        raise ArgumentError(
            argument=argument,
            got=describe(value),
            expected=f"a number or {ndim} numbers, each at least {least}{limit}",
        )
    return numbers


def border(
    value: Any,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    error: type[RefquantError] = OperationError,
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the padding before and behind in each dimension, or raise.

    'same' keeps the extents of an input; an odd number of elements has one more behind. Names that
    are not valid are an `error`: functions and modules of PyTorch disagree on its kind.
    """
    if not isinstance(value, str):
        numbers = per_dimension("padding", value, len(kernel), 0)
        return numbers, numbers
    if value not in ("same", "valid"):
        raise error(argument="padding", expected="numbers, 'same' or 'valid'", got=describe(value))
    if value == "valid":
        return (0,) * len(kernel), (0,) * len(kernel)
    if any(s != 1 for s in stride):
        raise error(
            argument="padding",
            expected=f"numbers for a stride of {stride}",
            got="'same', which is for a stride of 1",
        )
    total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    before = tuple(t // 2 for t in total)
    return before, tuple(t - b for t, b in zip(total, before, strict=True))


def strides(value: Any, kernel: tuple[int, ...]) -> tuple[int, ...]:
    """Return the strides of a pooling window, or raise; by default they are its size."""
    if value is None or (isinstance(value, tuple | list) and not value):
        return kernel
    return per_dimension("stride", value, len(kernel), 1)


def adaptive_sizes(value: Any, sizes) -> tuple[int, ...]:
    """Return the output sizes, or raise; None keeps the size of the input."""
    wanted = tuple(value) if isinstance(value, tuple | list) else (value,) * len(sizes)
    if len(wanted) == len(sizes):
        wanted = tuple(n if w is None else w for w, n in zip(wanted, sizes, strict=True))
    return shape("output_size", per_dimension("output_size", wanted, len(sizes), 0))


def divisor(value: Any) -> int | None:
    """Return the divisor of the sums of windows, if it is not their count, or raise."""
    if value is None:
        return None
    number = integer("divisor_override", whole_number("divisor_override", value), most=2**63 - 1)
    if number == 0:
        raise ArgumentError(argument="divisor_override", expected="not 0", got=0)
    return number


# Windows are found once for dimensions of the usual lengths: a layer meets the same ones again.
_USUAL = 512


def _found_once(find: Callable[..., _Found]) -> Callable[..., _Found]:
    """Keep the last results of a function whose last argument is the length of its arrays."""
    kept = lru_cache(maxsize=64)(find)
    return wraps(find)(lambda *sizes: kept(*sizes) if sizes[-1] <= _USUAL else find(*sizes))


@_found_once
def spans(
    size: int, kernel: int, stride: int, padding: int, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Find the windows of a pooling along one dimension; arrays are not to be changed.

    Returns
    -------
    extents : ndarray of int64, shape (count,)
        Elements of each window with the border, but without what lies behind it (only
        `ceil_mode` makes windows reach there).
    inside : ndarray of int64, shape (count, 2)
        First of its elements inside the input, and the one after the last.
    """
    start = np.arange(count, dtype=np.int64) * stride - padding
    end = np.minimum(start + kernel, size + padding)
    extents = end - start
    extents.flags.writeable = False
    return extents, _pairs(np.maximum(start, 0), np.minimum(end, size))


@_found_once
def adaptive_spans(size: int, count: int) -> np.ndarray:
    """Divide `size` elements into `count` parts that cover them and overlap by at most one.

    The array is not to be changed.

    Returns
    -------
    ndarray of int64, shape (count, 2)
        First element of each part, and the one after the last.
    """
    index = np.arange(count, dtype=np.int64)
    first = index * size // max(count, 1)
    last = -(-(index + 1) * size // max(count, 1))
    return _pairs(first, last)


def _pairs(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    result = np.empty((first.size, 2), np.int64)
    result[:, 0], result[:, 1] = first, last
    result.flags.writeable = False
    return result


def spatial_input(array: np.ndarray, ndim: int) -> np.ndarray:
    """Add a batch of one to an image without batch."""
    if array.ndim == ndim + 1:
        return array[None]
    if array.ndim != ndim + 2:
        raise ShapeError(
            argument="input",
            got=f"shape {array.shape}",
            expected=f"(batch, channels, ...) with {ndim + 2} dimensions, or one less",
        )
    return array


def output_sizes(sizes, kernel, stride, padding, dilation) -> tuple[int, ...]:
    """Count the windows that fit, :math:`(n + 2p - d(k - 1) - 1) / s + 1` rounded down."""
    result = tuple(
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(sizes, kernel, stride, padding, dilation, strict=True)
    )
    if min(result) <= 0:
        raise OperationError(
            argument="input",
            expected="at least as large as the window",
            got=f"{tuple(sizes)} with padding {padding} for a window of {kernel} with dilation "
            f"{dilation}",
        )
    return result


def pooled_sizes(sizes, kernel, stride, padding, dilation, ceil_mode) -> tuple[int, ...]:
    """Count the windows of a pooling; with `ceil_mode` also those that reach over the end.

    A window must begin inside the input or the padding before it, not in the padding behind.
    """
    for k, p in zip(kernel, padding, strict=True):
        if p > k // 2:
            raise OperationError(
                argument="padding",
                expected=f"at most half of the window {kernel}",
                got=padding,
            )
    if not flag("ceil_mode", ceil_mode):
        return output_sizes(sizes, kernel, stride, padding, dilation)
    result = []
    for n, k, s, p, d in zip(sizes, kernel, stride, padding, dilation, strict=True):
        count = -(-(n + 2 * p - d * (k - 1) - 1) // s) + 1
        result.append(count - ((count - 1) * s >= n + p))
    if min(result) <= 0:
        raise OperationError(
            argument="input",
            expected="at least as large as the window",
            got=f"{tuple(sizes)} for a window of {kernel}",
        )
    return tuple(result)


def padded(array: np.ndarray, before, after, value: float = 0) -> np.ndarray:
    """Pad the last dimensions; the array itself if there is no padding."""
    if not any(before) and not any(a > 0 for a in after):
        return array
    lead = array.ndim - len(before)
    sizes = [n + b + max(a, 0) for n, b, a in zip(array.shape[lead:], before, after, strict=True)]
    padded_array = np.full(shape("padding", (*array.shape[:lead], *sizes)), value, array.dtype)
    padded_array[unpadded(array.shape, before)] = array
    return padded_array


def unpadded(sizes, before) -> tuple[slice, ...]:
    """Return the index of the elements of a padded array that are not padding."""
    lead = len(sizes) - len(before)
    return (slice(None),) * lead + tuple(
        slice(b, b + n) for n, b in zip(sizes[lead:], before, strict=True)
    )


def positions(kernel, stride, dilation, sizes) -> Iterator[tuple[tuple[int, ...], tuple]]:
    """Walk over the places in a window; for each tell which elements of a padded array lie there.

    Yields
    ------
    place : tuple of int
        Place in the window.
    index : tuple of slice
        For the last dimensions: one element for each window.
    """
    for place in np.ndindex(*kernel):
        yield (
            place,
            tuple(
                slice(i * d, i * d + s * (n - 1) + 1, s)
                for i, d, s, n in zip(place, dilation, stride, sizes, strict=True)
            ),
        )


def windows(array: np.ndarray, kernel, stride, dilation, sizes) -> np.ndarray:
    """View all windows of a padded array, shape (batch, channels, *kernel, *sizes)."""
    steps = array.strides[2:]
    return np.lib.stride_tricks.as_strided(
        array,
        (*array.shape[:2], *kernel, *sizes),
        (
            *array.strides[:2],
            *(t * d for t, d in zip(steps, dilation, strict=True)),
            *(t * s for t, s in zip(steps, stride, strict=True)),
        ),
        writeable=False,
    )
