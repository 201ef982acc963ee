"""Compare to the last bit."""

import numpy as np


def difference(wanted, got, where="result"):
    """Say in one line how two results differ, or return None where they are the same.

    Arrays are the same if dtype, shape, order in memory and all elements are: NaN equals NaN of
    any payload, -0.0 differs from 0.0. Tuples and lists are compared item by item, numbers by
    type and value.
    """
    if isinstance(wanted, tuple | list):
        if type(wanted) is not type(got) or len(wanted) != len(got):
            return f"{where}: {got!r}, expected {wanted!r}"
        pairs = enumerate(zip(wanted, got, strict=True))
        return next((d for i, (w, g) in pairs if (d := difference(w, g, f"{where}[{i}]"))), None)
    if isinstance(wanted, np.ndarray):
        return _array_difference(wanted, got, where)
    if isinstance(wanted, float) and isinstance(got, float):
        wanted_array, got_array = np.array([wanted]), np.array([got])
        return None if same(wanted_array, got_array).all() else f"{where}: {got}, not {wanted}"
    if isinstance(wanted, int | bool | str | np.generic) or wanted is None:
        equal = type(wanted) is type(got) and wanted == got
        return None if equal else f"{where}: {got!r}, expected {wanted!r}"
    return None if wanted is got else f"{where}: {got!r}, expected {wanted!r} itself"


def same(wanted, got):
    """Which elements of two arrays of one dtype and shape have the same bits, NaN being one."""
    if wanted.dtype.kind != "f":
        return wanted == got
    bits = f"u{wanted.dtype.itemsize}"
    w, g = np.ascontiguousarray(wanted), np.ascontiguousarray(got)
    return (w.view(bits) == g.view(bits)) | (np.isnan(w) & np.isnan(g))


def _array_difference(wanted, got, where):
    if not isinstance(got, np.ndarray):
        return f"{where}: {type(got).__name__}, expected an array"
    for name in ("dtype", "shape"):
        w, g = getattr(wanted, name), getattr(got, name)
        if w != g:
            return f"{where}: {name} {g}, expected {w}"
    if wanted.size and strides(wanted) != strides(got):
        return f"{where}: strides {got.strides}, expected {wanted.strides}"
    unequal = ~same(wanted, got)
    if not unequal.any():
        return None
    first = np.unravel_index(int(np.argmax(unequal)), wanted.shape)
    index = tuple(map(int, first))
    return (
        f"{where}: {int(unequal.sum())} of {wanted.size} elements differ, first at {index}: "
        f"{got[first]!r}, expected {wanted[first]!r}"
    )


def strides(array):
    """Strides that matter: those of dimensions with more than one element."""
    return [s for s, n in zip(array.strides, array.shape, strict=True) if n > 1]
