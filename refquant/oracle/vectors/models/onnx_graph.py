"""Graphs of ``.onnx`` files: nodes, constants and inputs as messages of protocol buffers."""

from typing import Any

import numpy as np

from refquant.oracle.vectors.models.operands import Operands, Quantized
from refquant.oracle.vectors.models.protobuf import Message

__all__ = ["KINDS", "MICROSOFT", "Graph", "back", "image", "images", "value", "window"]

MICROSOFT = "com.microsoft"
KINDS = {"float32": 1, "uint8": 2, "int8": 3, "int16": 5, "int32": 6, "int64": 7}
_FLOAT, _INT, _STRING, _INTS = 1, 2, 3, 7
_LAST, _FIRST = (
    {3: (0, 2, 1), 4: (0, 3, 1, 2), 5: (0, 4, 1, 2, 3)},
    {3: (0, 2, 1), 4: (0, 2, 3, 1), 5: (0, 2, 3, 4, 1)},
)


class Graph:
    """Nodes, constants and inputs of a model."""

    def __init__(self) -> None:
        self.nodes: list[Message] = []
        self.constants: list[Message] = []
        self.inputs: list[Message] = []

    def constant(self, array: Any) -> str:
        """Add a constant; returns its name."""
        held, name = np.asarray(array), f"c{len(self.constants)}"
        dims = [(1, n) for n in held.shape]
        data = held.astype(held.dtype.newbyteorder("<")).tobytes()
        self.constants.append([*dims, (2, KINDS[held.dtype.name]), (8, name), (9, data)])
        return name

    def quantizer(self, q: Quantized) -> list[str]:
        """Add a scale and a zero point."""
        return [self.constant(q.scale), self.constant(q.zero_point.astype(q.dtype))]

    def input(self, name: str, array: np.ndarray) -> str:
        """Add an input."""
        self.inputs.append(value(name, array.dtype, array.shape))
        return name

    def codes(self, name: str, q: Quantized) -> list[str]:
        """Add an input of integers with its quantizer."""
        return [self.input(name, q.array), *self.quantizer(q)]

    def node(
        self,
        kind: str,
        inputs: list[str],
        domain: str = "",
        more: tuple[str, ...] = (),
        **attributes: Any,
    ) -> str:
        """Add a node; returns the name of its first output, which others may follow."""
        output = f"t{len(self.nodes)}"
        fields: Message = [(1, name) for name in inputs]
        fields += [*((2, name) for name in (output, *more)), (4, kind)]
        fields += [(5, _attribute(*item)) for item in attributes.items()]
        self.nodes.append([*fields, (7, domain)])
        return output

    def name_last(self, name: str) -> None:
        """Give the first result of the node that was added last a name."""
        last = next(k for k, (field, _) in enumerate(self.nodes[-1]) if field == 2)
        self.nodes[-1][last] = (2, name)

    def real(self, codes: str, q: Quantized) -> str:
        """Add a node that dequantizes integers, along their axis if they have one."""
        inputs = [codes, self.constant(q.scale)]
        inputs.append(self.constant(np.broadcast_to(q.zero_point, q.scale.shape).astype(q.dtype)))
        along: dict[str, Any] = {} if q.axis is None else {"axis": q.axis}
        return self.node("DequantizeLinear", inputs, **along)


def _attribute(name: str, value: Any) -> Message:
    if isinstance(value, float):
        return [(1, name), (2, value), (20, _FLOAT)]
    if isinstance(value, int):
        return [(1, name), (3, value), (20, _INT)]
    if isinstance(value, str):
        return [(1, name), (4, value), (20, _STRING)]
    return [(1, name), *((8, int(n)) for n in value), (20, _INTS)]


def value(name: str, dtype: np.dtype, shape: tuple[int, ...]) -> Message:
    """Describe an input or a result."""
    dims: Message = [(1, [(1, n)]) for n in shape]
    return [(1, name), (2, [(1, [(1, KINDS[dtype.name]), (2, dims)])])]


def image(g: Graph, c: Operands) -> str:
    """Add images with channels first, transposed if they have them last."""
    x, order = g.input("x", c["x"].array), _LAST[c["x"].array.ndim]
    return g.node("Transpose", [x], perm=order) if c["layout"] == "NHWC" else x


def images(g: Graph, c: Operands) -> list[str]:
    """Add images as `image` does, and their quantizer."""
    return [image(g, c), *g.quantizer(c["x"])]


def back(g: Graph, c: Operands, y: str) -> str:
    """Lay a result out as the images are."""
    return g.node("Transpose", [y], perm=_FIRST[len(c.shape)]) if c["layout"] == "NHWC" else y


def window(c: Operands) -> dict[str, Any]:
    """Write the border and the distance of windows."""
    dims = len(c.shape) - 2
    border = c.border(dims)
    pads = [side for sides in zip(*border, strict=True) for side in sides]
    return {"pads": pads, "strides": c.stride(dims)}
