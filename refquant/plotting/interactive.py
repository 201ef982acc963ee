"""Sliders in a notebook that draw a picture again for every value."""

import inspect
import sys
from collections.abc import Callable
from importlib.util import find_spec
from numbers import Integral
from typing import Any

from refquant import arguments
from refquant.errors import ArgumentError
from refquant.extras import require_extra

__all__ = ["can_slide", "sliders"]

_STEPS = 100  # of a slider for real numbers


def can_slide() -> bool:
    """Whether sliders work here: in a notebook, with ipywidgets installed.

    Returns
    -------
    bool

    Examples
    --------
    >>> import refquant
    >>> refquant.plotting.can_slide()  # outside a notebook
    False
    """
    # A program that is no notebook has no shell, a terminal one that shows text.
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    in_notebook = shell is not None and not type(shell).__module__.startswith("IPython.terminal")
    return in_notebook and find_spec("ipywidgets") is not None


def sliders(draw: Callable[..., Any], **ranges: tuple[float, float]) -> Any:
    """Show a slider for each named parameter of a function, and its picture below them.

    The function is called with the values of all sliders at first, and again when one has moved.

    Parameters
    ----------
    draw : callable
        Draws with ``matplotlib.pyplot``. Its defaults are where the sliders begin.
    **ranges : tuple of two numbers
        Least and largest value of each parameter that gets a slider; two integers if it has
        integers alone.

    Returns
    -------
    ipywidgets.VBox
        As the result of a cell it is shown.

    Raises
    ------
    MissingExtraError
        If ipywidgets is not installed.
    ArgumentError
        If `draw` has no such parameter or no default for it, or a range is not in order or does
        not hold the default.

    Examples
    --------
    >>> import refquant
    >>> def draw(scale=0.5, zero_point=3):
    ...     refquant.plotting.integer_grid(scale, zero_point, refquant.quint8, quant_max=7)
    >>> refquant.plotting.sliders(
    ...     draw, scale=(0.1, 1.0), zero_point=(0, 7)
    ... )  # doctest: +SKIP
    """
    arguments.function("draw", draw)
    starts = _defaults_of(draw)
    checked = {name: _range(name, given, starts) for name, given in ranges.items()}
    widgets = require_extra("ipywidgets", package="ipywidgets", extra="widgets")
    controls = {
        name: _control(widgets, name, *bounds, starts[name]) for name, bounds in checked.items()
    }
    return widgets.VBox([*controls.values(), widgets.interactive_output(draw, controls)])


def _defaults_of(draw: Callable[..., Any]) -> dict[str, Any]:
    try:
        parameters = inspect.signature(draw).parameters.values()
    except (TypeError, ValueError):  # some functions of C have no signature
        return {}
    return {one.name: one.default for one in parameters if one.default is not one.empty}


def _range(name: str, given: Any, starts: dict[str, Any]) -> tuple[float, float]:
    if name not in starts:
        raise ArgumentError(
            argument=name,
            expected="a parameter of draw that has a default",
            got=f"draw with defaults for {', '.join(starts) or 'nothing'}",
        )
    bounds = arguments.sequence(name, given, "least and largest value")
    if len(bounds) != 2:
        raise ArgumentError(argument=name, expected="two numbers", got=f"{len(bounds)} of them")
    start = arguments.real(f"the default of {name}", starts[name])
    least, most = (arguments.real(name, bound) for bound in bounds)
    if not least <= start <= most or least == most:
        raise ArgumentError(
            argument=name,
            expected=f"two numbers with the default of draw, {starts[name]}, between them",
            got=given,
        )
    return bounds[0], bounds[1]


def _control(widgets: Any, name: str, least: float, most: float, start: float) -> Any:
    settings: dict[str, Any] = {"description": name, "continuous_update": False}
    if all(isinstance(value, Integral) for value in (least, most, start)):
        return widgets.IntSlider(min=least, max=most, value=start, **settings)
    step = (most - least) / _STEPS
    return widgets.FloatSlider(
        min=least, max=most, value=start, step=step, readout_format=".3g", **settings
    )
