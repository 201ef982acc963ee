"""Operations of ``.onnx`` files between DequantizeLinear and QuantizeLinear.

No operator takes their integers; runtimes compute them in float32.
"""

from typing import Any

import numpy as np

from refquant.oracle.vectors.models.onnx_graph import Graph, back, images, window
from refquant.oracle.vectors.models.onnx_operators import Build, bias_of, resized
from refquant.oracle.vectors.models.operands import Operands, Quantized

__all__ = ["BUILD"]


def _subtract(g: Graph, c: Operands) -> str:
    return g.node("Sub", [g.real(g.input(name, c[name].array), c[name]) for name in "ab"])


def _function(kind: str) -> Build:
    def build(g: Graph, c: Operands) -> str:
        return g.node(kind, [g.real(g.input("x", c["x"].array), c["x"])])

    return build


def _mean(g: Graph, c: Operands) -> str:
    x = g.real(g.input("x", c["x"].array), c["x"])
    axes = np.atleast_1d(c["axes"]).tolist()
    return g.node("ReduceMean", [x], axes=axes, keepdims=int(c["keepdims"]))


def _bilinear(g: Graph, c: Operands) -> str:
    x = g.real(images(g, c)[0], c["x"])
    return back(g, c, resized(g, c, x, mode="linear"))


def _transposed(g: Graph, c: Operands) -> str:
    x, w, bias = c["x"], c["weight"], bias_of(c)
    order = c["weight_layout"] or ("IOHW" if c["layout"] == "NCHW" else "OHWI")
    filters = w.array if order == "IOHW" else np.ascontiguousarray(np.moveaxis(w.array, -1, 0))
    along = None if w.axis is None else 1
    own = Quantized(filters, w.dtype, w.scale, w.zero_point, along)
    inputs = [g.real(images(g, c)[0], x), g.real(g.constant(filters), own)]
    if bias is not None:
        scale = x.scale * w.scale
        b = Quantized(bias, bias.dtype, scale, np.array(0), None if w.axis is None else 0)
        inputs.append(g.real(g.constant(bias), b))
    places: dict[str, Any] = {"output_padding": c.each("output_padding", 2), **window(c)}
    return back(g, c, g.node("ConvTranspose", inputs, **places))


BUILD: dict[str, Build] = {
    "sub": _subtract, "tanh": _function("Tanh"), "elu": _function("Elu"),
    "hardswish": _function("HardSwish"), "mean": _mean, "resize_bilinear": _bilinear,
    "conv_transpose2d": _transposed,
}  # fmt: skip
