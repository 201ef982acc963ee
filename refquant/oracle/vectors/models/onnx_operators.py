"""Operators of ``.onnx`` files that take integers."""

from collections.abc import Callable
from typing import Any

import numpy as np

from refquant.oracle.vectors.models.onnx_graph import MICROSOFT, Graph, back, images, window
from refquant.oracle.vectors.models.operands import Operands

__all__ = ["BUILD", "bias_of", "filters_of", "resized"]

Build = Callable[[Graph, Operands], str]


def _narrow(c: Operands, name: str) -> None:
    c.require(c[name].array.dtype.itemsize == 1, "whose products take integers of 8 bits alone")


def bias_of(c: Operands) -> np.ndarray | None:
    """Return the bias, which must be integers of 32 bits."""
    bias = c.get("bias")
    c.require(bias is None or bias.dtype == np.int32, "which take a bias of int32 alone")
    return bias


def _linear(g: Graph, c: Operands) -> str:
    w, bias = c["weight"], bias_of(c)
    _narrow(c, "x")
    rows = w.array if c["weight_layout"] == "IO" else np.ascontiguousarray(w.array.T)
    x, weight = g.codes("x", c["x"]), [g.constant(rows), *g.quantizer(w)]
    if bias is None:
        return g.node("QLinearMatMul", [*x, *weight, *g.quantizer(c.result)])
    c.require(c["x"].array.ndim == 2, "whose linear layers with a bias take matrices alone")
    return g.node("QGemm", [*x, *weight, g.constant(bias), *g.quantizer(c.result)], MICROSOFT)


def _matmul(g: Graph, c: Operands) -> str:
    _narrow(c, "a")
    return g.node(
        "QLinearMatMul", [*g.codes("a", c["a"]), *g.codes("b", c["b"]), *g.quantizer(c.result)]
    )


def _matmul_integer(g: Graph, c: Operands) -> str:
    a, b = (g.input(name, c[name].array) for name in "ab")
    zeros = [g.constant(c[name].zero_point.astype(c[name].dtype)) for name in "ab"]
    return g.node("MatMulInteger", [a, b, *zeros])


def filters_of(c: Operands) -> np.ndarray:
    """Return filters with outputs first, then the channels of a group, then the window."""
    w = c["weight"].array
    last = tuple(range(w.ndim))
    layout = c["weight_layout"] or ("OIHW" if c["layout"] == "NCHW" else "OHWI")
    order = {
        "OIHW": last, "OHWI": (0, last[-1], *last[1:-1]), "HWIO": (last[-1], last[-2], *last[:-2]),
        "1HWO": (last[-1], 0, *last[1:-1]),
    }  # fmt: skip
    return np.ascontiguousarray(w.transpose(order[layout]))


def _places(c: Operands) -> dict[str, Any]:
    dims = len(c.shape) - 2
    return {"group": c["groups"], "dilations": c.each("dilation", dims), **window(c)}


def _conv(g: Graph, c: Operands) -> str:
    _narrow(c, "x")
    w, bias = c["weight"], bias_of(c)
    inputs = [*images(g, c), g.constant(filters_of(c)), *g.quantizer(w), *g.quantizer(c.result)]
    if bias is not None:
        inputs.append(g.constant(bias))
    return back(g, c, g.node("QLinearConv", inputs, **_places(c)))


def _conv_integer(g: Graph, c: Operands) -> str:
    _narrow(c, "x")
    x, w = c["x"], c["weight"]
    zeros = [g.constant(each.zero_point.astype(each.dtype)) for each in (x, w)]
    inputs = [images(g, c)[0], g.constant(filters_of(c)), *zeros]
    return back(g, c, g.node("ConvInteger", inputs, **_places(c)))


def _pair(kind: str) -> Build:
    def build(g: Graph, c: Operands) -> str:
        inputs = [*g.codes("a", c["a"]), *g.codes("b", c["b"]), *g.quantizer(c.result)]
        return g.node(kind, inputs, MICROSOFT)

    return build


def _quantize(g: Graph, c: Operands) -> str:
    return g.node("QuantizeLinear", [g.input("x", c["x"]), *g.quantizer(c.result)])


