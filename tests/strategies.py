"""Material for tests: sizes, quantizers and numbers on which implementations part ways.

Random floats hardly ever lie where rounding rules differ. The functions here build numbers from
the integers that they should become: half steps, one or two ulp beside them, range ends, and what
no integer stands for.
"""

import numpy as np

# Around the widths of vectors, and what is left over.
SIZES = (0, 1, 2, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129)

SPECIAL = np.array(
    [
        np.nan,
        np.inf,
        -np.inf,
        0.0,
        -0.0,
        1e-45,  # the smallest subnormal number
        -1e-45,
        1.1754942e-38,  # the largest subnormal number
        3.4028235e38,
        -3.4028235e38,
        2147483520.0,  # the largest float32 below 2**31
        2147483648.0,
        -2147483648.0,
        -2147483904.0,
        9.2233715e18,  # the largest float32 below 2**63
        9.223372e18,
    ],
    dtype=np.float32,
)

RANGES = {"uint8": (0, 255), "int8": (-128, 127), "int32": (-(2**31), 2**31 - 1)}
SCALES = (0.1, 1.0, 0.5, 1 / 3, 0.0078125, 0.02, 1.7e-5, 123.456, 2.0**-20)


def zero_points(storage: str):
    """Ends, middle, odd and even zero points of a storage type."""
    low, high = RANGES[storage]
    if storage == "int32":
        return (0, 1, -3, 2**24 + 1, low, high)
    return (low, low + 1, (low + high + 1) // 2, 3 + low // 2, high)


def quantizers(rng: np.random.Generator, storage: str):
    """Draw (scale, zero point): each zero point with a simple and with a random scale."""
    for index, zero_point in enumerate(zero_points(storage)):
        yield SCALES[index % len(SCALES)], zero_point
        yield float(np.exp(rng.uniform(-9, 3))), zero_point


def ties(rng, size, scale, zero_point, storage="uint8"):
    """Draw float32 on half steps of a quantizer, or up to two ulp beside them.

    The integers that they become lie inside the range of `storage` and a little outside.
    """
    low, high = RANGES[storage]
    low, high = max(low, -100_000), min(high, 100_000)
    halves = rng.integers(2 * low - 9, 2 * high + 10, size=size)
    x = ((halves / 2 - zero_point) * np.float64(np.float32(scale))).astype(np.float32)
    for _ in range(2):
        toward = rng.choice(np.array([-np.inf, 0, np.inf], np.float32), size=size)
        moved = np.nextafter(x, toward, dtype=np.float32)
        x = np.where((toward == 0) | ~np.isfinite(moved), x, moved)
    return x


def floats(rng, size, scale=0.1, zero_point=0, storage="uint8", special=True):
    """Draw float32 of every kind: ties, range ends, ordinary and (`special`) extreme numbers."""
    x = ties(rng, size, scale, zero_point, storage)
    ordinary = (rng.normal(size=size) * 60 * scale).astype(np.float32)
    low, high = RANGES[storage]
    ends = np.array([low - 1, low, low + 1, high - 1, high, high + 1], np.float64) - zero_point
    kind = rng.random(size)
    x = np.where(kind < 0.4, ordinary, x)
    x = np.where(kind < 0.1, (rng.choice(ends, size=size) * scale).astype(np.float32), x)
    if special:
        x = np.where(kind > 0.92, rng.choice(SPECIAL, size=size), x)
    return np.ascontiguousarray(x, dtype=np.float32)


def integers(rng, size, storage="uint8"):
    """Draw integers of a storage type, its ends among them."""
    low, high = RANGES[storage]
    q = rng.integers(low, high, size=size, endpoint=True, dtype=storage)
    ends = rng.choice(np.array([low, low + 1, high - 1, high], storage), size=size)
    return np.ascontiguousarray(np.where(rng.random(size) < 0.15, ends, q), dtype=storage)
