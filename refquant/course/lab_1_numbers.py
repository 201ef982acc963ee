"""Lab 1: numbers, scale and zero point, rounding and its ties, clipping."""

import functools
import math

import numpy as np

import refquant
from refquant.course.records import Mistake, Question
from refquant.engines.rules.quantize import ADD_THEN_ROUND, DIVIDE_THEN_ROUND, ROUND_THEN_ADD
from refquant.reporting.measures import sqnr as measured_sqnr

__all__ = ["QUESTIONS"]

_float32 = functools.partial(np.array, dtype=np.float32)
_RNG = np.random.default_rng(1)
_NORMAL = _RNG.normal(size=200).astype(np.float32)
_INTEGERS = (
    (np.array([0, 100, 255], np.uint8), 0.1, 100),
    (np.arange(256, dtype=np.uint8), 0.02, 0),
    (np.array([[7, 200], [128, 0]], np.uint8), 1.5, 255),
    (np.array([], np.uint8), 0.5, 3),
)
_REALS = (
    (_float32([-1.0, -0.013, 0.0, 0.26, 1.5, 99.0]), 0.01, 100),
    (_NORMAL.reshape(20, 10), 0.017, 131),
    (3 * np.abs(_NORMAL), 0.0271, 0),
    (100 * _NORMAL, 0.7, 77),
)
_RANGES = ((-1.0, 1.55), (5.0, 6.0), (-3.0, -1.0), (-0.3, 1.27), (0.0, 6.0), (-200.0, 55.0))
_TIES = np.arange(1, 60, dtype=np.float32) / 2


def _clipped(values, dtype=np.uint8):
    info = np.iinfo(dtype)
    return np.clip(values, info.min, info.max).astype(dtype)


# -- right answers, by refquant ------------------------------------------------------------------


def dequantize(q, scale, zero_point):
    """Return the real numbers that integers stand for."""
    integers = refquant.from_numpy(q)
    return refquant._make_per_tensor_quantized_tensor(integers, scale, zero_point).dequantize()


def quantize(x, scale, zero_point):
    """Return the integers of quint8 for real numbers."""
    q = refquant.quantize_per_tensor(refquant.from_numpy(x), scale, zero_point, refquant.quint8)
    return q.int_repr().numpy()


def real_range(scale, zero_point):
    """Return the smallest and the largest number that quint8 can stand for."""
    low, high = dequantize(np.array([0, 255], np.uint8), scale, zero_point).tolist()
    return low, high


def choose_qparams(low, high):
    """Return scale and zero point of quint8 for a range."""
    return _observed(low, high, refquant.quint8, refquant.per_tensor_affine)


def symmetric_qparams(low, high):
    """Return scale and zero point of symmetric qint8 for a range."""
    return _observed(low, high, refquant.qint8, refquant.per_tensor_symmetric)


def _observed(low, high, dtype, scheme):
    observer = refquant.quantization.MinMaxObserver(dtype=dtype, qscheme=scheme)
    observer(refquant.tensor([low, high]))
    scale, zero_point = observer.calculate_qparams()
    return scale.item(), zero_point.item()


def fake_quantize(x, scale, zero_point):
    """Quantize to quint8 and come back."""
    x = refquant.from_numpy(x)
    return refquant.fake_quantize_per_tensor_affine(x, scale, zero_point, 0, 255).numpy()


def sqnr(x, y):
    """Return the ratio of signal and noise in decibels."""
    return measured_sqnr(x, y)


def nearest_even(v):
    """Round to the nearest integer, ties to the even one."""
    return refquant.round(refquant.from_numpy(v)).numpy()


def round_then_add(x, scale, zero_point):
    """Quantize by the rule of vectors of fbgemm."""
    return ROUND_THEN_ADD(x, scale, zero_point, 0, 255).astype(np.uint8)


# -- what goes wrong -----------------------------------------------------------------------------


def _up(v):
    return np.floor(v + 0.5)


