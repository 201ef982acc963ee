"""A problem of the oracle: an operation with its operands, to be answered by any engine.

`problem` makes one. Its answers are compared as flat arrays in row-major order of the output,
whatever the memory formats. Operations whose arithmetic the oracle knows from inside have classes
of their own (`refquant.oracle.products`, `refquant.oracle.sums`): these can be answered for a few
elements, by any arithmetic, and in exact numbers.
"""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

import refquant
from refquant import engines
from refquant.engines import Engine
from refquant.engines.arithmetic.change import values_of_rule
from refquant.errors import ArgumentError, ArgumentTypeError, DtypeError, ShapeError
from refquant.nn.quantized import functional
from refquant.ops import quantized
from refquant.tensors import QuantizedTensor, Tensor

__all__ = ["Problem", "bind", "operations", "problem"]

_FUNCTIONAL = (
    "relu",
    "max_pool2d",
    "avg_pool2d",
    "adaptive_avg_pool2d",
    "interpolate",
    "upsample",
    "upsample_nearest",
    "upsample_bilinear",
)
_ELEMENTWISE = (
    "relu6",
    "add_scalar",
    "add_scalar_relu",
    "mul_scalar",
    "mul_scalar_relu",
    "cat",
    "cat_relu",
    "elu",
)
_TOP = ("mean", "dequantize")
# The steps of operations that axes concern, besides those whose arithmetic is known from inside.
_STEPS = {
    "avg_pool2d": ("average_pool",),
    "adaptive_avg_pool2d": ("adaptive_average_pool",),
    "mean": ("mean", "quantize_per_tensor"),
    "cat": ("quantize_per_tensor", "cat_quantize"),
    "add_scalar": ("elementwise_requantize", "quantize_per_tensor"),
    "elu": ("elementwise_quantize", "elementwise_dequantize"),
    "relu6": ("elementwise_quantize",),
}


class Problem:
    """An operation with its operands.

    Parameters
    ----------
    operation : str
        The name of the operation.
    function : callable
        Computes it under the engine that is chosen.
    arguments : dict
        The operands by name.

    Attributes
    ----------
    operation, arguments
        As given.

    Examples
    --------
    >>> import numpy as np, refquant
    >>> from refquant import oracle
    >>> x = refquant.tensor([0.25, 0.26, 0.5])
    >>> oracle.problem("quantize_per_tensor", x, 0.1, 0, refquant.quint8).operation
    'quantize_per_tensor'
    """

    family = "other"

    def __init__(self, operation: str, function: Callable[..., Any], arguments: dict[str, Any]):
        self.operation, self.function, self.arguments = operation, function, arguments

    def run(self, engine: str | Engine) -> Any:
        """Compute the operation by an engine."""
        with engines.using(engine):
            return self.function(**self.arguments)

    def answer(self, engine: str | Engine) -> np.ndarray:
        """Compute the operation by an engine, as a flat array of integers (or real numbers)."""
        return _flat(self.run(engine))

    def values(self, record: Engine) -> dict[str, tuple[str, ...]]:
        """List the values on which the engine stands for this operation, by axis.

        All conditions count: which of them hold for the operands is not looked at.
        """
        found: dict[str, tuple[str, ...]] = {}
        steps = _STEPS.get(self.operation.removesuffix("_relu"), ())
        for step in steps:
            for choice in record.steps[step]:
                for axis, values in values_of_rule(record, step, choice.rule).items():
                    found[axis] = tuple(dict.fromkeys((*found.get(axis, ()), *values)))
        return found

    def check(self, actual: Any, engine: str | Engine) -> tuple[np.ndarray, np.ndarray, tuple]:
        """Bring a backend's answer and the engine's into one form.

        Returns
        -------
        actual, expected : ndarray
            Flat, int64 or float64.
        shape : tuple of int
            Of the output.
        """
        expected = self.run(engine)
        array = _array(actual)
        if array.shape != tuple(expected.shape):
            raise ShapeError(
                f"oracle: {self.operation}",
                argument="actual",
                expected=f"of shape {tuple(expected.shape)}, as the operation returns",
                got=f"shape {array.shape}",
            )
        quantized_output = isinstance(expected, QuantizedTensor)
        if quantized_output and array.dtype.kind not in "iu":
            raise DtypeError(
                f"oracle: {self.operation}",
                argument="actual",
                expected="a quantized tensor or an array of its integers",
                got=f"an array of {array.dtype}",
                mend="give the integers, not the real numbers that they stand for",
            )
        if isinstance(actual, QuantizedTensor) and quantized_output:
            ours = (expected.dtype, expected.scale, expected.zero_point)
            theirs = (actual.dtype, actual.scale, actual.zero_point)
            if not all(np.array_equal(o, t) for o, t in zip(ours, theirs, strict=True)):
                raise ArgumentError(
                    f"oracle: {self.operation}",
                    argument="actual",
                    expected="quantized with dtype {}, scale {} and zero point {}".format(*ours),
                    got="{}, {} and {}".format(*theirs),
                )
        return _flat(array), _flat(expected), array.shape

    def describe(self) -> str:
        """Say in one line what is computed from what."""
        parts = (f"{name}={_short(value)}" for name, value in self.arguments.items())
        return f"{self.operation}({', '.join(parts)})"

    def __repr__(self) -> str:
        return f"<Problem {self.describe()}>"


