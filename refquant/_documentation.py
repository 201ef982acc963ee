"""Documentation that recurs: written once, and put into the docstrings that name it.

A line of a docstring that holds nothing but ``%(name)s`` stands for the part of that name; what
surrounds it stays, and the part takes over its indentation. Generated stubs show the whole text to
editors, which read sources.
"""

import re
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["PARTS", "documented", "expanded"]

PARTS: dict[str, str] = {}

# Mappings of types of modules.
PARTS["mapping_of_now"] = """
Returns
-------
dict of type to type
    A copy, for the release of the engine that is chosen now."""

# Modules for quantization-aware training.
PARTS["qconfig"] = """
qconfig : QConfig
    What makes the fake quantization of output and weight.

Raises
------
ArgumentError
    If there is no `qconfig`."""
PARTS["qat_convolution"] = f"""
Parameters
----------
in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode
    As of the float convolution.{PARTS["qconfig"]}"""
PARTS["qat_linear"] = f"""
Parameters
----------
in_features, out_features : int
    Length of the last dimension of input and output.
bias : bool, default True
    Whether there is a bias.{PARTS["qconfig"]}"""
PARTS["normalization_settings"] = f"""
eps, momentum
    As of the batch normalization.
freeze_bn : bool, default False
    Whether to normalize with the running statistics in training, too.{PARTS["qconfig"]}"""
PARTS["qat_normalized"] = f"""
Parameters
----------
in_channels, out_channels, kernel_size, stride, padding, dilation, groups, padding_mode, bias
    As of the float convolution; there is no bias by default. PyTorch 2.13 has `bias` before
    `padding_mode`: positional arguments in that order are understood.
{PARTS["normalization_settings"].lstrip()}"""

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
