"""Converted models as graphs: one run of the model is watched, operation by operation.

`sys.setprofile` tells of every call of a Python function; those of the operations that a graph can
hold are kept with their arguments and results, whatever modules, methods or functions led there.
"""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from refquant import arguments
from refquant.errors import ArgumentError, NotSupportedError
from refquant.nn.module import Module
from refquant.oracle.graphs.graph import Graph, Node, Value
from refquant.oracle.graphs.unsupported import Unsupported
from refquant.tensors import QuantizedTensor, Tensor

__all__ = ["from_model"]

_OPS, _QUANTIZED = "refquant.ops.", "refquant.ops.quantized."


class _Call:
    """A call of an operation: its name, the path of the module, arguments and result."""

    def __init__(self, name: str, path: str, given: dict[str, Any]) -> None:
        self.name, self.path, self.given = name, path, given
        self.result: Any = None


class _Watch:
    """Keeps the outermost calls of functions below `refquant.ops` while a model runs."""

    def __init__(self, model: Module) -> None:
        self.calls: list[_Call] = []
        self._paths = {id(module): name for name, module in model.named_modules()}
        self._stack: list[str] = []
        self._open: tuple[Any, _Call] | None = None

    def __call__(self, frame: Any, event: str, arg: Any) -> None:
        """Take an event of `sys.setprofile`."""
        if event not in ("call", "return"):
            return
        code = frame.f_code
        if self._open is not None:
            own = frame.f_globals.get("__name__", "").startswith(_QUANTIZED)
            if event == "call" and own and code.co_name == self._open[1].name:
                # The same function for quantized tensors, to which the one for all hands on.
                self._open[1].given = dict(frame.f_locals)
            if event == "return" and frame is self._open[0]:
                self._open[1].result = arg
                self.calls.append(self._open[1])
                self._open = None
            return
        if code.co_name == "forward":
            path = self._paths.get(id(frame.f_locals.get("self")))
            if path is not None:
                self._stack.append(path) if event == "call" else self._stack.pop()
        elif event == "call" and str(frame.f_globals.get("__name__", "")).startswith(_OPS):
            given = dict(frame.f_locals)
            if any(isinstance(v, Tensor | list | tuple) for v in given.values()):
                path = self._stack[-1] if self._stack else ""
                self._open = frame, _Call(code.co_name, path, given)


class _Trace:
    """Values and nodes as they are found."""

    def __init__(self) -> None:
        self.values: dict[str, Value] = {}
        self.nodes: list[Node] = []
        self.names: dict[int, str] = {}
        self.kept: list[Any] = []  # so that no other object gets the identity of one of them

    def unique(self, name: str) -> str:
        """Make a name that is not taken."""
        plain, number = name, 1
        while name in self.values:
            number += 1
            name = f"{plain}_{number}"
        return name

    def keep(self, tensor: Any, name: str) -> None:
        """Remember by which name a tensor is known."""
        self.names[id(tensor)] = name
        self.kept.append(tensor)

    def known(self, tensor: Any) -> str:
        """Return the name of a tensor, or raise."""
        if id(tensor) not in self.names:
            raise Unsupported("takes a tensor that no supported operation made")
        return self.names[id(tensor)]

    def constant(self, name: str, array: np.ndarray, *quantizer: Any) -> str:
        """Add a constant."""
        name = self.unique(name)
        array = np.ascontiguousarray(array)
        scale, zero, axis = quantizer or (None, 0, None)
        self.values[name] = Value(name, array.dtype.name, array.shape, scale, zero, axis, array)
        return name

    def add(self, call: _Call, operation: str, operands: dict[str, Any], **settings: Any) -> None:
        """Add an operation whose result the call returned."""
        result = call.result
        path = call.path or "model"
        name = self.unique(path if call.name.startswith("run_") else f"{path}.{operation}")
        quantizer: tuple[Any, ...] = ()
        if isinstance(result, QuantizedTensor):
            if result.axis is not None:
                raise Unsupported("has a result of several scales")
            quantizer = (float(result.scale), int(result.zero_point))
        array = result.array
        self.values[name] = Value(name, array.dtype.name, array.shape, *quantizer)
        place = f"{call.name} in module {path!r}"
        self.nodes.append(Node(operation, operands, name, settings, place))
        self.keep(result, name)


def _weight(trace: _Trace, call: _Call, packed: Any) -> dict[str, str]:
    """Add weight and bias as constants; the bias in steps of the sums."""
    x: Any = call.given.get("X", call.given.get("qx"))
    operands = {"x": trace.known(x)}
    weight, bias = packed.unpack()
    name = call.path or "model"
    scale = np.asarray(weight.scale, np.float64) if weight.axis is not None else weight.scale
    zero = np.asarray(weight.zero_point) if weight.axis is not None else int(weight.zero_point)
    operands["weight"] = trace.constant(f"{name}.weight", weight.array, scale, zero, weight.axis)
    if bias is not None:
        unit = np.float64(np.float32(x.scale)) * np.float32(weight.scale).astype(np.float64)
        with np.errstate(over="ignore"):
            steps = np.rint(bias.array.astype(np.float64) / unit)
        info = np.iinfo(np.int32)
        if not np.all((steps >= info.min) & (steps <= info.max)):
            raise Unsupported("has a bias that 32 bits do not hold in steps of the sums")
        operands["bias"] = trace.constant(f"{name}.bias", steps.astype(np.int32))
    return operands