def _array(value: Any) -> np.ndarray:
    if isinstance(value, QuantizedTensor | Tensor):
        return value.array
    if isinstance(value, np.ndarray):
        return value
    raise ArgumentTypeError(
        "oracle",
        argument="actual",
        expected="a QuantizedTensor, a Tensor or an ndarray",
        got=type(value).__name__,
    )


def _flat(value: Any) -> np.ndarray:
    array = _array(value)
    return array.reshape(-1).astype(np.float64 if array.dtype.kind == "f" else np.int64)


def _short(value: Any) -> str:
    if isinstance(value, QuantizedTensor):
        kind = "per channel" if value.axis is not None else f"{value.scale:.4g}"
        return f"{value.dtype.name} {tuple(value.shape)}, scale {kind}"
    if isinstance(value, Tensor):
        return f"{value.dtype} {tuple(value.shape)}"
    if isinstance(value, list | tuple) and any(isinstance(v, QuantizedTensor) for v in value):
        return f"{len(value)} tensors"
    return repr(value)


def _functions() -> dict[str, tuple[type[Problem], Callable[..., Any]]]:
    """Tell for each operation its family and its function."""
    from refquant.oracle.products import Product, product_function
    from refquant.oracle.sums import Quantization, Sum

    table: dict[str, tuple[type[Problem], Callable[..., Any]]] = {}
    for name in ("linear", "conv2d", "conv3d"):
        for relu in ("", "_relu"):
            table[name + relu] = (Product, product_function(name, bool(relu)))
    for name in ("add", "add_relu", "mul", "mul_relu"):
        table[name] = (Sum, getattr(quantized, name))
    table["quantize_per_tensor"] = (Quantization, refquant.quantize_per_tensor)
    table["quantize_per_channel"] = (Quantization, refquant.quantize_per_channel)
    for names, place in ((_FUNCTIONAL, functional), (_ELEMENTWISE, quantized), (_TOP, refquant)):
        table.update({name: (Problem, getattr(place, name)) for name in names})
    table["linear_dynamic"] = (Problem, _linear_dynamic)
    return table


def _linear_dynamic(input, weight, bias=None):
    return quantized.linear_dynamic(input, quantized.linear_prepack(weight, bias))


def operations() -> tuple[str, ...]:
    """Name the operations that the oracle judges.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> from refquant import oracle
    >>> 'linear' in oracle.operations()
    True
    """
    return tuple(_functions())


def problem(operation: Any, *args: Any, **kwargs: Any) -> Problem:
    """Bind an operation to its operands.

    Parameters
    ----------
    operation : str
        ``linear``, ``conv2d``, ``conv3d`` (and the same with ``_relu``), pooling and resizing with
        the arguments of `refquant.nn.quantized.functional`; ``add``, ``mul``, ``cat``, ... with
        those of `refquant.ops.quantized`; ``quantize_per_tensor``, ``quantize_per_channel``,
        ``dequantize`` and ``mean`` with those of `refquant`; ``linear_dynamic`` with a float
        input, a weight and a bias.
    *args, **kwargs
        The operands.

    Returns
    -------
    Problem

    Raises
    ------
    ArgumentError
        If there is no such operation, or the operands do not fit its signature.

    Examples
    --------
    >>> import refquant
    >>> from refquant import oracle
    >>> x = refquant.quantize_per_tensor(refquant.tensor([0.5, 1.0]), 0.5, 0, refquant.quint8)
    >>> oracle.problem("add", x, x, 0.3, 2)
    <Problem add(qa=quint8 (2,), scale 0.5, qb=quint8 (2,), scale 0.5, scale=0.3, zero_point=2)>
    """
    kind, function, operands = bind(operation, args, kwargs)
    return kind(operation, function, operands)


def bind(operation: Any, args: tuple, kwargs: dict[str, Any]) -> tuple[type[Problem], Any, dict]:
    """Bind operands to the signature of an operation, and compute nothing.

    Returns
    -------
    kind : type
        The class of its problems.
    function : callable
        Computes it.
    operands : dict
        All of them, by name.
    """
    table = _functions()
    if not isinstance(operation, str) or operation not in table:
        raise ArgumentError(
            "oracle",
            argument="operation",
            expected=f"one of {', '.join(table)}",
            got=repr(operation),
        )
    kind, function = table[operation]
    try:
        bound = inspect.signature(function).bind(*args, **kwargs)
    except TypeError as error:
        raise ArgumentError(
            f"oracle: {operation}",
            argument="the operands",
            expected=f"those of {operation}{inspect.signature(function)}",
            mend=str(error),
        ) from None
    bound.apply_defaults()
    return kind, function, dict(bound.arguments)