def _affine(low, high, levels=255, sign=-1):
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / levels
    return scale, int(np.clip(sign * round(low / scale), 0, 255))


def _without_zero(low, high):
    scale = (high - low) / 255
    return scale, int(np.clip(round(-low / scale), 0, 255))


def _forgets_scale(low, high):
    low, high = min(low, 0.0), max(high, 0.0)
    return (high - low) / 255, int(np.clip(round(-low), 0, 255))


def _decibels(x, y, factor=10.0, log=math.log10):
    return factor * log(float(np.sum(x**2) / np.sum((x - y) ** 2)))


QUESTIONS = (
    Question(
        "1.1",
        "The real number of an integer",
        "Return the real numbers that the integers `q`, an array of uint8, stand for.",
        dequantize,
        _INTEGERS,
        "the real number is scale * (q - zero_point)",
        "affine",
        (
            Mistake(
                "forgets the zero point, so that the integer 0 stands for zero",
                lambda q, scale, zero_point: scale * q.astype(np.float64),
            ),
            Mistake(
                "subtracts the zero point from the product, in real units; it is an integer, "
                "subtracted from integers",
                lambda q, scale, zero_point: scale * q.astype(np.float64) - zero_point,
            ),
            Mistake(
                "subtracts in uint8, which wraps around below 0; convert the integers first",
                lambda q, scale, zero_point: scale * (q - np.uint8(zero_point)).astype(np.float64),
            ),
        ),
        (
            "a grid has one free number for its step and one for the place of zero",
            "the integer zero_point stands for 0.0, and its neighbor above for one scale",
            "uint8 has no negative numbers: q.astype(np.float32) - zero_point",
        ),
    ),
    Question(
        "1.2",
        "The integer of a real number",
        "Return the integers of quint8, 0 to 255, that stand for the numbers `x`, as an array of "
        "uint8. Round to the nearest one.",
        quantize,
        _REALS,
        "the integer is clip(round(x / scale + zero_point), 0, 255)",
        "affine",
        (
            Mistake(
                "does not clip, so that large numbers wrap around in uint8",
                lambda x, scale, zero_point: (
                    (np.rint(x / scale) + zero_point).astype(np.int64).astype(np.uint8)
                ),
            ),
            Mistake(
                "cuts off instead of rounding to the nearest integer",
                lambda x, scale, zero_point: _clipped(np.floor(x / scale + zero_point)),
            ),
            Mistake(
                "forgets the zero point, so that all negative numbers become 0",
                lambda x, scale, zero_point: _clipped(np.rint(x / scale)),
            ),
            Mistake(
                "clips before it adds the zero point; the sum is what has to fit",
                lambda x, scale, zero_point: (
                    np.clip(np.rint(x / scale), 0, 255).astype(np.int64) + zero_point
                ).astype(np.uint8),
            ),
        ),
        (
            "solve x = scale * (q - zero_point) for q",
            "three things in this order: divide and add, np.rint, np.clip",
            "astype(np.uint8) keeps the lowest eight bits alone: clip before it",
        ),
    ),
    Question(
        "1.3",
        "What a grid reaches",
        "Return the smallest and the largest real number that quint8 can stand for.",
        real_range,
        ((0.1, 100), (0.02, 0), (1.5, 255), (0.007, 128)),
        "the ends are scale * (0 - zero_point) and scale * (255 - zero_point)",
        "affine",
        (
            Mistake(
                "counts 256 steps; 256 marks have 255 gaps",
                lambda scale, zero_point: (-scale * zero_point, scale * (256 - zero_point)),
            ),
            Mistake(
                "forgets the zero point",
                lambda scale, zero_point: (0.0, 255 * scale),
            ),
            Mistake(
                "forgets the scale: integers are no real numbers",
                lambda scale, zero_point: (-float(zero_point), 255.0 - zero_point),
            ),
            Mistake(
                "takes the zero point with the wrong sign",
                lambda scale, zero_point: (scale * zero_point, scale * (255 + zero_point)),
            ),
        ),
        (
            "which integers are at the ends",
            "dequantize 0 and 255",
        ),
    ),
    Question(
        "1.4",
        "Scale and zero point of a range",
        "Return the scale (a float) and the zero point (an int) of quint8 for data between `low` "
        "and `high`. The range may miss zero.",
        choose_qparams,
        _RANGES,
        "widen the range to contain zero, divide it by 255 gaps, and round -low / scale",
        "choosing",
        (
            Mistake(
                "does not widen a range that misses zero, so that 0.0 has no integer",
                _without_zero,
            ),
            Mistake(
                "divides by 256; 256 marks have 255 gaps",
                lambda low, high: _affine(low, high, 256),
            ),
            Mistake(
                "takes the zero point with the wrong sign",
                lambda low, high: _affine(low, high, sign=1),
            ),
            Mistake(
                "rounds -low instead of -low / scale: the zero point is a number of steps",
                _forgets_scale,
            ),
        ),
        (
            "0.0 must be on the grid, whatever the data are",
            "255 steps lead from the lower end to the upper one",
            "the integer 0 stands for low: scale * (0 - zero_point) = low",
        ),
    ),
    Question(
        "1.5",
        "A symmetric grid",
        "Return the scale (a float) and the zero point (an int) of qint8, -128 to 127, with the "
        "symmetric scheme, as PyTorch's observers choose them.",
        symmetric_qparams,
        _RANGES,
        "the larger magnitude is 127.5 steps, and the zero point is 0",
        "choosing",
        (
            Mistake(
                "divides by 127; PyTorch divides by half of the 255 gaps, 127.5",
                lambda low, high: (max(-low, high) / 127, 0),
            ),
            Mistake(
                "divides by 128; PyTorch divides by half of the 255 gaps, 127.5",
                lambda low, high: (max(-low, high) / 128, 0),
            ),
            Mistake(
                "takes the upper end, also where the lower one is larger in magnitude",
                lambda low, high: (abs(high) / 127.5, 0),
            ),
            Mistake(
                "divides the width of the range, as the affine scheme does",
                lambda low, high: ((max(high, 0.0) - min(low, 0.0)) / 255, 0),
            ),
        ),
        (
            "what does the zero point have to be, if the grid is the same on both sides",
            "the larger of -low and high decides",
            "255 gaps are 127.5 on each side",
        ),
    ),
    Question(
        "1.6",
        "There and back",
        "Return the real numbers that are left of `x` after quantizing to quint8 and back.",
        fake_quantize,
        _REALS,
        "x comes back as scale * (q - zero_point), with q clipped to 0..255",
        "affine",
        (
            Mistake(
                "does not clip, so that numbers beyond the grid come back unharmed",
                lambda x, scale, zero_point: np.rint(x / scale) * scale,
            ),
            Mistake(
                "clips to 0..255 without the zero point, so that all negative numbers are lost",
                lambda x, scale, zero_point: np.clip(np.rint(x / scale), 0, 255) * scale,
            ),
            Mistake(
                "does not take the zero point away again",
                lambda x, scale, zero_point: (
                    np.clip(np.rint(x / scale + zero_point), 0, 255) * scale
                ),
            ),
            Mistake(
                "clips but does not round: the result must lie on the grid",
                lambda x, scale, zero_point: (
                    (np.clip(x / scale + zero_point, 0, 255) - zero_point) * scale
                ),
            ),
        ),
        (
            "you have written both halves already",
            "dequantize(quantize(x, scale, zero_point), scale, zero_point)",
        ),
    ),
    Question(
        "1.7",
        "Decibels",
        "Return the ratio of signal and quantization noise (SQNR) of `y` against the true `x`, in "
        "decibels: ten times the decimal logarithm of the energy of `x` over the energy of the "
        "error.",
        sqnr,
        tuple((x, fake_quantize(x, *grid)) for x, *grid in _REALS),
        "SQNR is 10 * log10(sum(x**2) / sum((x - y)**2))",
        "index",
        (
            Mistake(
                "takes 20 times the logarithm, which is for amplitudes; these are energies",
                lambda x, y: _decibels(x, y, 20.0),
            ),
            Mistake(
                "takes the natural logarithm",
                lambda x, y: _decibels(x, y, log=math.log),
            ),
            Mistake(
                "divides the noise by the signal, which gives the wrong sign",
                lambda x, y: _decibels(x, y, -10.0),
            ),
            Mistake(
                "takes the energy of the result instead of that of the error as noise",
                lambda x, y: 10 * math.log10(float(np.sum(x**2) / np.sum(y**2))),
            ),
        ),
        (
            "an energy is a sum of squares",
            "np.log10 is the decimal logarithm",
        ),
    ),
    Question(
        "1.8",
        "Ties go to the even integer",
        "Round `v` to the nearest integers, ties to the even one, with `np.floor` and arithmetic "
        "alone; return an array of floats.",
        nearest_even,
        (
            (_float32([0.5, 1.5, 2.5, 2.4, 2.6, 3.0]),),
            (_float32([-0.5, -1.5, -2.5, -2.4, -2.6]),),
            (np.arange(-21, 22, dtype=np.float32) / 2,),
            (10 * _NORMAL,),
        ),
        "a tie goes to the even neighbor, up for odd floors and down for even ones",
        "rounding",
        (
            Mistake("rounds all ties up", _up),
            Mistake(
                "rounds ties away from zero",
                lambda v: np.sign(v) * _up(np.abs(v)),
            ),
            Mistake(
                "cuts off towards zero after adding one half, which is one too many below zero",
                lambda v: np.trunc(v + 0.5),
            ),
            Mistake("rounds all ties down", lambda v: np.ceil(v - 0.5)),
        ),
        (
            "np.floor(v + 0.5) is right for all numbers but ties",
            "a tie has v - np.floor(v) == 0.5",
            "where a tie was rounded to an odd integer, take one away",
        ),
    ),
    Question(
        "1.9",
        "The order matters",
        "Quantize to quint8 by the rule *round then add*, in float32: multiply `x` by the "
        "reciprocal of the scale, rounded to float32; round; add the zero point; clip. Return an "
        "array of uint8.",
        round_then_add,
        (
            (_TIES, 1.0, 5),
            (_float32([0.25, 0.75, 1.25]), 0.5, 3),
            (_float32([0.33, 0.31, -0.5]), 0.02, 100),
            (np.arange(200, dtype=np.float32) * np.float32(0.03), 0.06, 27),
        ),
        "round, then add: off a tie the order is the same, at a tie with an odd zero point not",
        "rounding",
        (
            Mistake(
                "adds the zero point before it rounds: an odd one turns ties around",
                lambda x, scale, zero_point: ADD_THEN_ROUND(x, scale, zero_point, 0, 255).astype(
                    np.uint8
                ),
            ),
            Mistake(
                "divides by the scale instead of multiplying by its reciprocal, which is rounded",
                lambda x, scale, zero_point: DIVIDE_THEN_ROUND(x, scale, zero_point, 0, 255).astype(
                    np.uint8
                ),
            ),
            Mistake(
                "computes in float64, where numbers lie beside the ties that float32 hits",
                lambda x, scale, zero_point: _clipped(
                    np.rint(x.astype(np.float64) * (1 / scale)) + zero_point
                ),
            ),
            Mistake(
                "rounds ties up instead of to the even integer",
                lambda x, scale, zero_point: _clipped(
                    _up(x * (np.float32(1) / np.float32(scale))) + zero_point
                ),
            ),
        ),
        (
            "np.float32(1) / np.float32(scale) is the reciprocal",
            "float32 times a Python float stays float32, times np.float64 does not",
            "np.rint first, then + zero_point, then np.clip",
        ),
    ),
)