def _linear(trace: _Trace, call: _Call) -> None:
    function = call.given["function"]
    if function not in ("", "relu"):
        raise Unsupported(f"is followed by {function}")
    bounds = {"activation": "relu"} if function else {}
    trace.add(call, "linear", _weight(trace, call, call.given["packed"]), **bounds)


def _convolution(trace: _Trace, call: _Call) -> None:
    packed, dims = call.given["packed"], call.given["dims"]
    if call.given["transposed"] or dims != 2:
        raise Unsupported(f"has {dims} dimensions, or is transposed")
    operands = _weight(trace, call, packed)
    bounds = {"activation": "relu"} if call.given["relu"] else {}
    stride, padding, dilation = (
        tuple(int(n) for n in getattr(packed, name)())[-2:]
        for name in ("stride", "padding", "dilation")
    )
    trace.add(
        call, "conv2d", operands, stride=stride, padding=padding, dilation=dilation,
        groups=int(packed.groups()), layout="NCHW", weight_layout="OIHW", **bounds,
    )  # fmt: skip


def _quantize(trace: _Trace, call: _Call) -> None:
    trace.add(call, "quantize", {"x": trace.known(call.given["input"])})


def _dequantize(trace: _Trace, call: _Call) -> None:
    trace.add(call, "dequantize", {"x": trace.known(call.given["input"])})


def _pair(operation: str, relu: bool) -> Callable[[_Trace, _Call], None]:
    def add(trace: _Trace, call: _Call) -> None:
        one, other = call.given["qa"], call.given["qb"]
        if not isinstance(other, Tensor) or not isinstance(one, Tensor):
            raise Unsupported("takes a number")
        operands = {"a": trace.known(one), "b": trace.known(other)}
        trace.add(call, operation, operands, **({"activation": "relu"} if relu else {}))

    return add


def _cat(trace: _Trace, call: _Call) -> None:
    pieces = tuple(trace.known(piece) for piece in call.given["qx"])
    axis = call.given["dim"] % call.result.array.ndim
    trace.add(call, "cat", {"x": pieces}, axis=axis)


def _clip(end: float | None) -> Callable[[_Trace, _Call], None]:
    def add(trace: _Trace, call: _Call) -> None:
        x = call.given.get("input", call.given.get("qx"))
        name = trace.known(x)
        bounds = trace.values[name].output({"activation": "relu" if end is None else "relu6"})
        trace.add(call, "clip", {"x": name}, lower=bounds.lower, upper=bounds.upper)

    return add


def _two(value: Any) -> tuple[int, int]:
    first, second = value if isinstance(value, tuple | list) else (value, value)
    return int(first), int(second)


def _max_pool(trace: _Trace, call: _Call) -> None:
    g = call.given
    if _two(g["dilation"]) != (1, 1) or g["ceil_mode"]:
        raise Unsupported("has dilation, or rounds up its sizes")
    _pool(trace, call, "max_pool2d")


def _avg_pool(trace: _Trace, call: _Call) -> None:
    g = call.given
    border = _two(g["padding"]) != (0, 0) and g["count_include_pad"]
    if g["ceil_mode"] or border or g["divisor_override"]:
        raise Unsupported("rounds up its sizes, counts the border, or has a divisor of its own")
    _pool(trace, call, "avg_pool2d")


def _pool(trace: _Trace, call: _Call, operation: str) -> None:
    g = call.given
    kernel = _two(g["kernel_size"])
    stride = kernel if g["stride"] in (None, (), []) else _two(g["stride"])
    operands = {"x": trace.known(g["input"])}
    trace.add(
        call, operation, operands, kernel=kernel, stride=stride, padding=_two(g["padding"]),
        layout="NCHW",
    )  # fmt: skip


