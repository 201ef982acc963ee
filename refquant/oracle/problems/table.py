"""The operations that the oracle knows, and how they are bound to operands.

Operations whose arithmetic the oracle knows step by step have classes of their own
(`refquant.oracle.problems.products`, `refquant.oracle.problems.elementwise`): these can be answered
for a few elements, by any arithmetic, and in exact numbers.
"""

import inspect
from collections.abc import Callable
from typing import Any

from refquant import arguments
from refquant.errors import ArgumentError, ArgumentTypeError
from refquant.nn import quantized as modules
from refquant.nn.intrinsic import quantized as fused
from refquant.nn.module import Module
from refquant.nn.quantized import functional
from refquant.ops import quantized
from refquant.ops.floating.reductions import mean
from refquant.ops.registered import OPERATIONS
from refquant.oracle.problems.base import Problem
from refquant.oracle.problems.codes import Codes, Output
from refquant.oracle.problems.elementwise import Quantization, Sum
from refquant.oracle.problems.neutral import FUNCTIONS, NeutralProduct
from refquant.oracle.problems.neutral_codes import CODE_FUNCTIONS, NeutralCodes
from refquant.oracle.problems.neutral_pairs import NeutralSum, pair
from refquant.oracle.problems.neutral_sums import (
    NeutralSums,
    NeutralTransposed,
    conv_integer,
    conv_transpose2d,
    matmul_integer,
)
from refquant.oracle.problems.products import Product, product_function

__all__ = [
    "bind",
    "in_order",
    "neutral_defaults",
    "neutral_operations",
    "operations",
    "problem",
]


def _linear_dynamic(input, weight, bias=None):
    return quantized.linear_dynamic(input, quantized.linear_prepack(weight, bias))


# Importing the public names enters the operations behind them into OPERATIONS.
for _name in dir(quantized):
    getattr(quantized, _name)
# Problems are of the class of their operands, and of the functions that take plain tensors too.
_CLASSES = {"pair": Sum, "reals": Quantization}
_FUNCTIONS = {"max_pool2d": functional.max_pool2d, "mean": mean}

# For each operation the class of its problems and its function.
_TABLE: dict[str, tuple[type[Problem], Callable[..., Any]]] = {
    **{
        name + relu: (Product, product_function(name, bool(relu)))
        for name in ("linear", "conv2d", "conv3d")
        for relu in ("", "_relu")
    },
    **{
        name: (_CLASSES.get(entry.operands, Problem), _FUNCTIONS.get(name, entry.function))
        for name, entry in sorted(OPERATIONS.items())
    },
    "linear_dynamic": (Problem, _linear_dynamic),
}


def operations() -> tuple[str, ...]:
    """Name the operations that the oracle knows.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> from refquant import oracle
    >>> 'linear' in oracle.operations()
    True
    """
    return tuple(_TABLE)


def problem(operation: Any, *args: Any, **kwargs: Any) -> Problem:
    """Bind an operation to its operands.

    Parameters
    ----------
    operation : str, Module or Problem
        ``linear``, ``conv2d``, ``conv3d`` (and the same with ``_relu``), pooling and resizing with
        the arguments of `refquant.nn.quantized.functional`; ``add``, ``mul``, ``cat``, ... with
        those of `refquant.ops.quantized`; ``quantize_per_tensor``, ``quantize_per_channel``,
        ``dequantize`` and ``mean`` with those of `refquant`; ``linear_dynamic`` with a float
        input, a weight and a bias. A quantized linear layer or convolution, with its input.
        With operands that are `Codes`, operations of any runtime, see *Neutral problems*. A Problem
        stays itself.
    *args, **kwargs
        The operands.

    Returns
    -------
    Problem

    Raises
    ------
    ArgumentError
        If the operation is not known, or the operands do not fit its signature.

    Examples
    --------
    >>> import refquant
    >>> from refquant import oracle
    >>> x = refquant.quantize_per_tensor(refquant.tensor([0.5, 1.0]), 0.5, 0, refquant.quint8)
    >>> oracle.problem("add", x, x, 0.3, 2)
    <Problem add(qa=quint8 (2,), scale 0.5, qb=quint8 (2,), scale 0.5, scale=0.3, zero_point=2)>
    """
    if isinstance(operation, Problem | Module):
        return _made(operation, args, kwargs)
    kind, function, operands = bind(operation, args, kwargs)
    return kind(operation, function, operands)


