r"""Random numbers from the words of a generator, as PyTorch makes them on a CPU.

Words are the 32-bit numbers of the Mersenne Twister (Matsumoto and Nishimura 1998). Definitions
without kernels: NumPy does what is done for each element, but for logarithms and the like of
float64, which are those of the C library.
"""

import math

import numpy as np

__all__ = [
    "categories",
    "double_blocks",
    "exponentials",
    "integers",
    "normal_pairs",
    "permutation",
    "stretched",
    "stretched_normals",
    "uniforms",
    "wide",
]


def wide(words):
    """Join pairs of words to 64-bit numbers, the first being the upper half; ndarray of uint64."""
    return (words[0::2] << np.uint64(32)) | words[1::2]


def uniforms(words, dtype):
    """Make numbers of at least 0 and below 1, from the last bits of words.

    Parameters
    ----------
    words : ndarray of uint64
        One word a number of float32, two of float64.
    dtype : dtype
        float32: multiples of :math:`2^{-24}`; float64: multiples of :math:`2^{-53}`.

    Examples
    --------
    >>> import numpy as np
    >>> from refquant.reference.random_numbers import uniforms
    >>> uniforms(np.array([2**31 + 2**23], np.uint64), np.float32)
    array([0.5], dtype=float32)
    """
    if dtype == np.float64:
        return (wide(words) & np.uint64(2**53 - 1)) * 2.0**-53
    return (words & np.uint64(2**24 - 1)).astype(np.float32) * np.float32(2.0**-24)


def _two_product(a, b):
    """Return a * b rounded, and the error (Dekker)."""
    product = a * b

    def halves(x):
        scaled = x * 134217729.0
        upper = scaled - (scaled - x)
        return upper, x - upper

    (a1, a2), (b1, b2) = halves(a), halves(b)
    return product, a2 * b2 - (((product - a1 * b1) - a2 * b1) - a1 * b2)


def _two_sum(a, b):
    """Return a + b rounded, and the error (Knuth)."""
    total = a + b
    partner = total - a
    return total, (a - (total - partner)) + (b - partner)


def fused(a, b, c):
    """Compute a * b + c in float64 with one rounding (Boldo and Melquiond 2008)."""
    with np.errstate(all="ignore"):
        plain = np.asarray(a * b + c)
        upper, lower = _two_product(a, b)
        first, error = _two_sum(lower, c)
        total, second = _two_sum(upper, first)
        rest, odd = _two_sum(error, second)
        even = (np.asarray(rest).view(np.int64) & 1) == 0
        toward = np.where(odd > 0, np.inf, -np.inf)
        rest = np.where((odd != 0) & even, np.nextafter(rest, toward), rest)
        exact = np.asarray(total + rest)
        return np.where(np.isfinite(exact), exact, plain)


def stretched(u, low, high, dtype):
    r"""Stretch uniform numbers: :math:`u (b - a) + a`, rounded once; `high` becomes `low`.

    Parameters
    ----------
    u : ndarray of float32 or float64
        From `uniforms`.
    low, high : float
        The ends, rounded to float32 for results of float32 and float16.
    dtype : dtype
        Of the result; that of float16 is rounded from float32.
    """
    if dtype == np.float64:
        x = fused(u, np.float64(high) - np.float64(low), np.float64(low))
    else:
        low, high = np.float32(low), np.float32(high)
        # The product of two float32 is exact in float64.
        span, start = np.float64(high - low), np.float64(low)
        x = (u.astype(np.float64) * span + start).astype(np.float32)
    x, low, high = x.astype(dtype), dtype.type(low), dtype.type(high)
    return np.where(x == high, low, x)


def integers(words, low, span):
    r"""Take words modulo `span`, and add `low`; int64, in which sums wrap around.

    Parameters
    ----------
    words : ndarray of uint64
        One word a number, or two where `span` is :math:`2^{28}` or more.
    low : int
        The smallest number.
    span : int
        How many numbers there are, at most :math:`2^{64}`.

    Examples
    --------
    >>> import numpy as np
    >>> from refquant.reference.random_numbers import integers
    >>> integers(np.array([12, 25], np.uint64), -3, 10)
    array([-1,  2])
    """
    numbers = wide(words) if span >= 2**28 else words
    if span < 2**64:
        numbers = numbers % np.uint64(span)
    return numbers.astype(np.int64) + np.int64(low)


def permutation(numbers, n):
    """Permute 0 to n - 1: swap each place with one from itself on (Fisher and Yates).

    Parameters
    ----------
    numbers : ndarray of uint64, shape (n - 1,)
        Of any size; the rest of the division by the places that are left counts.
    n : int
        How many there are.

    Returns
    -------
    list of int
    """
    order = list(range(n))
    left = np.arange(n, n - len(numbers), -1, dtype=np.uint64)
    for place, step in enumerate((numbers % left).tolist()):
        order[place], order[place + step] = order[place + step], order[place]
    return order


def _each(function, x):
    """Apply a function of the C library to each element."""
    return np.array([function(v) for v in x.ravel().tolist()], np.float64).reshape(x.shape)


def normal_pairs(u):
    r"""Make pairs of normal numbers of pairs of uniform ones, one pair after another.

    .. math::
        z_0 = \sqrt{-2 \log(1 - v)}\, \cos(2 \pi u), \quad
        z_1 = \sqrt{-2 \log(1 - v)}\, \sin(2 \pi u)

    Parameters
    ----------
    u : ndarray of float64, shape (n, 2)
        u and v.

    Returns
    -------
    ndarray of float64, shape (n, 2)
    """
    radius = np.sqrt(-2.0 * _each(math.log1p, -u[:, 1]))
    angle = 2.0 * math.pi * u[:, 0]
    pair = radius * _each(math.cos, angle), radius * _each(math.sin, angle)
    return np.stack(pair, axis=1)


def double_blocks(u):
    """Make normal numbers of float64, 16 at a time; see `refquant.reference.normal`.

    Parameters
    ----------
    u : ndarray of float64, shape (n, 16)

    Returns
    -------
    ndarray of float64, shape (n, 16)
    """
    radius = np.sqrt(-2.0 * _each(math.log, 1.0 - u[:, :8]))
    angle = 2.0 * math.pi * u[:, 8:]
    return np.concatenate(
        [radius * _each(math.cos, angle), radius * _each(math.sin, angle)], axis=1
    )


def stretched_normals(z, mean, std):
    r"""Compute :math:`z\sigma + \mu` in float64 with one rounding."""
    return fused(z, np.float64(std), np.float64(mean))


def exponentials(u, rate):
    r"""Make numbers of the exponential distribution: :math:`-\log(1 - u) / \lambda`."""
    return (-1.0 / rate) * _each(math.log1p, -u)


def categories(weights, u):
    """Choose categories with probabilities in the ratio of weights, by their running sums.

    Parameters
    ----------
    weights : ndarray of float32 or float64, shape (n,)
        At least 0, not all of them.
    u : ndarray of float64
        Uniform numbers.

    Returns
    -------
    ndarray of int64
    """
    sums = np.cumsum(weights)
    return np.searchsorted((sums / sums[-1]).astype(np.float64), u, side="left").astype(np.int64)
