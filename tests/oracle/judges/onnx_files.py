"""``.onnx`` files of one operator, made of the cases of `oracle.runtime_cases`.

Images are laid out as NCHW; fused activations, and the bias of linear layers, are left out.
"""

from collections.abc import Callable

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from oracle.runtime_cases import Case

MICROSOFT = "com.microsoft"
KINDS = {
    np.dtype("int8"): TensorProto.INT8,
    np.dtype("uint8"): TensorProto.UINT8,
    np.dtype("float32"): TensorProto.FLOAT,
}
IMAGES = (
    "conv", "conv_u8", "depthwise", "avg_pool2d", "max_pool2d", "global_avg_pool2d",
    "resize_bilinear", "resize_nearest", "conv_integer", "conv_transposed",
)  # fmt: skip


class Model:
    """Nodes and constants of a model."""

    def __init__(self):
        self.nodes, self.constants, self.inputs = [], [], []

    def constant(self, array) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def quantizer(self, scale, zero, dtype=np.int8) -> list[str]:
        return [self.constant(np.float32(scale)), self.constant(dtype(zero))]

    def input(self, array) -> str:
        name = f"x{len(self.inputs)}"
        self.inputs.append((name, array))
        return name

    def node(self, kind, inputs, domain="", output="y", **attributes) -> str:
        outputs = [output] if isinstance(output, str) else output
        self.nodes.append(helper.make_node(kind, inputs, outputs, domain=domain, **attributes))
        return outputs[0]


def first(array):
    """Move channels from the end to the front."""
    return np.ascontiguousarray(np.moveaxis(array, -1, 1))


def window(c) -> dict:
    """Write the border of a window; one all around where a case has none."""
    sides = c.get("pads", ((1, 1), (1, 1)))
    return {"pads": [sides[0][0], sides[1][0], sides[0][1], sides[1][1]]}


def build(m: Model, case: Case) -> None:
    """Add the operator that takes integers."""
    c, name = case.operands, case.operation
    to = [c[f"{k}_y"] for k in "sz"] if "s_y" in c else [c.get("s_x"), c.get("z_x")]
    if name in ("add", "mul", "concat", "matmul"):
        pieces = [[m.input(c[n]), *m.quantizer(c[f"s_{n}"], c[f"z_{n}"])] for n in "ab"]
        flat = [entry for piece in pieces for entry in piece]
        if name == "concat":
            m.node("QLinearConcat", [*m.quantizer(*to), *flat], MICROSOFT, axis=2)
        elif name == "matmul":
            m.node("QLinearMatMul", [*flat, *m.quantizer(*to)])
        else:
            kind = {"add": "QLinearAdd", "mul": "QLinearMul"}[name]
            m.node(kind, [*flat, *m.quantizer(*to)], MICROSOFT)
        return
    x = m.input(first(c["x"]) if name in IMAGES else c["x"])
    if name == "quantize":
        m.node("QuantizeLinear", [x, *m.quantizer(*to)])
        return
    if name == "dynamic_quantize":
        m.node("DynamicQuantizeLinear", [x], output=["y", "scale", "zero"])
        return
    if name in ("conv_integer", "matmul_integer"):
        wide = name == "conv_integer"
        w = first(c["w"]) if wide else np.ascontiguousarray(c["w"].T)
        zero = m.constant(c["x"].dtype.type(c["z_x"]))
        kind = "ConvInteger" if wide else "MatMulInteger"
        m.node(kind, [x, m.constant(w), zero], **(window({}) if wide else {}))
        return
    if name == "conv_u8":
        own, end = (m.quantizer(c[f"s_{n}"], c[f"z_{n}"], np.uint8) for n in "xy")
        w = [m.constant(first(c["w"])), *m.quantizer(c["s_w"], 0)]
        m.node("QLinearConv", [x, *own, *w, *end, m.constant(c["b"])])
        return
    own = m.quantizer(c["s_x"], c["z_x"])
    if name == "dequantize":
        m.node("DequantizeLinear", [x, *own])
    elif name == "requantize":
        real = m.node("DequantizeLinear", [x, *own], output="real")
        m.node("QuantizeLinear", [real, *m.quantizer(*to)])
    elif name == "linear":
        w = [m.constant(np.ascontiguousarray(c["w"].T)), *m.quantizer(c["s_w"], 0)]
        m.node("QLinearMatMul", [x, *own, *w, *m.quantizer(*to)])
    elif name in ("conv", "depthwise"):
        deep = name == "depthwise"
        filters = np.moveaxis(c["w"], -1, 0 if deep else 1)
        scales, zeros = np.float32(c["s_w"]), np.zeros(len(c["s_w"]), np.int8)
        w = [m.constant(np.ascontiguousarray(filters)), m.constant(scales), m.constant(zeros)]
        strides = [1, 1] if deep else [2, 2]
        m.node(
            "QLinearConv", [x, *own, *w, *m.quantizer(*to), m.constant(c["b"])],
            group=len(zeros) if deep else 1, strides=strides, **window(c),
        )  # fmt: skip
    elif name == "max_pool2d":
        m.node("MaxPool", [x], kernel_shape=c["kernel"], strides=c["stride"], **window(c))
    elif name == "avg_pool2d":
        m.node(
            "QLinearAveragePool", [x, *own, *m.quantizer(*to)], MICROSOFT,
            kernel_shape=c["kernel"], strides=c["stride"], **window(c),
        )  # fmt: skip
    elif name == "global_avg_pool2d":
        m.node("QLinearGlobalAveragePool", [x, *own, *m.quantizer(*to)], MICROSOFT)
    elif name == "leaky_relu":
        m.node("QLinearLeakyRelu", [x, *own, *m.quantizer(*to)], MICROSOFT,
               alpha=float(c["slope"]))  # fmt: skip
    elif name == "sigmoid":
        m.node("QLinearSigmoid", [x, *own, *m.quantizer(*to)], MICROSOFT)
    elif name == "softmax":
        m.node("QLinearSoftmax", [x, *own, *m.quantizer(*to)], MICROSOFT, opset=13, axis=-1)
    else:
        raise ValueError(f"no operator for {name}")


def model(case: Case, add: Callable = build) -> tuple[bytes, list[np.ndarray]]:
    """Write a model of the nodes that a function adds; returns it and what it is fed."""
    m = Model()
    add(m, case)
    kind = {
        "dequantize": TensorProto.FLOAT,
        **dict.fromkeys(("conv_u8", "dynamic_quantize"), TensorProto.UINT8),
        **dict.fromkeys(("conv_integer", "matmul_integer"), TensorProto.INT32),
    }.get(case.operation, TensorProto.INT8)
    graph = helper.make_graph(
        m.nodes,
        case.operation,
        [helper.make_tensor_value_info(n, KINDS[a.dtype], a.shape) for n, a in m.inputs],
        [helper.make_tensor_value_info("y", kind, None)],
        m.constants,
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid(MICROSOFT, 1)]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    return made.SerializeToString(), [array for _, array in m.inputs]


def in_order(case: Case, result: np.ndarray) -> np.ndarray:
    """Lay a result out as the problem does: channels last."""
    return np.moveaxis(result, 1, -1) if case.operation in IMAGES else result