def _made(given: Problem | Module, args: tuple, kwargs: dict[str, Any]) -> Problem:
    """Return a problem that is there already, or make that of a quantized layer and its input."""
    if isinstance(given, Problem):
        if args or kwargs:
            raise ArgumentError(
                argument="operands", expected="none beside a Problem, which has them", got="some"
            )
        return given
    if len(args) != 1 or kwargs:
        raise ArgumentError(
            argument="operands", expected="one input beside a module", got=f"{len(args)}"
        )
    name = next((n for kind, n in _MODULES.items() if isinstance(given, kind)), None)
    if name is None:
        raise ArgumentTypeError(
            argument="operation",
            expected="a name, a Problem, or a quantized linear layer or convolution",
            got=type(given).__name__,
        )
    layer: Any = given
    relu = "_relu" if isinstance(given, _WITH_RELU) else ""
    operands = {"input": args[0], "weight": layer.weight(), "bias": layer.bias(),
                "scale": layer.scale, "zero_point": layer.zero_point}  # fmt: skip
    if name != "linear":
        if layer.padding_mode != "zeros":
            raise ArgumentError(
                argument="operation",
                expected="a convolution whose border is of zeros",
                got=f"padding_mode {layer.padding_mode!r}",
            )
        operands |= {n: getattr(layer, n) for n in ("stride", "padding", "dilation", "groups")}
    return problem(name + relu, **operands)


_NEUTRAL: dict[str, tuple[type[Problem], Callable[..., Any]]] = {
    **{name: (NeutralProduct, function) for name, function in FUNCTIONS.items()},
    **dict.fromkeys(("add", "sub", "mul"), (NeutralSum, pair)),
    **{name: (NeutralCodes, function) for name, function in CODE_FUNCTIONS.items()},
    "conv_transpose2d": (NeutralTransposed, conv_transpose2d),
    "conv_integer": (NeutralSums, conv_integer),
    "matmul_integer": (NeutralSums, matmul_integer),
}
_MODULES: dict[type, str] = {
    modules.Linear: "linear",
    modules.Conv2d: "conv2d",
    modules.Conv3d: "conv3d",
}
_WITH_RELU = (fused.LinearReLU, fused.ConvReLU2d, fused.ConvReLU3d)


def bind(operation: Any, args: tuple, kwargs: dict[str, Any]) -> tuple[type[Problem], Any, dict]:
    """Bind operands to the signature of an operation, without computing it.

    Returns
    -------
    kind : type
        The class of its problems.
    function : callable
        The operation.
    operands : dict
        All of them, by name.
    """
    given = [*args, *kwargs.values()]
    given += [part for value in given if isinstance(value, list | tuple) for part in value]
    named = isinstance(operation, str)
    neutral = any(isinstance(value, Codes | Output) for value in given)
    neutral |= named and operation == "dynamic_quantize"
    known = tuple(_NEUTRAL if neutral else _TABLE)
    if not named or operation not in known:
        raise ArgumentError(
            argument="operation",
            expected=f"one of {', '.join(known)}",
            got=repr(operation),
            hint=arguments.did_you_mean(operation, _TABLE),
        )
    kind, function = (_NEUTRAL if neutral else _TABLE)[operation]
    signature = inspect.signature(function)
    # What is written into is no part of a problem.
    taken = [p for p in signature.parameters.values() if p.name != "out"]
    try:
        bound = signature.replace(parameters=taken).bind(*args, **kwargs)
    except TypeError as error:
        raise ArgumentError(
            f"oracle: {operation}",
            argument="the operands",
            expected=f"those of {operation}{arguments.parameters_of(function)}",
            hint=str(error),
        ) from None
    bound.apply_defaults()
    return kind, function, dict(bound.arguments)


def in_order(operation: str, operands: dict[str, Any]) -> dict[str, Any]:
    """Put operands into the order of the signature, with the defaults of those between them.

    So the values are the operands by position, and the names those by keyword.
    """
    bound = bind(operation, (), operands)[2]
    names = list(bound)
    last = max(map(names.index, operands))
    return {name: bound[name] for name in names[: last + 1]}


def neutral_defaults(operation: str) -> dict[str, Any]:
    """Return the defaults of an operation on neutral operands, by the names of its parameters."""
    parameters = inspect.signature(_NEUTRAL[operation][1]).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def neutral_operations() -> tuple[str, ...]:
    """Name the operations on neutral operands."""
    return tuple(_NEUTRAL)
