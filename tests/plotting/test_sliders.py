"""Sliders draw again when they move; without ipywidgets they say what to install."""

import importlib.util
import sys
import types

import pytest

import refquant
from refquant import plotting
from refquant.errors import ArgumentError, ArgumentTypeError, MissingExtraError

HAS_WIDGETS = importlib.util.find_spec("ipywidgets") is not None
needs_widgets = pytest.mark.skipif(not HAS_WIDGETS, reason="ipywidgets is not installed")


def draw(scale=0.5, zero_point=3):
    pass


@needs_widgets
def test_a_picture_for_every_value():
    calls = []

    def quantize(scale=0.5, zero_point=3):
        x = refquant.tensor([-1.0, 0.0, 0.6])
        q = refquant.quantize_per_tensor(x, scale, zero_point, refquant.quint8)
        calls.append(q.int_repr().tolist())

    shown = plotting.sliders(quantize, scale=(0.1, 1.0), zero_point=(0, 7))
    scale, zero_point, _ = shown.children
    assert calls == [[1, 3, 4]]
    scale.value = 0.2
    assert calls[1:] == [[0, 3, 6]]
    zero_point.value = 5
    assert calls[2:] == [[0, 5, 8]]


@needs_widgets
def test_integers_have_a_slider_of_integers():
    scale, zero_point, _ = plotting.sliders(draw, scale=(0.1, 1), zero_point=(0, 7)).children
    assert type(scale).__name__ == "FloatSlider"
    assert (scale.min, scale.max, scale.value) == (0.1, 1.0, 0.5)
    assert type(zero_point).__name__ == "IntSlider"
    assert (zero_point.min, zero_point.max, zero_point.value) == (0, 7, 3)


@pytest.mark.skipif(HAS_WIDGETS, reason="ipywidgets is installed")
def test_without_ipywidgets():
    with pytest.raises(MissingExtraError, match=r"ipywidgets.*refquant\[widgets\]"):
        plotting.sliders(draw, scale=(0.1, 1.0))


def test_there_are_no_sliders_outside_a_notebook(monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert plotting.can_slide() is False


@pytest.mark.parametrize(
    ("kind", "expected"), [("ipykernel.zmqshell", HAS_WIDGETS), ("IPython.terminal.shell", False)]
)
def test_a_notebook_is_known_by_its_shell(monkeypatch, kind, expected):
    shell = type("Shell", (), {"__module__": kind})()
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    assert plotting.can_slide() is expected


@pytest.mark.parametrize(
    ("ranges", "message"),
    [
        ({"offset": (0, 1)}, "a parameter of draw that has a default"),
        ({"scale": (0.6, 1.0)}, "two numbers with the default of draw, 0.5, between them"),
        ({"scale": (0.5, 0.5)}, "between them"),
        ({"scale": (0.1, 0.5, 1.0)}, "two numbers"),
    ],
)
def test_ranges_that_mean_nothing(ranges, message):
    with pytest.raises(ArgumentError, match=message):
        plotting.sliders(draw, **ranges)


def test_what_is_no_range():
    with pytest.raises(ArgumentTypeError, match="least and largest value"):
        plotting.sliders(draw, scale=0.5)
    with pytest.raises(ArgumentTypeError, match="draw"):
        plotting.sliders(3, scale=(0, 1))
    with pytest.raises(ArgumentError, match="draw with defaults for nothing"):
        plotting.sliders(max, scale=(0, 1))
