"""Operations on plain tensors, a row each: where they are found, and where they can be tested.

``@row()`` above a function enters it into `ROWS`, from which `refquant`, the methods of tensors
and `refquant.nn.functional` take their names, and completes its docstring: that holds what is
particular, and an example; parameters that mean the same everywhere are described here.
"""

import functools
import inspect
import re
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from refquant._operation import named
from refquant.ops.dispatch import quantized_form
from refquant.ops.inplace import assign
from refquant.tensors import QuantizedTensor, Tensor

__all__ = ["ROWS", "Row", "exported", "in_place", "method", "row"]

# Type and description of parameters by name; "name=default" stands before "name".
PARAMETERS = {
    "input": ("Tensor", "The operand, of any shape."),
    "other": ("Tensor or number", "The second operand; shapes broadcast."),
    "out": ("Tensor", "Takes the result."),
    "dim": ("int", "The dimension."),
    "dim=None": ("int or sequence of int", "Dimensions to reduce; all if not given."),
    "*dims": ("int", "The dimensions."),
    "keepdim": ("bool", "Whether the reduced dimension stays, with extent 1."),
    "dtype": ("dtype", "Element type of the result."),
    "device": ("str", "Only 'cpu'."),
    "requires_grad": ("bool", "Whether to record gradients for the result."),
    "generator": (
        "Generator",
        "Source of the numbers; by default the one that `refquant.manual_seed` starts.",
    ),
    "*size": ("int, or one sequence of int", "The shape."),
    "inplace": ("bool", "Whether to change the input itself."),
    "target": ("Tensor", "What the input should be, of its shape."),
    "reduction": ("{'mean', 'sum', 'none'}", "What becomes of the single losses."),
    "unbiased": ("bool", "Whether to divide by one less than the count."),
    "rtol": ("float", "Relative and absolute tolerance."),
    "atol": ("float", "Relative and absolute tolerance."),
    "equal_nan": ("bool", "Whether NaN is close to NaN."),
    "diagonal": ("int", "0 is the main one; above it numbers are positive."),
    "kernel_size": ("int or pair of int", "Size of a window."),
    "stride": ("int or tuple of int", "Step of the window."),
    "stride=None": (
        "int or pair of int",
        "Pixels from window to window; `kernel_size` if not given.",
    ),
    "padding": ("int or tuple of int", "Zeros around the input."),
    "dilation": ("int or tuple of int", "Distance of the elements of a window."),
    "groups": ("int", "Parts into which the channels are cut."),
    "ceil_mode": ("bool", "Whether windows may reach over the end."),
    "ignore_index": ("int", "A target that does not count."),
    "size": ("int or tuple of int", "The new extents."),
    "scale_factor": ("float or sequence of float", "Factor of every extent, instead of a size."),
    "fill_value": ("number", "The number."),
    "mean": ("float", "Where the middle is."),
    "std": ("float", "The standard deviation."),
    "eps": ("float", "Added to the variance."),
    "weight": ("Tensor", "Factor of the loss of each element."),
    "bias": ("Tensor, shape (out_channels,)", "Added to every output."),
    "mask": ("Tensor of bool", "Broadcasts to `input`."),
    "index": ("Tensor of int64", "Positions along `dim`; its shape is that of the result."),
    "exponent": ("Tensor or number", "The exponent; shapes broadcast."),
    "value": ("number", "Converted to the dtype of `input`."),
    "output_size": ("int or pair of int or None", "The new size; None keeps that of `input`."),
    "normalized_shape": ("int or sequence of int", "Sizes of the last dimensions."),
    "log_target": ("bool", "Whether the target holds logarithms."),
}
# The result of an operation that has a parameter of a name; the first that fits counts.
RESULTS = {
    "keepdim": "Without the reduced dimensions, unless `keepdim`.",
    "reduction": "One number, or with ``reduction='none'`` one for each element.",
    "scale_factor": "The image with its new extents.",
    "*size": "Of the given shape.",
    "other": "Of the common shape.",
    "input": "Of the shape of `input`.",
}


class Row(NamedTuple):
    """What is known of an operation.

    Attributes
    ----------
    function : callable
        The operation: its formula and its derivative.
    at : tuple of str
        Where it is found: ``"refquant"``, ``"Tensor"``, ``"nn.functional"``.
    domain : tuple of float, optional
        Smallest and largest number at which it is differentiable. Tests draw operands between them
        for every parameter without a default, and compare gradients; without a domain they do not.
    options : tuple of dict
        Other arguments to test it with.
    """

    function: Callable[..., Any]
    at: tuple[str, ...]
    domain: tuple[float, float] | None = None
    options: tuple[dict[str, Any], ...] = ({},)

    @property
    def name(self) -> str:
        """The name under which it is found."""
        return self.function.__code__.co_name


ROWS: list[Row] = []

_Function = TypeVar("_Function", bound=Callable[..., Any])


def row(
    at: str = "refquant Tensor",
    domain: tuple[float, float] | None = None,
    options: tuple[dict[str, Any], ...] = ({},),
    returns: str = "",
    **described: str,
) -> Callable[[_Function], _Function]:
    """Decorate an operation: enter it into `ROWS`, and complete its docstring.

    Parameters
    ----------
    at, domain, options
        As of `Row`; places are separated by spaces.
    returns : str
        What the tensor is that it returns, if no parameter tells.
    **described : str
        What parameters are, if they are not what they are everywhere.

    Returns
    -------
    callable
        Takes the function and returns it.
    """

    def enter(function: _Function) -> _Function:
        if function.__doc__ is not None:  # python -OO removes docstrings
            function.__doc__ = completed(function, returns, described)
        ROWS.append(Row(function, tuple(at.split()), domain, options))
        return function

    return enter


