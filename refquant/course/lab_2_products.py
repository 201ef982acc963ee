"""Lab 2: products of integers, bias, and the way back to 8 bits."""

import numpy as np

import refquant
from refquant.course.records import Mistake, Question
from refquant.engines.rules.accumulate import EXACT
from refquant.engines.rules.requantize import BIAS_ROUNDED, FIXED_POINT, FLOAT_PRODUCT, QUOTIENT

__all__ = ["QUESTIONS"]

_RNG = np.random.default_rng(2)
_INT32 = -(2**31), 2**31 - 1


def _operands(m, n, k):
    q_x = _RNG.integers(0, 256, (m, k)).astype(np.uint8)
    return q_x, _RNG.integers(-128, 128, (n, k)).astype(np.int8)


_PAIRS = (
    (*_operands(3, 2, 50), 120, 5),
    (*_operands(1, 4, 7), 0, -3),
    (*_operands(5, 1, 300), 255, 0),
)
_RAW = tuple(
    (
        q_x.astype(np.int64) @ q_w.astype(np.int64).T,
        q_x.sum(axis=1, dtype=np.int64),
        q_w.sum(axis=1, dtype=np.int64),
        q_x.shape[1],
        z_x,
        z_w,
    )
    for q_x, q_w, z_x, z_w in _PAIRS
)
_TOTALS = _RNG.integers(-20000, 20000, (4, 25))
_MULTIPLIERS = (0.0123, 0.75, 0.3, 0.0009765625, 0.49)
_FIXED = tuple(
    (_RNG.integers(-3000, 3000, 200) * 2**shift // 4, mantissa << 7, shift)
    for mantissa, shift in ((12582912, 1), (9000001, 2), (16777215, 4), (8388608, 3))
)


def _layer_case(m, n, k, s_o, z_o):
    q_x, q_w = _operands(m, n, k)
    bias = _RNG.normal(size=n).astype(np.float32)
    return q_x, q_w, bias, 0.02, 110, 0.004, s_o, z_o


_LAYERS = (_layer_case(3, 4, 64, 0.31, 60), _layer_case(6, 5, 20, 0.17, 128))
_IMAGES = (
    (np.arange(1, 10, dtype=np.uint8).reshape(3, 3), 77),
    (np.full((2, 4), 9, np.uint8), 255),
    (np.arange(7, dtype=np.uint8).reshape(1, 7), 3),
)

# -- right answers, by refquant ------------------------------------------------------------------


def accumulate(q_x, q_w, z_x, z_w):
    """Return the exact sums of products."""
    return EXACT(q_x, q_w, z_x, np.full(len(q_w), z_w, np.int32)).astype(np.int64)


def correct(raw, sums_x, sums_w, k, z_x, z_w):
    """Return the accumulators of raw products."""
    return raw - z_x * sums_w[None, :] - z_w * sums_x[:, None] + k * z_x * z_w


def multiplier(s_x, s_w, s_o):
    """Return the factor from accumulator to output."""
    return float(QUOTIENT(s_x, np.float64(s_w), s_o))


def bias_steps(bias, s_x, s_w):
    """Return the bias as integers in the unit of the accumulator."""
    return BIAS_ROUNDED(np.zeros(bias.shape, np.int32), bias, s_x, s_w).astype(np.int64)


def requantize(total, m, z_o):
    """Return the integers of quint8 for accumulators."""
    return FLOAT_PRODUCT(total, np.float32(m), z_o, 0, 255).astype(np.uint8)


def mantissa_and_shift(m):
    """Return the fixed-point form of a multiplier."""
    fraction, exponent = np.frexp(np.float32(m))
    return int(fraction * 2**31), -int(exponent)


def rounded_twice(total, mantissa, shift):
    """Return the product by integers alone, as gemmlowp and QNNPACK do."""
    m = np.ldexp(np.float32(mantissa >> 7), -24 - shift)
    return FIXED_POINT(total, m, 0, *_INT32)


def pad(image, z_x):
    """Return an image with a border of real zeros."""
    scale = 0.5  # of no effect
    q = refquant._make_per_tensor_quantized_tensor(refquant.from_numpy(image), scale, z_x)
    padded = refquant.nn.functional.pad(q.dequantize(), (1, 1, 1, 1))
    return refquant.quantize_per_tensor(padded, scale, z_x, refquant.quint8).int_repr().numpy()


def linear_relu(q_x, q_w, bias, s_x, z_x, s_w, s_o, z_o):
    """Return the outputs of a linear layer with a ReLU, as quint8."""
    x = refquant._make_per_tensor_quantized_tensor(refquant.from_numpy(q_x), s_x, z_x)
    w = refquant._make_per_tensor_quantized_tensor(refquant.from_numpy(q_w), s_w, 0)
    packed = refquant.ops.quantized.linear_prepack(w, refquant.from_numpy(bias))
    return refquant.ops.quantized.linear_relu(x, packed, s_o, z_o).int_repr().numpy()


# -- what goes wrong -----------------------------------------------------------------------------


def _product(q_x, q_w, z_x, z_w):
    return (q_x.astype(np.int64) - z_x) @ (q_w.astype(np.int64) - z_w).T


def _wrong_layer(low=None, bias_of=lambda bias, s_o: 0, late_of=lambda bias, s_o: 0):
    """Make a wrong layer: where it clips, and what it adds to sums and to outputs."""

    def answer(q_x, q_w, bias, s_x, z_x, s_w, s_o, z_o):
        total = _product(q_x, q_w, z_x, 0) + np.rint(bias_of(bias, s_o) / (s_x * s_w))
        q = np.rint(total * (s_x * s_w / s_o)) + np.rint(late_of(bias, s_o)) + z_o
        return np.clip(q, z_o if low is None else low, 255).astype(np.uint8)

    return answer


def _away(high, shift):
    half = 1 << shift >> 1
    return np.sign(high) * ((np.abs(high) + half) >> shift)


QUESTIONS = (
    Question(
        "2.1",
        "Sums of products",
        "Return the sums `a[m, n]` of `(q_x[m, k] - z_x) * (q_w[n, k] - z_w)` over `k`, as "
        "integers. `q_x` is uint8, `q_w` is int8.",
        accumulate,
        _PAIRS,
        "the accumulator is the exact sum of (q_x - z_x) * (q_w - z_w)",
        "products",
        (
            Mistake(
                "multiplies in 8 bits, where sums wrap around; convert both operands first",
                lambda q_x, q_w, z_x, z_w: (
                    (q_x - np.uint8(z_x)).astype(np.int8) @ (q_w - np.int8(z_w)).T
                ).astype(np.int64),
            ),
            Mistake(
                "forgets both zero points",
                lambda q_x, q_w, z_x, z_w: _product(q_x, q_w, 0, 0),
            ),
            Mistake(
                "forgets the zero point of the input",
                lambda q_x, q_w, z_x, z_w: _product(q_x, q_w, 0, z_w),
            ),
            Mistake(
                "forgets the zero point of the weight, which need not be 0",
                lambda q_x, q_w, z_x, z_w: _product(q_x, q_w, z_x, 0),
            ),
            Mistake(
                "sums in 16 bits, which wrap around after two products; use 32",
                lambda q_x, q_w, z_x, z_w: (
                    (q_x.astype(np.int16) - np.int16(z_x))
                    @ (q_w.astype(np.int16) - np.int16(z_w)).T
                ).astype(np.int64),
            ),
        ),
        (
            "differences of 8-bit integers need 9 bits",
            "convert with .astype(np.int32) before you subtract",
            "each row of w is one output: x @ w.T",
        ),
    ),
    Question(
        "2.2",
        "Raw products, corrected",
        "Processors multiply the integers as they are. Given `raw[m, n]`, the sums of "
        "`q_x * q_w` over `k` products, `sums_x[m]` and `sums_w[n]`, the sums of the integers "
        "alone, return the accumulators of question 2.1.",
        correct,
        _RAW,
        "a = raw - z_x * sums_w - z_w * sums_x + k * z_x * z_w",
        "products",
        (
            Mistake(
                "leaves out the last term, k * z_x * z_w",
                lambda raw, sums_x, sums_w, k, z_x, z_w: (
                    raw - z_x * sums_w[None, :] - z_w * sums_x[:, None]
                ),
            ),
            Mistake(
                "subtracts the last term; two minus signs make a plus",
                lambda raw, sums_x, sums_w, k, z_x, z_w: (
                    raw - z_x * sums_w[None, :] - z_w * sums_x[:, None] - k * z_x * z_w
                ),
            ),
            Mistake(
                "multiplies the sums by the zero point of their own operand, not of the other",
                lambda raw, sums_x, sums_w, k, z_x, z_w: (
                    raw - z_w * sums_w[None, :] - z_x * sums_x[:, None] + k * z_x * z_w
                ),
            ),
            Mistake(
                "leaves out the sums of the input, which vanish for z_w = 0 alone",
                lambda raw, sums_x, sums_w, k, z_x, z_w: raw - z_x * sums_w[None, :],
            ),
        ),
        (
            "expand (q_x - z_x) * (q_w - z_w)",
            "four terms; sum each of them over k",
            "sums_x[:, None] stands along rows, sums_w[None, :] along columns",
        ),
    ),
    Question(
        "2.3",
        "The multiplier",
        "Return the factor that takes an accumulator to steps of the output.",
        multiplier,
        ((0.02, 0.005, 0.05), (0.1, 0.004, 0.3), (0.5, 0.25, 2.0)),
        "the accumulator is in units of s_x * s_w, the output in units of s_o",
        "requantization",
        (
            Mistake(
                "multiplies by the scale of the output instead of dividing",
                lambda s_x, s_w, s_o: s_x * s_w * s_o,
            ),
            Mistake(
                "turns the fraction upside down",
                lambda s_x, s_w, s_o: s_o / (s_x * s_w),
            ),
            Mistake(
                "forgets the scale of the weight",
                lambda s_x, s_w, s_o: s_x / s_o,
            ),
        ),
        ("y is s_x * s_w * a, and s_o * (q_o - z_o)", "s_x * s_w / s_o"),
    ),
    Question(
        "2.4",
        "The bias",
        "Return the bias as integers that can be added to accumulators, rounded to the nearest.",
        bias_steps,
        (
            (np.array([0.7, -1.3, 5.0, 0.00013], np.float32), 0.02, 0.005),
            (np.array([-0.03337, 0.25], np.float32), 0.05, 0.002),
        ),
        "the bias has the unit of the accumulator, s_x * s_w, and 32 bits",
        "bias",
        (
            Mistake(
                "divides by the scale of the input alone",
                lambda bias, s_x, s_w: np.rint(bias / s_x).astype(np.int64),
            ),
            Mistake(
                "divides by the scale of the weight alone",
                lambda bias, s_x, s_w: np.rint(bias / s_w).astype(np.int64),
            ),
            Mistake(
                "clips the bias to 8 bits; it has 32",
                lambda bias, s_x, s_w: np.clip(np.rint(bias / (s_x * s_w)), -128, 127).astype(
                    np.int64
                ),
            ),
            Mistake(
                "cuts off instead of rounding",
                lambda bias, s_x, s_w: (bias.astype(np.float64) / (s_x * s_w)).astype(np.int64),
            ),
        ),
        ("what is one step of the accumulator worth", "np.rint(bias / (s_x * s_w))"),
    ),
    Question(
        "2.5",
        "Back to 8 bits",
        "Return the outputs in quint8, as an array of uint8, for accumulators `total` (with bias), "
        "the multiplier `m` and the zero point of the output.",
        requantize,
        ((_TOTALS, 0.0123, 100), (_TOTALS, 0.00351, 0), (_TOTALS, 0.0071, 255)),
        "the output is clip(round(m * total) + z_o, 0, 255)",
        "requantization",
        (
            Mistake(
                "adds the zero point before it multiplies; it counts steps of the output",
                lambda total, m, z_o: np.clip(np.rint((total + z_o) * m), 0, 255).astype(np.uint8),
            ),
            Mistake(
                "does not clip, so that large sums wrap around in uint8",
                lambda total, m, z_o: (np.rint(total * m).astype(np.int64) + z_o).astype(np.uint8),
            ),
            Mistake(
                "cuts off instead of rounding",
                lambda total, m, z_o: np.clip(np.trunc(total * m) + z_o, 0, 255).astype(np.uint8),
            ),
            Mistake(
                "forgets the zero point of the output",
                lambda total, m, z_o: np.clip(np.rint(total * m), 0, 255).astype(np.uint8),
            ),
        ),
        ("multiply, round, add, clip", "np.clip before .astype(np.uint8)"),
    ),
    Question(
        "2.6",
        "A multiplier without floats",
        "Write `m`, between 0 and 1, as `mantissa * 2**-31 * 2**-shift` with an integer `mantissa` "
        "from `2**30` to `2**31 - 1`. Return `mantissa` and `shift`, for `m` as float32.",
        mantissa_and_shift,
        tuple((m,) for m in _MULTIPLIERS),
        "m = 2**-shift * m0 with m0 in [1/2, 1), and the mantissa is m0 * 2**31",
        "requantization",
        (
            Mistake(
                "returns the exponent; the shift to the right is its negative",
                lambda m: (mantissa_and_shift(m)[0], -mantissa_and_shift(m)[1]),
            ),
            Mistake(
                "takes a mantissa of 30 bits; m0 times 2**31 has 31",
                lambda m: (mantissa_and_shift(m)[0] // 2, mantissa_and_shift(m)[1]),
            ),
            Mistake(
                "scales the fraction to [1, 2) instead of [1/2, 1)",
                lambda m: (mantissa_and_shift(m)[0] * 2, mantissa_and_shift(m)[1] + 1),
            ),
            Mistake(
                "does not scale the fraction: bits are lost for small m",
                lambda m: (int(np.float32(m) * 2**31), 0),
            ),
        ),
        (
            "np.frexp returns a fraction in [1/2, 1) and an exponent",
            "m = fraction * 2**exponent, and the shift is -exponent",
        ),
    ),
    Question(
        "2.7",
        "Rounding twice",
        "Multiply accumulators by `mantissa * 2**-31 * 2**-shift` with integers alone, as gemmlowp "
        "and QNNPACK do: first round `total * mantissa / 2**31` to an integer, ties up; then round "
        "that over `2**shift`, ties away from zero. Return an array of int64.",
        rounded_twice,
        _FIXED,
        "the first shift rounds ties up, the second, of its result, ties away from zero",
        "requantization",
        (
            Mistake(
                "rounds once; two shifts round twice",
                lambda total, mantissa, shift: np.floor(
                    total * mantissa / 2.0 ** (31 + shift) + 0.5
                ).astype(np.int64),
            ),
            Mistake(
                "cuts off in the first shift; add 2**30 before it",
                lambda total, mantissa, shift: _away((total * mantissa) >> 31, shift),
            ),
            Mistake(
                "rounds ties of the second shift up, also below zero",
                lambda total, mantissa, shift: (
                    (((total * mantissa + 2**30) >> 31) + (1 << shift >> 1)) >> shift
                ),
            ),
            Mistake(
                "cuts off in the second shift",
                lambda total, mantissa, shift: ((total * mantissa + 2**30) >> 31) >> shift,
            ),
        ),
        (
            "a shift rounds down; add half of the divisor before it",
            "(total * mantissa + 2**30) >> 31 in int64 is the first half",
            "ties away from zero: shift the magnitude, then give it its sign back",
        ),
    ),
    Question(
        "2.8",
        "Padding",
        "Return `image`, integers of quint8, with a border of one pixel all around that stands for "
        "the real number 0.",
        pad,
        _IMAGES,
        "the integer of the real number 0 is the zero point",
        "products",
        (
            Mistake(
                "pads with the integer 0, which stands for -scale * z_x",
                lambda image, z_x: np.pad(image, 1),
            ),
            Mistake(
                "repeats the pixels at the border",
                lambda image, z_x: np.pad(image, 1, mode="edge"),
            ),
            Mistake(
                "pads with 128, whatever the zero point is",
                lambda image, z_x: np.pad(image, 1, constant_values=128),
            ),
        ),
        ("which integer stands for 0.0", "np.pad has the argument constant_values"),
    ),
    Question(
        "2.9",
        "A whole layer",
        "Return the outputs of a linear layer with a ReLU, in quint8: `q_x[m, k]` has the scale "
        "`s_x` and the zero point `z_x`, `q_w[n, k]` the scale `s_w` and the zero point 0, the "
        "output `s_o` and `z_o`; the bias is float32.",
        linear_relu,
        _LAYERS,
        "accumulate, add the bias in units of s_x * s_w, requantize, and clip at z_o, which is 0.0",
        "bias",
        (
            Mistake(
                "has no ReLU: clip at z_o, the integer of 0.0, instead of at 0",
                _wrong_layer(low=0, bias_of=lambda bias, s_o: bias),
            ),
            Mistake("forgets the bias", _wrong_layer()),
            Mistake(
                "adds the bias in steps of the output, where it is rounded to whole steps",
                _wrong_layer(late_of=lambda bias, s_o: bias / s_o),
            ),
            Mistake(
                "adds the real bias to the integers of the output",
                _wrong_layer(late_of=lambda bias, s_o: bias),
            ),
        ),
        (
            "you have written all parts already: 2.1, 2.4, 2.3, 2.5",
            "max(y, 0) in real numbers is max(q, z_o) in integers",
        ),
    ),
)