def _adaptive(trace: _Trace, call: _Call) -> None:
    x, result = call.given["input"], call.result.array
    name, sizes = trace.known(x), x.array.shape[2:]
    if result.shape[2:] == (1, 1):
        trace.add(call, "global_avg_pool2d", {"x": name}, layout="NCHW")
        return
    if any(n % m for n, m in zip(sizes, result.shape[2:], strict=True)):
        raise Unsupported("has windows of several sizes")
    kernel = tuple(n // m for n, m in zip(sizes, result.shape[2:], strict=True))
    trace.add(call, "avg_pool2d", {"x": name}, kernel=kernel, stride=kernel, layout="NCHW")


def _mean(trace: _Trace, call: _Call) -> None:
    x, dim = call.given["input"], call.given["dim"]
    ndim = x.array.ndim
    axes = range(ndim) if dim is None else dim if isinstance(dim, tuple | list) else (dim,)
    places = tuple(sorted(int(axis) % ndim for axis in axes))
    trace.add(
        call, "mean", {"x": trace.known(x)}, axes=places, keepdims=bool(call.given["keepdim"])
    )


def _reshape(trace: _Trace, call: _Call) -> None:
    trace.add(
        call, "reshape", {"x": trace.known(call.given["input"])}, shape=call.result.array.shape
    )


def _transpose(trace: _Trace, call: _Call) -> None:
    g, x = call.given, call.given["input"]
    ndim = x.array.ndim
    if call.name == "permute":
        dims = g["dims"][0] if isinstance(g["dims"][0], tuple | list) else g["dims"]
        perm = [int(d) % ndim for d in dims]
    else:
        perm = list(range(ndim))
        one, other = (int(g[name]) % ndim for name in ("dim0", "dim1"))
        perm[one], perm[other] = perm[other], perm[one]
    trace.add(call, "transpose", {"x": trace.known(x)}, perm=tuple(perm))


def _alias(trace: _Trace, call: _Call) -> None:
    x = next(value for value in call.given.values() if isinstance(value, Tensor))
    trace.keep(call.result, trace.known(x))


# By the names of functions; those of plain and of quantized tensors have the same.
_HANDLERS: dict[str, Callable[[_Trace, _Call], None]] = {
    "run_linear": _linear, "run_convolution": _convolution, "quantize_per_tensor": _quantize,
    "dequantize": _dequantize, "add": _pair("add", False), "add_relu": _pair("add", True),
    "mul": _pair("mul", False), "mul_relu": _pair("mul", True), "cat": _cat, "relu": _clip(None),
    "relu6": _clip(6.0), "max_pool2d": _max_pool, "avg_pool2d": _avg_pool,
    "adaptive_avg_pool2d": _adaptive, "mean": _mean, "permute": _transpose,
    "transpose": _transpose,
    **dict.fromkeys(("reshape", "view", "flatten", "squeeze", "unsqueeze"), _reshape),
    **dict.fromkeys(("contiguous", "clone", "detach"), _alias),
}  # fmt: skip


def from_model(model: Module, example: Tensor) -> Graph:
    """Make the graph of a converted model, from one run of it.

    Activations have channels first, as in the model; weights and quantizers are its own, scales in
    float32. A bias, real in the model, becomes int32 in steps of the sums, ties to even.

    Parameters
    ----------
    model : Module
        Quantizes its input, by `refquant.nn.quantized.Quantize` or a function, and computes on
        integers from there on; it may dequantize at its end.
    example : Tensor
        An input; the graph takes others of its shape.

    Returns
    -------
    Graph
        With an input ``input``.

    Raises
    ------
    NotSupportedError
        If operations have no place in a graph; the message lists all of them.

    Examples
    --------
    >>> import refquant
    >>> from refquant.oracle.graphs import from_model
    >>> model = refquant.nn.Sequential(
    ...     refquant.nn.quantized.Quantize(0.5, 2, refquant.quint8),
    ...     refquant.nn.quantized.Linear(4, 3),
    ... )
    >>> from_model(model, refquant.ones(1, 4)).nodes
    (Node(quantize: x=input -> 0.quantize), Node(linear: x=0.quantize, \
weight=1.weight, bias=1.bias -> 1))
    """
    arguments.instance("model", model, Module, "a Module")
    arguments.instance("example", example, Tensor, "a Tensor")
    watch, trace = _Watch(model), _Trace()
    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        result = model(example)
    finally:
        sys.setprofile(before)
    trace.values["input"] = Value("input", example.array.dtype.name, tuple(example.array.shape))
    trace.keep(example, "input")
    unsupported = []
    for call in watch.calls:
        inplace = call.name.endswith("_")
        if not isinstance(call.result, Tensor):
            continue
        if id(call.result) in trace.names and not inplace:
            continue
        try:
            handler = _HANDLERS.get(call.name.removesuffix("_"))
            if handler is None:
                raise Unsupported("has no place in a graph")
            handler(trace, call)
        except Unsupported as error:
            unsupported.append(f"{call.name} in module {call.path!r} {error}")
    if not unsupported and (not isinstance(result, Tensor) or id(result) not in trace.names):
        unsupported.append(f"the result is {arguments.describe(result)}, which no operation made")
    if unsupported:
        raise NotSupportedError(
            f"{len(unsupported)} operations of the model cannot be in a graph: "
            + "; ".join(unsupported)
        )
    if not trace.nodes:
        raise ArgumentError(argument="model", expected="one that computes something", got="none")
    return Graph(tuple(trace.values.values()), trace.nodes, ["input"], [trace.names[id(result)]])
