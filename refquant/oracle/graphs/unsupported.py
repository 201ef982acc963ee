"""What readers and writers of graphs cannot take; they tell all of it at once."""

from collections.abc import Callable, Iterable

from refquant.oracle.graphs.graph import Node

__all__ = ["Unsupported", "unsupported_nodes"]


class Unsupported(Exception):
    """A node, or what will become one, cannot be taken; the message follows its place."""


def unsupported_nodes(nodes: Iterable[Node], take: Callable[[Node], None]) -> list[str]:
    """Call a function with each node, and collect what it cannot take.

    Parameters
    ----------
    nodes : iterable of Node
        In their order.
    take : callable
        Raises `Unsupported` for a node that it cannot take.

    Returns
    -------
    list of str
        For each of these its place and why.
    """
    found = []
    for node in nodes:
        try:
            take(node)
        except Unsupported as error:
            found.append(f"{node.place or node!r}: {error}")
    return found
