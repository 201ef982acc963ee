"""C headers of small networks, with a program that runs them to the bit."""

import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from refquant import arguments
from refquant.atomic import replace_bytes
from refquant.engines.arithmetic.multipliers import quantized_multiplier
from refquant.errors import NotSupportedError
from refquant.oracle.graphs.files import graph_of
from refquant.oracle.graphs.graph import Graph, Node, Value
from refquant.oracle.graphs.lowered import lowered
from refquant.oracle.graphs.shapes import shapes_of
from refquant.oracle.graphs.unsupported import Unsupported, unsupported_nodes
from refquant.oracle.problems.neutral import pads_of

__all__ = ["write"]

PROGRAM = Path(__file__).with_name("network.c")
_STRUCT = """\
#include <stdint.h>

/* A layer takes images from slots of the store, and puts one into another slot: PRODUCT of filters
   as [output][line][column][channel of the group], MEAN or AVERAGE of windows, their MAXIMUM, SUM
   of two images, or MOVE of an image from channels last to channels first. Multipliers are of 31
   bits, a positive shift goes to the left; results are within lower and upper. */
enum kind { PRODUCT, MEAN, AVERAGE, MAXIMUM, SUM, MOVE };
struct layer {
    enum kind kind;
    int in, other, out, height, width, channels, out_height, out_width, outputs, groups;
    int lines, columns, stride_down, stride_right, dilation_down, dilation_right, top, left;
    int input_zero, other_zero, zero, lower, upper;
    const int8_t *weights;
    const int32_t *bias, *multipliers, *shifts;
};
"""
_BOUNDS = ("activation", "lower", "upper")
# The same integers in the same order.
_SAME = ("reshape", "quantize", "dequantize")


def write(model: Any, folder: str | os.PathLike, example: Any = None) -> list[Path]:
    r"""Write a network as a C header, and a short program that runs it.

    The program reads images of int8 from its standard input, channels last, and writes the results
    of each. Its arithmetic is that of the engine ``tflite-micro``: a sum is multiplied by
    :math:`m = \mathrm{round}(2^{31-e} s_x s_w / s_y)`, rounded up after 31 bits and away from zero
    after the rest.

    Parameters
    ----------
    model : Module or Graph
        See `refquant.oracle.graphs.from_model`. Convolutions, linear layers, maxima and averages of
        windows, averages of images, sums of two images, borders and reshaping; quantization at the
        begin and dequantization at the end are left out.
    folder : path
        Is made if it is not there; gets ``network.h`` and ``network.c``.
    example : Tensor, optional
        An input of the model, of a batch of one; a graph needs none.

    Returns
    -------
    list of pathlib.Path
        The header and the program.

    Raises
    ------
    NotSupportedError
        If operations have no place in the header; the message lists all of them.

    Examples
    --------
    >>> import tempfile
    >>> import refquant
    >>> from refquant.interop import c
    >>> model = refquant.nn.Sequential(
    ...     refquant.nn.quantized.Quantize(0.5, 2, refquant.quint8),
    ...     refquant.nn.quantized.Linear(4, 3),
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = c.write(model, folder, refquant.ones(1, 4))
    >>> [file.name for file in files]
    ['network.h', 'network.c']
    """
    target = arguments.path("folder", folder)
    header = _header(lowered(graph_of(model, example)))
    target.mkdir(parents=True, exist_ok=True)
    files = [target / "network.h", target / PROGRAM.name]
    for path, data in zip(files, (header.encode(), PROGRAM.read_bytes()), strict=True):
        replace_bytes(path, data)
    return files


def _array(kind: str, name: str, values: Any) -> str:
    numbers = [str(int(n)) for n in np.asarray(values).reshape(-1)]
    rows = [", ".join(numbers[k : k + 16]) for k in range(0, len(numbers), 16)]
    return f"static const {kind} {name}[] = {{\n    " + ",\n    ".join(rows) + "};\n"


def _image(shape: tuple[int, ...]) -> tuple[int, int, int]:
    if shape[0] != 1 or len(shape) not in (2, 4):
        raise Unsupported(f"of shape {shape}: a batch of one is wanted")
    return (1, 1, shape[1]) if len(shape) == 2 else (shape[1], shape[2], shape[3])


def _slots(graph: Graph) -> dict[str, int]:
    """Give each image a slot of the store, which others take when nothing needs it any more."""
    roots: dict[str, str] = {}
    last: dict[str, int] = {}
    images = [[name for name in node.names() if graph.values[name].data is None]
              for node in graph.nodes]  # fmt: skip
    for k, (node, names) in enumerate(zip(graph.nodes, images, strict=True)):
        for name in names:
            last[roots.setdefault(name, name)] = k
        if node.operation in _SAME:
            roots[node.output] = roots[names[0]]
    last |= {roots.get(name, name): len(graph.nodes) for name in graph.outputs}
    slots = dict.fromkeys(graph.inputs, 0)
    for k, node in enumerate(graph.nodes):
        if node.operation not in _SAME:
            taken = {slot for name, slot in slots.items() if last.get(name, -1) >= k}
            slots[node.output] = next(n for n in range(len(taken) + 1) if n not in taken)
    return slots | {name: slots[root] for name, root in roots.items()}


