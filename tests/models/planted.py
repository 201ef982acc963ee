"""A small model, and backends that have one fault in one of its layers."""

import numpy as np

from refquant import engines, oracle
from refquant.engines.arithmetic.change import changed
from refquant.oracle.graphs import Graph, Node, Value
from refquant.oracle.graphs.moves import Move
from refquant.oracle.problems.neutral import pads_of

ENGINE = "tflite-micro"


def _product(rng, name, shape, axis, x, scale, outputs):
    """Draw a weight with scales for each output, and a bias."""
    weight = rng.integers(-40, 41, shape).astype(np.int8)
    scales = rng.uniform(0.002, 0.02, outputs).astype(np.float32)
    bias = rng.integers(-900, 901, outputs).astype(np.int32)
    return [
        Value(f"{name}.w", "int8", shape, scales, np.zeros(outputs, np.int64), axis, weight),
        Value(f"{name}.b", "int32", (outputs,), data=bias),
    ]


def model():
    """Make three convolutions, one of them for each channel, a sum and a linear layer."""
    rng = np.random.default_rng(5)
    shape = (1, 6, 6, 4)
    values = [
        Value("x", "int8", shape, 0.05, -7), Value("conv", "int8", shape, 0.04, -31),
        Value("deep", "int8", shape, 0.03, 11), Value("narrow", "int8", shape, 0.06, 5),
        Value("sum", "int8", shape, 0.07, -20), Value("rows", "int8", (1, 144), 0.07, -20),
        Value("head", "int8", (1, 10), 0.15, 9),
        *_product(rng, "conv", (4, 3, 3, 4), 0, 0.05, 0.04, 4),
        *_product(rng, "deep", (1, 3, 3, 4), 3, 0.04, 0.03, 4),
        *_product(rng, "narrow", (4, 2, 3, 4), 0, 0.03, 0.06, 4),
        *_product(rng, "head", (10, 144), 0, 0.07, 0.15, 10),
    ]  # fmt: skip

    def convolution(x, name, groups, layout, pads, **bounds):
        operands = {"x": x, "weight": f"{name}.w", "bias": f"{name}.b"}
        settings = {
            "stride": (1, 1), "padding": pads, "dilation": (1, 1), "groups": groups,
            "layout": "NHWC", "weight_layout": layout,
        }  # fmt: skip
        return Node("conv2d", operands, name, {**settings, **bounds}, f"operator of {name}")

    around = ((1, 1), (1, 1))
    nodes = [
        convolution("x", "conv", 1, "OHWI", around, activation="relu"),
        convolution("conv", "deep", 4, "1HWO", around, activation="relu6"),
        convolution("deep", "narrow", 1, "OHWI", ((0, 1), (1, 1)), activation="relu"),
        Node("add", {"a": "x", "b": "narrow"}, "sum", {"activation": "relu"}, "operator of sum"),
        Node("reshape", {"x": "sum"}, "rows", {"shape": (1, 144)}, "operator of rows"),
        Node(
            "linear", {"x": "rows", "weight": "head.w", "bias": "head.b"}, "head",
            {"activation": "relu"}, "operator of head",
        ),
    ]  # fmt: skip
    return Graph(values, nodes, ["x"], ["head"])


def inputs():
    rng = np.random.default_rng(11)
    return {"x": rng.integers(-128, 128, (1, 6, 6, 4)).astype(np.int8)}


def _codes(codes, array=None, **changes):
    given = {
        "scale": codes.scale, "zero_point": codes.zero_point, "axis": codes.axis, **changes
    }  # fmt: skip
    return oracle.Codes(np.ascontiguousarray(codes.array if array is None else array), **given)


def _output(out, **changes):
    given = {n: getattr(out, n) for n in ("scale", "zero_point", "dtype", "activation")}
    return oracle.Output(**{**given, **changes})


def _turned_image(a):
    x = a["x"].array
    n, height, width, channels = x.shape
    return {**a, "x": _codes(a["x"], x.reshape(n, channels, height, width).transpose(0, 2, 3, 1))}


def _zero_border(a):
    pads = ((0, 0), *pads_of(a["padding"], 2), (0, 0))
    return {**a, "x": _codes(a["x"], np.pad(a["x"].array, pads)), "padding": 0}


def _of_output(change):
    return lambda a: {**a, "output": change(a["output"])}


