"""What observers compute, number by number."""

import numpy as np
import pytest

from refquant import engines, kernels
from refquant.engines import Operands
from refquant.engines.rules import dynamic_qparams

INF, NAN = np.inf, np.nan


def f32(*values):
    return np.array(values, np.float32)


@pytest.mark.parametrize(
    ("x", "lower", "upper"),
    [
        ((3.0, -1.0, 2.0), -1.0, 3.0),
        ((5.0,), 5.0, 5.0),
        ((-INF, INF, 0.0), -INF, INF),
        ((1.0, NAN, 2.0), NAN, NAN),
        ((-NAN, 1.0), NAN, NAN),
        ((), INF, -INF),
        ((1e-45, -1e-45), -1e-45, 1e-45),
    ],
)
def test_min_max(x, lower, upper):
    np.testing.assert_array_equal(kernels.min_max(f32(*x)), f32(lower, upper))


def test_negative_zero_is_less_than_zero():
    found = kernels.min_max(f32(0.0, -0.0, 0.0))
    assert np.signbit(found).tolist() == [True, False]


def test_min_max_per_channel_looks_at_the_middle_axis():
    x = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    x[0, 1, 0] = NAN
    found = kernels.min_max_per_channel(x)
    np.testing.assert_array_equal(found, f32([0, NAN, 4], [7, NAN, 11]))


def test_moving_average_rounds_the_constant_and_every_step_to_float32():
    average, current, c = np.float32(0.1), np.float32(7.3), np.float32(0.01)
    wanted = average + c * (current - average)
    assert kernels.moving_average(f32(0.1), f32(7.3), 0.01)[0] == wanted


def test_histogram_gives_the_upper_end_to_the_last_bin_and_skips_what_lies_outside():
    x = f32(0.0, 0.9, 1.0, 3.99, 4.0, 4.1, -0.1, NAN, INF)
    assert kernels.histogram(x, 4, 0.0, 4.0, False).tolist() == [2, 1, 0, 2]


@pytest.mark.parametrize(("x", "position"), [(1.749, 52), (0.429, 13), (3.267, 99)])
def test_histogram_divides_before_it_multiplies(x, position):
    # f32(f32(x * 100) / 3.3) would lie on the other side of an edge.
    counts = kernels.histogram(f32(x), 100, 0.0, float(np.float32(3.3)), False)
    assert np.flatnonzero(counts).tolist() == [position]
    assert int(np.float32(x) * np.float32(100) / np.float32(3.3)) != position


def test_histogram_of_one_value_moves_the_ends_apart():
    assert kernels.histogram(f32(2.0, 2.0), 4, 2.0, 2.0, False).tolist() == [0, 0, 2, 0]


def test_histogram_counts_exactly_beyond_what_adding_in_float32_can():
    x = np.zeros(2**24 + 2, np.float32)
    assert kernels.histogram(x, 1, 0.0, 1.0, False)[0] == 2**24 + 2


def test_combining_histograms_moves_counts_to_wider_bins():
    # Two bins in 4 parts each; a new bin is 8 parts and 3 parts lie before.
    counts, added = f32(4.0, 8.0), f32(1.0, 0.0)
    found = kernels.combine_histograms(counts, added, 4, 8, 3)
    # Parts: 3 empty, 4 of one count each, 4 of two. The first new bin holds 4 * 1 + 1 * 2.
    assert found.tolist() == [1 + 6, 6]


def test_parts_past_the_end_belong_to_the_last_bin():
    found = kernels.combine_histograms(f32(4.0, 8.0), f32(0.0, 0.0), 4, 4, 2)
    assert found.sum() == 12


def test_search_keeps_an_even_histogram_nearly_whole():
    lower, upper = kernels.search_range(np.full(256, 10, np.float32), -1.0, 1.0, 256)
    assert lower <= -0.99
    assert upper >= 0.99


def test_search_cuts_off_one_far_number():
    counts = np.zeros(1000, np.float32)
    counts[:20], counts[-1] = 1e5, 1
    lower, upper = kernels.search_range(counts, 0.0, 1000.0, 256)
    assert lower == 0
    assert upper < 100