def _dynamic(g: Graph, c: Operands) -> str:
    return g.node("DynamicQuantizeLinear", [g.input("x", c["x"])], more=("scale", "zero_point"))


def _dequantize(g: Graph, c: Operands) -> str:
    return g.node("DequantizeLinear", g.codes("x", c["x"]))


def _requantize(g: Graph, c: Operands) -> str:
    c.require(c["x"].array.dtype != np.int16, "whose integers of 16 bits need a later version")
    c.require(c.result.dtype != np.int32, "which do not quantize to int32")
    real = g.node("DequantizeLinear", g.codes("x", c["x"]))
    return g.node("QuantizeLinear", [real, *g.quantizer(c.result)])


def _unary(kind: str, **fixed: Any) -> Build:
    def build(g: Graph, c: Operands) -> str:
        given: dict[str, Any] = {}
        if "negative_slope" in c:
            given["alpha"] = float(c["negative_slope"])
        inputs = [*g.codes("x", c["x"]), *g.quantizer(c.result)]
        return g.node(kind, inputs, MICROSOFT, **fixed, **given)

    return build


def _cat(g: Graph, c: Operands) -> str:
    pieces = [g.codes(f"x{k}", piece) for k, piece in enumerate(c["x"])]
    inputs = [*g.quantizer(c.result), *(name for piece in pieces for name in piece)]
    return g.node("QLinearConcat", inputs, MICROSOFT, axis=c["axis"])


def _max_pool(g: Graph, c: Operands) -> str:
    c.require_quantizer(c["x"])
    y = g.node("MaxPool", [images(g, c)[0]], kernel_shape=c.each("kernel", 2), **window(c))
    return back(g, c, y)


def _avg_pool(g: Graph, c: Operands) -> str:
    inputs = [*images(g, c), *g.quantizer(c.result)]
    places = {"kernel_shape": c.each("kernel", 2), **window(c)}
    return back(g, c, g.node("QLinearAveragePool", inputs, MICROSOFT, **places))


def _global_pool(g: Graph, c: Operands) -> str:
    inputs = [*images(g, c), *g.quantizer(c.result)]
    return back(g, c, g.node("QLinearGlobalAveragePool", inputs, MICROSOFT))


def resized(g: Graph, c: Operands, x: str, **mode: Any) -> str:
    """Add a node that resizes images with channels first."""
    centers = (
        "align_corners"
        if c["align_corners"]
        else "half_pixel"
        if c["half_pixel_centers"]
        else "asymmetric"
    )
    shape = c["x"].array.shape
    channels = shape[1] if c["layout"] == "NCHW" else shape[-1]
    sizes = g.constant(np.array([shape[0], channels, *c.each("size", 2)], np.int64))
    return g.node("Resize", [x, "", "", sizes], coordinate_transformation_mode=centers, **mode)


def _nearest(g: Graph, c: Operands) -> str:
    c.require_quantizer(c["x"])
    centered = c["align_corners"] or c["half_pixel_centers"]
    ends = "round_prefer_ceil" if centered else "floor"
    y = resized(g, c, images(g, c)[0], mode="nearest", nearest_mode=ends)
    return back(g, c, y)


BUILD: dict[str, Build] = {
    "linear": _linear, "matmul": _matmul, "matmul_integer": _matmul_integer,
    "conv1d": _conv, "conv2d": _conv, "conv3d": _conv, "conv_integer": _conv_integer,
    "add": _pair("QLinearAdd"), "mul": _pair("QLinearMul"), "quantize": _quantize,
    "dynamic_quantize": _dynamic, "dequantize": _dequantize, "requantize": _requantize,
    "sigmoid": _unary("QLinearSigmoid"), "leaky_relu": _unary("QLinearLeakyRelu"),
    "softmax": _unary("QLinearSoftmax", opset=13, axis=-1), "cat": _cat, "max_pool2d": _max_pool,
    "avg_pool2d": _avg_pool, "global_avg_pool2d": _global_pool, "resize_nearest": _nearest,
}  # fmt: skip