class _Layers:
    """Arrays and rows of the header."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.shapes, self.slots = graph, shapes_of(graph), _slots(graph)
        self.arrays: list[str] = []
        self.rows: list[str] = []
        self.largest = 0

    def add(self, node: Node) -> None:
        """Add the layer of a node; the same integers in the same order add none."""
        graph = self.graph
        if node.operation == "quantize" and node.operands["x"] not in graph.inputs:
            raise Unsupported("quantizes what is no input")
        if node.operation == "dequantize" and node.output not in graph.outputs:
            raise Unsupported("dequantizes what is no result")
        if node.operation not in _SAME:
            kinds = {
                "conv2d": self._product, "linear": self._product, "add": self._sum,
                "max_pool2d": self._pool, "avg_pool2d": self._pool, "mean": self._mean,
                "global_avg_pool2d": self._mean, "transpose": self._move, "pad": self._border,
            }  # fmt: skip
            if node.operation not in kinds:
                raise Unsupported("has no place in the header")
            kinds[node.operation](node)

    def _value(self, node: Node, parameter: str) -> Value:
        return self.graph.values[node.operands[parameter]]

    def _move(self, node: Node) -> None:
        if tuple(node.settings["perm"]) != (0, 3, 1, 2):
            raise Unsupported(f"in order {node.settings['perm']}")
        self._row("MOVE", node, out=_image(self.shapes[node.operands["x"]]))

    def _border(self, node: Node) -> None:
        """Put a border around an image: the mean, or the maximum, of windows of one pixel."""
        x, pads, fill = self._value(node, "x"), node.settings["pads"], node.settings["fill"]
        inside = len(pads) == 4 and not any((*pads[0], *pads[3]))
        if not inside or fill not in (x.zero_point, -128):
            raise Unsupported(f"by {pads}, filled with {fill}")
        border = pads[1][0], pads[2][0]
        if fill == -128:
            self._row("MAXIMUM", node, border=border)
            return
        one = [1 << 30] * self.shapes[x.name][-1]
        arrays = self._arrays(multipliers=one, shifts=np.ones(len(one), np.int64))
        self._row("MEAN", node, border=border, arrays=arrays)

    def _pool(self, node: Node) -> None:
        settings, x, y = node.settings, self._value(node, "x"), self.graph.values[node.output]
        if (x.scale, x.zero_point) != (y.scale, y.zero_point):
            raise Unsupported("to another quantizer")
        kind = "MAXIMUM" if node.operation == "max_pool2d" else "AVERAGE"
        kernel = settings["kernel"]
        stride = settings.get("stride") or kernel
        pads = pads_of(settings.get("padding", 0), 2)
        self._row(kind, node, kernel=kernel, stride=stride, border=(pads[0][0], pads[1][0]))

    def _mean(self, node: Node) -> None:
        """Average an image: the count is divided into the multiplier."""
        x, y = self._value(node, "x"), self.graph.values[node.output]
        size = _image(self.shapes[x.name])
        axes = tuple(node.settings.get("axes", (1, 2)))
        if len(self.shapes[x.name]) != 4 or axes != (1, 2):
            raise Unsupported(f"over axes {axes}")
        count = size[0] * size[1]
        q, shift = quantized_multiplier(np.float64(np.float32(x.scale)) / np.float32(y.scale))
        more = min(int(math.log2(count)), 32, 31 + int(shift))
        factors = [(int(q) << more) // count] * size[2]
        arrays = self._arrays(multipliers=factors, shifts=[int(shift) - more] * size[2])
        self._row("MEAN", node, kernel=size[:2], arrays=arrays)

    def _sum(self, node: Node) -> None:
        """Add two images, both with 20 more bits at twice the greater scale."""
        a, b, y = self._value(node, "a"), self._value(node, "b"), self.graph.values[node.output]
        if a.data is not None or b.data is not None:
            raise Unsupported("adds a constant")
        if self.shapes[a.name] != self.shapes[b.name]:
            raise Unsupported(f"of shapes {self.shapes[a.name]} and {self.shapes[b.name]}")
        scales = [np.float64(np.float32(value.scale)) for value in (a, b, y)]
        twice = 2 * max(scales[:2])
        factors = [scales[0] / twice, scales[1] / twice, twice / (scales[2] * 2**20)]
        multipliers, shifts = quantized_multiplier(np.array(factors))
        self._row("SUM", node, arrays=self._arrays(multipliers=multipliers, shifts=shifts))

    def _product(self, node: Node) -> None:
        w = self._value(node, "weight")
        settings, data = node.settings, w.data
        if data is None or np.any(w.zero_point) or data.dtype != np.int8:
            raise Unsupported("whose weights are no constants of int8 without a zero point")
        if node.operation == "linear":
            rows = data if settings.get("weight_layout", "OI") == "OI" else data.T
            filters, places = rows[:, None, None, :], {}
        else:
            deep = settings["weight_layout"] == "1HWO"
            filters = np.moveaxis(data, (3, 0), (0, 3)) if deep else data
            pads = pads_of(settings["padding"], 2)
            places = {
                "stride": settings["stride"], "dilation": settings["dilation"],
                "groups": settings["groups"], "border": (pads[0][0], pads[1][0]),
            }  # fmt: skip
        x, y = self._value(node, "x"), self.graph.values[node.output]
        units = np.float64(np.float32(x.scale)) * np.float32(w.scale).astype(np.float64)
        factors = np.broadcast_to(units / np.float64(np.float32(y.scale)), (len(filters),))
        multipliers, shifts = quantized_multiplier(factors)
        name = node.operands.get("bias")
        held = None if name is None else self.graph.values[name].data
        bias = np.zeros(len(filters), np.int32) if held is None else held
        arrays = self._arrays(filters, bias, multipliers, shifts)
        self._row("PRODUCT", node, kernel=filters.shape[1:3], arrays=arrays, **places)

    def _arrays(
        self, weights: Any = None, bias: Any = None, multipliers: Any = None, shifts: Any = None
    ) -> tuple[str, ...]:
        """Write arrays of a layer; returns their names."""
        names = []
        given = (("int8_t", "w", weights), ("int32_t", "b", bias), ("int32_t", "m", multipliers),
                 ("int32_t", "s", shifts))  # fmt: skip
        for kind, letter, values in given:
            name = "0" if values is None else f"{letter}{len(self.rows)}"
            if values is not None:
                self.arrays.append(_array(kind, name, values))
            names.append(name)
        return tuple(names)

    def _row(
        self, kind: str, node: Node, *, out: Any = None, groups: int = 1, kernel: Any = (1, 1),
        stride: Any = (1, 1), dilation: Any = (1, 1), border: Any = (0, 0),
        arrays: tuple[str, ...] = ("0",) * 4,
    ) -> None:  # fmt: skip
        y = self.graph.values[node.output]
        x, other = self._value(node, "a" if kind == "SUM" else "x"), node.operands.get("b")
        size, out = _image(self.shapes[x.name]), out or _image(self.shapes[y.name])
        to = y.output({name: node.settings[name] for name in _BOUNDS if name in node.settings})
        second = x if other is None else self.graph.values[other]
        numbers = (
            *(self.slots[value.name] for value in (x, second, y)), *size, *out, groups, *kernel,
            *stride, *dilation, *border, x.zero_point, second.zero_point, y.zero_point, to.lower,
            to.upper,
        )  # fmt: skip
        self.largest = max(self.largest, math.prod(size), math.prod(out))
        self.rows.append(f"    {{{kind}, {', '.join(map(str, numbers))}, {', '.join(arrays)}}},\n")


def _header(graph: Graph) -> str:
    """Write the header of a graph."""
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise NotSupportedError(
            f"interop.c: {len(graph.inputs)} inputs and {len(graph.outputs)} results: one of each "
            "is wanted"
        )
    if sum(node.operation == "quantize" for node in graph.nodes) > 1:
        raise NotSupportedError("interop.c: the input is quantized more than once")
    layers = _Layers(graph)
    unsupported = unsupported_nodes(graph.nodes, layers.add)
    if unsupported:
        raise NotSupportedError(
            f"interop.c: {len(unsupported)} nodes have no place in a header: "
            + "; ".join(unsupported)
        )
    (fed,), (result,) = graph.inputs, graph.outputs
    counts = [math.prod(layers.shapes[name]) for name in (fed, result)]
    sizes = {
        "LAYERS": len(layers.rows), "SLOTS": max(layers.slots.values()) + 1,
        "LARGEST": max(layers.largest, *counts), "FED": layers.slots[fed],
        "RESULT": layers.slots[result], "INPUTS": counts[0], "OUTPUTS": counts[1],
    }  # fmt: skip
    constants = f"enum {{ {', '.join(f'{name} = {n}' for name, n in sizes.items())} }};\n"
    table = f"static const struct layer layers[] = {{\n{''.join(layers.rows)}}};\n"
    return "\n".join([_STRUCT, *layers.arrays, constants, table])
