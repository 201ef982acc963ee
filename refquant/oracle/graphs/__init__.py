"""Graphs of int8 operations, as files of models hold them, run by the rules of any engine."""

from refquant.oracle.graphs.graph import Graph, Node, Value
from refquant.oracle.graphs.traced import from_model

__all__ = ["Graph", "Node", "Value", "from_model"]
