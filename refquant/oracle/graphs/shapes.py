"""Shapes of all values of a graph, found by one run on zeros."""

from collections.abc import Mapping

import numpy as np

from refquant.errors import ArgumentError
from refquant.oracle.graphs.graph import Graph

__all__ = ["EVERY_OPERATION", "shapes_of", "zeros_for"]

# Engines that together have all operations of graphs.
EVERY_OPERATION = ("onnxruntime-qdq-float", "litert-2.3-optimized-x86", "onnx")


def zeros_for(graph: Graph) -> dict[str, np.ndarray]:
    """Make inputs of zeros; sizes that may be any are 1."""
    found = {}
    for name in graph.inputs:
        value = graph.values[name]
        if value.shape is None:
            raise ArgumentError(
                argument="inputs", expected=f"an array for {name!r}, of a shape that no file tells"
            )
        shape = tuple(1 if n == -1 else n for n in value.shape)
        found[name] = np.zeros(shape, value.dtype)
    return found


def shapes_of(graph: Graph, inputs: Mapping[str, np.ndarray] | None = None) -> dict:
    """Return the shape of each value."""
    given = zeros_for(graph) if inputs is None else dict(inputs)
    if all(v.shape is not None and -1 not in v.shape for v in graph.values.values()):
        return {name: value.shape for name, value in graph.values.items()}
    arrays = {**given, **graph.run(given, EVERY_OPERATION, keep=True)}
    constants = {n: v.data for n, v in graph.values.items() if v.data is not None}
    return {name: array.shape for name, array in {**constants, **arrays}.items()}
