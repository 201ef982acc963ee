"""Arrays of rational numbers: they are Fractions, only quicker."""

from fractions import Fraction

import numpy as np
import pytest

from refquant.engines.rules.ratios import Ratios, ratios
from refquant.engines.rules.rounding import ROUNDINGS, round_number

rng = np.random.default_rng(0)
VALUES = {
    "halves": np.arange(-9, 10) / 2,
    "float32": (rng.normal(size=50) * 10.0 ** rng.integers(-30, 30, 50)).astype(np.float32),
    "far apart": np.array([0.0, -0.0, 5e-324, -1.7e308, 1e-40, 2.5]),
    "integers": rng.integers(-(2**62), 2**62, 50),
    "Fractions": np.array([Fraction(-7, 3), Fraction(5, 2), 3, 0], object),
    "one number": np.float64(0.1),
}


def fractions(values):
    plain = np.asarray(values).astype(object)
    return [Fraction(v) for v in plain.reshape(-1)]


@pytest.mark.parametrize("name", VALUES)
def test_they_hold_numbers_exactly(name):
    found = ratios(VALUES[name])
    assert found.shape == np.shape(VALUES[name])
    assert np.asarray(found, object).reshape(-1).tolist() == fractions(VALUES[name])
    with np.errstate(over="ignore"):
        assert found.floats().reshape(-1).tolist() == [float(v) for v in fractions(VALUES[name])]


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("name", VALUES)
def test_they_round_as_fractions(name, rounding):
    expected = round_number(np.array(fractions(VALUES[name]), object), rounding)
    assert np.reshape(ratios(VALUES[name]).round(rounding), -1).tolist() == expected.tolist()


def test_arithmetic_and_comparisons():
    a = Ratios(np.array([1, -7, 0, 9], object), np.array([3, 2, 5, 4], object))
    x = fractions(np.asarray(a))
    for b in (ratios(np.float32([0.1, -3, 7, 2.25])), ratios(0.75), 2, Fraction(-1, 3)):
        y = fractions(np.broadcast_to(np.asarray(b, object), 4))
        for ours, theirs in (
            (a + b, [p + q for p, q in zip(x, y, strict=True)]),
            (b + a, [p + q for p, q in zip(x, y, strict=True)]),
            (a - b, [p - q for p, q in zip(x, y, strict=True)]),
            (a * b, [p * q for p, q in zip(x, y, strict=True)]),
            (a / b, [p / q for p, q in zip(x, y, strict=True)]),
            (np.maximum(a, b), [max(p, q) for p, q in zip(x, y, strict=True)]),
            (np.minimum(a, b), [min(p, q) for p, q in zip(x, y, strict=True)]),
        ):
            assert fractions(np.asarray(ours)) == theirs
        assert (a > b).tolist() == [p > q for p, q in zip(x, y, strict=True)]
        assert (a < b).tolist() == [p < q for p, q in zip(x, y, strict=True)]
        assert (a >= b).tolist() == [p >= q for p, q in zip(x, y, strict=True)]
        assert (a <= b).tolist() == [p <= q for p, q in zip(x, y, strict=True)]
    assert fractions(np.asarray(1 / a[[0, 1, 3]])) == [1 / v for v in (x[0], x[1], x[3])]


def test_ties_are_halves():
    assert ratios(VALUES["halves"]).ties().tolist() == [v % 1 == 0.5 for v in VALUES["halves"]]
    assert ratios(np.float64(2.5)).ties().item()
