"""Documentation that recurs: written once, and put into the docstrings that name it.

A line of a docstring that holds nothing but ``%(name)s`` stands for the part of that name; what
surrounds it stays, and the part takes over its indentation. Generated stubs show the whole text to
editors, which read sources.
"""

import re
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["PARTS", "documented", "expanded"]

PARTS: dict[str, str] = {
    # Observers.
    "reduce_range": """
reduce_range : bool, default False
    Leave one bit unused: 0..127 or -64..63 instead of 0..255 or -128..127. Some processors add
    products of 8-bit integers in 16 bits, which full ranges overflow.
""",
    "quant_limits": """
quant_min, quant_max : int, optional
    A narrower range of integers, for 2 to 8 bits. It must contain 0.
""",
    "observer_rest": """
factory_kwargs : dict, optional
    Accepted and not used: there is one device.
eps : float, default 2**-23
    The smallest scale. Under 1.4 it cannot be chosen.
is_dynamic : bool, default False
    Whether it is meant for an input that each call quantizes anew; kept as an attribute.
""",
    "range_seen": """
min_val, max_val : Tensor of float32, shape (), or None
    Ends of the range; before anything was seen inf and -inf, under 1.4 None.
""",
    # Modules.
    "convolution_parameters": """
Parameters
----------
in_channels : int
    Channels of the input.
out_channels : int
    Channels of the output.
kernel_size : int or tuple of int
    Size of the filters.
stride : int or tuple of int, default 1
    Step of the window.
padding : int or tuple of int, default 0
    Zeros around the input.
dilation : int or tuple of int, default 1
    Distance of the elements of a window.
groups : int, default 1
    Parts into which the channels are cut.
bias : bool, default True
    Whether to add a number for each output channel.
padding_mode : str, default 'zeros'
    What stands around the input.""",
    "batch_norm_parameters": """
Parameters
----------
num_features : int
    Channels.
eps : float, default 1e-05
    Added to the variance.
momentum : float, optional
    Weight of a batch in the running statistics; None averages all.
affine : bool, default True
    Whether there are a factor and a shift for each channel.
track_running_stats : bool, default True
    Whether to keep statistics for evaluation.""",
    "filled": """
Parameters
----------
tensor : Tensor
    Filled in place, without a gradient.""",
    "itself": """
Returns
-------
Tensor
    `tensor` itself.""",
    "ax": """
ax : matplotlib.axes.Axes, optional
    Where to draw; new ones by default.

Returns
-------
matplotlib.axes.Axes""",
    "shares_storage": """
Returns
-------
Tensor
    Shares storage with `input`.""",
    "plain_or_quantized": """
Parameters
----------
input : Tensor
    Plain or quantized.""",
}

_Documented = TypeVar("_Documented", bound=Callable[..., Any])
_NAMED = re.compile(r"^(?P<indent> *)%\((?P<name>\w+)\)s$", re.MULTILINE)


def expanded(text: str, parts: dict[str, str]) -> str:
    r"""Replace the lines that name a part.

    Parameters
    ----------
    text : str
        A docstring.
    parts : dict of str
        Parts of this docstring alone; `PARTS` has the others.

    Returns
    -------
    str

    Raises
    ------
    KeyError
        If there is no part of a name.

    Examples
    --------
    >>> from refquant._documentation import expanded
    >>> print(expanded("Sum.\n\n%(result)s", {"result": "Returns a tensor."}))
    Sum.
    <BLANKLINE>
    Returns a tensor.
    """

    def part(found: re.Match[str]) -> str:
        name, indent = found["name"], found["indent"]
        lines = (parts[name] if name in parts else PARTS[name]).strip("\n").split("\n")
        return "\n".join(indent + line if line else line for line in lines)

    return _NAMED.sub(part, text)


def documented(**parts: str) -> Callable[[_Documented], _Documented]:
    """Decorate a function or class: expand its docstring.

    Parameters
    ----------
    **parts : str
        Parts of this docstring alone.

    Returns
    -------
    callable
        Takes the function or class and returns it.

    Examples
    --------
    >>> from refquant._documentation import documented
    >>> @documented(formula="Twice the operand.")
    ... def twice(x):
    ...     '''Compute.
    ...
    ...     %(formula)s
    ...     '''
    >>> "Twice the operand." in twice.__doc__
    True
    """

    def decorate(target: _Documented) -> _Documented:
        if target.__doc__ is not None:  # python -OO removes docstrings
            target.__doc__ = expanded(target.__doc__, parts)
        return target

    return decorate