def _of_weight(change):
    return lambda a: {**a, "weight": change(a["weight"])}


def _in_steps(scale):
    """Take the bias as steps of another scale."""

    def change(a):
        unit = np.float64(a["x"].scale) * a["weight"].scale
        return {**a, "bias": np.rint(a["bias"] * (scale(a) / unit)).astype(np.int32)}

    return change


def _without_zero_point(out):
    return _output(out, zero_point=0, activation="none", lower=out.lower, upper=out.upper)


# What is planted: a name, a change of operands, and a part of the verdict that names it.
EVERYWHERE = {
    "scale": (_of_output(lambda o: _output(o, scale=2 * o.scale)), "output: twice the scale"),
    "activation": (
        _of_output(lambda o: _output(o, activation="none")), "fused activation ignored",
    ),
    "output zero point": (_of_output(_without_zero_point), "output zero point ignored"),
}  # fmt: skip
OF_PRODUCTS = {
    "zero point": (
        lambda a: {**a, "x": _codes(a["x"], zero_point=0)}, "input zero point ignored",
    ),
    "axis": (
        _of_weight(lambda w: _codes(w, scale=w.scale[::-1].copy())),
        "channel scales in reverse order",
    ),
    "first scale": (
        _of_weight(lambda w: _codes(w, scale=0 * w.scale + w.scale[0])),
        "scale of the first channel used for all channels",
    ),
    "bias": (lambda a: {**a, "bias": None}, "bias ignored"),
    "bias at another scale": (
        _in_steps(lambda a: np.float64(a["output"].scale)), "bias: taken as steps of the output",
    ),
    "bias of the input": (
        _in_steps(lambda a: np.float64(a["x"].scale)), "bias: taken as steps of the input",
    ),
}  # fmt: skip
OF_IMAGES = {
    "border": (_zero_border, "border: zero_point -> zero"),
    "layout": (_turned_image, "layout: the image read in the other order"),
    "turned filters": (
        _of_weight(lambda w: _codes(w, w.array[:, ::-1, ::-1])), "weight: filters turned",
    ),
}  # fmt: skip
OF_SUMS = {
    "first zero point": (
        lambda a: {**a, "a": _codes(a["a"], zero_point=0)}, "zero point of the first operand",
    ),
    "second zero point": (
        lambda a: {**a, "b": _codes(a["b"], zero_point=0)}, "zero point of the second operand",
    ),
    "exchanged scales": (
        lambda a: {
            **a, "a": _codes(a["a"], scale=a["b"].scale), "b": _codes(a["b"], scale=a["a"].scale)
        },
        "operand scales swapped",
    ),
}  # fmt: skip
OF_RESHAPES = {
    "moved": (lambda a: {**a, "x": a["x"].transpose(0, 3, 1, 2)}, "layout: channels moved first"),
}
FAULTS = {**EVERYWHERE, **OF_PRODUCTS, **OF_IMAGES, **OF_SUMS, **OF_RESHAPES}
KINDS = {
    "conv2d": ("rule", *EVERYWHERE, *OF_PRODUCTS, *OF_IMAGES),
    "linear": ("rule", *EVERYWHERE, *OF_PRODUCTS), "add": ("rule", *EVERYWHERE, *OF_SUMS),
    "reshape": tuple(OF_RESHAPES),
}  # fmt: skip


def backend(layer, kind, graph=None):
    """Make a backend with a fault in a layer; the other layers take what that gives."""
    graph = model() if graph is None else graph

    def run(content, given, wanted):
        arrays = dict(given)
        for node in graph.nodes:
            task = graph.problem(node, arrays)
            record = engines.get(ENGINE)
            if node.output == layer and kind == "rule":
                record = changed(record, {"rounding": "floor"})
            elif node.output == layer:
                operands = FAULTS[kind][0](task.arguments)
                task = (
                    Move(task.operation, operands)
                    if isinstance(task, Move)
                    else oracle.problem(task.operation, **operands)
                )
            arrays[node.output] = task.run(record)
        return {name: arrays[name] for name in wanted}

    return run


def planted(graph=None):
    """List all layers, each with all faults that it can have."""
    nodes = (model() if graph is None else graph).nodes
    return [(node.output, kind) for node in nodes for kind in KINDS.get(node.operation, ())]
