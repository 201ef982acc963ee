"""Pictures of errors, ranges, channels and bits, tested by what is drawn."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from plotting.test_drawn import saved

import refquant
from refquant import plotting, quantization
from refquant.errors import ArgumentError, IndexRangeError, ShapeError


@pytest.fixture
def ax():
    return Figure().add_subplot()


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


# -- histogram of the error ----------------------------------------------------------------------


def test_errors_are_counted_with_half_a_step_at_an_edge(ax):
    x = np.random.default_rng(0).uniform(-2, 2, 5000).astype(np.float32)
    q = refquant.quantize_per_tensor(refquant.from_numpy(x), 0.1, 128, refquant.quint8)
    assert plotting.error_histogram(refquant.from_numpy(x), q, step=0.1, ax=ax) is ax
    (stairs,) = ax.patches
    counts, edges, _ = stairs.get_data()
    assert counts.sum() == 5000
    assert np.isclose(edges, 0.05).any()
    assert np.isclose(edges, -0.05).any()
    inside = (edges[:-1] > -0.0501) & (edges[1:] < 0.0501)
    assert counts[inside].sum() >= 4998  # all, but for float32 at the ties
    assert [line.get_xdata()[0] for line in ax.lines] == pytest.approx([-0.05, 0.05])
    root = float(np.sqrt(np.mean((q.dequantize().numpy() - x) ** 2)))
    assert root == pytest.approx(0.1 / 12**0.5, rel=0.02)
    assert f"RMS {root:.2g}" in legend(ax)[0]
    assert legend(ax)[1] == "half a step"
    assert saved(ax)


def test_errors_of_several_share_their_bars(ax):
    x = np.zeros(100)
    made = {"shifted": x + 1, "spread": np.linspace(-1, 1, 100)}
    plotting.error_histogram(x, made, bins=10, ax=ax)
    (counts, edges, _), (others, same, _) = (patch.get_data() for patch in ax.patches)
    assert edges.tolist() == same.tolist()
    assert counts.tolist() == [0] * 9 + [100]
    assert others.sum() == 100
    assert legend(ax)[0] == "shifted: mean 1, RMS 1"
    assert saved(ax)


def test_clipped_errors_are_far_beyond_half_a_step(ax):
    x = np.float32([0.0, 0.3, 30.0])
    q = refquant.quantize_per_tensor(refquant.from_numpy(x), 0.1, 0, refquant.quint8)
    plotting.error_histogram(x, q, step=0.1, bins=20, ax=ax)
    counts, edges, _ = ax.patches[0].get_data()
    assert counts.sum() == 3
    assert edges[0] <= -4.5
    width = edges[1] - edges[0]
    assert 0.05 / width == pytest.approx(round(0.05 / width))


def test_errors_that_are_not_finite_are_left_out(ax):
    plotting.error_histogram([1.0, np.nan, 2.0], [1.5, 0.0, np.inf], ax=ax)
    assert ax.patches[0].get_data()[0].sum() == 1
    plotting.error_histogram([np.nan], [0.0], step=1.0, ax=Figure().add_subplot())


@pytest.mark.parametrize(
    ("after", "step", "error", "match"),
    [
        (np.zeros(3), None, ShapeError, "after"),
        ({}, None, ArgumentError, "after"),
        (np.full(2, 1e9), 1e-9, ArgumentError, "step"),
    ],
)
def test_errors_that_cannot_be_drawn(ax, after, step, error, match):
    with pytest.raises(error, match=match):
        plotting.error_histogram(np.zeros(2), after, step=step, ax=ax)


# -- ranges of observers -------------------------------------------------------------------------


def test_a_line_for_the_range_of_each_observer(ax):
    x = np.random.default_rng(0).normal(size=5000).astype(np.float32)
    observers = {
        "all": quantization.MinMaxObserver(quant_min=0, quant_max=15),
        "least error": quantization.MSEObserver(quant_min=0, quant_max=15),
    }
    for observer in observers.values():
        observer(refquant.from_numpy(x))
    plotting.observer_ranges(x, {**observers, "given": (-1, 2)}, ax=ax)
    spans = [line.get_xdata() for line in ax.lines]
    assert list(spans[2]) == [-1, 2]
    for (low, high), observer in zip(spans, observers.values(), strict=False):
        scale, zero_point = (v.item() for v in observer.calculate_qparams())
        assert (low, high) == pytest.approx((-scale * zero_point, scale * (15 - zero_point)))
    assert spans[0][1] - spans[0][0] > spans[1][1] - spans[1][0]
    counts = ax.patches[0].get_data()[0]
    heights = [line.get_ydata()[0] for line in ax.lines]
    assert heights == sorted(heights, reverse=True)
    assert counts.max() < min(heights)
    assert max(heights) < ax.get_ylim()[1]
    assert ax.texts[2].get_text() == "given: -1 to 2"
    assert [text.xy[1] for text in ax.texts] == heights
    assert saved(ax)


def test_ranges_above_nothing(ax):
    plotting.observer_ranges([], {"given": (0, 1)}, ax=ax)
    assert saved(ax)


@pytest.mark.parametrize("ends", [(1, 0), (0,), (0, np.inf), 3.0])
def test_ranges_without_two_ends(ax, ends):
    with pytest.raises(ArgumentError, match="ranges"):
        plotting.observer_ranges([1.0], {"one": ends}, ax=ax)


def test_observers_with_a_scale_for_each_channel(ax):
    observer = quantization.PerChannelMinMaxObserver()
    observer(refquant.randn(3, 4))
    with pytest.raises(ArgumentError, match="one scale"):
        plotting.observer_ranges([1.0], {"one": observer}, ax=ax)


# -- boxes of channels ---------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1])
def test_a_box_for_each_channel(ax, axis):
    values = np.array([[0.0, 1, 2, 3, 4], [10, 10, 10, 10, 30]])
    plotting.channel_boxes(values if axis == 0 else values.T, axis=axis, ax=ax)
    boxes = [(bar.get_y(), bar.get_y() + bar.get_height()) for bar in ax.patches]
    assert boxes == [(1, 3), (10, 10)]
    spans, medians = (lines.get_segments() for lines in ax.collections)
    assert [line[:, 1].tolist() for line in spans] == [[0, 4], [10, 30]]
    assert [line[0, 1] for line in medians] == [2, 10]
    assert [line.get_ydata()[0] for line in ax.lines] == [0, 30]
    assert sorted(legend(ax)) == ["all values", "median", "middle half", "range of a shared scale"]
    ax.figure.canvas.draw()
    assert all(tick == int(tick) for tick in ax.get_xticks())
    assert saved(ax)


def test_boxes_of_axes_and_values_that_are_not_there(ax):
    with pytest.raises(IndexRangeError, match="axis"):
        plotting.channel_boxes(np.zeros(3), ax=ax)
    for values in (np.zeros((0, 2)), np.full((2, 2), np.nan), np.zeros((1, 1001))):
        with pytest.raises(ArgumentError, match="values"):
            plotting.channel_boxes(values, ax=ax)


# -- bits ----------------------------------------------------------------------------------------


def test_a_curve_for_each_way_and_the_slope_of_a_bit(ax):
    plotting.sqnr_curves([2, 4, 8], {"one": [3, 16, 38], "two": [np.inf, 20, 40]}, ax=ax)
    one, two, law = ax.lines
    assert one.get_ydata().tolist() == [3, 16, 38]
    assert np.isnan(two.get_ydata()[0])
    assert law.get_ydata() == pytest.approx([38 - 6 * 6.0206, 38 - 4 * 6.0206, 38])
    assert ax.get_xticks().tolist() == [2, 4, 8]
    assert legend(ax) == ["one", "two", "6.02 dB a bit"]
    assert saved(ax)


@pytest.mark.parametrize("bits", [[8, 4], [4, 4], []])
def test_bits_in_ascending_order(ax, bits):
    with pytest.raises(ArgumentError, match="bits"):
        plotting.sqnr_curves(bits, {"one": [1.0] * len(bits)}, ax=ax)


def test_a_number_for_each_number_of_bits(ax):
    with pytest.raises(ShapeError, match="'one'"):
        plotting.sqnr_curves([2, 4], {"one": [1.0]}, ax=ax)
    with pytest.raises(ArgumentError, match="curve"):
        plotting.sqnr_curves([2, 4], {}, ax=ax)
