"""``.onnx`` files of one operator on integers.

Inputs bear the names of the operands, the output is ``output``. Images that have channels last are
transposed before and behind the operator; results that are bounded go through ``Clip``.
"""

from typing import Any

import numpy as np

from refquant.oracle.vectors.models.operands import Operands, Quantized
from refquant.oracle.vectors.models.protobuf import Message, encode

__all__ = ["model"]

MICROSOFT = "com.microsoft"
_KINDS = {"float32": 1, "uint8": 2, "int8": 3, "int16": 5, "int32": 6, "int64": 7}
_FLOAT, _INT, _INTS = 1, 2, 7
_IR_VERSION, _OPSET = 8, 17
_LAST, _FIRST = (0, 3, 1, 2), (0, 2, 3, 1)


class _Graph:
    """Nodes, constants and inputs of a model."""

    def __init__(self) -> None:
        self.nodes: list[Message] = []
        self.constants: list[Message] = []
        self.inputs: list[Message] = []

    def constant(self, array: Any) -> str:
        """Add a constant; returns its name."""
        value, name = np.asarray(array), f"c{len(self.constants)}"
        dims = [(1, n) for n in value.shape]
        data = value.astype(value.dtype.newbyteorder("<")).tobytes()
        self.constants.append([*dims, (2, _KINDS[value.dtype.name]), (8, name), (9, data)])
        return name

    def quantizer(self, q: Quantized) -> list[str]:
        """Add a scale and a zero point."""
        return [self.constant(q.scale), self.constant(q.zero_point.astype(q.dtype))]

    def input(self, name: str, array: np.ndarray) -> str:
        """Add an input."""
        self.inputs.append(_value(name, array.dtype, array.shape))
        return name

    def codes(self, name: str, q: Quantized) -> list[str]:
        """Add an input of integers with its quantizer."""
        return [self.input(name, q.array), *self.quantizer(q)]

    def node(self, kind: str, inputs: list[str], domain: str = "", **attributes: Any) -> str:
        """Add a node; returns the name of its output."""
        output = f"t{len(self.nodes)}"
        fields: Message = [(1, name) for name in inputs]
        fields += [(2, output), (4, kind)]
        fields += [(5, _attribute(*item)) for item in attributes.items()]
        self.nodes.append([*fields, (7, domain)])
        return output


def _attribute(name: str, value: Any) -> Message:
    if isinstance(value, float):
        return [(1, name), (2, value), (20, _FLOAT)]
    if isinstance(value, int):
        return [(1, name), (3, value), (20, _INT)]
    return [(1, name), *((8, int(n)) for n in value), (20, _INTS)]


def _value(name: str, dtype: np.dtype, shape: tuple[int, ...]) -> Message:
    dims: Message = [(1, [(1, n)]) for n in shape]
    return [(1, name), (2, [(1, [(1, _KINDS[dtype.name]), (2, dims)])])]


def _linear(g: _Graph, c: Operands) -> str:
    w, bias = c["weight"], c.get("bias")
    rows = w.array if c["weight_layout"] == "IO" else np.ascontiguousarray(w.array.T)
    x, weight = g.codes("x", c["x"]), [g.constant(rows), *g.quantizer(w)]
    if bias is None:
        return g.node("QLinearMatMul", [*x, *weight, *g.quantizer(c.result)])
    c.require(bias.dtype == np.int32, "which take a bias of int32 alone")
    c.require(c["x"].array.ndim == 2, "whose linear layers with a bias take matrices alone")
    return g.node("QGemm", [*x, *weight, g.constant(bias), *g.quantizer(c.result)], MICROSOFT)


def _matmul(g: _Graph, c: Operands) -> str:
    return g.node(
        "QLinearMatMul", [*g.codes("a", c["a"]), *g.codes("b", c["b"]), *g.quantizer(c.result)]
    )


def _images(g: _Graph, c: Operands) -> list[str]:
    """Add images with channels first, transposed if they have them last."""
    x, *quantizer = g.codes("x", c["x"])
    return [g.node("Transpose", [x], perm=_LAST) if c["layout"] == "NHWC" else x, *quantizer]


def _back(g: _Graph, c: Operands, y: str) -> str:
    return g.node("Transpose", [y], perm=_FIRST) if c["layout"] == "NHWC" else y


def _window(c: Operands) -> dict[str, Any]:
    (top, bottom), (left, right) = c.border()
    return {"pads": (top, left, bottom, right), "strides": c.pair("stride")}


