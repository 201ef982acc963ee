"""``.tflite`` files: models of refquant written as graphs of integers, and such graphs read."""

import os
from pathlib import Path
from typing import Any

from refquant import arguments
from refquant._documentation import document
from refquant.atomic import replace_bytes
from refquant.oracle.graphs.files import content_of, graph_of
from refquant.oracle.graphs.graph import Graph
from refquant.oracle.graphs.tflite_reader import read_tflite
from refquant.oracle.graphs.tflite_writer import write_tflite

__all__ = ["read", "write"]


def read(source: Any) -> Graph:
    """Read a ``.tflite`` file as a graph that any engine can run.

    Nothing in the file is executed, and declared sizes are compared with the file before memory is
    allocated.

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
    >>> from refquant.interop import tflite
    >>> from refquant.oracle.graphs import Graph, Node, Value
    >>> values = [Value("x", "int8", (1, 2), 0.5), Value("y", "int8", (1, 2), 0.25, 3)]
    >>> graph = Graph(values, [Node("requantize", {"x": "x"}, "y")], ["x"], ["y"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     again = tflite.read(tflite.write(graph, folder + "/m.tflite"))
    >>> again.nodes
    (Node(requantize: x=x -> y),)
    """
    return read_tflite(content_of(source)).graph


def write(model: Any, path: str | os.PathLike, example: Any = None) -> Path:
    """Write a converted model, or a graph, as a ``.tflite`` file.

    Images get channels last, the input too; uint8 becomes int8, less 128. A border that is neither
    SAME nor VALID becomes an operator PAD.

    Parameters
    ----------
    %(model_to_write)s

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    NotSupportedError
        If the model or such a file cannot hold an operation.

    Examples
    --------
    >>> import tempfile
    >>> import refquant
    >>> from refquant.interop import tflite
    >>> model = refquant.nn.Sequential(
    ...     refquant.nn.quantized.Quantize(0.5, 2, refquant.quint8),
    ...     refquant.nn.quantized.Linear(4, 3),
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     graph = tflite.read(tflite.write(model, folder + "/m.tflite", refquant.ones(1, 4)))
    >>> [node.operation for node in graph.nodes]
    ['quantize', 'linear']
    """
    target = arguments.file_path("path", path)
    content = write_tflite(graph_of(model, example))
    replace_bytes(target, content)
    return target


document(__name__)
