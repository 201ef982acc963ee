r"""Normal numbers of float32 from uniform ones, 16 at a time.

The transform of Box and Muller makes two normal numbers of two uniform ones, :math:`u` and
:math:`v`:

.. math::
    z_0 = \sqrt{-2 \log(1 - u)}\, \cos(2 \pi v), \quad
    z_1 = \sqrt{-2 \log(1 - u)}\, \sin(2 \pi v).

Logarithm, cosine and sine are polynomials of the Cephes library (Moshier 1989), with the bits that
they have in PyTorch on x86-64 processors with AVX2: products that are added are fused.
"""

import numpy as np

from refquant.engines.rules.float32 import fma

__all__ = ["normal_blocks"]

# Coefficients, that of the highest power first.
LOG = (
    7.0376836292e-2,
    -1.1514610310e-1,
    1.1676998740e-1,
    -1.2420140846e-1,
    1.4249322787e-1,
    -1.6668057665e-1,
    2.0000714765e-1,
    -2.4999993993e-1,
    3.3333331174e-1,
)
COSINE = (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)
SINE = (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
# log(2) and pi / 4 as sums; a product with all parts but the last is exact, or nearly.
LOG_2 = (0.693359375, -2.12194440e-4)
QUARTER = (0.78515625, 2.4187564849853515625e-4, 3.77489497744594108e-8)


def _polynomial(coefficients, x):
    """Evaluate from the highest power on (Horner)."""
    y = np.asarray(coefficients[0], np.float32)
    for coefficient in coefficients[1:]:
        y = fma(y, x, np.float32(coefficient))
    return y


def _log(x):
    r"""Compute the logarithm of :math:`x = m 2^e`, with m between the root of 1/2 and that of 2."""
    m, e = np.frexp(x)
    small = m < np.float32(0.707106781186547524)
    m = np.where(small, m + m, m) - np.float32(1)
    e = (e - small).astype(np.float32)
    square = m * m
    y = _polynomial(LOG, m) * m
    y = fma(y, square, e * np.float32(LOG_2[1]))
    y = y - square * np.float32(0.5)
    return fma(e, np.float32(LOG_2[0]), m + y)


def _cosine_and_sine(angle):
    r"""Compute both for an angle of 0 to :math:`2 \pi`."""
    octant = (angle * np.float32(4 / np.pi)).astype(np.int32)
    octant = (octant + 1) & ~1  # counted from its even neighbor, the angle is within pi / 4
    for part in QUARTER:
        angle = fma(octant.astype(np.float32), np.float32(-part), angle)
    square = angle * angle
    cosine = _polynomial(COSINE, square) * square
    cosine = fma(cosine, square, -(square * np.float32(0.5))) + np.float32(1)
    sine = fma(_polynomial(SINE, square) * square, angle, angle)
    swapped = octant & 2 != 0
    cosine, sine = np.where(swapped, sine, cosine), np.where(swapped, cosine, sine)
    return np.where((octant + 2) & 4, -cosine, cosine), np.where(octant & 4, -sine, sine)


def normal_blocks(uniforms, mean, std):
    r"""Make normal numbers of uniform ones: :math:`z\sigma + \mu`, fused.

    The first 8 uniform numbers of a block are the `u` of the formula above, the last 8 the `v`;
    the first 8 results are the :math:`z_0`, the last 8 the :math:`z_1`.

    Parameters
    ----------
    uniforms : ndarray of float32, shape (n, 16)
        At least 0 and below 1, multiples of :math:`2^{-24}`.
    mean, std : float
        Rounded to float32.

    Returns
    -------
    ndarray of float32, shape (n, 16)

    Examples
    --------
    >>> import numpy as np
    >>> from refquant.reference.normal import normal_blocks
    >>> uniforms = np.full((1, 16), 0.5, np.float32)
    >>> z = normal_blocks(uniforms, 0.0, 1.0)
    >>> float(z[0, 0]), float(z[0, 8])
    (-1.1774100065231323, -1.0293245367165582e-07)
    """
    u, v = uniforms[:, :8], uniforms[:, 8:]
    radius = np.sqrt(np.float32(-2) * _log(np.float32(1) - u))
    cosine, sine = _cosine_and_sine(np.float32(2 * np.pi) * v)
    z = np.concatenate([radius * cosine, radius * sine], axis=1)
    with np.errstate(all="ignore"):  # a deviation may be infinite
        return fma(z, np.float32(std), np.float32(mean))
