"""Graphs, written as ``.tflite`` files."""

from collections.abc import Callable
from typing import Any

import numpy as np

from refquant.errors import NotSupportedError
from refquant.oracle.graphs.entries import names_of_operands, operands_of
from refquant.oracle.graphs.graph import Graph, Node, Value
from refquant.oracle.graphs.lowered import lowered
from refquant.oracle.graphs.shapes import shapes_of
from refquant.oracle.vectors.models.flatbuffer import Scalar, Table, Vector
from refquant.oracle.vectors.models.operands import Quantized
from refquant.oracle.vectors.models.tflite_model import (
    TfliteGraph,
    add_operator,
    code_of,
    file_of,
)

__all__ = ["write_tflite"]


class _Writer(TfliteGraph):
    """A file whose operators take the values of a graph."""

    def __init__(self, graph: Graph, shapes: dict[str, Any]) -> None:
        super().__init__()
        self.graph, self.shapes = graph, shapes
        self.numbers: dict[str, int] = {}
        self.node: Any = None  # the one that is being written

    def number(self, name: str) -> int:
        """Return the number of a value's tensor, which is added if it is not there."""
        if name not in self.numbers:
            value = self.graph.values[name]
            self.numbers[name] = self.tensor(name, self.shapes[name], _kind(value), value.data)
        return self.numbers[name]

    def feed(self, name: str, array: np.ndarray, q: Any) -> None:
        """Take a value of the graph for an operand."""
        self.inputs.append(self.number(names_of_operands(self.node)[name]))

    def constant(self, name: str, array: np.ndarray, q: Any = None) -> None:
        """Add a constant; its name tells whose it is."""
        whole = f"{self.node.output}/{name}"
        self.inputs.append(self.tensor(whole, array.shape, q or array.dtype, array))


def _kind(value: Value) -> Any:
    dtype = np.dtype(value.dtype)
    if value.scale is None:
        return dtype
    scale, zero = np.asarray(value.scale, np.float32), np.asarray(value.zero_point, np.int64)
    return Quantized(value.data, dtype, scale, zero, value.axis)


def _move(g: _Writer, node: Node) -> tuple[Table, dict[int, Any]]:
    """Write an operator that moves integers."""
    settings, x = node.settings, g.graph.values[node.operands["x"]]
    g.inputs.append(g.number(x.name))
    if node.operation == "reshape":
        shape = np.array(g.shapes[node.output], np.int32)
        g.constant("shape", shape)
        return code_of(22, 1), {3: Scalar("B", 17), 4: Table({0: Vector("i", shape.tolist())})}
    if node.operation == "transpose":
        g.constant("perm", np.array(settings["perm"], np.int32))
        return code_of(39, 2), {3: Scalar("B", 26), 4: Table({})}
    if node.operation == "pad":
        g.constant("pads", np.array(settings["pads"], np.int32).reshape(-1, 2))
        if settings["fill"] == x.zero_point:
            return code_of(34, 2), {3: Scalar("B", 22), 4: Table({})}
        g.constant("fill", np.array([settings["fill"]], x.dtype), _kind_of(x))
        return code_of(60, 2), {3: Scalar("B", 43), 4: Table({})}
    for code, activation in ((19, "relu"), (20, "relu_n1_to_1"), (21, "relu6")):
        own = x.output({"activation": activation})
        if (own.lower, own.upper) == (settings["lower"], settings["upper"]):
            return code_of(code, 2), {}
    raise NotSupportedError(
        f".tflite: {node.place or node!r} has bounds {settings['lower']} and {settings['upper']}, "
        "which are those of no activation"
    )


def _kind_of(x: Value) -> Quantized:
    scale, zero = np.asarray(x.scale, np.float32), np.asarray(x.zero_point, np.int64)
    return Quantized(None, np.dtype(x.dtype), scale, zero, None)


_MOVES: dict[str, Callable[[_Writer, Node], tuple[Table, dict[int, Any]]]] = dict.fromkeys(
    ("reshape", "transpose", "pad", "clip"), _move
)


def write_tflite(graph: Graph) -> bytes:
    """Write a graph.

    Raises
    ------
    NotSupportedError
        If no file holds one of its nodes.
    """
    graph = lowered(graph)
    shapes = shapes_of(graph)
    g = _Writer(graph, shapes)
    g.fed = [g.number(name) for name in graph.inputs]
    codes: list[Table] = []
    operators = []
    for node in graph.nodes:
        g.node, g.inputs = node, []
        if node.operation in _MOVES:
            code, fields = _MOVES[node.operation](g, node)
        else:
            code, fields = add_operator(g, operands_of(graph, node, shapes, ".tflite"))
        if code not in codes:
            codes.append(code)
        used = {0: Scalar("I", codes.index(code)), 1: Vector("i", list(g.inputs))}
        operators.append(Table({**used, 2: Vector("i", [g.number(node.output)]), **fields}))
    return file_of(g, codes, operators, [g.number(name) for name in graph.outputs], "main")
