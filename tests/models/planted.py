"""A small model, and backends that have one fault in one of its layers."""

import numpy as np

from refquant import engines, oracle
from refquant.engines.arithmetic.change import changed
from refquant.oracle.graphs import Graph, Node, Value

ENGINE = "tflite-micro"
PRODUCTS = ("conv", "deep", "narrow", "head")


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
        Node("add", {"a": "x", "b": "narrow"}, "sum", {}, "operator of sum"),
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
    pads = ((0, 0), *a["padding"], (0, 0))
    return {**a, "x": _codes(a["x"], np.pad(a["x"].array, pads)), "padding": 0}


def _no_bounds(a):
    return {**a, "output": _output(a["output"], activation="none")}


# What is planted: a name, a change of operands, and a part of the verdict that names it.
FAULTS = {
    "zero point": (lambda a: {**a, "x": _codes(a["x"], zero_point=0)}, "input zero point ignored"),
    "border": (_zero_border, "border: zero_point -> zero"),
    "layout": (_turned_image, "layout: the image read in the other order"),
    "scale": (
        lambda a: {**a, "output": _output(a["output"], scale=2 * a["output"].scale)},
        "output: twice the scale",
    ),
    "axis": (
        lambda a: {**a, "weight": _codes(a["weight"], scale=a["weight"].scale[::-1].copy())},
        "channel scales in reverse order",
    ),
    "first scale": (
        lambda a: {
            **a,
            "weight": _codes(a["weight"], scale=0 * a["weight"].scale + a["weight"].scale[0]),
        },
        "scale of the first channel used for all channels",
    ),
    "activation": (_no_bounds, "fused activation ignored"),
    "bias": (lambda a: {**a, "bias": None}, "bias ignored"),
    "bias at another scale": (
        lambda a: {
            **a,
            "bias": np.rint(
                a["bias"]
                * (np.float64(a["output"].scale) / (np.float64(a["x"].scale) * a["weight"].scale))
            ).astype(np.int32),
        },
        "bias: taken as steps of the output",
    ),
    "turned filters": (
        lambda a: {**a, "weight": _codes(a["weight"], a["weight"].array[:, ::-1, ::-1])},
        "weight: filters turned",
    ),
    "output zero point": (
        lambda a: {
            **a,
            "output": _output(
                a["output"], zero_point=0, activation="none", lower=a["output"].lower,
                upper=a["output"].upper,
            ),
        },
        "output zero point ignored",
    ),
}  # fmt: skip
RULE = "half_away"  # planted as another rule


def backend(layer, kind):
    """Make a backend with a fault in a layer; the other layers take what that gives."""
    graph = model()

    def run(content, given, wanted):
        arrays = dict(given)
        for node in graph.nodes:
            task = graph.problem(node, arrays)
            record = engines.get(ENGINE)
            if node.output == layer and kind == "rule":
                record = changed(record, {"rounding": "floor"})
            elif node.output == layer:
                task = oracle.problem(task.operation, **FAULTS[kind][0](task.arguments))
            arrays[node.output] = task.run(record)
        return {name: arrays[name] for name in wanted}

    return run


def planted():
    """List layers with the faults that they can have."""
    images = ("border", "layout", "turned filters")
    return [
        (layer, kind)
        for layer in PRODUCTS
        for kind in ("rule", *FAULTS)
        if layer != "head" or kind not in images
    ]
