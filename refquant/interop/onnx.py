"""``.onnx`` files: models of refquant written as graphs of integers, and such graphs read."""

import os
from pathlib import Path
from typing import Any

from refquant import arguments
from refquant._documentation import document
from refquant.atomic import replace_bytes
from refquant.oracle.graphs.files import content_of, graph_of
from refquant.oracle.graphs.graph import Graph
from refquant.oracle.graphs.onnx_reader import read_onnx
from refquant.oracle.graphs.onnx_writer import FORMS, write_onnx

__all__ = ["read", "write"]


def read(source: Any) -> Graph:
    """Read an ``.onnx`` file as a graph that any engine can run.

    Operators that take integers (QLinearConv, QLinearMatMul, ...) are read, and operators between
    DequantizeLinear and QuantizeLinear: each of these becomes one node of the graph. Nothing in the
    file is executed, and declared sizes are compared with the file before memory is allocated.

    Parameters
    ----------
    source : path or bytes
        The file, or what it holds.

    Returns
    -------
    Graph

    Raises
    ------
    %(unreadable_model)s

    Examples
    --------
    >>> import tempfile
    >>> from refquant.interop import onnx
    >>> from refquant.oracle.graphs import Graph, Node, Value
    >>> values = [Value("x", "int8", (1, 2), 0.5), Value("y", "int8", (1, 2), 0.25, 3)]
    >>> graph = Graph(values, [Node("requantize", {"x": "x"}, "y")], ["x"], ["y"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     again = onnx.read(onnx.write(graph, folder + "/m.onnx"))
    >>> again.nodes
    (Node(requantize: x=x -> y),)
    """
    return read_onnx(content_of(source)).graph


def write(model: Any, path: str | os.PathLike, example: Any = None, *, form: str = "qdq") -> Path:
    """Write a converted model, or a graph, as an ``.onnx`` file.

    The file holds the integers of the model: weights, quantizers, and biases of int32 in steps of
    the sums. Operations without an operator of integers stand between quantizations in both forms.

    Parameters
    ----------
    %(model_to_write)s
    form : {'qdq', 'qoperator'}, default 'qdq'
        Whether operators of real numbers stand between DequantizeLinear and QuantizeLinear, or
        operators take integers.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    NotSupportedError
        If the model or a file of the form cannot hold an operation.

    Examples
    --------
    >>> import tempfile
    >>> import refquant
    >>> from refquant.interop import onnx
    >>> model = refquant.nn.Sequential(
    ...     refquant.nn.quantized.Quantize(0.5, 2, refquant.quint8),
    ...     refquant.nn.quantized.Linear(4, 3),
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     graph = onnx.read(onnx.write(model, folder + "/m.onnx", refquant.ones(1, 4)))
    >>> [node.operation for node in graph.nodes]
    ['quantize', 'linear']
    """
    form = arguments.choice("form", form, FORMS)
    target = arguments.file_path("path", path)
    content = write_onnx(graph_of(model, example), form)
    replace_bytes(target, content)
    return target


document(__name__)
