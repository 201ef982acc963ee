"""Graphs as TensorFlow Lite holds them: int8 for uint8, channels last, borders SAME or VALID."""

from collections.abc import Callable
from typing import Any

import numpy as np

from refquant.errors import NotSupportedError
from refquant.oracle.graphs.graph import Graph, Node, Value
from refquant.oracle.graphs.shapes import shapes_of
from refquant.oracle.graphs.unsupported import Unsupported, unsupported_nodes
from refquant.oracle.vectors.neutral_operands import same_border

__all__ = ["lowered"]

_LAST = (0, 2, 3, 1)  # axes with channels first, by place with channels last
_FIRST = (0, 3, 1, 2)
_SIGN = 128
_ALIKE = (
    "quantize", "dequantize", "requantize", "add", "sub", "mul", "clip", "sigmoid", "tanh", "elu",
    "hardswish", "leaky_relu",
)  # fmt: skip


class _Lowering:
    """The graph that is being made."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.shapes = graph, shapes_of(graph)
        self.values: dict[str, Value] = {}
        self.nodes: list[Node] = []
        self.weights = {
            name
            for node in graph.nodes
            for parameter in ("weight", "bias")
            for name in [node.operands.get(parameter)]
            if isinstance(name, str)
        }
        # Whether images have channels first; those of TensorFlow Lite itself have them last.
        self.moves = any(node.settings.get("layout") == "NCHW" for node in graph.nodes)

    def is_image(self, name: str) -> bool:
        """Whether the axes of a value are moved."""
        return self.moves and len(self.shapes[name]) == 4

    def value(self, name: str) -> Value:
        """Return a value with channels last and signed."""
        if name not in self.values:
            self.values[name] = self._value(name)
        return self.values[name]

    def _value(self, name: str) -> Value:
        old = self.graph.values[name]
        dtype, zero, data, shape = old.dtype, old.zero_point, old.data, self.shapes[name]
        if name in self.weights:
            return Value(name, dtype, shape, old.scale, zero, old.axis, data)
        if self.is_image(name):
            shape = tuple(shape[axis] for axis in _LAST)
            data = None if data is None else np.ascontiguousarray(data.transpose(_LAST))
        if dtype == "uint8":
            dtype, zero = "int8", zero - _SIGN
            data = None if data is None else (data.astype(np.int16) - _SIGN).astype(np.int8)
        return Value(name, dtype, shape, old.scale, zero, old.axis, data)

    def settings(self, node: Node) -> dict[str, Any]:
        """Return settings whose integers are signed."""
        found = dict(node.settings)
        if self.graph.values[node.output].dtype == "uint8":
            for name in ("lower", "upper", "fill"):
                if name in found:
                    found[name] -= _SIGN
        return found

    def add(self, node: Node, operands: dict[str, Any], settings: dict[str, Any]) -> None:
        """Add a node with the result of another one."""
        self.value(node.output)
        for name in Node(node.operation, operands, node.output).names():
            self.value(name)
        self.nodes.append(Node(node.operation, operands, node.output, settings, node.place))

    def between(self, node: Node, operation: str, x: str, shape: Any, **settings: Any) -> str:
        """Add a move before a node; returns the name of its result."""
        old = self.value(x)
        name = f"{node.output} before {node.operation}"
        self.values[name] = Value(name, old.dtype, tuple(shape), old.scale, old.zero_point)
        self.nodes.append(Node(operation, {"x": x}, name, settings, node.place))
        return name

    # -- nodes -------------------------------------------------------------------------------

    def alike(self, node: Node) -> None:
        """Keep an operation that treats all elements alike."""
        ranks = {len(self.shapes[name]) for name in node.names()}
        if len(ranks) > 1 and self.moves and 4 in ranks:
            raise Unsupported("of operands of several numbers of dimensions")
        self.add(node, dict(node.operands), self.settings(node))

    def convolution(self, node: Node) -> None:
        """Move weights, and add borders that are neither SAME nor VALID."""
        settings, operands = self.settings(node), dict(node.operands)
        if settings["layout"] == "NHWC":
            self.add(node, operands, settings)
            return
        old = self.graph.values[operands["weight"]]
        groups, channels = settings.get("groups", 1), self.shapes[operands["x"]][1]
        if old.data is None or settings.get("weight_layout") not in (None, "OIHW"):
            raise Unsupported(f"with weights as {settings.get('weight_layout')}")
        if groups == 1:
            order, layout, axis = (0, 2, 3, 1), "OHWI", 0
        elif groups == channels and old.data.shape[1] == 1:
            order, layout, axis = (1, 2, 3, 0), "1HWO", 3
        else:
            raise Unsupported(f"in {groups} groups of {channels} channels")
        data = np.ascontiguousarray(old.data.transpose(order))
        name = f"{old.name} as {layout}"
        along = None if old.axis is None else axis
        self.values[name] = Value(
            name, old.dtype, data.shape, old.scale, old.zero_point, along, data
        )
        kernel = data.shape[1:3]
        dilation = _two(settings.get("dilation", 1))
        extents = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
        operands |= {"weight": name}
        zero = self.value(operands["x"]).zero_point
        operands["x"], settings["padding"] = self.bordered(node, extents, zero)
        self.add(node, operands, {**settings, "layout": "NHWC", "weight_layout": layout})

    def bordered(self, node: Node, extents: Any, fill: int) -> tuple[str, Any]:
        """Put a border around an image, if the kernels themselves have no such border."""
        x, settings = node.operands["x"], node.settings
        sizes = self.shapes[x][2:]
        stride = _two(settings.get("stride") or settings.get("kernel"))
        pads = tuple(_pair(side) for side in _two(settings.get("padding", 0)))
        same = tuple(same_border(*each) for each in zip(sizes, extents, stride, strict=True))
        if pads == same:
            return x, same
        if not any(map(any, pads)):
            return x, 0
        whole = ((0, 0), *pads, (0, 0))
        shape = [n + sum(p) for n, p in zip(self.value(x).shape or (), whole, strict=True)]
        return self.between(node, "pad", x, shape, pads=whole, fill=fill), 0

    def pool(self, node: Node) -> None:
        """Move an image, and add borders of the least integer."""
        settings, operands = self.settings(node), dict(node.operands)
        if settings.get("layout") == "NCHW" and "kernel" in settings:
            pads = [_pair(side) for side in _two(settings.get("padding", 0))]
            if node.operation == "avg_pool2d" and any(map(any, pads)):
                kernel, stride = _two(settings["kernel"]), _two(settings["stride"])
                sizes = self.shapes[operands["x"]][2:]
                same = [same_border(*each) for each in zip(sizes, kernel, stride, strict=True)]
                if pads != same:
                    raise Unsupported("with a border that is not SAME")
            least = int(np.iinfo(self.value(operands["x"]).dtype).min)
            operands["x"], settings["padding"] = self.bordered(
                node, _two(settings["kernel"]), least
            )
        self.add(node, operands, {**settings, "layout": "NHWC"} if self.moves else settings)

    def global_pool(self, node: Node) -> None:
        """Average height and width, which TensorFlow Lite calls a mean."""
        self.pool(node)

    def mean(self, node: Node) -> None:
        """Move axes."""
        settings = self.settings(node)
        if self.is_image(node.operands["x"]):
            axes = sorted(int(a) % 4 for a in settings["axes"])
            if not settings.get("keepdims", True) and axes not in ([2, 3], [1, 2, 3], [0, 1, 2, 3]):
                raise Unsupported(f"over axes {axes} without keeping them")
            settings["axes"] = tuple(sorted(_LAST.index(axis) for axis in axes))
        self.add(node, dict(node.operands), settings)

    def cat(self, node: Node) -> None:
        """Move the axis."""
        settings = self.settings(node)
        if self.is_image(node.output):
            settings["axis"] = _LAST.index(settings["axis"] % 4)
        self.add(node, dict(node.operands), settings)

    def reshape(self, node: Node) -> None:
        """Reshape with channels first, as the graph means it."""
        x, wanted = node.operands["x"], self.shapes[node.output]
        if self.is_image(x) and self.shapes[x][2:] != (1, 1):
            x = self.between(node, "transpose", x, self.shapes[x], perm=_FIRST)
        if not self.is_image(node.output):
            self.add(node, {"x": x}, {"shape": wanted})
            return
        if wanted[2:] == (1, 1):
            self.add(node, {"x": x}, {"shape": tuple(wanted[axis] for axis in _LAST)})
            return
        old, name = self.value(x), f"{node.output} with channels first"
        self.values[name] = Value(name, old.dtype, wanted, old.scale, old.zero_point)
        self.nodes.append(Node("reshape", {"x": x}, name, {"shape": wanted}, node.place))
        turned = Node("transpose", {"x": name}, node.output, {"perm": _LAST}, node.place)
        self.add(turned, {"x": name}, {"perm": _LAST})

    def transpose(self, node: Node) -> None:
        """Change an order of axes."""
        perm = node.settings["perm"]
        if self.is_image(node.output):
            perm = tuple(_LAST.index(perm[axis]) for axis in _LAST)
        self.add(node, dict(node.operands), {"perm": perm})

    def pad(self, node: Node) -> None:
        """Move borders."""
        settings = self.settings(node)
        if self.is_image(node.output):
            settings["pads"] = tuple(settings["pads"][axis] for axis in _LAST)
        self.add(node, dict(node.operands), settings)

    def plain(self, node: Node) -> None:
        """Keep an operation whose operands are no images."""
        if any(self.is_image(name) for name in node.names() if name not in self.weights):
            raise Unsupported("of images with channels first")
        self.add(node, dict(node.operands), self.settings(node))


def _two(value: Any) -> Any:
    return tuple(value) if isinstance(value, list | tuple) else (value, value)


def _pair(value: Any) -> tuple[int, int]:
    return tuple(value) if isinstance(value, list | tuple) else (value, value)


def lowered(graph: Graph) -> Graph:
    """Lower a graph: the same numbers, as TensorFlow Lite holds them.

    Inputs and outputs of four dimensions get channels last, and uint8 becomes int8, less 128.

    Raises
    ------
    NotSupportedError
        If nodes have no counterpart; the message lists all of them.
    """
    made = _Lowering(graph)
    by_name: dict[str, Callable[[Node], None]] = {
        **dict.fromkeys(_ALIKE, made.alike), "conv2d": made.convolution, "mean": made.mean,
        "avg_pool2d": made.pool, "max_pool2d": made.pool, "global_avg_pool2d": made.global_pool,
        "resize_bilinear": made.pool, "resize_nearest": made.pool, "cat": made.cat,
        "reshape": made.reshape, "transpose": made.transpose, "pad": made.pad,
        "linear": made.plain, "matmul": made.plain, "softmax": made.plain,
    }  # fmt: skip
    for name in graph.inputs:
        made.value(name)

    def lower(node: Node) -> None:
        if node.operation not in by_name:
            raise Unsupported("has no counterpart")
        by_name[node.operation](node)

    unsupported = unsupported_nodes(graph.nodes, lower)
    if unsupported:
        raise NotSupportedError(
            f".tflite: {len(unsupported)} nodes have no counterpart: {'; '.join(unsupported)}"
        )
    return Graph(tuple(made.values.values()), made.nodes, graph.inputs, graph.outputs)