def exported(place: str) -> dict[str, Callable[..., Any]]:
    """Return the operations that are found at a place, by name."""
    operations = {row.name: row.function for row in ROWS if place in row.at}
    if place != "Tensor":
        return operations
    return {name: method(operation) for name, operation in operations.items()}


@functools.cache  # one method for the name and for the operator
def method(operation: Callable[..., Any]) -> Callable[..., Any]:
    """Return an operation as the method of a tensor: only the function has `out`."""
    if "out" not in _parameters(operation):
        return operation

    @named(operation.__name__)
    def without_out(input, other):
        return operation(input, other)

    for name in functools.WRAPPER_ASSIGNMENTS:  # a wrapped function would show its own signature
        setattr(without_out, name, getattr(operation, name))
    without_out.__annotations__ = {
        name: kind for name, kind in operation.__annotations__.items() if name != "out"
    }
    if operation.__doc__ is not None:
        without_out.__doc__ = re.sub(r"\nout : .*(\n    .*)*", "", operation.__doc__)
    return without_out


def in_place(
    operation: Callable[..., Tensor], at: str = "Tensor", example: str = ""
) -> Callable[..., Tensor]:
    """Make the in-place form of an operation: its arguments, and an underscore after its name.

    Parameters
    ----------
    operation : callable
        The operation, a row itself if the form is one.
    at : str
        As of `row`; nowhere makes no row.
    example : str
        What follows the first prompt of the example.

    Returns
    -------
    callable
        Calls the form of quantized tensors, if there is one, for them.
    """
    operation, name = method(operation), f"{operation.__name__}_"

    @named(name)
    @functools.wraps(operation)
    def form(input, *arguments, **keywords):
        if type(input) is QuantizedTensor:
            return quantized_form(name, "input", input)(input, *arguments, **keywords)
        return assign(input, operation(input, *arguments, **keywords))

    form.__name__ = form.__qualname__ = name
    if operation.__doc__ is not None:
        head = operation.__doc__.partition("\n\nReturns\n")[0]
        _, mark, parameters = head.partition("\n\nParameters\n")
        form.__doc__ = f"Apply `{operation.__name__}` in place.{mark}{parameters}"
        form.__doc__ += f"\n\n>>> {example}" if example else ""
    return row(at, returns="`input` itself.")(form) if at else form


# -- documentation -----------------------------------------------------------------------------


def completed(function: Callable[..., Any], returns: str, described: dict[str, str]) -> str:
    """Complete a docstring: with parameters, the result, and the heading of the example."""
    text, mark, example = inspect.cleandoc(function.__doc__ or "").partition("\n\n>>> ")
    summary, *given = re.split(r"\n\n(?=[A-Z]\w+\n-)", text)
    sections = dict(section.split("\n", 1) for section in given)
    own = sections.pop("Parameters", "").partition("\n")[2]
    entries: dict[str, str] = {}
    for entry in re.split(r"\n(?=\S)", own):
        entries.update(dict.fromkeys(entry.partition(" : ")[0].split(", "), entry))
    names, kinds = _parameters(function), inspect.unwrap(function).__annotations__
    for name in names.keys() - entries.keys():
        text = described.get(name.strip("*"), "")
        entries[name] = _entry(name, names[name], kinds.get(name), text)
    listed = dict.fromkeys(entries[name] for name in names)
    result = returns or next((RESULTS[name] for name in RESULTS if name in names), "")
    tensor = f"{'-' * 7}\nTensor\n    {result}" if result else "-------\nTensor"
    sections = {"Parameters": "\n".join(["-" * 10, *listed]), "Returns": tensor} | sections
    if not names:
        del sections["Parameters"]
    if mark:
        functional = ">>> from refquant.nn import functional as F\n" if "F." in example else ""
        sections["Examples"] = f"--------\n>>> import refquant\n{functional}>>> {example}"
    return "\n\n".join([summary, *(f"{name}\n{body}" for name, body in sections.items())]) + "\n"


def _parameters(function: Callable[..., Any]) -> dict[str, str]:
    """Return the parameters of a function, with stars, and the text of their defaults."""
    function = inspect.unwrap(function)
    code, names = function.__code__, list(function.__code__.co_varnames)
    count = code.co_argcount + code.co_kwonlyargcount
    positional, keyword = names[: code.co_argcount], names[code.co_argcount : count]
    values = function.__defaults__ or ()
    defaults = dict(zip(positional[len(positional) - len(values) :], values, strict=True))
    defaults |= function.__kwdefaults__ or {}
    starred = [f"*{names[count]}"] if code.co_flags & inspect.CO_VARARGS else []
    return {
        name: repr(defaults[name]) if name in defaults else ""
        for name in [*positional, *starred, *keyword]
    }


def _entry(name: str, default: str, annotation: Any, text: str) -> str:
    """Describe a parameter by the table, but for a text of its own or a type that it lacks."""
    kind = getattr(annotation, "__name__", str(annotation).removesuffix(" | None"))
    known = PARAMETERS.get(f"{name}={default}") or PARAMETERS.get(name) or (kind, "")
    ends = {"": "", "None": ", optional"}.get(default, f", default {default}")
    kind = kind if kind == "int" else known[0]  # one dimension, where the table has several
    return f"{name} : {kind}{ends}\n    {text or known[1]}"
