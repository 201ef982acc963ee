"""Run cases by Arm's reference model of TOSA, with RESCALE rounding once or twice.

It needs ``tosa-tools`` and NumPy alone::

    python tosa_runners.py tosa-double QUESTIONS.npz ANSWERS.npz

``QUESTIONS.npz`` has for each case ``N.operation`` (bytes) and its operands, ``N.NAME``. Operations
are lowered as those of TensorFlow Lite are.
"""

import math
import sys

import numpy as np
import tosa_reference_model
import tosa_serializer as ts

KINDS = {"int8": ts.DType.INT8, "int16": ts.DType.INT16, "int32": ts.DType.INT32}
MODES = {"tosa-double": ts.RoundingMode.DOUBLE_ROUND, "tosa-single": ts.RoundingMode.SINGLE_ROUND}


class Graph:
    """Operators and constants of a graph."""

    def __init__(self, runtime):
        self.made, self.feeds, self.mode = ts.TosaSerializer("."), [], MODES[runtime]

    def input(self, array):
        name = f"input-{len(self.feeds)}"
        kind = KINDS[array.dtype.name]
        self.made.addInputTensor(ts.TosaSerializerTensor(name, list(array.shape), kind))
        self.feeds.append(np.ascontiguousarray(array))
        return name

    def constant(self, values, kind):
        array = np.atleast_1d(np.asarray(values, kind))
        return self.made.addConst(list(array.shape), KINDS[array.dtype.name], array).name

    def node(self, op, inputs, shape, kind="int32", last=False, attribute="", arguments=()):
        add = self.made.addOutput if last else self.made.addIntermediate
        name = add(list(shape), KINDS[kind]).name
        attributes = ts.TosaSerializerAttribute()
        getattr(attributes, f"{attribute}Attribute")(*arguments)
        self.made.addOperator(op, inputs, [name], attributes)
        return name

    def rescale(self, name, shape, factors, given, result, last=False):
        """Scale by factors; `given` and `result` are a dtype and a zero point each."""
        pairs = [math.frexp(float(factor)) for factor in np.atleast_1d(factors)]
        q = [math.floor(mantissa * 2.0**31 + 0.5) for mantissa, _ in pairs]
        shifts = [31 - exponent for _, exponent in pairs]
        for k, value in enumerate(q):
            if value == 2**31:
                q[k], shifts[k] = 2**30, shifts[k] - 1
        constants = ((q, "int32"), (shifts, "int8"), given[::-1], result[::-1])
        inputs = [name, *(self.constant(*pair) for pair in constants)]
        attributes = (True, self.mode, len(q) > 1, False, False)
        return self.node(ts.Op.RESCALE, inputs, shape, result[0], last, "Rescale", attributes)

    def run(self):
        found, status = tosa_reference_model.run(self.made.serialize(), self.feeds)
        if status != tosa_reference_model.GraphStatus.TOSA_VALID:
            raise RuntimeError(f"the graph is {status}")
        return found[0]


def _product(graph, operation, c):
    """Lower a linear layer, as a convolution of single pixels, or a convolution."""
    x, w, b = c["x"], c["w"], c["b"]
    if operation == "linear":
        x, w = x.reshape(len(x), 1, 1, -1), w.reshape(len(w), 1, 1, -1)
    deep = operation == "depthwise"
    pads = [0, 0, 0, 0] if operation == "linear" else [1, 1, 1, 1] if deep else c["pads"].ravel()
    stride = [2, 2] if operation == "conv" else [1, 1]
    kernel = w.shape[1:3]
    sizes = [
        (n + before + behind - k) // s + 1
        for n, before, behind, k, s in zip(
            x.shape[1:3], pads[::2], pads[1::2], kernel, stride, strict=True
        )
    ]
    shape = (len(x), *sizes, len(b))
    if deep:
        w = np.moveaxis(w, 0, 3)  # window, channels, one filter for each
    inputs = [graph.input(x), graph.constant(w, "int8"),
              graph.constant(b, "int32"), graph.constant(c["z_x"], "int8"),
              graph.constant(0, "int8")]  # fmt: skip
    op, name = (ts.Op.DEPTHWISE_CONV2D, "DepthwiseConv2d") if deep else (ts.Op.CONV2D, "Conv2d")
    arguments = ([int(p) for p in pads], stride, [1, 1], False, ts.DType.INT32)
    total = graph.node(op, inputs, shape, "int32", False, name, arguments)
    factors = (
        c["s_x"].astype(np.float64) * c["s_w"].astype(np.float64) / c["s_y"].astype(np.float64)
    )
    graph.rescale(total, shape, factors, ("int32", 0), ("int8", c["z_y"]), True)
    result = graph.run()
    return result.reshape(len(c["x"]), -1) if operation == "linear" else result


def _pair(graph, operation, c):
    """Lower a sum, a difference or a product."""
    shape, zeros = c["a"].shape, ("int32", 0)
    scales = [np.float64(c[f"s_{n}"]) for n in "aby"]
    names = [graph.input(c[n]) for n in "ab"]
    if operation == "mul":
        factors = [1.0, 1.0, scales[0] * scales[1] / scales[2]]
    else:
        twice = 2 * max(scales[:2])
        factors = [s / twice * 2.0**20 for s in scales[:2]] + [twice / (scales[2] * 2.0**20)]
    wide = [
        graph.rescale(name, shape, factor, ("int8", c[f"z_{n}"]), zeros)
        for name, factor, n in zip(names, factors[:2], "ab", strict=True)
    ]
    if operation == "mul":
        inputs = [*wide, graph.constant(0, "int8")]
        total = graph.node(ts.Op.MUL, inputs, shape, attribute="Mul")
    else:
        kind = "Add" if operation == "add" else "Sub"
        total = graph.node(getattr(ts.Op, kind.upper()), wide, shape, attribute=kind)
    graph.rescale(total, shape, factors[2], zeros, ("int8", c["z_y"]), True)
    return graph.run()


def _requantize(graph, operation, c):
    factor = np.float64(c["s_x"]) / np.float64(c["s_y"])
    given, result = ("int8", c["z_x"]), ("int8", c["z_y"])
    graph.rescale(graph.input(c["x"]), c["x"].shape, factor, given, result, True)
    return graph.run()


def answer(runtime, operation, operands):
    """Run a case."""
    made = {"requantize": _requantize, "linear": _product, "conv": _product, "depthwise": _product}
    return made.get(operation, _pair)(Graph(runtime), operation, operands)


def main(runtime, questions, answers):
    """Answer the questions of a file."""
    found = {}
    with np.load(questions) as given:
        numbers = sorted({int(name.split(".")[0]) for name in given.files})
        for number in numbers:
            start = f"{number}."
            c = {n[len(start) :]: given[n] for n in given.files if n.startswith(start)}
            try:
                operation = c.pop("operation").tobytes().decode()
                found[str(number)] = answer(runtime, operation, c)
            except (RuntimeError, ValueError) as error:
                found[f"{number}.rejected"] = np.frombuffer(str(error).encode(), np.uint8)
    np.savez(answers, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
