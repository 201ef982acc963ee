"""Nodes as the writers of models of one operation take them."""

from typing import Any

import numpy as np

from refquant.oracle.graphs.graph import Graph, Node
from refquant.oracle.vectors.case import Case
from refquant.oracle.vectors.models.operands import Operands
from refquant.oracle.vectors.save import entry_of_answer

__all__ = ["names_of_operands", "operands_of"]


def operands_of(graph: Graph, node: Node, shapes: dict[str, Any], files: str) -> Operands:
    """Describe the operands of a node that is no move, with zeros for what is not constant."""
    arrays = {}
    for name in node.names():
        value = graph.values[name]
        arrays[name] = np.zeros(shapes[name], value.dtype) if value.data is None else value.data
    task = graph.problem(node, arrays)
    given = {k: v for k, v in task.arguments.items() if v is not None}
    answer = np.zeros(shapes[node.output], graph.values[node.output].dtype)
    case = Case(node.place or node.output, node.operation, given)
    return Operands(*entry_of_answer(case, task, answer), files)


def names_of_operands(node: Node) -> dict[str, str]:
    """Return for each operand by the name that writers give it the value of the graph."""
    found = {}
    for parameter, given in node.operands.items():
        if isinstance(given, tuple):
            found.update({f"{parameter}{k}": name for k, name in enumerate(given)})
        else:
            found[parameter] = given
    return found
