"""Sums that a runtime computes together with the convolution before them."""

from collections.abc import Iterator, Mapping

import numpy as np

from refquant.errors import RefquantError
from refquant.oracle.graphs.graph import Graph, Node
from refquant.oracle.problems.table import problem

__all__ = ["fused_sums"]

_PLACES = ("stride", "padding", "dilation", "groups", "layout", "weight_layout")


def _real_convolution(graph: Graph, node: Node, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Compute a convolution in real numbers, without quantizing its result."""
    x, weight = (graph.values[node.operands[name]] for name in ("x", "weight"))
    operands = {"x": x.codes(arrays[x.name]), "weight": weight.codes(weight.data)}
    settings = {name: node.settings[name] for name in _PLACES if name in node.settings}
    sums = problem("conv_integer", **operands, **settings).run("exact").astype(np.int64)
    channels = [1] * sums.ndim
    channels[1 if node.settings["layout"] == "NCHW" else -1] = -1
    bias = node.operands.get("bias")
    if bias is not None:
        sums = sums + graph.values[bias].data.reshape(channels)
    unit = np.float64(x.scale) * np.asarray(weight.scale, np.float64).reshape(-1)
    real = sums * unit.reshape(channels)
    return np.maximum(real, 0.0) if node.settings.get("activation", "none") == "relu" else real


def _is_alone(graph: Graph, node: Node) -> bool:
    """Whether one node takes the result, and nothing else."""
    takers = sum(node.output in each.names() for each in graph.nodes)
    return takers == 1 and node.output not in graph.outputs


def fused_sums(
    graph: Graph, node: Node, arrays: Mapping[str, np.ndarray], hidden: Mapping[str, Node]
) -> Iterator[tuple[str, np.ndarray]]:
    """Compute a sum of which one operand is not quantized before.

    Parameters
    ----------
    graph : Graph
        The model.
    node : Node
        Of any operation; only sums have such answers.
    arrays : dict of str to ndarray
        Values before it.
    hidden : dict of str to Node
        Layers before it whose results the runtime does not show.

    Yields
    ------
    str, ndarray
        The layer that is not quantized, and the sum, rounded to the nearest, ties to even.
    """
    if node.operation != "add":
        return
    to = graph.problem(node, arrays).arguments["output"]
    for mine, others in (("a", "b"), ("b", "a")):
        before, other = hidden.get(node.operands[mine]), graph.values[node.operands[others]]
        if before is None or before.operation != "conv2d" or not _is_alone(graph, before):
            continue
        try:
            real = _real_convolution(graph, before, arrays)
        except RefquantError:  # a convolution without such sums, as of 16 bits
            continue
        codes = arrays[other.name] if other.data is None else other.data
        steps = codes.astype(np.float64) - other.zero_point
        whole = (real + np.float64(other.scale) * steps) / to.scale
        found = np.rint(whole) + to.zero_point
        yield before.output, np.clip(found, to.lower, to.upper).astype(to.dtype)
