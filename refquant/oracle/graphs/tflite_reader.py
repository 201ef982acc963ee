"""``.tflite`` files, read into graphs. Numbers are those of version 3 of the schema."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from refquant.errors import FileFormatError, RefquantError
from refquant.oracle.graphs.files import TFLITE, Read, Reading
from refquant.oracle.graphs.flatbuffer_reader import TableReader, root
from refquant.oracle.graphs.graph import Node, Value
from refquant.oracle.graphs.sizes import MOST_ELEMENTS
from refquant.oracle.graphs.unsupported import Unsupported
from refquant.oracle.vectors.neutral_operands import same_border

__all__ = ["NAMES", "read_tflite"]

_DTYPES = {0: "float32", 2: "int32", 3: "uint8", 4: "int64", 7: "int16", 9: "int8"}
_ACTIVATIONS = {0: "none", 1: "relu", 2: "relu_n1_to_1", 3: "relu6"}
_SAME = 0
_MOST_DIMENSIONS = 6
NAMES = {
    0: "ADD", 1: "AVERAGE_POOL_2D", 2: "CONCATENATION", 3: "CONV_2D", 4: "DEPTHWISE_CONV_2D",
    5: "DEPTH_TO_SPACE", 6: "DEQUANTIZE", 7: "EMBEDDING_LOOKUP", 8: "FLOOR", 9: "FULLY_CONNECTED",
    11: "L2_NORMALIZATION", 12: "L2_POOL_2D", 14: "LOGISTIC", 16: "LSTM", 17: "MAX_POOL_2D",
    18: "MUL", 19: "RELU", 20: "RELU_N1_TO_1", 21: "RELU6", 22: "RESHAPE", 23: "RESIZE_BILINEAR",
    24: "RNN", 25: "SOFTMAX", 26: "SPACE_TO_DEPTH", 27: "SVDF", 28: "TANH", 32: "CUSTOM",
    34: "PAD", 36: "GATHER", 37: "BATCH_TO_SPACE_ND", 38: "SPACE_TO_BATCH_ND", 39: "TRANSPOSE",
    40: "MEAN", 41: "SUB", 42: "DIV", 43: "SQUEEZE", 44: "UNIDIRECTIONAL_SEQUENCE_LSTM",
    45: "STRIDED_SLICE", 47: "EXP", 48: "TOPK_V2", 49: "SPLIT", 50: "LOG_SOFTMAX", 53: "CAST",
    54: "PRELU", 55: "MAXIMUM", 56: "ARG_MAX", 57: "MINIMUM", 59: "NEG", 60: "PADV2",
    65: "SLICE", 67: "TRANSPOSE_CONV", 70: "EXPAND_DIMS", 74: "SUM", 75: "SQRT", 76: "RSQRT",
    77: "SHAPE", 78: "POW", 82: "REDUCE_MAX", 83: "PACK", 88: "UNPACK",
    97: "RESIZE_NEAREST_NEIGHBOR", 98: "LEAKY_RELU", 99: "SQUARED_DIFFERENCE",
    100: "MIRROR_PAD", 101: "ABS", 102: "SPLIT_V",
    111: "ELU", 114: "QUANTIZE", 117: "HARD_SWISH", 118: "IF", 119: "WHILE", 126: "BATCH_MATMUL",
    129: "CALL_ONCE", 142: "VAR_HANDLE", 143: "READ_VARIABLE", 144: "ASSIGN_VARIABLE", 150: "GELU",
}  # fmt: skip


class _File:
    """Tensors and buffers of a file, read when an operator takes them."""

    def __init__(self, data: memoryview) -> None:
        model = root(data, TFLITE)
        self.reading = Reading(".tflite")
        self.buffers = model.tables(4)
        self.codes = model.tables(1)
        graphs = model.tables(2)
        if not graphs:
            raise _damaged("no graph")
        if len(graphs) > 1:
            self.reading.reject("graphs", f"{len(graphs)} of them, of which one is read")
        self.graph = graphs[0]
        self.tensors = self.graph.tables(0)
        self.names: dict[int, str] = {}

    def numbers(self, table: TableReader, field: int) -> list[int]:
        """Read numbers of tensors."""
        found = table.vector(field, "<i4").tolist()
        for number in found:
            if not -1 <= number < len(self.tensors):
                raise _damaged(f"tensor {number} of {len(self.tensors)}")
        return found

    def name(self, number: int) -> str:
        """Return the name of a tensor, which no other has; the tensor is read."""
        if number not in self.names:
            taken = set(self.names.values())
            plain = self.tensors[number].text(3) or f"tensor {number}"
            name = f"{plain} #{number}" if plain in taken else plain
            self.reading.add(self._value(number, name))
            self.names[number] = name  # not before, because values can be rejected
        return self.names[number]

    def value(self, number: int) -> Value:
        """Read a tensor."""
        return self.reading.values[self.name(number)]

    def _value(self, number: int, name: str) -> Value:
        table = self.tensors[number]
        shape = tuple(table.vector(0, "<i4").tolist())
        if len(shape) > _MOST_DIMENSIONS or min(shape, default=0) < 0:
            raise _damaged(f"tensor {name!r} of shape {shape[:9]}")
        if math.prod(shape) > MOST_ELEMENTS:
            raise _damaged(f"tensor {name!r} of {math.prod(shape):,} elements")
        code = table.scalar(1, "b")
        if code not in _DTYPES:
            raise Unsupported(f"tensor {name!r} of dtype {code}")
        if table.table(6) is not None:
            raise Unsupported(f"tensor {name!r}, which is sparse")
        dtype = _DTYPES[code]
        data = self._data(table, name, np.dtype(dtype), shape)
        return self._with_quantizer(table, name, dtype, shape, data)

    def _data(self, table: TableReader, name: str, dtype: np.dtype, shape: tuple[int, ...]) -> Any:
        place = table.scalar(2, "I")
        if place >= len(self.buffers):
            raise _damaged(f"buffer {place} of {len(self.buffers)}")
        buffer = self.buffers[place]
        if buffer.scalar(1, "Q") > 1:
            raise Unsupported(f"tensor {name!r}, whose data lies behind the tables")
        held = buffer.vector(0, "u1")
        if not place or not held.size:
            return None
        if held.size != math.prod(shape) * dtype.itemsize:
            raise _damaged(f"tensor {name!r} of {held.size} bytes, for shape {shape} of {dtype}")
        return np.frombuffer(held.tobytes(), dtype.newbyteorder("<")).astype(dtype).reshape(shape)

    def _with_quantizer(self, table, name, dtype, shape, data) -> Value:
        held = table.table(4)
        scale = None if held is None else held.vector(2, "<f4")
        if held is None or scale is None or not scale.size or dtype in ("float32", "int64"):
            return Value(name, dtype, shape, data=data)
        zeros, axis = held.vector(3, "<i8"), held.scalar(6, "i")
        if zeros.size not in (0, 1, scale.size):
            raise _damaged(f"tensor {name!r} of {scale.size} scales and {zeros.size} zero points")
        try:
            if scale.size == 1:
                zero = int(zeros[0]) if zeros.size else 0
                return Value(name, dtype, shape, float(scale[0]), zero, data=data)
            zeros = np.broadcast_to(zeros if zeros.size else np.int64(0), scale.shape)
            return Value(name, dtype, shape, scale.copy(), zeros.copy(), axis, data)
        except RefquantError as error:
            raise _damaged(f"tensor {name!r}: {error}") from error

    def constant(self, number: int) -> np.ndarray:
        """Return the elements of a constant."""
        value = self.value(number)
        if value.data is None:
            raise Unsupported(f"{value.name!r} is not a constant")
        return value.data


def _damaged(what: str) -> FileFormatError:
    return FileFormatError("the .tflite file is damaged", got=what, expected="a graph")


class _Operator:
    """One operator: its operands, options and result."""

    def __init__(self, file: _File, table: TableReader, place: str) -> None:
        self.file, self.place = file, place
        self.inputs, self.outputs = file.numbers(table, 1), file.numbers(table, 2)
        self.options = table.table(4)

    def option(self, field: int, code: str, default: Any = 0) -> Any:
        return default if self.options is None else self.options.scalar(field, code, default)

    def has(self, k: int) -> bool:
        return k < len(self.inputs) and self.inputs[k] >= 0

    def operand(self, k: int) -> str:
        if not self.has(k):
            raise Unsupported(f"without operand {k}")
        return self.file.name(self.inputs[k])

    def codes(self, k: int, *dtypes: str, several: bool = False) -> str:
        """Name an operand of integers that have a quantizer, or one for each slice."""
        value = self.file.value(self.inputs[k]) if self.has(k) else None
        if value is None or value.dtype not in (dtypes or ("int8", "uint8", "int16")):
            raise Unsupported(f"of {'nothing' if value is None else value.dtype}")
        if value.scale is None:
            raise _damaged(f"tensor {value.name!r} has no scale")
        if value.axis is not None and not several:
            raise Unsupported("with several scales for an activation")
        return value.name

    def shape(self, name: str) -> tuple[int, ...]:
        return self.file.reading.values[name].shape or ()

    def result(self, plain: bool = False) -> str:
        if len(self.outputs) != 1 or self.outputs[0] < 0:
            raise Unsupported(f"of {len(self.outputs)} results")
        value = self.file.value(self.outputs[0])
        if plain and value.dtype != "float32":
            raise Unsupported(f"to {value.dtype}")
        if not plain and (value.dtype == "float32" or value.scale is None):
            raise Unsupported(f"to {value.dtype} without a scale")
        if value.axis is not None:
            raise Unsupported("with several scales for an activation")
        return value.name

    def add(self, operation: str, operands: dict[str, Any], **settings: Any) -> None:
        plain = operation == "dequantize"
        node = Node(operation, operands, self.result(plain), settings, self.place)
        self.file.reading.nodes.append(node)

    def bounds(self, field: int) -> dict[str, str]:
        code = self.option(field, "b")
        if code not in _ACTIVATIONS:
            raise Unsupported(f"with activation {code}")
        return {} if code == 0 else {"activation": _ACTIVATIONS[code]}

    def same_quantizer(self, x: str) -> None:
        one, other = (self.file.reading.values[name] for name in (x, self.result()))
        if (one.scale, one.zero_point, one.dtype) != (other.scale, other.zero_point, other.dtype):
            raise Unsupported("to another quantizer")

    def padding(self, sizes, kernel, strides, kind: int) -> Any:
        if min(*kernel, *strides) < 1:
            raise _damaged(f"{self.place}: windows {kernel} at a distance of {strides}")
        if kind != _SAME:
            return 0
        return tuple(same_border(*each) for each in zip(sizes, kernel, strides, strict=True))


def _product(o: _Operator) -> dict[str, Any]:
    operands = {"x": o.codes(0), "weight": o.codes(1, "int8", "uint8", several=True)}
    if o.file.value(o.inputs[1]).data is None:
        raise Unsupported("whose weight is no constant")
    if o.has(2):
        operands["bias"] = o.operand(2)
        o.file.constant(o.inputs[2])
    return operands


def _linear(o: _Operator) -> None:
    if o.option(1, "b"):
        raise Unsupported("of shuffled weights")
    operands = _product(o)
    shape, depth = o.shape(operands["x"]), o.shape(operands["weight"])[-1:]
    if len(shape) != 2 and not o.option(2, "b") and depth:
        x = o.file.value(o.inputs[0])
        count = math.prod(shape) // max(depth[0], 1)
        name = o.file.reading.add(
            Value(
                f"{x.name} as rows of {depth[0]}", x.dtype, (count, *depth), x.scale, x.zero_point
            )
        )
        if not any(node.output == name for node in o.file.reading.nodes):
            node = Node("reshape", {"x": x.name}, name, {"shape": (-1, *depth)}, o.place)
            o.file.reading.nodes.append(node)
        operands["x"] = name
    o.add("linear", operands, **o.bounds(0))


def _conv(deep: bool) -> Callable[[_Operator], None]:
    def add(o: _Operator) -> None:
        operands = _product(o)
        image, w = o.shape(operands["x"]), o.shape(operands["weight"])
        if len(image) != 4 or len(w) != 4:
            raise _damaged(f"{o.place} of shapes {image} and {w}")
        stride = o.option(2, "i"), o.option(1, "i")
        fields = (6, 5) if deep else (5, 4)
        dilation = tuple(o.option(field, "i", 1) for field in fields)
        extents = tuple((k - 1) * d + 1 for k, d in zip(w[1:3], dilation, strict=True))
        pads = o.padding(image[1:3], extents, stride, o.option(0, "b"))
        groups = image[3] if deep else max(image[3] // max(w[3], 1), 1)
        o.add(
            "conv2d", operands, stride=stride, padding=pads, dilation=dilation, groups=groups,
            layout="NHWC", weight_layout="1HWO" if deep else "OHWI", **o.bounds(4 if deep else 3),
        )  # fmt: skip

    return add


def _transposed(o: _Operator) -> None:
    operands = {"x": o.codes(2), "weight": o.codes(1, "int8", several=True)}
    if o.has(3):
        operands["bias"] = o.operand(3)
    image, w, wanted = o.shape(operands["x"]), o.shape(operands["weight"]), o.shape(o.result())
    if not len(image) == len(w) == len(wanted) == 4:
        raise _damaged(f"{o.place} of shapes {image}, {w} and {wanted}")
    stride = o.option(2, "i"), o.option(1, "i")
    pads = []
    for n, k, m, step in zip(image[1:3], w[1:3], wanted[1:3], stride, strict=True):
        total = (n - 1) * step + k - m
        before = max(total, 0) // 2 if o.option(0, "b") == _SAME else 0
        pads.append((before, total - before))
    extra = tuple(max(-behind, 0) for _, behind in pads)
    pads = [(before, max(behind, 0)) for before, behind in pads]
    o.add(
        "conv_transpose2d", operands, stride=stride, padding=tuple(pads), output_padding=extra,
        layout="NHWC", weight_layout="OHWI", **o.bounds(3),
    )  # fmt: skip


def _pool(operation: str) -> Callable[[_Operator], None]:
    def add(o: _Operator) -> None:
        x = o.codes(0)
        image = o.shape(x)
        if len(image) != 4:
            raise _damaged(f"{o.place} of shape {image}")
        o.same_quantizer(x)
        stride, kernel = (o.option(2, "i"), o.option(1, "i")), (o.option(4, "i"), o.option(3, "i"))
        pads = o.padding(image[1:3], kernel, stride, o.option(0, "b"))
        o.add(
            operation, {"x": x}, kernel=kernel, stride=stride, padding=pads, layout="NHWC",
            **o.bounds(5),
        )  # fmt: skip

    return add


def _pair(operation: str) -> Callable[[_Operator], None]:
    return lambda o: o.add(operation, {"a": o.codes(0), "b": o.codes(1)}, **o.bounds(0))


def _function(operation: str) -> Callable[[_Operator], None]:
    return lambda o: o.add(operation, {"x": o.codes(0)})


def _softmax(o: _Operator) -> None:
    if o.option(0, "f", 0.0) != 1.0:
        raise Unsupported(f"with beta {o.option(0, 'f', 0.0):g}")
    o.add("softmax", {"x": o.codes(0)})


def _leaky(o: _Operator) -> None:
    o.add("leaky_relu", {"x": o.codes(0)}, negative_slope=o.option(0, "f", 0.0))


def _quantize(o: _Operator) -> None:
    x = o.file.value(o.inputs[0]) if o.has(0) else None
    if x is not None and x.dtype == "float32":
        o.add("quantize", {"x": x.name})
    else:
        o.add("requantize", {"x": o.codes(0, "int8", "uint8", "int16", "int32")})


def _relu(activation: str) -> Callable[[_Operator], None]:
    def add(o: _Operator) -> None:
        x = o.codes(0)
        o.same_quantizer(x)
        value = o.file.value(o.inputs[0])
        from_output = value.output({"activation": activation})
        o.add("clip", {"x": x}, lower=from_output.lower, upper=from_output.upper)

    return add


def _cat(o: _Operator) -> None:
    pieces = tuple(o.codes(k) for k in range(len(o.inputs)))
    if not pieces:
        raise Unsupported("of nothing")
    o.add("cat", {"x": pieces}, axis=o.option(0, "i"), **o.bounds(1))


def _mean(o: _Operator) -> None:
    axes = o.file.constant(o.inputs[1]) if o.has(1) else np.empty(0)
    given = tuple(int(axis) for axis in axes.reshape(-1)[:_MOST_DIMENSIONS])
    o.add("mean", {"x": o.codes(0)}, axes=given, keepdims=bool(o.option(0, "b")))


def _reshape(o: _Operator) -> None:
    x = o.codes(0)
    o.same_quantizer(x)
    o.add("reshape", {"x": x}, shape=o.shape(o.result()))


def _transpose(o: _Operator) -> None:
    x = o.codes(0)
    o.same_quantizer(x)
    perm = o.file.constant(o.inputs[1]) if o.has(1) else np.empty(0)
    o.add("transpose", {"x": x}, perm=tuple(int(n) for n in perm.reshape(-1)[:_MOST_DIMENSIONS]))


def _pad(o: _Operator) -> None:
    x = o.codes(0)
    o.same_quantizer(x)
    pads = o.file.constant(o.inputs[1]) if o.has(1) else np.empty((0, 2))
    if pads.ndim != 2 or pads.shape[1] != 2:
        raise _damaged(f"{o.place} of borders of shape {pads.shape}")
    fill = o.file.value(o.inputs[0]).zero_point
    if o.has(2):
        own = o.file.constant(o.inputs[2])
        if own.size != 1 or own.dtype.name != o.file.value(o.inputs[0]).dtype:
            raise Unsupported(f"with {own.size} values of {own.dtype}")
        fill = int(own.reshape(-1)[0])
    o.add("pad", {"x": x}, pads=tuple((int(a), int(b)) for a, b in pads), fill=fill)


def _resize(operation: str, first: int) -> Callable[[_Operator], None]:
    def add(o: _Operator) -> None:
        x = o.codes(0)
        o.same_quantizer(x)
        size = o.file.constant(o.inputs[1]) if o.has(1) else np.empty(0)
        if size.shape != (2,):
            raise _damaged(f"{o.place} to {size.shape} sizes")
        o.add(
            operation, {"x": x}, size=tuple(map(int, size)), layout="NHWC",
            align_corners=bool(o.option(first, "b")),
            half_pixel_centers=bool(o.option(first + 1, "b")),
        )  # fmt: skip

    return add


def _matmul(o: _Operator) -> None:
    if o.option(0, "b") or o.option(1, "b"):
        raise Unsupported("of transposed matrices")
    a, b = o.codes(0), o.codes(1)
    if len(o.shape(b)) != 2:
        raise Unsupported("of stacks of matrices")
    o.add("matmul", {"a": a, "b": b})


_OPERATORS: dict[int, Callable[[_Operator], None]] = {
    0: _pair("add"), 1: _pool("avg_pool2d"), 2: _cat, 3: _conv(False), 4: _conv(True),
    6: _function("dequantize"), 9: _linear, 14: _function("sigmoid"), 17: _pool("max_pool2d"),
    18: _pair("mul"), 19: _relu("relu"), 20: _relu("relu_n1_to_1"), 21: _relu("relu6"),
    22: _reshape, 23: _resize("resize_bilinear", 2), 25: _softmax, 28: _function("tanh"),
    34: _pad, 60: _pad, 39: _transpose, 40: _mean, 41: _pair("sub"), 43: _reshape, 67: _transposed,
    70: _reshape, 97: _resize("resize_nearest", 0), 98: _leaky, 111: _function("elu"),
    114: _quantize, 117: _function("hardswish"), 126: _matmul,
}  # fmt: skip


def read_tflite(content: bytes) -> Read:
    """Read a file; nothing in it is executed.

    Raises
    ------
    FileFormatError
        If it is damaged.
    NotSupportedError
        If operators cannot be computed; the message lists all of them.
    """
    file = _File(memoryview(content))
    for number, table in enumerate(file.graph.tables(3)):
        code = table.scalar(0, "I")
        if code >= len(file.codes):
            raise _damaged(f"operator {number} of kind {code} of {len(file.codes)}")
        own = file.codes[code]
        kind = max(own.scalar(0, "b"), own.scalar(3, "i"))
        name = own.text(1) if kind == 32 and own.text(1) else NAMES.get(kind, f"OPERATOR {kind}")
        place = f"operator {number}, {name}"
        add = _OPERATORS.get(kind)
        if add is None:
            file.reading.reject(place, "")
            continue
        try:
            add(_Operator(file, table, place))
        except Unsupported as error:
            file.reading.reject(place, str(error))
        except FileFormatError:
            raise
        except RefquantError as error:
            raise _damaged(f"{place}: {error}") from error
    ends: list[list[str]] = [[], []]
    for names, field in zip(ends, (1, 2), strict=True):
        for number in file.numbers(file.graph, field):
            try:
                names += [file.name(number)] if number >= 0 else []
            except Unsupported as error:
                file.reading.reject("ends of the graph", str(error))
    graph = file.reading.graph(*ends)
    places = {name: number for number, name in file.names.items()}
    return Read(graph, places, content)
