"""Files of models: how they are read, and what is said of what they hold and cannot be computed."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from refquant import arguments
from refquant.errors import FileFormatError, NotSupportedError, RefquantError
from refquant.oracle.graphs.graph import Graph, Node, Value
from refquant.oracle.graphs.traced import from_model

__all__ = ["MOST_BYTES", "TFLITE", "Read", "Reading", "content_of", "graph_of", "is_tflite"]

TFLITE = b"TFL3"

MOST_BYTES = 2**31 - 1


@dataclass(frozen=True)
class Read:
    """A graph with what its file calls its values.

    Attributes
    ----------
    graph : Graph
        The operations.
    places : dict of str to int or str
        For each value the number or name of the tensor in the file.
    content : bytes
        The file.
    """

    graph: Graph
    places: dict[str, Any]
    content: bytes

    @property
    def ending(self) -> str:
        """The ending of such a file."""
        return "tflite" if is_tflite(self.content) else "onnx"


def is_tflite(content: bytes) -> bool:
    """Whether a file begins as one of TensorFlow Lite; files of ONNX have no such mark."""
    return content[4:8] == TFLITE


def content_of(source: Any) -> bytes:
    """Read a file, or return bytes that are given."""
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    path = arguments.path("source", source, "a path, or the bytes of a file")
    size = os.stat(path).st_size
    if size > MOST_BYTES:
        raise FileFormatError(
            argument="source", expected=f"at most {MOST_BYTES:,} bytes", got=f"{size:,}"
        )
    return path.read_bytes()


class Reading:
    """What has been read of a file: values and nodes, and what is not supported."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.values: dict[str, Value] = {}
        self.nodes: list[Node] = []
        self.unsupported: list[str] = []

    def add(self, value: Value) -> str:
        """Add a value, if it is not there yet; returns its name."""
        return self.values.setdefault(value.name, value).name

    def reject(self, place: str, what: str) -> None:
        """Remember what is not supported."""
        self.unsupported.append(f"{place}: {what}" if what else place)

    def graph(self, inputs: Sequence[str], outputs: Sequence[str]) -> Graph:
        """Make the graph, or raise and list everything that is not supported."""
        if self.unsupported:
            raise NotSupportedError(
                f"{self.kind}: {len(self.unsupported)} of its operators cannot be computed: "
                + "; ".join(self.unsupported)
            )
        if not outputs:
            raise FileFormatError(
                f"the {self.kind} file is damaged",
                expected="a graph",
                got="nothing that it computes",
            )
        try:
            return Graph(tuple(self.values.values()), self.nodes, inputs, outputs)
        except RefquantError as error:
            raise FileFormatError(
                f"the {self.kind} file is damaged", expected="a graph", got=str(error)
            ) from error


def graph_of(model: Any, example: Any) -> Graph:
    """Return a graph that is given, or make that of a model."""
    return model if isinstance(model, Graph) else from_model(model, example)
