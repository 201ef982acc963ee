"""What operations answer: run a case of the registry, and compare the results."""

import warnings

import numpy as np
from cases.operands import Draw, name_of

MOST = 600  # elements of an operand


def plain(value):
    """Turn a result into a row-major array."""
    if hasattr(value, "detach"):
        value = value.detach()
        value = value.int_repr().numpy() if value.is_quantized else value.numpy()
    return np.array(value, order="C")


def said(result):
    """Tell all of a result but its elements: dtype, extents, quantizer, strides that matter."""
    found = [name_of(getattr(result, "dtype", type(result).__name__))]
    found.append([int(n) for n in getattr(result, "shape", ())])
    if not getattr(result, "is_quantized", False):
        return found
    if "channel" in name_of(result.qscheme()):
        found += [plain(result.q_per_channel_scales()).astype(np.float32).tolist()]
        found += [plain(result.q_per_channel_zero_points()).tolist()]
    else:  # packed weights keep float32
        found += [float(np.float32(result.q_scale())), int(result.q_zero_point())]
    sizes = list(result.shape)
    strides = [s for i, s in enumerate(result.stride()) if sizes[i] > 1] if result.numel() else []
    return [*found, strides]


def answer(operation, T, case, engine, release, seed, backend=None, **drawn):
    """Run one case in a namespace, under the engine of that name there."""
    T.backends.quantized.engine = backend or engine
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's own deprecations
        d = Draw(T, [seed, case], engine, release, **{"most": MOST, **drawn})
        return [(said(result), plain(result)) for result in operation.results(d)]


def differing(wanted, got, tolerance=0.0):
    """Count the elements of a result that differ: all if anything else does; NaN equals NaN."""
    (facts, a), (ours, b) = wanted, got
    if a.shape != b.shape or a.dtype != b.dtype or facts != ours:
        return max(a.size, 1)
    same = a == b
    if tolerance and a.size:
        a, b = a.astype(np.float64), b.astype(np.float64)
        finite = np.abs(a[np.isfinite(a)])
        same |= np.abs(a - b) <= tolerance * max(1.0, float(finite.max(initial=0.0)))
        return int((~(same | (np.isnan(a) & np.isnan(b)))).sum())
    if a.dtype.kind == "f":
        same = (same & (np.signbit(a) == np.signbit(b))) | (np.isnan(a) & np.isnan(b))
    return int((~same).sum())


def compared(wanted, got, tolerance=0.0):
    """Compare lists of cases: (elements, how many differ, the first of them in a line)."""
    elements = differences = 0
    first = ""
    for case, (theirs, ours) in enumerate(zip(wanted, got, strict=True)):
        for position, (one, other) in enumerate(zip(theirs, ours, strict=True)):
            found = differing(one, other, tolerance)
            elements, differences = elements + one[1].size, differences + found
            if found and not first:
                first = f"case {case}, result {position}: {told(one, other)}"
    return elements, differences, first


def told(wanted, got):
    """Say in one line how a result differs."""
    (facts, a), (ours, b) = wanted, got
    if facts != ours or a.shape != b.shape:
        return f"{ours}, expected {facts}"
    unequal = np.argwhere(~((a == b) | ((a != a) & (b != b)) & (np.signbit(a) == np.signbit(b))))
    place = tuple(int(n) for n in unequal[0]) if len(unequal) else ()
    return (
        f"{len(unequal)} of {a.size} elements of {facts[0]} differ, first at {place}: "
        f"{b[place]}, expected {a[place]}"
    )
