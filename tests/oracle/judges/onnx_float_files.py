"""``.onnx`` files of one operator between DequantizeLinear and QuantizeLinear.

Run without graph optimization, runtimes compute the operator in float32.
"""

import numpy as np
from oracle.judges.onnx_files import IMAGES, Model, first, window

PAIRS = {"add": "Add", "mul": "Mul", "sub": "Sub", "matmul": "MatMul"}
FUNCTIONS = {"sigmoid": "Sigmoid", "tanh": "Tanh", "elu": "Elu", "softmax": "Softmax",
             "leaky_relu": "LeakyRelu", "hardswish": "HardSwish"}  # fmt: skip


def _attributes(c, name) -> dict:
    if name == "leaky_relu":
        return {"alpha": float(c["slope"])}
    if name in ("avg_pool2d", "max_pool2d"):
        return {"kernel_shape": c["kernel"], "strides": c["stride"], **window(c)}
    if name == "depthwise":
        return {"group": c["w"].shape[3], **window(c)}
    if name == "conv_transposed":
        return {"strides": [2, 2], **window(c)}
    if name == "conv":
        return {"strides": [2, 2], **window(c)}
    return {"axis": -1} if name == "softmax" else {}


def _real(m: Model, array, scale, zero, name: str, axis=None) -> str:
    """Dequantize a constant or an input."""
    given = m.input(array) if name.startswith("x") else m.constant(array)
    scales = np.float32(scale)
    inputs = [given, m.constant(scales), m.constant(np.full(scales.shape, zero, array.dtype))]
    extra = {} if axis is None else {"axis": axis}
    return m.node("DequantizeLinear", inputs, output=f"real-{name}", **extra)


def _resize(m: Model, c, x: str, nearest: bool) -> str:
    kind = (
        "align_corners" if c["align_corners"] else
        "half_pixel" if c["half_pixel"] else "asymmetric"
    )  # fmt: skip
    sizes = m.constant(np.int64([*c["x"].shape[:1], c["x"].shape[-1], *c["size"]]))
    mode = "nearest" if nearest else "linear"
    ends = "round_prefer_ceil" if c["align_corners"] or c["half_pixel"] else "floor"
    extra = {"nearest_mode": ends} if nearest else {}
    return m.node(
        "Resize", [x, "", "", sizes], output="t", mode=mode,
        coordinate_transformation_mode=kind, **extra,
    )  # fmt: skip


def build(m: Model, case) -> None:
    """Add the nodes of a case."""
    c, name = case.operands, case.operation
    dtype = np.uint8 if name == "conv_u8" else np.int8
    to = [c[f"{k}_y"] for k in "sz"] if "s_y" in c else [c.get("s_x"), c.get("z_x")]
    if name in PAIRS or name in ("cat", "concat"):
        own = "s_a" in c
        scales = [[c[f"{k}_{n}"] if own else c[f"{k}_x"] for k in "sz"] for n in "ab"]
        reals = [_real(m, c[n], *scales[k], f"x{k}") for k, n in enumerate("ab")]
        extra = {"axis": 2} if name in ("cat", "concat") else {}
        y = m.node(PAIRS.get(name, "Concat"), reals, output="t", **extra)
    elif name == "quantize":
        y = m.input(c["x"])
    else:
        x = _real(m, first(c["x"]) if name in IMAGES else c["x"], c["s_x"], c["z_x"], "x")
        if name == "requantize":
            y = x
        elif name in FUNCTIONS:
            y = m.node(FUNCTIONS[name], [x], output="t", **_attributes(c, name))
        elif name == "linear":
            w = _real(m, np.ascontiguousarray(c["w"].T), c["s_w"], 0, "w")
            y = m.node("MatMul", [x, w], output="t")
        elif name in ("conv", "depthwise", "conv_u8", "conv_transposed"):
            turned = name == "conv_transposed"  # whose filters have their inputs first
            place = {"depthwise": 0, "conv_transposed": 0}.get(name, 1)
            filters = np.moveaxis(c["w"], -1, place)
            axis = (1 if turned else 0) if np.ndim(c["s_w"]) > 0 else None
            w = _real(m, np.ascontiguousarray(filters), c["s_w"], 0, "w", axis)
            b = m.constant(np.float32(c["b"] * (np.float64(c["s_x"]) * np.float64(c["s_w"]))))
            y = m.node(
                "ConvTranspose" if turned else "Conv", [x, w, b], output="t", **_attributes(c, name)
            )
        elif name in ("avg_pool2d", "max_pool2d"):
            kind = {"avg_pool2d": "AveragePool", "max_pool2d": "MaxPool"}[name]
            y = m.node(kind, [x], output="t", **_attributes(c, name))
        elif name == "global_avg_pool2d":
            y = m.node("GlobalAveragePool", [x], output="t")
        elif name == "mean":
            inputs = [x, m.constant(np.int64(c["axes"]))]
            y = m.node("ReduceMean", inputs, output="t", keepdims=int(c["keepdims"]))
        elif name in ("resize_bilinear", "resize_nearest"):
            y = _resize(m, c, x, name == "resize_nearest")
        elif name == "dequantize":
            y = x
        else:
            raise ValueError(f"no operator for {name}")
    if name == "dequantize":
        m.node("Identity", [y])
    else:
        m.node("QuantizeLinear", [y, *m.quantizer(*to, dtype)])
