"""Literal values of every rule, as the table of formulas has them."""

import math

import numpy as np
import pytest

from refquant.engines.rules import expm1, functions
from refquant.engines.rules import quantize as rules
from refquant.engines.rules.float32 import convert_to_int32, fma

NAN, INF = float("nan"), float("inf")


def apply(rule, values, scale, zero_point, low, high):
    with np.errstate(all="ignore"):
        return rule(np.array(values, np.float32), scale, zero_point, low, high).tolist()


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (rules.ROUND_THEN_ADD, [11, 11, 5]),
        (rules.ADD_THEN_ROUND, [10, 12, 6]),
        (rules.FUSED, [11, 12, 5]),
        (rules.FUSED_CLAMP_THEN_ROUND, [11, 12, 5]),
        (rules.DIVIDE_THEN_ROUND, [10, 11, 6]),
        (rules.DIVIDE_THEN_ROUND_WIDE, [10, 11, 6]),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_near_ties(rule, expected):
    values = [0.7500000596046448, 0.8499999642372131, 0.2499999701976776]
    assert apply(rule, values, 0.1, 3, 0, 255) == expected


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (rules.ROUND_THEN_ADD, [-1, 3, 3]),  # -1.5, 1.5 and 2.5 round to -2, 2 and 2
        (rules.ADD_THEN_ROUND, [0, 2, 4]),  # -0.5, 2.5 and 3.5 round to 0, 2 and 4
        (rules.FUSED, [0, 2, 4]),
        (rules.FUSED_CLAMP_THEN_ROUND, [0, 2, 4]),
        (rules.DIVIDE_THEN_ROUND, [0, 2, 4]),
        (rules.DIVIDE_THEN_ROUND_WIDE, [0, 2, 4]),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_ties_with_an_odd_zero_point(rule, expected):
    assert apply(rule, [-0.75, 0.75, 1.25], 0.5, 1, -9, 255) == expected


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (rules.ROUND_THEN_ADD, [127, 127, -128]),
        (rules.ADD_THEN_ROUND, [0, 127, -128]),
        (rules.FUSED, [127, 127, -128]),
        (rules.FUSED_CLAMP_THEN_ROUND, [-128, 127, -128]),
        (rules.DIVIDE_THEN_ROUND, [0, 127, -128]),
        (rules.DIVIDE_THEN_ROUND_WIDE, [-128, -128, -128]),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_nan_and_infinities(rule, expected):
    assert apply(rule, [NAN, INF, -INF], 0.1, 0, -128, 127) == expected


def test_adding_after_rounding_wraps():
    """A zero point on top of the largest integer that a vector holds passes 2**31."""
    assert apply(rules.ROUND_THEN_ADD, [1e30], 1.0, 127, -128, 127) == [127]
    assert apply(rules.ROUND_THEN_ADD, [1e30], 1.0, 128, 0, 255) == [0]
    assert apply(rules.ROUND_THEN_ADD, [-1e30], 1.0, -1, -128, 127) == [127]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (rules.SUBTRACT, [0.6000000238418579, 25.200000762939453, -0.30000001192092896]),
        (rules.SUBTRACT_FUSED, [0.6000000238418579, 25.200000762939453, -0.30000001192092896]),
        (rules.SUBTRACT_DOUBLE, [0.6000000238418579, 25.200000762939453, -0.30000001192092896]),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_dequantizing(rule, expected):
    assert rule(np.array([9, 255, 0], np.uint8), 0.1, 3).tolist() == expected


def test_fused_multiply_add_rounds_once():
    x = np.float32(1 + 2**-12)
    assert float(fma(x, x, -1)) == 2**-11 + 2**-24  # the product alone loses the last term
    # In float64 the sum 1 + 2**-23 + 2**-24 - 2**-54 would become a tie, and then go up.
    a, b = np.float32(2.0**-12 * (1 + 2**-15)), np.float32(2.0**-12 * (1 - 2**-15))
    assert float(fma(a, b, np.float32(1 + 2**-23))) == 1 + 2**-23
    with np.errstate(invalid="ignore"):
        assert np.isnan(fma(INF, 0, 1))
    assert float(fma(3e38, 3e38, -INF)) == -INF


