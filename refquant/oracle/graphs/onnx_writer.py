"""Graphs, written as ``.onnx`` files: by operators of integers, or between quantizations."""

from typing import Any

import numpy as np

from refquant.errors import NotSupportedError
from refquant.oracle.graphs.entries import names_of_operands, operands_of
from refquant.oracle.graphs.graph import Graph, Node, Value
from refquant.oracle.graphs.onnx_quantized import BUILD as QUANTIZED
from refquant.oracle.graphs.shapes import shapes_of
from refquant.oracle.vectors.models import onnx_graph, onnx_operators, onnx_reals
from refquant.oracle.vectors.models.onnx_graph import back, value
from refquant.oracle.vectors.models.onnx_model import file_of
from refquant.oracle.vectors.models.operands import Operands

__all__ = ["FORMS", "write_onnx"]

FORMS = ("qdq", "qoperator")
# These are operators of integers in both forms.
_PLAIN = ("quantize", "dequantize")


class _Writer(onnx_graph.Graph):
    """A file whose nodes take the values of a graph."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph
        self.node_written: Any = None
        self.held: dict[str, str] = {}

    def input(self, name: str, array: np.ndarray) -> str:
        """Take a value of the graph for an operand."""
        return self.named(names_of_operands(self.node_written)[name])

    def named(self, name: str) -> str:
        """Return the name of a value in the file; a constant is added."""
        data = self.graph.values[name].data
        if data is None:
            return name
        if name not in self.held:
            self.held[name] = self.constant(data)
        return self.held[name]


def _moved(g: _Writer, node: Node, shapes: dict[str, Any]) -> None:
    """Write a node that moves integers."""
    x, settings = g.named(node.operands["x"]), node.settings
    held = g.graph.values[node.operands["x"]]
    if node.operation == "reshape":
        shape = np.array(settings["shape"], np.int64)
        g.node("Reshape", [x, g.constant(shape)])
    elif node.operation == "transpose":
        g.node("Transpose", [x], perm=tuple(settings["perm"]))
    elif node.operation == "pad":
        pads = np.array(settings["pads"], np.int64).T.reshape(-1)
        g.node("Pad", [x, g.constant(pads), g.constant(np.array(settings["fill"], held.dtype))])
    else:
        ends = (np.array(settings[end], held.dtype) for end in ("lower", "upper"))
        g.node("Clip", [x, *map(g.constant, ends)])


def _between(g: _Writer, c: Operands) -> None:
    """Write an operation between DequantizeLinear and QuantizeLinear."""
    build = QUANTIZED.get(c.operation) or onnx_reals.BUILD.get(c.operation)
    if build is None:
        raise c.unsupported("which have no operator for it")
    real = build(g, c)
    activation = c.output.get("activation", "none")
    c.require(c.is_bounded_by_activation(), "whose real numbers are bounded by activations alone")
    if activation == "relu":
        real = g.node("Relu", [real])
    elif activation != "none":
        ends = {"relu6": (0.0, 6.0), "relu_n1_to_1": (-1.0, 1.0)}[activation]
        real = g.node("Clip", [real, *(g.constant(np.float32(end)) for end in ends)])
    codes = g.node("QuantizeLinear", [real, *g.quantizer(c.result)])
    if c.operation in QUANTIZED and "layout" in c:
        back(g, c, codes)


def _of_integers(g: _Writer, c: Operands) -> bool:
    """Write an operation by an operator of integers; False if there is none."""
    build = onnx_operators.BUILD.get(c.operation)
    if build is None:
        return False
    y = build(g, c)
    if c.bounded():
        ends = (np.array(c.output[end], c.result.dtype) for end in ("lower", "upper"))
        g.node("Clip", [y, *map(g.constant, ends)])
    return True


def _ends(graph: Graph, names: Any, shapes: dict[str, Any]) -> list[Any]:
    found = []
    for name in names:
        held: Value = graph.values[name]
        found.append(value(name, np.dtype(held.dtype), shapes[name]))
    return found


def write_onnx(graph: Graph, form: str) -> bytes:
    """Write a graph in one of two forms.

    Raises
    ------
    NotSupportedError
        If no file holds one of its nodes.
    """
    shapes, g = shapes_of(graph), _Writer(graph)
    g.inputs = _ends(graph, graph.inputs, shapes)
    for node in graph.nodes:
        g.node_written = node
        if node.operation in ("reshape", "transpose", "pad", "clip"):
            _moved(g, node, shapes)
        else:
            c = operands_of(graph, node, shapes, ".onnx")
            c.require(c.result.dtype != np.int16, "whose integers of 16 bits need a later version")
            alone = form == "qoperator" or node.operation in _PLAIN
            if not (alone and _of_integers(g, c)):
                _between(g, c)
        g.name_last(node.output)
    outputs = _ends(graph, graph.outputs, shapes)
    if any(graph.values[name].data is not None for name in graph.outputs):
        raise NotSupportedError(".onnx: a result of the graph is a constant")
    return file_of(g, outputs, "main")
