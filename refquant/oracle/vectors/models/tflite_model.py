"""``.tflite`` files of one operator on integers.

Numbers of fields, operators and options are those of version 3 of the schema. Inputs bear the names
of the operands, the output is ``output``.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from refquant.oracle.vectors.models.flatbuffer import Scalar, Table, Vector, finish
from refquant.oracle.vectors.models.operands import Operands, Quantized
from refquant.oracle.vectors.neutral_operands import same_border

__all__ = ["KINDS", "TfliteGraph", "add_operator", "code_of", "file_of", "model"]

KINDS = {"float32": 0, "int32": 2, "uint8": 3, "int64": 4, "int16": 7, "int8": 9}
_ACTIVATIONS = {"none": 0, "relu": 1, "relu_n1_to_1": 2, "relu6": 3}
_SAME, _VALID = 0, 1


def _byte(value: int) -> Scalar:
    return Scalar("b", value)


def _int(value: int) -> Scalar:
    return Scalar("i", value)


class TfliteGraph:
    """Tensors and buffers of a model."""

    def __init__(self) -> None:
        self.tensors: list[Table] = []
        self.buffers = [Table({})]
        self.inputs: list[int] = []
        self.fed: list[int] = []

    def tensor(self, name: str, shape: Any, q: Quantized | np.dtype, data: Any = None) -> int:
        """Add a tensor; returns its number."""
        dtype = q.dtype if isinstance(q, Quantized) else q
        buffer = {} if data is None else {0: np.ascontiguousarray(data).tobytes()}
        self.buffers.append(Table(buffer))
        fields = {
            0: Vector("i", list(shape)),
            1: _byte(KINDS[dtype.name]),
            2: Scalar("I", len(self.buffers) - 1),
            3: name,
        }
        if isinstance(q, Quantized):
            zeros = np.broadcast_to(q.zero_point, q.scale.shape)
            quantization = {2: Vector("f", q.scale.reshape(-1)), 3: Vector("q", zeros.reshape(-1))}
            fields[4] = Table({**quantization, 6: _int(q.axis or 0)})
        self.tensors.append(Table(fields))
        return len(self.tensors) - 1

    def feed(self, name: str, array: np.ndarray, q: Quantized | np.dtype) -> None:
        """Add an operand that is fed."""
        self.fed.append(self.tensor(name, array.shape, q))
        self.inputs.append(self.fed[-1])

    def constant(self, name: str, array: np.ndarray, q: Quantized | np.dtype | None = None) -> None:
        """Add an operand that is a constant."""
        self.inputs.append(self.tensor(name, array.shape, q or array.dtype, array))


def _window(c: Operands, window: tuple[int, int], stride: tuple[int, ...]) -> int:
    """Return the kind of the border, SAME or VALID, or reject it."""
    sizes, border = c["x"].array.shape[1:3], c.border()
    same = [same_border(*each) for each in zip(sizes, window, stride, strict=True)]
    c.require(border in (same, [(0, 0)] * 2), "which hold borders SAME and VALID alone")
    return _SAME if border == same else _VALID


def _activation(c: Operands) -> Scalar:
    return _byte(_ACTIVATIONS[c.output["activation"]])


def _products(g: TfliteGraph, c: Operands) -> None:
    x, w = c["x"], c["weight"]
    c.require(
        x.array.dtype in (np.int8, np.int16) and w.array.dtype == np.int8,
        "whose products take int8 and int16 by int8",
    )
    c.require(not np.any(w.zero_point), "whose weights have no zero points")
    c.require(c.result.dtype == x.array.dtype, "whose results have the dtype of the input")
    c.require(
        not _is_wide(c) or not (x.zero_point or c.result.zero_point),
        "whose int16 have no zero points",
    )
    g.feed("x", x.array, x)
    g.constant("weight", w.array, w)
    if "bias" in c:
        _bias(g, c)


def _bias(g: TfliteGraph, c: Operands) -> None:
    x, w, bias = c["x"], c["weight"], c["bias"]
    if _is_wide(c):
        c.require(bias.dtype in (np.int32, np.int64), "which take a bias of int64 or int32")
    else:
        c.require(bias.dtype == np.int32, "which take a bias of int32 alone")
    scale = x.scale * w.scale
    own = None if w.axis is None else 0
    g.constant(
        "bias", bias, Quantized(bias, bias.dtype, scale, np.zeros_like(scale, np.int64), own)
    )


def _is_wide(c: Operands) -> bool:
    return bool(c["x"].array.dtype == np.int16)


def _kind_of_bias(c: Operands) -> Scalar:
    """Tell kernels of int16 activations which of two kinds of biases there is."""
    return _byte(KINDS[c["bias"].dtype.name] if _is_wide(c) and "bias" in c else 0)


def _linear(g: TfliteGraph, c: Operands) -> dict[int, Scalar]:
    c.require(c["weight_layout"] == "OI", "whose weights have outputs first")
    _products(g, c)
    keeps = Scalar("b", int(c["x"].array.ndim > 2))
    return {0: _activation(c), 1: _byte(0), 2: keeps, 4: _kind_of_bias(c)}


def _matmul(g: TfliteGraph, c: Operands) -> dict[int, Scalar]:
    a, b = c["a"], c["b"]
    c.require(
        a.array.dtype == b.array.dtype == c.result.dtype == np.int8, "whose matrices have int8"
    )
    c.require(b.axis is None, "whose matrices have one scale")
    c.require(a.array.ndim == 2, "whose products of matrices have two dimensions")
    for name, codes in (("a", a), ("b", b)):
        g.feed(name, codes.array, codes)
    return {0: _byte(0), 1: _byte(0)}


def _conv(g: TfliteGraph, c: Operands) -> dict[int, Scalar]:
    deep = _is_deep(c)
    c.require(c["layout"] == "NHWC", "whose images have channels last")
    layout = c["weight_layout"] or "OHWI"
    c.require(
        deep or layout == "OHWI", "whose weights are OHWI, or 1HWO where each channel is alone"
    )
    c.require(deep or c["groups"] == 1, "whose convolutions in groups have one channel each")
    w = c["weight"].array
    c.require(
        not deep or "bias" not in c or (c["bias"].dtype == np.int64) == _is_wide(c),
        "whose kernels for single channels of int16 take a bias of int64",
    )
    _products(g, c)
    dilation, (down, right) = c.pair("dilation"), c.stride()
    extents = tuple((k - 1) * d + 1 for k, d in zip(w.shape[1:3], dilation, strict=True))
    fields = {0: _byte(_window(c, extents, (down, right))), 1: _int(right), 2: _int(down)}
    last = (_activation(c), _int(dilation[1]), _int(dilation[0]))
    if deep:
        multiplier = w.shape[3] // c["x"].array.shape[3]
        return {**fields, 3: _int(multiplier), 4: last[0], 5: last[1], 6: last[2]}
    return {**fields, 3: last[0], 4: last[1], 5: last[2], 6: _kind_of_bias(c)}


def _is_deep(c: Operands) -> bool:
    return c["weight_layout"] == "1HWO" and c["groups"] == c["x"].array.shape[3]


def _transposed(g: TfliteGraph, c: Operands) -> dict[int, Scalar]:
    x, w = c["x"], c["weight"]
    c.require(c["layout"] == "NHWC", "whose images have channels last")
    c.require((c["weight_layout"] or "OHWI") == "OHWI", "whose weights are OHWI")
    down, right = c.stride()
    sides = zip(
        x.array.shape[1:3], w.array.shape[1:3], c.shape[1:3], (down, right), c.border(),
        strict=True,
    )  # fmt: skip
    same, valid = [], []
    for size, kernel, result, stride, (before, behind) in sides:
        whole = (size - 1) * stride + kernel
        same.append(before == max(whole - result, 0) // 2 and -(-result // stride) == size)
        valid.append(before == behind == 0 and result == whole)
    c.require(all(same) or all(valid), "which hold borders SAME and VALID alone")
    shape = np.array(c.shape, np.int32)
    g.constant("shape", shape)
    _products(g, c)
    place = g.inputs
    place[1], place[2] = place[2], place[1]  # weights before images
    border = _VALID if all(valid) else _SAME
    return {0: _byte(border), 1: _int(right), 2: _int(down), 3: _activation(c), 4: _kind_of_bias(c)}


def _pair(g: TfliteGraph, c: Operands) -> dict[int, Scalar]:
    for name in ("a", "b"):
        g.feed(name, c[name].array, c[name])
    return {0: _activation(c)}


def _unary(*options: tuple[int, Callable[[Operands], Scalar]]):
    def build(g: TfliteGraph, c: Operands) -> dict[int, Scalar]:
        g.feed("x", c["x"].array, c["x"])
        return {field: value(c) for field, value in options}

    return build


# What the operator QUANTIZE turns integers into.
_REQUANTIZED = {
    **dict.fromkeys(("int8", "uint8"), ("int8", "uint8", "int16")),
    "int16": ("int8", "int16", "int32"),
    "int32": ("int8", "int16"),
}


def _requantize(g: TfliteGraph, c: Operands) -> dict[int, Scalar]:
    source, to = c["x"].array.dtype.name, c.result.dtype.name
    c.require(to in _REQUANTIZED[source], f"whose {source} does not become {to}")
    g.feed("x", c["x"].array, c["x"])
    return {}


def _quantize(g: TfliteGraph, c: Operands) -> dict[int, Scalar]:
    g.feed("x", c["x"], c["x"].dtype)
    return {}


def _pool(g: TfliteGraph, c: Operands) -> dict[int, Scalar]:
    c.require(c["layout"] == "NHWC", "whose images have channels last")
    c.require_quantizer(c["x"])
    g.feed("x", c["x"].array, c["x"])
    (height, width), (down, right) = c.pair("kernel"), c.stride()
    border = _window(c, (height, width), (down, right))
    sizes = {1: _int(right), 2: _int(down), 3: _int(width), 4: _int(height)}
    return {0: _byte(border), **sizes, 5: _activation(c)}


def _cat(g: TfliteGraph, c: Operands) -> dict[int, Scalar]:
    c.require_quantizer(*c["x"])
    for number, piece in enumerate(c["x"]):
        g.feed(f"x{number}", piece.array, piece)
    return {0: _int(c["axis"]), 1: _activation(c)}


def _mean(g: TfliteGraph, c: Operands) -> dict[int, Scalar]:
    g.feed("x", c["x"].array, c["x"])
    g.constant("axes", np.atleast_1d(np.int32(c["axes"])))
    return {0: _byte(c["keepdims"])}


def _global_pool(g: TfliteGraph, c: Operands) -> dict[int, Scalar]:
    g.feed("x", c["x"].array, c["x"])
    g.constant("axes", np.array((2, 3) if c["layout"] == "NCHW" else (1, 2), np.int32))
    return {0: _byte(1)}


def _resize(first: int):
    """Make what adds images and their size, with the numbers of options from one on."""

    def build(g: TfliteGraph, c: Operands) -> dict[int, Scalar]:
        c.require(c["layout"] == "NHWC", "whose images have channels last")
        c.require_quantizer(c["x"])
        g.feed("x", c["x"].array, c["x"])
        g.constant("size", np.array(c.pair("size"), np.int32))
        return {first: _byte(c["align_corners"]), first + 1: _byte(c["half_pixel_centers"])}

    return build


class _Operator(NamedTuple):
    """Numbers of an operator and of its options in the schema, and what adds its operands."""

    code: int
    version: int
    options: int
    build: Callable[[TfliteGraph, Operands], dict[int, Scalar]]
    fuses: bool = False  # takes an activation


_OPERATORS = {
    "linear": _Operator(9, 4, 8, _linear, True),
    "conv2d": _Operator(3, 3, 1, _conv, True),
    "depthwise_conv2d": _Operator(4, 5, 2, _conv, True),
    "add": _Operator(0, 2, 11, _pair, True),
    "sub": _Operator(41, 2, 28, _pair, True),
    "mul": _Operator(18, 2, 21, _pair, True),
    "conv_transpose2d": _Operator(67, 3, 49, _transposed, True),
    "matmul": _Operator(126, 2, 101, _matmul),
    "quantize": _Operator(114, 1, 89, _quantize),
    "dequantize": _Operator(6, 2, 38, _unary()),
    "requantize": _Operator(114, 2, 89, _requantize),
    "sigmoid": _Operator(14, 2, 0, _unary()),
    "tanh": _Operator(28, 2, 0, _unary()),
    "elu": _Operator(111, 1, 0, _unary()),
    "hardswish": _Operator(117, 1, 91, _unary()),
    "leaky_relu": _Operator(98, 2, 75, _unary((0, lambda c: Scalar("f", c["negative_slope"])))),
    "softmax": _Operator(25, 2, 9, _unary((0, lambda c: Scalar("f", 1.0)))),
    "cat": _Operator(2, 2, 10, _cat, True),
    "avg_pool2d": _Operator(1, 2, 5, _pool, True),
    "max_pool2d": _Operator(17, 2, 5, _pool, True),
    "mean": _Operator(40, 2, 27, _mean),
    "global_avg_pool2d": _Operator(40, 2, 27, _global_pool),
    "resize_bilinear": _Operator(23, 3, 15, _resize(2)),
    "resize_nearest": _Operator(97, 3, 74, _resize(0)),
}


def model(entry: dict[str, Any], arrays: dict[str, np.ndarray]) -> bytes:
    """Write a model of one operator.

    Parameters
    ----------
    entry : dict
        The entry of a case of neutral vectors in the manifest.
    arrays : dict of str to ndarray
        Its arrays.

    Raises
    ------
    NotSupportedError
        If no operator computes the case.
    """
    c, g = Operands(entry, arrays, ".tflite"), TfliteGraph()
    code, fields = add_operator(g, c)
    real = c.result.dtype.kind == "f"
    output = g.tensor("output", c.shape, c.result.dtype if real else c.result)
    operator = Table({1: Vector("i", g.inputs), 2: Vector("i", [output]), **fields})
    return file_of(g, [code], [operator], [output], c.operation)


def add_operator(g: TfliteGraph, c: Operands) -> tuple[Table, dict[int, Any]]:
    """Add the operands of an operator to a graph.

    Returns
    -------
    code : Table
        The kind of the operator.
    fields : dict of int to object
        Those of its table that hold its options.

    Raises
    ------
    NotSupportedError
        If no operator computes the case.
    """
    name = c.operation
    if name == "conv2d" and _is_deep(c):
        name = "depthwise_conv2d"
    operator = _OPERATORS.get(name)
    if operator is None:
        raise c.unsupported("which have no operator for it that takes integers")
    plain = c.output.get("activation", "none") == "none"
    c.require(plain or operator.fuses, "whose operator takes no activation")
    c.require(c.is_bounded_by_activation(), "which take activations but no other bounds")
    options = operator.build(g, c)
    fields: dict[int, Any] = {}
    if operator.options:
        fields = {3: Scalar("B", operator.options), 4: Table(options)}
    return code_of(operator.code, operator.version), fields


def code_of(code: int, version: int) -> Table:
    """Make the table that names a kind of operators."""
    return Table({0: _byte(min(code, 127)), 2: _int(version), 3: _int(code)})


def file_of(
    g: TfliteGraph, codes: list[Table], operators: list[Table], outputs: list[int], name: str
) -> bytes:
    """Write the file of a graph."""
    graph = {
        0: Vector("", g.tensors), 1: Vector("i", g.fed), 2: Vector("i", outputs),
        3: Vector("", operators), 4: name,
    }  # fmt: skip
    made = {
        0: Scalar("I", 3), 1: Vector("", codes), 2: Vector("", [Table(graph)]),
        3: "refquant", 4: Vector("", g.buffers),
    }  # fmt: skip
    return finish(Table(made), b"TFL3")
