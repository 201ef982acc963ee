"""One name for plain and quantized tensors: which operation runs depends on the first operand.

A function decorated with `dispatched` is the plain operation. The table `QUANTIZED_FORMS` has the
one of the same name that takes quantized tensors.
"""

import functools
from collections.abc import Callable

from refquant._operation import named
from refquant.errors import QuantizerError
from refquant.tensors import QuantizedTensor

__all__ = ["QUANTIZED_FORMS", "dispatched", "float_only", "quantized_form"]


def float_only(argument: str, value: QuantizedTensor) -> QuantizerError:
    """Describe a quantized tensor that came to an operation on plain tensors."""
    return QuantizerError(
        argument=argument,
        expected="a plain tensor",
        got=f"a {value.dtype} tensor",
        hint="call .dequantize() first; in a model, put a DeQuantStub before this module, or let "
        "convert() replace it",
    )


# The operations on quantized tensors by name; `refquant.ops.methods` fills the table.
QUANTIZED_FORMS: dict[str, Callable] = {}


def quantized_form(name: str, argument: str, value: QuantizedTensor) -> Callable:
    """Return the quantized form of an operation, or raise that it takes plain tensors only."""
    form = QUANTIZED_FORMS.get(name)
    if form is None:
        raise float_only(argument, value)
    return form


def dispatched(function: Callable) -> Callable:
    """Send quantized tensors to the quantized form of a plain operation, if there is one."""
    name = function.__name__

    @named(name)
    @functools.wraps(function)
    def operation(input, *arguments, **keywords):
        if type(input) is not QuantizedTensor:
            return function(input, *arguments, **keywords)
        return quantized_form(name, "input", input)(input, *arguments, **keywords)

    return operation
