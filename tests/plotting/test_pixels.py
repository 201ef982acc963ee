"""Pictures, tested by the colors of rendered pixels at positions whose meaning is known.

Places are given in the units of the data and looked up through the axes, so that fonts, margins
and anti-aliasing, which differ between releases of matplotlib, do not matter.
"""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

import refquant
from refquant import plotting

BLUE, VERMILION = (np.array(to_rgb(color)) for color in plotting.COLORS[:2])
WHITE = np.ones(3)


@pytest.fixture
def ax():
    return Figure(figsize=(5, 4), dpi=100, layout="constrained").add_subplot()


class Rendered:
    """The pixels of a figure, found by coordinates of its first axes."""

    def __init__(self, ax):
        canvas = FigureCanvasAgg(ax.figure)
        canvas.draw()
        self.pixels = np.asarray(canvas.buffer_rgba())[..., :3] / 255
        self.ax = ax

    def at(self, x, y):
        column, row = self.ax.transData.transform((x, y))
        return self.pixels[len(self.pixels) - 1 - int(row), int(column)]

    def near(self, x, y, reach=3):
        column, row = self.ax.transData.transform((x, y))
        row = len(self.pixels) - 1 - row
        top, left = max(0, int(row) - reach), max(0, int(column) - reach)
        return self.pixels[top : int(row) + reach + 1, left : int(column) + reach + 1]

    def shows(self, color, x, y):
        """Return whether a pixel within a few has the color."""
        return bool((np.abs(self.near(x, y) - color).max(axis=-1) < 0.06).any())


def test_histogram(ax):
    values = np.float32([0.25] * 9 + [0.75])
    plotting.value_histogram(values, 0.004, 0, refquant.quint8, bins=np.linspace(0, 1, 3), ax=ax)
    picture = Rendered(ax)
    assert picture.at(0.25, 8) == pytest.approx(BLUE, abs=0.02)
    assert picture.at(0.75, 5) == pytest.approx(WHITE, abs=0.02)
    assert picture.shows(VERMILION, 1.02, 5)  # the largest integer


def test_weights(ax):
    weight = refquant.tensor([0.25, 0.25, 0.75])
    after = refquant.quantize_per_tensor(weight, 0.25, 0, refquant.qint8)
    plotting.weight_histogram(weight, after, ax=ax)
    picture = Rendered(ax)
    assert picture.at(0.25, 1.5) == pytest.approx(0.55 * BLUE + 0.45 * WHITE, abs=0.03)
    assert picture.at(0.5, 0.5) == pytest.approx(WHITE, abs=0.03)
    assert picture.shows(VERMILION, 0.25, 2)


def test_sawtooth(ax):
    plotting.error_sawtooth(0.1, 10, refquant.quint8, ax=ax)
    picture = Rendered(ax)
    assert picture.shows(BLUE, 0.0, 0.0)
    assert picture.shows(BLUE, 0.12, -0.02)
    assert not picture.shows(BLUE, 0.12, 0.02)
    # Between the dashes there is nothing, and a thin line is blended with what is below.
    beside = [picture.near(x, 0.05) for x in np.linspace(-0.25, 0.25, 50)]
    assert max((pixels[..., 0] - pixels[..., 2]).max() for pixels in beside) > 0.4


def test_grid(ax):
    plotting.integer_grid(1.0, 2, refquant.quint8, quant_max=4, ax=ax)
    picture = Rendered(ax)
    assert picture.shows(BLUE, 1.0, 0.5)
    assert picture.shows(VERMILION, 0.0, 1.1)
    assert picture.at(0.5, 0.5) == pytest.approx(WHITE, abs=0.02)


def test_sqnr_bars(ax):
    plotting.sqnr_bars(["a", "b"], {"one": [10.0, 20.0]}, ax=ax)
    picture = Rendered(ax)
    assert picture.at(5, 0) == pytest.approx(BLUE, abs=0.02)
    assert picture.at(15, 0) == pytest.approx(WHITE, abs=0.02)
    assert picture.at(15, 1) == pytest.approx(BLUE, abs=0.02)


def test_channels(ax):
    plotting.channel_ranges(np.float32([[-1.0, 2.0], [0.5, 1.0]]), ax=ax)
    picture = Rendered(ax)
    assert picture.at(0, -0.5) == pytest.approx(BLUE, abs=0.02)
    assert picture.at(1, -0.5) == pytest.approx(WHITE, abs=0.02)
    assert picture.at(1, 0.75) == pytest.approx(BLUE, abs=0.02)


def test_before_after(ax):
    plotting.before_after(np.float32([0.0, 1.0, 2.0]), np.float32([0.0, 1.0, 1.0]), ax=ax)
    picture = Rendered(ax)
    mark = picture.at(2, -1)
    assert mark[2] > mark[0] + 0.3  # bluish, half transparent
    assert not np.allclose(picture.near(1.5, 0), WHITE, atol=0.02)  # the line of no error


def test_confusion(ax):
    plotting.code_confusion(np.uint8([0, 1, 2, 2]), np.uint8([0, 1, 2, 0]), ax=ax)
    picture = Rendered(ax)
    assert picture.at(1.2, -1.8) == pytest.approx(WHITE, abs=0.02)
    assert picture.at(2.2, -1.8) != pytest.approx(WHITE, abs=0.1)


def test_error_map(ax):
    plotting.error_map(np.float32([[0, 0], [0, 0]]), np.float32([[-1, 0], [0, 1]]), ax=ax)
    picture = Rendered(ax)
    small, large = picture.at(0.2, 0.2), picture.at(1.2, 1.2)
    assert picture.at(0.2, 1.2).min() > 0.9  # no error is nearly white
    assert small[0] > small[2] + 0.2  # orange
    assert large[2] > large[0] + 0.1  # purple
