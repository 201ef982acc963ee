"""How many results of a case are ties, or so near to one that only rounding errors decide."""

import numpy as np

from refquant.errors import RefquantError

NEAR = 2.0**-16  # of a step, beside results of the size of one: float32 holds 24 bits


def _resized(c):
    x = c["x"].astype(np.float64)
    for axis, size in zip((1, 2), c["size"], strict=True):
        count, places = x.shape[axis], np.arange(size, dtype=np.float64)
        if c["align_corners"]:
            places *= (count - 1) / (size - 1)
        elif c["half_pixel"]:
            places = (places + 0.5) * count / size - 0.5
        else:
            places *= count / size
        places = np.clip(places, 0, count - 1)
        low = np.floor(places).astype(int)
        share = (places - low).reshape([-1 if d == axis else 1 for d in range(4)])
        high = np.take(x, np.minimum(low + 1, count - 1), axis)
        x = np.take(x, low, axis) * (1 - share) + high * share
    return x


def _pooled(c):
    x = np.pad(c["x"].astype(np.float64), ((0, 0), *c["pads"], (0, 0)), constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(x, c["kernel"], (1, 2))
    down, right = c["stride"]
    return np.nanmean(windows[:, ::down, ::right], (-2, -1))


_FUNCTIONS = {
    "requantize": lambda x, c: x,
    "leaky_relu": lambda x, c: np.where(x < 0, x * np.float64(c["slope"]), x),
    "elu": lambda x, c: np.where(x < 0, np.expm1(np.minimum(x, 0)), x),
    "hardswish": lambda x, c: x * np.clip(x / 6 + 0.5, 0, 1),
    "mean": lambda x, c: x.mean(c["axes"]),
    "global_avg_pool2d": lambda x, c: x.mean((1, 2)),
}


def _steps(case) -> np.ndarray | None:
    """Compute results in steps, before they are rounded, in float64; None if none are rounded."""
    c, name = case.operands, case.operation
    if name == "quantize":
        return c["x"].astype(np.float64) / np.float64(c["s_y"])
    if name == "dynamic_quantize":
        low, high = (np.float64(end) for end in (min(c["x"].min(), 0), max(c["x"].max(), 0)))
        return c["x"].astype(np.float64) / ((high - low) / 255)
    if name in ("conv_integer", "matmul_integer"):
        return None
    if name in _FUNCTIONS:
        real = (c["x"].astype(np.float64) - c["z_x"]) * np.float64(c["s_x"])
        return _FUNCTIONS[name](real, c) / np.float64(c["s_y"])
    if name == "concat":
        pieces = ((c[n].astype(np.float64) - c[f"z_{n}"]) * np.float64(c[f"s_{n}"]) for n in "ab")
        return np.concatenate(list(pieces), 2) / np.float64(c["s_y"])
    whole = {"avg_pool2d": _pooled, "resize_bilinear": _resized}.get(name)
    if whole is not None:
        return whole(c)
    task = case.problem()
    try:
        return task.ratio(np.arange(task.size)).floats()
    except (AttributeError, RefquantError):
        return None


def ties(case) -> int | None:
    """Count the results of a case that are ties or nearly so; None if it rounds nothing."""
    steps = _steps(case)
    if steps is None:
        return None
    off = np.abs(steps - np.floor(steps) - 0.5)
    return int((off < NEAR * (1 + np.abs(steps) / 16)).sum())
