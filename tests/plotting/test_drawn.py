"""Pictures, tested by what is drawn rather than by pixels."""

import io

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import refquant
from refquant import plotting
from refquant.errors import (
    ArgumentError,
    IndexRangeError,
    QuantizationParameterError,
    ShapeError,
)


@pytest.fixture
def ax():
    return Figure().add_subplot()


def saved(ax):
    """Draw for real: in two formats, and something is there."""
    for form in ("png", "svg"):
        stream = io.BytesIO()
        ax.figure.savefig(stream, format=form)
        assert len(stream.getvalue()) > 1000
    return True


def luminance(color):
    channels = [int(to_hex(color)[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("color", plotting.COLORS)
def test_colors_stand_out_on_white_and_on_black(color):
    shade = luminance(color)
    assert 1.05 / (shade + 0.05) >= 3
    assert (shade + 0.05) / 0.05 >= 3


def test_new_axes_by_default():
    from matplotlib import pyplot

    drawn = plotting.sqnr_bars(["a"], {"int8": [30.0]})
    assert drawn.figure.number in pyplot.get_fignums()
    pyplot.close(drawn.figure)


# -- histogram of values ------------------------------------------------------------------------


def test_histogram_counts_every_finite_value(ax):
    values = np.array([0.0, 0.5, 1.0, 1.0, np.nan, np.inf], np.float32)
    assert plotting.value_histogram(values, 0.01, 0, refquant.quint8, bins=2, ax=ax) is ax
    (stairs,) = (p for p in ax.patches if p.get_label() == "values")
    counts, edges, _ = stairs.get_data()
    assert counts.tolist() == [1, 3]
    assert edges.tolist() == [0.0, 0.5, 1.0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("value (real units)", "elements")
    assert saved(ax)


@pytest.mark.parametrize(
    ("zero_point", "dtype", "low", "high"),
    [
        (0, refquant.quint8, 0, 25.5),
        (128, refquant.quint8, -12.8, 12.7),
        (0, refquant.qint8, -12.8, 12.7),
    ],
)
def test_histogram_marks_the_clipping_range(ax, zero_point, dtype, low, high):
    plotting.value_histogram(np.float32([-20, 30]), 0.1, zero_point, dtype, ax=ax)
    assert [line.get_xdata()[0] for line in ax.lines] == pytest.approx([low, high])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "values",
        "range of the integers, 100.00% clipped",
    ]
    left, right = ax.get_xlim()
    assert left < -20
    assert right > 30


def test_histogram_shows_the_integers_on_top(ax):
    plotting.value_histogram(np.float32([0, 1]), 0.1, 10, refquant.quint8, ax=ax)
    (top,) = ax.child_axes
    assert top.get_xlabel() == "integer (quint8)"
    ax.figure.draw_without_rendering()
    assert top.get_xlim() == pytest.approx([x / 0.1 + 10 for x in ax.get_xlim()])


@pytest.mark.parametrize(
    "values",
    [np.empty(0, np.float32), np.full(3, np.nan, np.float32), np.zeros((2, 2), np.float32)],
)
def test_histogram_of_nothing_or_of_one_value(ax, values):
    plotting.value_histogram(values, 0.1, 10, refquant.quint8, ax=ax)
    assert saved(ax)


def test_histogram_rejects_bad_parameters(ax):
    with pytest.raises(QuantizationParameterError, match="zero_point"):
        plotting.value_histogram([1.0], 0.1, 300, refquant.quint8, ax=ax)
    with pytest.raises(QuantizationParameterError, match="scale"):
        plotting.value_histogram([1.0], 0.0, 0, refquant.quint8, ax=ax)


# -- weights ------------------------------------------------------------------------------------


def quantized(values, scale=0.5):
    tensor = refquant.tensor(values)
    return tensor, refquant.quantize_per_tensor(tensor, scale, 0, refquant.qint8)


def test_weights_share_their_bins(ax):
    before, after = quantized([-1.0, -0.6, 0.0, 0.1, 1.0])
    plotting.weight_histogram(before, after, ax=ax)
    (counts, edges, _), (counts_after, edges_after, _) = (p.get_data() for p in ax.patches)
    assert counts.tolist() == [1, 1, 2, 0, 1]
    assert counts_after.tolist() == [1, 1, 2, 0, 1]
    assert edges.tolist() == edges_after.tolist() == [-1.25, -0.75, -0.25, 0.25, 0.75, 1.25]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["float32", "qint8"]
    assert ax.get_xlabel() == "weight (real units)"
    assert saved(ax)


@pytest.mark.parametrize("zero_point", [0, -7])
@pytest.mark.parametrize("bins", [2, 3, 10, 60, 61, 254, 255])
def test_bars_of_weights_are_whole_steps_with_zero_in_the_middle_of_one(ax, bins, zero_point):
    """Then every bar counts equally many integers, and none is a spike of the drawing."""
    codes = np.random.default_rng(bins).integers(-128, 128, 500, dtype=np.int8)
    codes[:2] = -128, 127
    after = refquant._make_per_tensor_quantized_tensor(
        refquant.from_numpy(codes), 0.0625, zero_point
    )
    plotting.weight_histogram(after.dequantize(), after, bins=bins, ax=ax)
    (counts, edges, _), (counts_after, _, _) = (p.get_data() for p in ax.patches)
    assert len(counts) <= bins
    steps = edges / 0.0625
    width = steps[1] - steps[0]
    assert width == int(width)
    assert width % 2 == 1
    assert set(np.diff(steps)) == {width}
    assert width / 2 in steps
    place = np.floor((codes.astype(int) - zero_point) / width + 0.5).astype(int)
    assert counts_after.tolist() == np.bincount(place - place.min()).tolist()
    assert counts.tolist() == counts_after.tolist()


def test_weights_quantized_per_channel_are_counted_in_steps_of_their_channel(ax):
    before = refquant.tensor([[-1.0, 0.0, 0.6], [-10.0, 0.0, 6.0]])
    scales, zeros = refquant.tensor([0.5, 5.0]), refquant.tensor([0, 0])
    after = refquant.quantize_per_channel(before, scales, zeros, 0, refquant.qint8)
    plotting.weight_histogram(before, after, ax=ax)
    (counts, edges, _), (counts_after, _, _) = (p.get_data() for p in ax.patches)
    assert counts.tolist() == counts_after.tolist() == [2, 0, 2, 2]
    assert edges.tolist() == [-2.5, -1.5, -0.5, 0.5, 1.5]
    assert ax.get_xlabel() == "weight (steps of its channel)"
    assert saved(ax)


def test_no_weights_and_weights_that_are_not_finite_are_drawn(ax):
    before, after = quantized([np.nan, np.inf, 0.5])
    plotting.weight_histogram(before, after, ax=ax)
    none, nothing = quantized(np.zeros((0, 3), np.float32))
    plotting.weight_histogram(none, nothing, ax=ax)
    assert saved(ax)


def test_a_histogram_of_weights_needs_two_bars(ax):
    with pytest.raises(ArgumentError, match="bins"):
        plotting.weight_histogram(*quantized([1.0]), bins=1, ax=ax)


def test_weights_of_other_shapes_are_rejected(ax):
    before, after = quantized([1.0, 2.0])
    with pytest.raises(ShapeError, match="after"):
        plotting.weight_histogram(before[:1], after, ax=ax)


# -- SQNR ---------------------------------------------------------------------------------------


def test_one_bar_for_each_layer_and_model(ax):
    plotting.sqnr_bars(["conv", "fc"], {"one": [40.0, 30.0], "two": [45.0, np.inf]}, ax=ax)
    one, two = ax.containers
    assert [bar.get_width() for bar in one] == [40.0, 30.0]
    assert [bar.get_width() for bar in two] == [45.0, 0.0]
    assert [text.get_text() for text in ax.texts] == ["40.0", "30.0", "45.0", ""]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["conv", "fc"]
    assert ax.yaxis_inverted()
    assert "dB" in ax.get_xlabel()
    assert saved(ax)


def test_bars_need_a_number_for_each_layer(ax):
    with pytest.raises(ShapeError, match="'one'"):
        plotting.sqnr_bars(["conv", "fc"], {"one": [40.0]}, ax=ax)


# -- saw-tooth ----------------------------------------------------------------------------------


def test_the_error_stays_within_half_a_step_inside_the_range(ax):
    plotting.error_sawtooth(0.1, 10, refquant.quint8, ax=ax)
    (line,) = (line for line in ax.lines if line.get_label() == "error")
    x, error = line.get_data()
    assert np.nanmax(np.abs(error)) <= 0.05 * (1 + 1e-5)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["half a step", "error"]
    # One gap for each change of the integer: six steps are drawn.
    assert np.isnan(x).sum() == 6
    assert ax.get_xlim() == pytest.approx((-0.3, 0.3))
    assert saved(ax)


def test_the_error_grows_outside_the_range(ax):
    plotting.error_sawtooth(0.1, 0, refquant.quint8, low=-1.0, high=0.0, ax=ax)
    (line,) = (line for line in ax.lines if line.get_label() == "error")
    error = line.get_ydata()
    assert error[0] == pytest.approx(1.0)


# -- integer grid -------------------------------------------------------------------------------


def test_a_mark_for_every_integer(ax):
    plotting.integer_grid(0.5, 2, refquant.quint8, quant_max=7, ax=ax)
    marks, zero = ax.collections
    positions = [segment[0][0] for segment in marks.get_segments()]
    assert positions == [-1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5]
    assert [segment[0][0] for segment in zero.get_segments()] == [0.0]
    assert saved(ax)


@pytest.mark.parametrize(("first", "last"), [(-1, 3), (4, 3), (0, 256)])
def test_a_grid_outside_the_dtype_is_rejected(ax, first, last):
    with pytest.raises(ArgumentError, match="quant_min"):
        plotting.integer_grid(0.5, 2, refquant.quint8, quant_min=first, quant_max=last, ax=ax)


def test_a_grid_of_too_many_marks_is_rejected(ax):
    with pytest.raises(ArgumentError, match="at most"):
        plotting.integer_grid(0.5, 2, refquant.qint32, ax=ax)


# -- channels -----------------------------------------------------------------------------------


def test_a_bar_spans_the_range_of_its_channel(ax):
    weight = np.float32([[-1.0, 2.0], [0.5, 0.25]])
    plotting.channel_ranges(weight, ax=ax)
    bars = [(bar.get_y(), bar.get_y() + bar.get_height()) for bar in ax.patches]
    assert bars == [(-1.0, 2.0), (0.25, 0.5)]
    assert [line.get_ydata()[0] for line in ax.lines] == [-2.0, 2.0]
    assert ax.get_ylim() == pytest.approx((-2.2, 2.2))
    assert saved(ax)


def test_channels_along_another_axis(ax):
    plotting.channel_ranges(np.float32([[-1.0, 2.0], [0.5, 0.25]]), axis=1, ax=ax)
    bars = [(bar.get_y(), bar.get_y() + bar.get_height()) for bar in ax.patches]
    assert bars == [(-1.0, 0.5), (0.25, 2.0)]


def test_an_axis_that_is_not_there_is_rejected(ax):
    with pytest.raises(IndexRangeError, match="axis"):
        plotting.channel_ranges(np.float32([1.0]), axis=1, ax=ax)


# -- before and after ---------------------------------------------------------------------------


def test_the_error_of_every_value_against_the_value(ax):
    before = refquant.tensor([-1.0, 0.2, 0.6, 9.0])
    after = refquant.quantize_per_tensor(before, 0.5, 0, refquant.quint8)
    assert plotting.before_after(before, after, ax=ax) is ax
    (marks,) = (line for line in ax.lines if line.get_label() == "values")
    x, y = marks.get_data()
    assert x.tolist() == pytest.approx([-1.0, 0.2, 0.6, 9.0])
    assert y.tolist() == pytest.approx([1.0, -0.2, -0.1, 0.0])
    assert "real units" in ax.get_xlabel()
    assert "real units" in ax.get_ylabel()
    assert saved(ax)


def test_before_and_after_leaves_out_what_is_not_finite(ax):
    plotting.before_after(np.float32([np.nan, 1.0, np.inf]), np.float32([0.0, 1.0, 2.0]), ax=ax)
    (marks,) = (line for line in ax.lines if line.get_label() == "values")
    assert marks.get_xdata().tolist() == [1.0]


def test_before_and_after_draws_an_even_choice_of_many(ax):
    values = np.arange(100_001, dtype=np.float32)
    plotting.before_after(values, values, ax=ax)
    (marks,) = (line for line in ax.lines if line.get_label() == "values")
    x = marks.get_xdata()
    assert 10_000 < len(x) <= 20_000
    assert len(set(np.diff(x))) == 1


def test_before_and_after_of_nothing(ax):
    plotting.before_after(np.empty(0, np.float32), np.empty(0, np.float32), ax=ax)
    assert saved(ax)


def test_before_and_after_of_other_shapes_is_rejected(ax):
    with pytest.raises(ShapeError, match="after"):
        plotting.before_after(np.zeros(2), np.zeros(3), ax=ax)


# -- confusion of codes -------------------------------------------------------------------------


def test_differences_of_codes_are_counted(ax):
    expected, got = np.uint8([3, 3, 4, 5]), np.uint8([3, 4, 4, 3])
    assert plotting.code_confusion(expected, got, ax=ax) is ax
    (image,) = ax.images
    counts = image.get_array().filled(0)
    assert counts.tolist() == [[0, 0, 1], [0, 0, 0], [1, 1, 0], [1, 0, 0]]
    assert tuple(image.get_extent()) == (2.5, 5.5, -2.5, 1.5)
    assert ax.get_title() == "2 of 4 codes differ"
    assert [axes.get_ylabel() for axes in ax.figure.axes] == ["got minus expected", "elements"]
    assert saved(ax)


def test_codes_of_quantized_tensors_are_their_integers(ax):
    _, q = quantized([-1.0, 0.0, 2.0])
    plotting.code_confusion(q, q, ax=ax)
    assert ax.get_title() == "0 of 3 codes differ"


def test_confusion_of_nothing(ax):
    plotting.code_confusion(np.empty(0, np.int8), np.empty(0, np.int8), ax=ax)
    assert saved(ax)


@pytest.mark.parametrize(
    ("expected", "got", "error", "match"),
    [
        (np.int8([1]), np.int8([1, 2]), ShapeError, "got"),
        (np.float32([1]), np.int8([1]), ArgumentError, "integers"),
        (np.int32([0]), np.int32([1024]), ArgumentError, "1024"),
    ],
)
def test_codes_that_cannot_be_compared_are_rejected(ax, expected, got, error, match):
    with pytest.raises(error, match=match):
        plotting.code_confusion(expected, got, ax=ax)


# -- error map ----------------------------------------------------------------------------------


def test_the_error_of_every_pixel(ax):
    before = refquant.tensor([[[[0.0, 0.3], [0.5, 1.2]]]])
    after = refquant.quantize_per_tensor(before, 0.5, 0, refquant.quint8)
    assert plotting.error_map(before, after, ax=ax) is ax
    (image,) = ax.images
    assert image.get_array().ravel().tolist() == pytest.approx([0.0, 0.2, 0.0, -0.2])
    assert image.get_clim() == pytest.approx((-0.2, 0.2))
    assert [axes.get_ylabel() for axes in ax.figure.axes] == ["row (pixels)", "error (real units)"]
    assert saved(ax)


def test_the_error_in_steps(ax):
    before, after = quantized([[0.1, 0.7], [1.0, -0.3]])
    plotting.error_map(before, after, in_steps=True, ax=ax)
    (image,) = ax.images
    assert image.get_array().ravel().tolist() == pytest.approx([-0.2, -0.4, 0.0, -0.4])
    assert ax.figure.axes[1].get_ylabel() == "error (steps)"


def test_an_image_without_error_has_the_colour_of_none(ax):
    plotting.error_map(np.ones((2, 2)), np.ones((2, 2)), ax=ax)
    assert ax.images[0].get_clim() == (-1.0, 1.0)


@pytest.mark.parametrize("shape", [(4,), (2, 4, 4), (1, 3, 4, 4)])
def test_what_is_no_single_image_is_rejected(ax, shape):
    with pytest.raises(ShapeError, match="one image"):
        plotting.error_map(np.zeros(shape), np.zeros(shape), ax=ax)


def test_errors_of_other_shapes_and_without_steps_are_rejected(ax):
    with pytest.raises(ShapeError, match="after"):
        plotting.error_map(np.zeros((2, 2)), np.zeros((2, 3)), ax=ax)
    with pytest.raises(ArgumentError, match="in_steps"):
        plotting.error_map(np.zeros((2, 2)), np.zeros((2, 2)), in_steps=True, ax=ax)


# -- ranges and sensitivity -----------------------------------------------------------------------


def test_the_error_of_every_clipping_point_and_the_choices_on_it(ax):
    x = np.random.default_rng(0).laplace(size=5000).astype(np.float32)
    plotting.range_sweep(x, {"five": 5.0, "all": float(np.abs(x).max())}, bits=4, ax=ax)
    curve, five, everything = ax.lines
    clips, errors = curve.get_data()
    assert len(clips) == 100
    assert five.get_xdata() == [5.0]
    assert five.get_ydata()[0] == pytest.approx(np.interp(5.0, clips, errors), rel=0.05)
    assert everything.get_ydata()[0] == pytest.approx(errors[-1])
    assert 3 < clips[np.argmin(errors)] < 7
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["4 bits", "five", "all"]
    assert saved(ax)


@pytest.mark.parametrize("values", [np.zeros(3), np.empty(0), np.full(2, np.nan)])
def test_a_sweep_of_nothing_is_rejected(ax, values):
    with pytest.raises(ArgumentError, match="values"):
        plotting.range_sweep(values, ax=ax)


def test_a_number_for_each_layer_and_number_of_bits(ax):
    plotting.sensitivity_map(["conv", "fc"], [8, 4], [[45.0, 21.0], [np.inf, 15.5]], ax=ax)
    assert [text.get_text() for text in ax.texts] == ["45.0", "21.0", "inf", "15.5"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["conv", "fc"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["8", "4"]
    assert saved(ax)
    with pytest.raises(ShapeError, match="decibels"):
        plotting.sensitivity_map(["conv"], [8, 4], [[45.0], [21.0]], ax=ax)
