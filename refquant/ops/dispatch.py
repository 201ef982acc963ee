"""One name for plain and quantized tensors: which operation runs depends on the first operand.

A function decorated with `dispatched` is the plain operation; the quantized one has the same name
in the named module of `refquant.ops.quantized`, which is imported when it is first needed.
"""

import functools
from collections.abc import Callable
from importlib import import_module

from refquant.errors import QuantizerError
from refquant.tensors import QuantizedTensor

__all__ = ["dispatched", "float_only", "quantized_operation"]


def float_only(asked: str, argument: str, value: QuantizedTensor) -> QuantizerError:
    """Describe a quantized tensor that came to an operation on plain tensors."""
    return QuantizerError(
        asked,
        argument=argument,
        expected="a plain tensor",
        got=f"a {value.dtype} tensor",
        mend="call .dequantize() first; in a model, put a DeQuantStub before this module, or let "
        "convert() replace it",
    )


def quantized_operation(module: str, name: str) -> Callable | None:
    """Find the function of that name in ``ops.quantized.<module>``; None if there is none."""
    return getattr(import_module(f"refquant.ops.quantized.{module}"), name, None)


def dispatched(module: str) -> Callable:
    """Send quantized tensors to the function of the same name in ``ops.quantized.<module>``.

    Parameters
    ----------
    module : str
        Where the quantized operation is defined.

    Returns
    -------
    callable
        A decorator for the plain operation.
    """

    def decorate(function: Callable) -> Callable:
        name = function.__name__
        found: list = []

        @functools.wraps(function)
        def operation(input, *arguments, **keywords):
            if type(input) is not QuantizedTensor:
                return function(input, *arguments, **keywords)
            if not found:
                found.append(quantized_operation(module, name))
            if found[0] is None:
                raise float_only(name, "input", input)
            return found[0](input, *arguments, **keywords)

        return operation

    return decorate
