"""Comparing what an answer returns with what is right."""

from typing import Any

import numpy as np

from refquant.arguments import describe

__all__ = ["difference", "form_fault", "same"]

_RELATIVE = 1e-4  # float32 and float64 agree to this, wrong formulas do not


def form_fault(got: Any, expected: Any) -> str | None:
    """Say what is wrong with the kind, number, shape or dtype of a result; None if nothing is."""
    if got is None:
        return "it returns None; end it with a return statement"
    if isinstance(expected, tuple):
        if not isinstance(got, tuple | list) or len(got) != len(expected):
            return f"it should return {len(expected)} values, got {describe(got)}"
        faults = (form_fault(*pair) for pair in zip(got, expected, strict=True))
        return next((fault for fault in faults if fault), None)
    array, right = _array(got), np.asarray(expected)
    if array is None or array.dtype.kind not in "iuf":
        return f"it should return numbers, got {describe(got)}"
    if array.shape != right.shape:
        return f"it should return the shape {right.shape}, got {array.shape}"
    if right.dtype.kind in "iu" and array.dtype.kind == "f":
        return f"it should return integers, got {array.dtype}; convert them with .astype"
    return None


def same(got: Any, expected: Any, exact: bool) -> bool:
    """Return whether two results have the same form and the same values."""
    if form_fault(got, expected) is not None:
        return False
    if isinstance(expected, tuple):
        return all(same(*pair, exact) for pair in zip(got, expected, strict=True))
    return bool(_equal(np.asarray(got), np.asarray(expected), exact).all())


def difference(got: Any, expected: Any, exact: bool) -> str:
    """Point at the first value that differs."""
    if isinstance(expected, tuple):
        pairs = zip(got, expected, strict=True)
        place, pair = next((n, p) for n, p in enumerate(pairs) if not same(*p, exact))
        return f"value {place + 1} of {len(expected)}: {difference(*pair, exact)}"
    array, right = np.asarray(got), np.asarray(expected)
    wrong = np.argwhere(~np.atleast_1d(_equal(array, right, exact)))
    if array.ndim == 0:
        return f"got {_number(array)}, expected {_number(right)}"
    index = tuple(map(int, wrong[0]))
    where = ", ".join(map(str, index))
    count = f"{len(wrong)} of {right.size} differ, the first "
    return f"{count}at [{where}]: got {_number(array[index])}, expected {_number(right[index])}"


def _equal(array: np.ndarray, right: np.ndarray, exact: bool) -> np.ndarray:
    if right.dtype.kind in "iu" or exact:
        return np.asarray((array == right) | ((array != array) & (right != right)))
    return np.isclose(array, right, rtol=_RELATIVE, atol=1e-12, equal_nan=True)


def _array(value: Any) -> np.ndarray | None:
    try:
        return np.asarray(value)
    except (TypeError, ValueError, RuntimeError):  # rows of several lengths, or no numbers
        return None


def _number(value: Any) -> str:
    return f"{value:.9g}" if value.dtype.kind == "f" else str(value)