def test_conversion_to_int32_is_that_of_x86():
    values = np.array([0.5, 1.5, -2.5, 2147483520, 2147483648, -2147483648, NAN, INF], np.float32)
    assert convert_to_int32(values).tolist() == [
        0,
        2,
        -2,
        2147483520,
        *[-(2**31)] * 4,
    ]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (expm1.EXPM1_OF_PAIRS, [0.0, -1 + 2**-24, -1.0, -1.0, INF, INF]),
        (expm1.EXPM1_ROUNDED_ONCE, [0.0, -1 + 2**-24, -1 + 2**-24, -1.0, INF, INF]),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_exponential_less_one(rule, expected):
    """Between -16.64 and -17.33 the vectors already answer -1."""
    values = np.array([0, -16.6, -17, -INF, 88.8, INF, NAN], np.float32)
    found = rule(values).tolist()
    assert found[:-1] == expected
    assert np.isnan(found[-1])


@pytest.mark.parametrize("rule", [expm1.EXPM1_OF_PAIRS, expm1.EXPM1_ROUNDED_ONCE])
def test_exponential_less_one_is_right_but_for_the_last_bit(rule):
    x = np.concatenate([np.linspace(-16, 88, 5001), np.geomspace(1e-30, 1, 999)])
    x = x.astype(np.float32)
    right = np.expm1(x.astype(np.float64)).astype(np.float32)
    steps = np.abs(rule(x).view(np.int32) - right.view(np.int32))
    assert steps.max() <= 1
    assert (steps > 0).mean() < (0.05 if rule is expm1.EXPM1_OF_PAIRS else 1e-3)


@pytest.mark.parametrize(
    ("rule", "right", "most"),
    [
        (functions.SIGMOID_IN_FLOAT32, lambda x: 1 / (1 + np.exp(-x)), 2),
        (functions.SIGMOID_IN_FLOAT64, lambda x: 1 / (1 + np.exp(-x)), 1),
        (functions.TANH_OF_PAIRS, np.tanh, 1),
        (functions.TANH_ROUNDED_ONCE, np.tanh, 0),
        (functions.HARDSIGMOID, lambda x: np.clip(x + 3, 0, 6) / 6, 1),
        (functions.HARDSWISH, lambda x: x * np.clip(x + 3, 0, 6) / 6, 2),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_functions_are_right_but_for_the_last_bits(rule, right, most):
    x = np.concatenate([np.linspace(-2.9, 9, 5001), -np.geomspace(1e-3, 2, 999)])
    x = x.astype(np.float32)
    wanted = right(x.astype(np.float64)).astype(np.float32)
    apart = np.abs(rule(x).astype(np.float64) - wanted) / np.spacing(np.maximum(abs(wanted), 1e-3))
    assert apart.max() <= max(most, 1e-6)


@pytest.mark.parametrize(
    ("exact", "rule", "fast"),
    [
        ("none", functions.GELU_IN_FLOAT64, functions.GELU_IN_FLOAT32),
        ("tanh", functions.GELU_TANH_IN_FLOAT64, functions.GELU_TANH_IN_FLOAT32),
    ],
)
def test_gelu_lies_near_the_formula(exact, rule, fast):
    x = np.linspace(-9, 9, 3001).astype(np.float32)
    wide = x.astype(np.float64)
    if exact == "none":
        share = np.array([(1 + math.erf(v * math.sqrt(0.5))) / 2 for v in wide])
    else:
        share = (1 + np.tanh(math.sqrt(2 / math.pi) * (wide + 0.044715 * wide**3))) / 2
    close = 1e-7 if exact == "none" else 2e-6  # the cube is rounded
    np.testing.assert_allclose(rule(x), wide * share, close, 1e-13)
    np.testing.assert_allclose(fast(x), wide * share, 1e-6, 1e-6)


def test_functions_of_infinities_and_nan():
    values = np.array([-INF, INF, NAN], np.float32)
    for rule, ends in (
        (functions.SIGMOID_IN_FLOAT32, [0.0, 1.0]),
        (functions.SIGMOID_IN_FLOAT64, [0.0, 1.0]),
        (functions.TANH_OF_PAIRS, [-1.0, 1.0]),
        (functions.TANH_ROUNDED_ONCE, [-1.0, 1.0]),
        (functions.HARDSIGMOID, [0.0, 1.0]),
    ):
        found = rule(values).tolist()
        assert found[:2] == ends
        assert np.isnan(found[2])
