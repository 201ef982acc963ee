"""The operations on quantized tensors that the oracle checks, each entered beside its function."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from refquant._environment import in_usual_environment

__all__ = ["OPERATIONS", "Registered", "operation"]


class Registered(NamedTuple):
    """What is known of an operation beside its arguments.

    Attributes
    ----------
    function : callable
        The operation.
    operands : str
        What its test vectors are made of, as `refquant.oracle.vectors.elements` names it; empty
        if it has none.
    steps : tuple of str
        The steps of an engine that its arithmetic takes.
    settings : dict
        Arguments besides the operands that its test vectors have.
    """

    function: Callable[..., Any]
    operands: str
    steps: tuple[str, ...]
    settings: dict[str, Any]


OPERATIONS: dict[str, Registered] = {}

_Function = TypeVar("_Function", bound=Callable[..., Any])


def operation(operands: str = "", *steps: str, **settings: Any) -> Callable[[_Function], _Function]:
    """Decorate an operation: enter it into `OPERATIONS`, to run in the usual environment.

    Parameters
    ----------
    operands, *steps, **settings
        As of `Registered`.

    Returns
    -------
    callable
        Takes the function; returns what `in_usual_environment` makes of it.
    """

    def enter(function: _Function) -> _Function:
        function = in_usual_environment(function)
        OPERATIONS[function.__name__] = Registered(function, operands, steps, settings)
        return function

    return enter
