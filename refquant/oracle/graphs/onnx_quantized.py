"""Operations of ``.onnx`` files between DequantizeLinear and QuantizeLinear.

Runtimes that know the pattern compute them on integers, as one operator; so the axes of images are
moved before and behind it, not inside: results have channels first.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from refquant.oracle.vectors.models.onnx_graph import Graph, image, window
from refquant.oracle.vectors.models.onnx_operators import bias_of, filters_of, resized
from refquant.oracle.vectors.models.operands import Operands, Quantized

__all__ = ["BUILD"]

Build = Callable[[Graph, Operands], str]


def _input(g: Graph, c: Operands, name: str) -> str:
    return g.real(g.input(name, c[name].array), c[name])


def _bias(g: Graph, c: Operands) -> list[str]:
    """Add a bias of int32 in steps of the sums, dequantized."""
    bias = bias_of(c)
    if bias is None:
        return []
    x, w = c["x"], c["weight"]
    axis = None if w.axis is None else 0
    scale = x.scale * w.scale
    return [g.real(g.constant(bias), Quantized(bias, bias.dtype, scale, np.array(0), axis))]


def _linear(g: Graph, c: Operands) -> str:
    w = c["weight"]
    rows = w.array if c["weight_layout"] == "OI" else np.ascontiguousarray(w.array.T)
    along = None if w.axis is None else 0
    own = Quantized(rows, w.dtype, w.scale, w.zero_point, along)
    c.require(c["x"].array.ndim == 2, "whose linear layers take matrices alone")
    inputs = [_input(g, c, "x"), g.real(g.constant(rows), own), *_bias(g, c)]
    return g.node("Gemm", inputs, transB=1)


def _matmul(g: Graph, c: Operands) -> str:
    return g.node("MatMul", [_input(g, c, "a"), _input(g, c, "b")])


def _conv(g: Graph, c: Operands) -> str:
    w, filters = c["weight"], filters_of(c)
    own = Quantized(filters, w.dtype, w.scale, w.zero_point, None if w.axis is None else 0)
    x = g.real(image(g, c), c["x"])
    dims = len(c.shape) - 2
    places: dict[str, Any] = {"group": c["groups"], "dilations": c.each("dilation", dims)}
    inputs = [x, g.real(g.constant(filters), own), *_bias(g, c)]
    return g.node("Conv", inputs, **places, **window(c))


def _pair(kind: str) -> Build:
    return lambda g, c: g.node(kind, [_input(g, c, "a"), _input(g, c, "b")])


def _function(kind: str, **fixed: Any) -> Build:
    def build(g: Graph, c: Operands) -> str:
        given: dict[str, Any] = (
            {"alpha": float(c["negative_slope"])} if "negative_slope" in c else {}
        )
        return g.node(kind, [_input(g, c, "x")], **fixed, **given)

    return build


def _cat(g: Graph, c: Operands) -> str:
    pieces = [g.real(g.input(f"x{k}", q.array), q) for k, q in enumerate(c["x"])]
    return g.node("Concat", pieces, axis=c["axis"])


def _pool(kind: str) -> Build:
    def build(g: Graph, c: Operands) -> str:
        x = g.real(image(g, c), c["x"])
        return g.node(kind, [x], kernel_shape=c.each("kernel", 2), **window(c))

    return build


def _global_pool(g: Graph, c: Operands) -> str:
    return g.node("GlobalAveragePool", [g.real(image(g, c), c["x"])])


def _nearest(g: Graph, c: Operands) -> str:
    centered = c["align_corners"] or c["half_pixel_centers"]
    ends = "round_prefer_ceil" if centered else "floor"
    x = g.real(image(g, c), c["x"])
    return resized(g, c, x, mode="nearest", nearest_mode=ends)


BUILD: dict[str, Build] = {
    "linear": _linear, "matmul": _matmul, "conv1d": _conv, "conv2d": _conv, "conv3d": _conv,
    "add": _pair("Add"), "mul": _pair("Mul"), "sigmoid": _function("Sigmoid"),
    "leaky_relu": _function("LeakyRelu"), "softmax": _function("Softmax", axis=-1), "cat": _cat,
    "avg_pool2d": _pool("AveragePool"), "max_pool2d": _pool("MaxPool"),
    "global_avg_pool2d": _global_pool, "resize_nearest": _nearest,
    "requantize": lambda g, c: _input(g, c, "x"),
}  # fmt: skip
