"""C headers of small networks, with a program that runs them to the bit."""

import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from refquant import arguments
from refquant.atomic import replace_bytes
from refquant.errors import NotSupportedError
from refquant.oracle.graphs.files import graph_of
from refquant.oracle.graphs.graph import Graph, Node
from refquant.oracle.graphs.lowered import lowered
from refquant.oracle.graphs.shapes import shapes_of
from refquant.oracle.problems.neutral import pads_of

__all__ = ["write"]

PROGRAM = Path(__file__).with_name("network.c")
_STRUCT = """\
#include <stdint.h>

/* A layer: PRODUCT of filters as [output][line][column][channel of the group], MAXIMUM of windows,
   or MOVE of an image from channels last to channels first. Multipliers are of 31 bits, a positive
   shift goes to the left; results are within lower and upper. */
enum kind { PRODUCT, MAXIMUM, MOVE };
struct layer {
    enum kind kind;
    int height, width, channels, out_height, out_width, outputs, groups;
    int lines, columns, stride_down, stride_right, dilation_down, dilation_right, top, left;
    int input_zero, zero, lower, upper;
    const int8_t *weights;
    const int32_t *bias, *multipliers, *shifts;
};
"""


def write(model: Any, folder: str | os.PathLike, example: Any = None) -> list[Path]:
    r"""Write a network as a C header, and a program of sixty lines that runs it.

    The program reads images of int8 from its standard input, channels last, and writes the results
    of each. Its arithmetic is that of the engine ``tflite-micro``: a sum is multiplied by
    :math:`m = \mathrm{round}(2^{31-e} s_x s_w / s_y)`, rounded up after 31 bits and away from zero
    after the rest.

    Parameters
    ----------
    model : Module or Graph
        See `refquant.oracle.graphs.from_model`. Convolutions, linear layers, maxima and reshaping,
        one after the other; quantization at the begin and dequantization at the end are left out.
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


class _Refused(Exception):
    """A node has no place in the header."""


def _array(kind: str, name: str, values: Any) -> str:
    numbers = [str(int(n)) for n in np.asarray(values).reshape(-1)]
    rows = [", ".join(numbers[k : k + 16]) for k in range(0, len(numbers), 16)]
    return f"static const {kind} {name}[] = {{\n    " + ",\n    ".join(rows) + "};\n"


def _fixed_point(real: float) -> tuple[int, int]:
    """Write a multiplier as an integer of 31 bits and a shift."""
    mantissa, exponent = math.frexp(real)
    q = math.floor(mantissa * 2**31 + 0.5)
    return (q // 2, exponent + 1) if q == 2**31 else (q, exponent)


def _image(shape: tuple[int, ...]) -> tuple[int, int, int]:
    if shape[0] != 1 or len(shape) not in (2, 4):
        raise _Refused(f"of shape {shape}: a batch of one is wanted")
    return (1, 1, shape[1]) if len(shape) == 2 else (shape[1], shape[2], shape[3])


class _Layers:
    """Arrays and rows of the header."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.shapes = graph, shapes_of(graph)
        self.arrays: list[str] = []
        self.rows: list[str] = []
        self.largest = 0

    def add(self, node: Node) -> None:
        """Add the layer of a node; reshaping in the same order of elements adds none."""
        settings, x = node.settings, node.operands["x"]
        if node.operation == "reshape":
            return
        size = _image(self.shapes[x])
        if node.operation == "transpose":
            if tuple(settings["perm"]) != (0, 3, 1, 2):
                raise _Refused(f"in order {settings['perm']}")
            self._row("MOVE", size, (*size[:2], size[2]), 1, (1, 1), (1, 1), (1, 1), (0, 0), node)
            return
        out = _image(self.shapes[node.output])
        if node.operation == "max_pool2d":
            kernel, stride = settings["kernel"], settings["stride"]
            pads = pads_of(settings.get("padding", 0), 2)
            self._row(
                "MAXIMUM", size, out, 1, kernel, stride, (1, 1), (pads[0][0], pads[1][0]), node
            )
            return
        if node.operation not in ("conv2d", "linear"):
            raise _Refused("has no place in the header")
        self._product(node, size, out)

    def _product(self, node: Node, size: Any, out: Any) -> None:
        w = self.graph.values[node.operands["weight"]]
        settings, data = node.settings, w.data
        if data is None or np.any(w.zero_point) or data.dtype != np.int8:
            raise _Refused("whose weights are no constants of int8 without a zero point")
        stride, dilation, groups = (1, 1), (1, 1), 1
        pads: tuple[tuple[int, int], ...] = ((0, 0), (0, 0))
        if node.operation == "linear":
            rows = data if settings.get("weight_layout", "OI") == "OI" else data.T
            filters = rows[:, None, None, :]
        else:
            deep = settings["weight_layout"] == "1HWO"
            filters = np.moveaxis(data, (3, 0), (0, 3)) if deep else data
            stride, dilation = settings["stride"], settings["dilation"]
            pads, groups = pads_of(settings["padding"], 2), settings["groups"]
        x, y = self.graph.values[node.operands["x"]], self.graph.values[node.output]
        units = np.float64(np.float32(x.scale)) * np.float32(w.scale).astype(np.float64)
        factors = np.broadcast_to(units / np.float64(np.float32(y.scale)), (len(filters),))
        pairs = [_fixed_point(float(factor)) for factor in factors]
        name = node.operands.get("bias")
        held = None if name is None else self.graph.values[name].data
        bias = np.zeros(len(filters), np.int32) if held is None else held
        number = len(self.rows)
        for kind, letter, values in (
            ("int8_t", "w", filters), ("int32_t", "b", bias),
            ("int32_t", "m", [q for q, _ in pairs]), ("int32_t", "s", [e for _, e in pairs]),
        ):  # fmt: skip
            self.arrays.append(_array(kind, f"{letter}{number}", values))
        self._row(
            "PRODUCT", size, out, groups, filters.shape[1:3], stride, dilation,
            (pads[0][0], pads[1][0]), node, tuple(f"{letter}{number}" for letter in "wbms"),
        )  # fmt: skip

    def _row(
        self, kind: str, size: Any, out: Any, groups: int, kernel: Any, stride: Any, dilation: Any,
        border: Any, node: Node, arrays: tuple[str, ...] = ("0",) * 4,
    ) -> None:  # fmt: skip
        x, y = self.graph.values[node.operands["x"]], self.graph.values[node.output]
        names = ("activation", "lower", "upper")
        to = y.output({name: node.settings[name] for name in names if name in node.settings})
        numbers = (
            *size, *out, groups, *kernel, *stride, *dilation, *border, x.zero_point, y.zero_point,
            to.lower, to.upper,
        )  # fmt: skip
        self.largest = max(self.largest, math.prod(size), math.prod(out))
        self.rows.append(f"    {{{kind}, {', '.join(map(str, numbers))}, {', '.join(arrays)}}},\n")


def _header(graph: Graph) -> str:
    """Write the header of a graph."""
    layers, refused = _Layers(graph), []
    before = None
    for node in graph.nodes:
        if node.operation in ("quantize", "dequantize"):
            before = node.output if node.operation == "quantize" else before
            continue
        try:
            alone = not set(node.operands) - {"x", "weight", "bias"}
            if not alone or before not in (None, node.operands["x"]):
                raise _Refused("does not take the result of the layer before it alone")
            layers.add(node)
        except _Refused as error:
            refused.append(f"{node.place or node!r}: {error}")
        before = node.output
    if refused:
        raise NotSupportedError(
            f"interop.c: {len(refused)} nodes have no place in a header: {'; '.join(refused)}"
        )
    sizes = f"enum {{ LAYERS = {len(layers.rows)}, LARGEST = {layers.largest} }};\n"
    rows = "".join(layers.rows)
    table = f"static const struct layer layers[] = {{\n{rows}}};\n"
    return "\n".join([_STRUCT, *layers.arrays, sizes, table])