def test_search_leaves_a_range_without_width():
    assert kernels.search_range(f32(0, 7, 0), 0.5, 0.5, 256).tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("ends", "limits", "symmetric", "scale", "zero_point"),
    [
        ((-1.0, 1.55), (0, 255), False, 0.01, 100),
        ((0.0, 0.0), (0, 255), False, 1.0, 0),
        ((0.0, 0.0), (0, 255), True, 1.0, 0),
        ((0.0, 0.0), (-128, 127), False, 1.0, 0),
        ((5.0, 5.0), (0, 255), False, 5 / 255, 0),
        ((-5.0, -2.0), (0, 255), False, 5 / 255, 255),
        ((2.0, 5.1), (-128, 127), False, 0.02, -128),
        ((-1.0, 0.5), (-128, 127), True, 1 / 127.5, 0),
        ((-1.0, 0.5), (0, 255), True, 1 / 127.5, 128),
        ((-1.0, 0.5), (-64, 63), True, 1 / 63.5, 0),
        ((-0.5, 3.0), (-8, 7), True, 0.4, 0),
        ((-0.5, 3.0), (0, 15), True, 0.4, 8),
        ((0.0, 3.0), (0, 3), False, 1.0, 0),
        ((-1e-9, 1e-9), (0, 255), False, 2.0**-23, 0),
        ((-1.0, 509.0), (0, 255), False, 2.0, 0),  # 0.5 rounds to the even 0
        ((-3.0, 507.0), (0, 255), False, 2.0, 2),  # 1.5 rounds to the even 2
    ],
)
def test_choose_qparams(ends, limits, symmetric, scale, zero_point):
    lower, upper = (f32(v) for v in ends)
    scales, zero_points = kernels.observer_qparams(lower, upper, *limits, symmetric)
    assert scales.dtype == np.float32
    assert zero_points.dtype == np.int64
    assert (scales[0], zero_points[0]) == (np.float32(scale), zero_point)


@pytest.mark.parametrize(
    ("ends", "rule", "scale", "zero_point"),
    [
        ((0.0, 0.0), dynamic_qparams.RANGE_IN_FLOAT32, 0.1, 0),
        ((0.0, 0.0), dynamic_qparams.RANGE_IN_FLOAT64, 0.1, 0),
        ((-1.0, 1.55), dynamic_qparams.RANGE_IN_FLOAT32, 0.01, 100),
        ((-1.0, 1.55), dynamic_qparams.RANGE_IN_FLOAT64, 0.01, 100),
        ((0.0, 255e-6), dynamic_qparams.RANGE_IN_FLOAT32, 1e-6, 0),
        ((0.0, 255e-6), dynamic_qparams.RANGE_IN_FLOAT64, 6.1e-5, 0),
        ((-255e-6, 0.0), dynamic_qparams.RANGE_IN_FLOAT64, 6.1e-5, 255),
        ((-2.0, -1.0), dynamic_qparams.RANGE_IN_FLOAT64, 2 / 255, 255),
    ],
)
def test_dynamic_qparams(ends, rule, scale, zero_point):
    lower, upper = (float(np.float32(v)) for v in ends)
    found = kernels.dynamic_qparams(lower, upper, 0, 255, rule)
    assert found[1] == zero_point
    assert found[0] == pytest.approx(scale, rel=2e-7)
    # PyTorch 2.13 keeps the quotient as it is; operations round it when they use it.
    rounded = rule is dynamic_qparams.RANGE_IN_FLOAT32
    assert not rounded or found[0] == float(np.float32(found[0]))


def test_every_engine_says_how_dynamic_operations_choose(engine):
    rule = engines.current().rule("dynamic_qparams", Operands())
    wanted = "range_in_float32" if engine.endswith("1.4") else "range_in_float64"
    assert rule.name == wanted


def test_every_bin_of_the_largest_histogram_is_told_apart():
    bins = 2**20
    places = np.array([0, 1, 2**19 - 1, 2**19, bins - 2, bins - 1])
    x = ((places + 0.5) / bins).astype(np.float32)
    counts = kernels.histogram(np.repeat(x, 3), bins, 0.0, 1.0, False)
    assert np.flatnonzero(counts).tolist() == places.tolist()
    assert set(counts[places]) == {3.0}
    edges = kernels.histogram(np.array([0.0, 1.0, np.nan], np.float32), bins, 0.0, 1.0, False)
    assert np.flatnonzero(edges).tolist() == [0, bins - 1]


def test_histograms_of_different_numbers_of_bins_are_not_combined():
    counts, added = np.zeros(9, np.float32), np.zeros(3, np.float32)
    with pytest.raises(ValueError, match=r"bins|broadcast"):
        kernels.combine_histograms(counts, added, 2, 2, 0)


@pytest.mark.parametrize(
    ("ends", "scale", "zero_point"),
    [
        ((0.0, 0.0), 0.1, 0),
        ((-1.0, 1.55), 0.01, 100),
        ((0.0, 255e-6), 6.1e-5, 0),
        # In float64 both ends lead to 127.5, which becomes 128; by the rounded scale to less.
        ((-2.8945312, 2.8945312), 0.022702206, 127),
    ],
)
def test_dynamic_qparams_by_the_rounded_scale(ends, scale, zero_point):
    found = dynamic_qparams.BY_ROUNDED_SCALE(*(float(np.float32(v)) for v in ends), 0, 255)
    assert found == (float(np.float32(found[0])), zero_point)
    assert found[0] == pytest.approx(scale, rel=2e-7)
