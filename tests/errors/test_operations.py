"""What every quantized operation rejects, with which exception, and what the message names."""

import inspect
import math
import re

import numpy as np
import pytest
from cases import registry
from cases.operands import Draw

import refquant
from refquant import engines, errors
from refquant.ops.quantized import withdrawn

OPERATIONS = registry.load()
PUBLIC = ("ops.quantized.", "nn.quantized.functional.")
ANY_SCHEME = {"ops.quantized.dropout", "ops.quantized.softmax"}
TAKES_PLAIN = {"nn.quantized.functional.max_pool2d", "nn.quantized.functional.relu"}
OTHER = {refquant.quint8: refquant.qint8, refquant.qint8: refquant.quint8}


def per_channel(q):
    scales, zeros = refquant.ones(q.shape[0]), refquant.zeros(q.shape[0], dtype=refquant.int64)
    return refquant.quantize_per_channel(q.dequantize(), scales, zeros, 0, refquant.quint8)


def of_dtype(q):
    dtype = OTHER.get(q.dtype, refquant.quint8)
    return refquant.QuantizedTensor(np.zeros(q.shape, dtype.numpy), dtype, 0.5, 0)


def standard(name, value, parameters, dtype):
    """List (bad value, exception) for a parameter, by what it holds and what it is called."""
    quantized = isinstance(value, refquant.QuantizedTensor)
    if quantized and name == "out":
        longer = refquant.QuantizedTensor(np.zeros((3, 1, 5), np.uint8), refquant.quint8, 0.5, 0)
        yield from ((value.dequantize(), "QuantizerError"), (of_dtype(value), "DtypeError"))
        yield (
            refquant._make_per_tensor_quantized_tensor(
                longer.int_repr().to(value.int_repr().dtype), 0.5, 0
            ),
            "ShapeError",
        )
    elif quantized and value.axis is None:
        yield value.dequantize(), "QuantizerError"
        if name not in ("qa", "qb"):  # which may be numbers
            yield 2.0, "QuantizerError"
        if name != "weight":
            yield per_channel(value), "QuantizerError"
        if name == "qb":
            yield of_dtype(value), "DtypeError"
            yield value.reshape(-1)[: max(2, value.numel() - 1)], "ShapeError"
    elif name == ("output_scale" if "output_scale" in parameters else "scale"):
        for number in (0.0, -1.0, math.nan, math.inf):
            yield number, "QuantizationParameterError"
        yield "x", "ArgumentTypeError"
    elif name.endswith("zero_point"):
        for number in (dtype.quant_min - 1, dtype.quant_max + 1):
            yield number, "QuantizationParameterError"
        yield 0.5, "ArgumentTypeError"


def engine_of(operation):
    """Name an engine that has the operation."""
    return next(engine for _, engine in operation.peers)


def rejections():
    """List (path, arguments, name of the bad one, bad value, exception) of every operation."""
    for operation in OPERATIONS.values():
        engine = engine_of(operation)
        try:
            with engines.using(engine):
                calls = operation.calls(Draw(refquant, 3, engine))
        except TypeError:  # what is in place of the operand is wanted
            continue
        for call in calls:
            if not call.path.startswith(PUBLIC) or not call.arguments:
                continue
            try:
                bound = inspect.signature(call.function).bind(*call.arguments, **call.keywords)
            except ValueError:
                continue
            if any(isinstance(bound.arguments.get(n), int | float) for n in ("qa", "qb")):
                continue
            first = call.arguments[0]
            dtype = first.dtype if hasattr(first, "q_scale") else refquant.quint8
            for name, value in bound.arguments.items():
                own = [(v, e) for n, v, e in operation.rejects if n == name]
                for bad, error in (*own, *standard(name, value, bound.arguments, dtype)):
                    scheme = getattr(bad, "axis", None) is not None
                    if not (scheme and call.path in ANY_SCHEME):
                        yield engine, call, bound, name, bad, error


def title(call, name, bad):
    kind = type(bad).__name__ if hasattr(bad, "dequantize") else repr(bad)
    return f"{call.path}-{name}-{kind}"


CASES = [
    pytest.param(
        engine, call, {**bound.arguments, name: bad}, name, error, id=title(call, name, bad)
    )
    for engine, call, bound, name, bad, error in rejections()
]


@pytest.mark.parametrize(("engine", "call", "arguments", "name", "error"), CASES)
def test_an_argument_that_does_not_fit_is_named(engine, call, arguments, name, error):
    if call.path in TAKES_PLAIN and error == "QuantizerError":
        return
    with engines.using(engine), pytest.raises(getattr(errors, error)) as caught:
        call.function(**arguments)
    assert caught.value.op == "quantized." + call.path.rpartition(".")[2]
    # Functional convolutions hand their input on as `qx`; shapes are compared as `other`.
    own = {"qb": "qb|`other`", "input": "input|`qx`"}.get(name, name)
    assert re.search(own, str(caught.value))
    assert caught.value.hint or caught.value.expected


def covered():
    """List the public functions that the entries call."""
    for operation in OPERATIONS.values():
        for seed in range(12):
            yield from (call.path for call in operation.calls(Draw(refquant, seed, "fbgemm")))
            yield from (call.path for call in operation.calls(Draw(refquant, seed)))


def test_every_public_operation_is_in_the_registry():
    called = set(covered())
    # A packed weight is made for each call; `conv_unpack` is the older name of `conv2d_unpack`.
    public = [
        "ops.quantized." + name
        for name in refquant.ops.quantized.__all__
        if name not in withdrawn.__all__  # which raise an error, as in PyTorch
    ]
    public = [
        name
        if name in called
        else re.sub(r"conv_unpack$", "conv2d_unpack", name.replace("prepack", "unpack"))
        for name in public
    ]
    public += ["nn.quantized.functional." + n for n in refquant.nn.quantized.functional.__all__]
    missing = sorted(set(public) - called)
    assert not missing, f"enter {missing[0]} in a file of tests/cases/, see cases/registry.py"


def test_every_operation_is_recorded_or_says_why_not():
    for name, operation in OPERATIONS.items():
        said = f"tests/cases/{operation.family}.py: {name}"
        assert operation.recorded or operation.why, f"{said} says not why nothing is recorded"
        assert not operation.tolerance or operation.why, f"{said} says not why it has a tolerance"
        assert operation.peers, f"{said} has no engine of PyTorch to be compared with"
