"""Rules of rational arithmetic whose results are real numbers, or pixels between pixels.

Those whose results are integers are composed from axes, with ``precision='exact'``
(`refquant.engines.arithmetic.compose`).
"""

from fractions import Fraction

import numpy as np

from refquant.engines.rule import Rule
from refquant.engines.rules.rounding import as_fractions


def nearest_float32(values) -> np.ndarray:
    """Round Fractions to float32 once, half to even.

    Examples
    --------
    >>> from fractions import Fraction
    >>> import numpy as np
    >>> from refquant.engines.rules.exact import nearest_float32
    >>> nearest_float32(np.array([Fraction(1, 3)]))
    array([0.33333334], dtype=float32)
    """
    values = np.asarray(values, dtype=object)
    rough = values.astype(np.float64)
    # A unit in the last place of float32, which is fixed below the normal numbers.
    exponent = np.maximum(np.frexp(rough)[1] - 24, -149)
    units = [Fraction(2) ** int(e) for e in exponent.reshape(-1)]
    whole = [round(v / u) * u for v, u in zip(values.reshape(-1), units, strict=True)]
    with np.errstate(over="ignore"):
        return np.array([float(v) for v in whole]).astype(np.float32).reshape(values.shape)


def _dequantize_exactly(q, scale, zero_point):
    return nearest_float32(as_fractions(scale) * (np.asarray(q, np.int64) - zero_point))


def _output_exact(acc, bias, input_scale, weight_scale):
    scale = as_fractions(input_scale) * as_fractions(weight_scale)
    real = np.nan_to_num(bias)
    exact = nearest_float32(as_fractions(acc) * scale + as_fractions(real))
    return np.where(np.isfinite(bias), exact, bias)


def _exact_step(size, count, factor, align_corners):
    if align_corners:
        return Fraction(size - 1, count - 1) if count > 1 else Fraction(0)
    return 1 / Fraction(factor) if factor else Fraction(size, count)


def _exact_place(index, step):
    return step * (index + Fraction(1, 2)) - Fraction(1, 2)


def _exact_mix(a, b, c, d, h, w):
    a, b, c, d = (as_fractions(pixels) for pixels in (a, b, c, d))
    return h[0] * (w[0] * a + w[1] * b) + h[1] * (w[0] * c + w[1] * d)


STEP_EXACT = Rule(
    "step_exact",
    "1 / scale_factor if one is given, else in / out; corners aligned (in - 1) / (out - 1)",
    "mathematics",
    _exact_step,
)
PLACE_EXACT = Rule("place_exact", "step * (i + 1/2) - 1/2", "mathematics", _exact_place)
MIX_EXACT = Rule(
    "mix_exact", "h0 * (w0 * A + w1 * B) + h1 * (w0 * C + w1 * D)", "mathematics", _exact_mix
)
DEQUANTIZE_EXACTLY = Rule(
    "dequantize_exactly", "f32(scale * (q - z)), rounded once", "mathematics", _dequantize_exactly
)
OUTPUT_EXACT = Rule(
    "output_exact", "f32(acc * s_x * s_w + b), rounded once", "mathematics", _output_exact
)
