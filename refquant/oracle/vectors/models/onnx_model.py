"""``.onnx`` files of one operator on integers, or of one between real numbers.

Inputs bear the names of the operands, the output is ``output``. Images that have channels last are
transposed before and behind the operator; results that are bounded go through ``Clip``.
"""

from typing import Any

import numpy as np

from refquant.oracle.vectors.models import onnx_operators, onnx_reals
from refquant.oracle.vectors.models.onnx_graph import MICROSOFT, Graph, value
from refquant.oracle.vectors.models.operands import Operands
from refquant.oracle.vectors.models.protobuf import Message, encode

__all__ = ["file_of", "model"]

_IR_VERSION, _OPSET = 8, 17


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
    c, g = Operands(entry, arrays, ".onnx"), Graph()
    build, reals = onnx_operators.BUILD.get(c.operation), onnx_reals.BUILD.get(c.operation)
    if build is not None:
        y = build(g, c)
    elif reals is not None:
        y = g.node("QuantizeLinear", [reals(g, c), *g.quantizer(c.result)])
    else:
        raise c.unsupported("which have no operator for it")
    c.require(c.result.dtype != np.int16, "whose integers of 16 bits need a later version")
    if c.bounded():
        ends = (np.array(c.output[end], c.result.dtype) for end in ("lower", "upper"))
        y = g.node("Clip", [y, *map(g.constant, ends)])
    g.name_last("output")
    return file_of(g, [value("output", c.result.dtype, c.shape)], c.operation)


def file_of(g: Graph, outputs: list[Message], name: str) -> bytes:
    """Write the file of a graph."""
    graph: Message = [*((1, node) for node in g.nodes), (2, name)]
    graph += [*((5, constant) for constant in g.constants), *((11, each) for each in g.inputs)]
    graph += [(12, each) for each in outputs]
    opsets: Message = [(8, [(1, ""), (2, _OPSET)]), (8, [(1, MICROSOFT), (2, 1)])]
    return encode([(1, _IR_VERSION), (2, "refquant"), (7, graph), *opsets])