def _conv(g: _Graph, c: Operands) -> str:
    w = c["weight"]
    layout = c["weight_layout"] or ("OIHW" if c["layout"] == "NCHW" else "OHWI")
    order = {"OIHW": (0, 1, 2, 3), "OHWI": (0, 3, 1, 2), "HWIO": (3, 2, 0, 1), "1HWO": (3, 0, 1, 2)}
    filters = np.ascontiguousarray(w.array.transpose(order[layout]))
    inputs = [*_images(g, c), g.constant(filters), *g.quantizer(w), *g.quantizer(c.result)]
    if "bias" in c:
        c.require(c["bias"].dtype == np.int32, "which take a bias of int32 alone")
        inputs.append(g.constant(c["bias"]))
    y = g.node("QLinearConv", inputs, group=c["groups"], dilations=c.pair("dilation"), **_window(c))
    return _back(g, c, y)


def _pair(kind: str):
    def build(g: _Graph, c: Operands) -> str:
        inputs = [*g.codes("a", c["a"]), *g.codes("b", c["b"]), *g.quantizer(c.result)]
        return g.node(kind, inputs, MICROSOFT)

    return build


def _quantize(g: _Graph, c: Operands) -> str:
    return g.node("QuantizeLinear", [g.input("x", c["x"]), *g.quantizer(c.result)])


def _requantize(g: _Graph, c: Operands) -> str:
    real = g.node("DequantizeLinear", g.codes("x", c["x"]))
    return g.node("QuantizeLinear", [real, *g.quantizer(c.result)])


def _unary(kind: str, **fixed: Any):
    def build(g: _Graph, c: Operands) -> str:
        given = {"alpha": float(c["negative_slope"])} if "negative_slope" in c else {}
        inputs = [*g.codes("x", c["x"]), *g.quantizer(c.result)]
        return g.node(kind, inputs, MICROSOFT, **fixed, **given)

    return build


def _cat(g: _Graph, c: Operands) -> str:
    pieces = [g.codes(f"x{k}", piece) for k, piece in enumerate(c["x"])]
    inputs = [*g.quantizer(c.result), *(name for piece in pieces for name in piece)]
    return g.node("QLinearConcat", inputs, MICROSOFT, axis=c["axis"])


def _max_pool(g: _Graph, c: Operands) -> str:
    x = _images(g, c)[0]
    return _back(g, c, g.node("MaxPool", [x], kernel_shape=c.pair("kernel"), **_window(c)))


def _avg_pool(g: _Graph, c: Operands) -> str:
    inputs = [*_images(g, c), *g.quantizer(c.result)]
    y = g.node("QLinearAveragePool", inputs, MICROSOFT, kernel_shape=c.pair("kernel"), **_window(c))
    return _back(g, c, y)


def _global_pool(g: _Graph, c: Operands) -> str:
    inputs = [*_images(g, c), *g.quantizer(c.result)]
    return _back(g, c, g.node("QLinearGlobalAveragePool", inputs, MICROSOFT))


_BUILD = {
    "linear": _linear, "matmul": _matmul, "conv2d": _conv, "add": _pair("QLinearAdd"),
    "mul": _pair("QLinearMul"), "quantize": _quantize, "requantize": _requantize,
    "sigmoid": _unary("QLinearSigmoid"), "leaky_relu": _unary("QLinearLeakyRelu"),
    "softmax": _unary("QLinearSoftmax", opset=13, axis=-1), "cat": _cat, "max_pool2d": _max_pool,
    "avg_pool2d": _avg_pool, "global_avg_pool2d": _global_pool,
}  # fmt: skip


def model(entry: dict[str, Any], arrays: dict[str, np.ndarray]) -> bytes:
    """Write a model of one operator.

    Parameters
    ----------
    entry : dict
        The entry of a case of neutral vectors in the manifest.
    arrays : dict of str to ndarray
        Its arrays.

    Raises
    ------
    NotSupportedError
        If no operator of integers computes the case.
    """
    c, g = Operands(entry, arrays, ".onnx"), _Graph()
    build = _BUILD.get(c.operation)
    if build is None:
        raise c.refuse("which have no operator of integers for it")
    y = build(g, c)
    if c.bounded():
        ends = (np.array(c.output[end], c.result.dtype) for end in ("lower", "upper"))
        y = g.node("Clip", [y, *map(g.constant, ends)])
    last = next(k for k, (field, _) in enumerate(g.nodes[-1]) if field == 2)
    g.nodes[-1][last] = (2, "output")
    graph: Message = [*((1, node) for node in g.nodes), (2, c.operation)]
    graph += [*((5, constant) for constant in g.constants), *((11, each) for each in g.inputs)]
    graph.append((12, _value("output", c.result.dtype, c.shape)))
    opsets: Message = [(8, [(1, ""), (2, _OPSET)]), (8, [(1, MICROSOFT), (2, 1)])]
    return encode([(1, _IR_VERSION), (2, "refquant"), (7, graph), *opsets])
