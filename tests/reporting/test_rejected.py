"""What reports and pictures reject, and extreme values that they accept."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pytest

import refquant
from refquant import errors, plotting, reporting
from refquant.reporting.measures import decibels


@pytest.fixture
def ax():
    figure, made = plt.subplots()
    yield made
    plt.close(figure)


@pytest.mark.parametrize(
    ("signal", "noise", "expected"),
    [
        (100.0, 1.0, 20.0),
        (1.0, 0.0, math.inf),
        (0.0, 0.0, math.nan),
        (0.0, 1.0, -math.inf),
        (1.0, math.inf, -math.inf),
        (math.inf, 1.0, math.inf),
        (math.inf, math.inf, math.nan),
        (math.nan, 1.0, math.nan),
        (1.0, math.nan, math.nan),
        (5e-324, 1e308, -math.inf),
    ],
)
def test_every_two_energies_have_a_ratio(signal, noise, expected):
    assert decibels(signal, noise) == pytest.approx(expected, nan_ok=True)


def test_energies_beyond_float64_give_no_warning():
    assert math.isnan(reporting.sqnr(np.float64([1e300]), np.float64([-1e300])))
    assert reporting.sqnr(np.float64([1.0]), np.float64([1e300])) == -math.inf
    assert math.isnan(reporting.sqnr(np.float64([np.inf]), np.float64([np.inf])))


@pytest.mark.parametrize("shape", [(4,), (0, 3), (3, 0), (2, 2, 2)])
def test_agreement_needs_a_table(shape):
    with pytest.raises(errors.ShapeError, match="`reference` must be of shape"):
        reporting.agreement(np.ones(shape), np.ones(shape))


def test_agreement_needs_tables_of_one_shape():
    with pytest.raises(errors.ShapeError, match="`values` must be of shape"):
        reporting.agreement(np.ones((2, 3)), np.ones((3, 2)))


def test_a_layer_that_rejects_a_call_has_counted_nothing():
    layer = reporting.Layer("fc", "Linear")
    x = refquant.ones(2, 3)
    for output, local in ((refquant.ones(3), None), (x, np.ones(3)), ("text", None)):
        with pytest.raises(errors.RefquantError, match=r"Layer\.add"):
            layer.add(x.numpy(), output, local)
    assert (layer.elements, layer.signal, layer.noise, layer.samples) == (0, 0.0, 0.0, [])


def test_a_page_that_rejects_pictures_has_none(ax):
    page = reporting.Page("title")
    before = page.html()
    for pictures in ([(ax, "one"), (None, "two")], [(ax, 3)], [ax], 7):
        with pytest.raises(errors.RefquantError, match=r"Page\.pictures"):
            page.pictures(pictures)
    assert page.html() == before


def test_times_are_measured_a_bounded_number_of_times():
    with pytest.raises(errors.ArgumentError, match=r"in 1\.\.1000000"):
        reporting.seconds(lambda: None, 2**31)


@pytest.mark.parametrize(
    "values", [[1e300], [-1e300, 1e300], [1e30, np.inf, np.nan], [0.0], [], [5e-324, 0.0], [2**60]]
)
def test_a_histogram_takes_values_of_any_size(ax, values):
    plotting.value_histogram(np.float64(values), 0.1, 0, refquant.quint8, ax=ax)
    ax.figure.canvas.draw()


@pytest.mark.parametrize(
    "bins", [0, -1, 1.5, "auto", [], [1.0], [2.0, 1.0], [0.0, math.nan], [[0.0, 1.0]], None, 2**31]
)
def test_a_histogram_rejects_what_are_no_bins(ax, bins):
    with pytest.raises(errors.RefquantError, match="value_histogram: `bins`"):
        plotting.value_histogram(np.ones(3), 0.1, 0, refquant.quint8, bins=bins, ax=ax)


def test_values_on_the_ends_of_bins_are_counted_as_numpy_counts_them():
    values = np.random.default_rng(0).normal(size=1000)
    counts, edges = np.histogram(values, 37)
    assert np.array_equal(plotting.style.bin_edges(values, 37), edges)
    assert np.array_equal(np.histogram(values, plotting.style.bin_edges(values, 37))[0], counts)


@pytest.mark.parametrize("weight", [np.ones((0, 3)), np.float32([[1, np.nan]]), [[np.inf]]])
def test_ranges_of_channels_need_finite_numbers(weight):
    with pytest.raises(errors.ArgumentError, match="`weight` must be finite numbers"):
        plotting.channel_ranges(weight)


@pytest.mark.parametrize("axes", [3, "axes", plt, refquant.nn.ReLU()])
def test_other_things_than_axes_are_rejected(axes):
    with pytest.raises(errors.ArgumentTypeError, match="`ax` must be axes of matplotlib"):
        plotting.integer_grid(0.5, 2, refquant.quint8, ax=axes)
