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
