"""What nodes of ``.onnx`` files become in graphs, by the names of their operators."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from refquant.oracle.graphs.graph import Node, Value
from refquant.oracle.graphs.onnx_file import OnnxFile, OnnxNode, Pending, Quantizer
from refquant.oracle.graphs.onnx_tensors import damaged
from refquant.oracle.graphs.unsupported import Unsupported

__all__ = ["INTEGERS", "QUANTIZERS", "REALS"]

Add = Callable[[Any, Any], None]
_COORDINATES = {
    "align_corners": (True, False), "half_pixel": (False, True), "asymmetric": (False, False),
}  # fmt: skip


def _sides(node: OnnxNode, dims: int) -> Any:
    """Read the border of a window; pairs for each dimension."""
    if node.options.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise Unsupported(f"with auto_pad {node.options['auto_pad']!r}")
    pads = node.options.get("pads", (0,) * 2 * dims)
    if len(pads) != 2 * dims or min(pads, default=0) < 0:
        raise damaged(f"{node.place}: pads {pads}")
    return tuple(zip(pads[:dims], pads[dims:], strict=True))


def _window(node: OnnxNode, dims: int, dilated: bool = True) -> dict[str, Any]:
    found: dict[str, Any] = {"padding": _sides(node, dims), "layout": "NCHW"}
    for name, theirs in (("stride", "strides"), ("dilation", "dilations")):
        each = node.options.get(theirs, (1,) * dims)
        if len(each) != dims or min(each, default=1) < 1:
            raise damaged(f"{node.place}: {theirs} {each}")
        if name == "dilation" and not dilated:
            if set(each) - {1}:
                raise Unsupported(f"with {theirs} {each}")
            continue
        found[name] = tuple(each)
    return found


def _convolution(node: OnnxNode, dims: int) -> dict[str, Any]:
    group = node.options.get("group", 1)
    return {**_window(node, dims), "groups": group, "weight_layout": "OIHW"}


def _pooling(node: OnnxNode) -> dict[str, Any]:
    kernel = node.options.get("kernel_shape", ())
    if len(kernel) != 2:
        raise Unsupported(f"of {len(kernel)} dimensions")
    if node.options.get("ceil_mode", 0) or node.options.get("count_include_pad", 0):
        raise Unsupported("which rounds up its sizes, or counts the border")
    return {"kernel": tuple(kernel), **_window(node, 2, dilated=False)}


# -- operators of integers -------------------------------------------------------------------


def _qlinear_conv(file: OnnxFile, node: OnnxNode) -> None:
    x = file.codes(node.inputs[0], file.quantizer(node, 1, 2))
    w = file.codes(node.inputs[3], file.quantizer(node, 4, 5, 0))
    operands = {"x": x, "weight": w}
    if node.has(8):
        operands["bias"] = _plain(file, node, 8)
    dims = _dims(file, w)
    made = Node(f"conv{dims}d", operands, node.outputs[0], _convolution(node, dims), node.place)
    file.add(made, file.quantizer(node, 6, 7))


def _dims(file: OnnxFile, weight: str) -> int:
    value = file.reading.values[weight]
    if value.data is None or not 3 <= value.data.ndim <= 5:
        raise Unsupported("whose weight is no constant of 3 to 5 dimensions")
    return value.data.ndim - 2


def _plain(file: OnnxFile, node: OnnxNode, k: int) -> str:
    data = file.array(node, k)
    return file.reading.add(Value(node.inputs[k], data.dtype.name, data.shape, data=data))


def _qlinear_matmul(file: OnnxFile, node: OnnxNode) -> None:
    a = file.codes(node.inputs[0], file.quantizer(node, 1, 2))
    b = file.codes(node.inputs[3], file.quantizer(node, 4, 5, 1))
    _product(file, node, a, b, file.quantizer(node, 6, 7))


def _product(file: OnnxFile, node: OnnxNode, a: str, b: str, to: Any) -> None:
    if file.reading.values[b].data is None:
        made = Node("matmul", {"a": a, "b": b}, node.outputs[0], {}, node.place)
    else:
        settings = {"weight_layout": "IO"}
        made = Node("linear", {"x": a, "weight": b}, node.outputs[0], settings, node.place)
    file.add(made, to)


def _gemm_layout(node: OnnxNode) -> dict[str, str]:
    if node.options.get("transA", 0) or node.options.get("alpha", 1.0) != 1.0:
        raise Unsupported("of a transposed or scaled matrix")
    if node.options.get("beta", 1.0) != 1.0:
        raise Unsupported("with a scaled bias")
    return {"weight_layout": "OI" if node.options.get("transB", 0) else "IO"}


def _qgemm(file: OnnxFile, node: OnnxNode) -> None:
    layout = _gemm_layout(node)
    axis = layout["weight_layout"].index("O")
    operands = {
        "x": file.codes(node.inputs[0], file.quantizer(node, 1, 2)),
        "weight": file.codes(node.inputs[3], file.quantizer(node, 4, 5, axis)),
    }
    if node.has(6):
        operands["bias"] = _plain(file, node, 6)
    made = Node("linear", operands, node.outputs[0], layout, node.place)
    file.add(made, file.quantizer(node, 7, 8))


def _qpair(operation: str) -> Add:
    def add(file: OnnxFile, node: OnnxNode) -> None:
        operands = {
            "a": file.codes(node.inputs[0], file.quantizer(node, 1, 2)),
            "b": file.codes(node.inputs[3], file.quantizer(node, 4, 5)),
        }
        made = Node(operation, operands, node.outputs[0], {}, node.place)
        file.add(made, file.quantizer(node, 6, 7))

    return add


def _qfunction(operation: str, settings: Callable[[OnnxNode], dict[str, Any]]) -> Add:
    def add(file: OnnxFile, node: OnnxNode) -> None:
        x = file.codes(node.inputs[0], file.quantizer(node, 1, 2))
        made = Node(operation, {"x": x}, node.outputs[0], settings(node), node.place)
        file.add(made, file.quantizer(node, 3, 4))

    return add


def _qconcat(file: OnnxFile, node: OnnxNode) -> None:
    count = (len(node.inputs) - 2) // 3
    names = [
        file.codes(node.inputs[2 + 3 * k], file.quantizer(node, 3 + 3 * k, 4 + 3 * k))
        for k in range(count)
    ]
    if not names:
        raise damaged(f"{node.place} of nothing")
    settings = {"axis": node.options.get("axis", 0)}
    made = Node("cat", {"x": tuple(names)}, node.outputs[0], settings, node.place)
    file.add(made, file.quantizer(node, 0, 1))


def _of_sums(file: OnnxFile, node: OnnxNode, k: int, axis: int) -> str:
    """Name integers of which a zero point alone is told, two operands behind them."""
    name = node.inputs[k]
    held = file.reading.values.get(name)
    if held is not None:
        dtype = held.dtype
    elif name in file.inputs:
        dtype = file.inputs[name][0]
    elif name in file.constants:
        dtype = file.constants[name].dtype.name
    else:
        raise Unsupported(f"of {name!r}, which nothing makes")
    zeros = file.array(node, k + 2).reshape(-1) if node.has(k + 2) else np.zeros(1, dtype)
    if zeros.dtype.name != dtype or zeros.size < 1:
        raise Unsupported(f"whose zero point of {name!r} is {zeros.dtype}, its integers {dtype}")
    if zeros.size == 1:
        scale = 1.0 if held is None else held.scale
        return file.codes(name, Quantizer(scale, int(zeros[0]), dtype))
    ones = np.ones(zeros.size, np.float32)
    return file.codes(name, Quantizer(ones, zeros.astype(np.int64), dtype, axis))


def _conv_integer(file: OnnxFile, node: OnnxNode) -> None:
    operands = {"x": _of_sums(file, node, 0, 1), "weight": _of_sums(file, node, 1, 0)}
    settings = _convolution(node, _dims(file, operands["weight"]))
    made = Node("conv_integer", operands, node.outputs[0], settings, node.place)
    file.add_plain(made, "int32")


def _matmul_integer(file: OnnxFile, node: OnnxNode) -> None:
    operands = {"a": _of_sums(file, node, 0, 0), "b": _of_sums(file, node, 1, 1)}
    made = Node("matmul_integer", operands, node.outputs[0], {}, node.place)
    file.add_plain(made, "int32")


def _none(_: Any) -> dict[str, Any]:
    return {}


def _slope(node: OnnxNode) -> dict[str, Any]:
    return {"negative_slope": node.options.get("alpha", 0.01)}


def _unit(node: OnnxNode) -> dict[str, Any]:
    if node.options.get("alpha", 1.0) != 1.0:
        raise Unsupported(f"with alpha {node.options['alpha']:g}")
    return {}


def _last_axis(node: OnnxNode) -> dict[str, Any]:
    if node.options.get("axis", -1) != -1:
        raise Unsupported(f"over axis {node.options['axis']}, which need not be the last")
    return {}


def _channels_first(node: OnnxNode) -> dict[str, Any]:
    if node.options.get("channels_last", 0):
        raise Unsupported("with channels last")
    return {"layout": "NCHW"}


def _average(node: OnnxNode) -> dict[str, Any]:
    _channels_first(node)
    return _pooling(node)


# -- moves, of integers and of real numbers --------------------------------------------------


def _shape_of(file: OnnxFile, node: OnnxNode) -> dict[str, Any]:
    if node.kind == "Flatten":
        if node.options.get("axis", 1) != 1:
            raise Unsupported(f"from axis {node.options['axis']}")
        return {"shape": (0, -1)}
    if node.kind != "Reshape":
        raise Unsupported("whose result's shape is not known")
    shape = tuple(int(n) for n in file.array(node, 1).reshape(-1)[:8])
    if node.options.get("allowzero", 0) and 0 in shape:
        raise Unsupported("to a shape with a size of 0")
    return {"shape": shape}


def _perm(file: OnnxFile, node: OnnxNode) -> dict[str, Any]:
    if "perm" not in node.options:
        raise Unsupported("without an order of axes")
    return {"perm": tuple(node.options["perm"])}


def _resize(file: OnnxFile, node: OnnxNode) -> dict[str, Any]:
    way = node.options.get("coordinate_transformation_mode", "half_pixel")
    if way not in _COORDINATES or not node.has(3):
        raise Unsupported(f"with coordinates {way!r}, or without sizes")
    sizes = file.array(node, 3).reshape(-1)
    if sizes.size != 4:
        raise Unsupported(f"of {sizes.size} dimensions")
    corners, half = _COORDINATES[way]
    if node.options.get("mode", "nearest") == "nearest":
        wanted = "round_prefer_ceil" if corners or half else "floor"
        if node.options.get("nearest_mode", "round_prefer_floor") != wanted:
            raise Unsupported(f"with nearest_mode {node.options.get('nearest_mode')!r}")
    return {
        "size": (int(sizes[2]), int(sizes[3])), "layout": "NCHW", "align_corners": corners,
        "half_pixel_centers": half,
    }  # fmt: skip


def _resizes(node: OnnxNode) -> str:
    mode = node.options.get("mode", "nearest")
    if mode not in ("nearest", "linear"):
        raise Unsupported(f"with mode {mode!r}")
    return "resize_nearest" if mode == "nearest" else "resize_bilinear"


def _pads(file: OnnxFile, node: OnnxNode) -> dict[str, Any]:
    if node.options.get("mode", "constant") != "constant" or node.has(3):
        raise Unsupported("of another kind than a constant border of all axes")
    pads = [int(n) for n in file.array(node, 1).reshape(-1)[:16]]
    half = len(pads) // 2
    fill = int(file.array(node, 2).reshape(-1)[0]) if node.has(2) else 0
    return {"pads": tuple(zip(pads[:half], pads[half:], strict=False)), "fill": fill}


_MOVES: dict[str, tuple[Callable[[Any], str], Callable[[Any, Any], dict[str, Any]]]] = {
    "Reshape": (lambda node: "reshape", _shape_of),
    "Flatten": (lambda node: "reshape", _shape_of),
    "Transpose": (lambda node: "transpose", _perm),
    "MaxPool": (lambda node: "max_pool2d", lambda file, node: _pooling(node)),
    "Resize": (_resizes, _resize),
}


def _move(file: OnnxFile, node: OnnxNode) -> None:
    name, settings = _MOVES[node.kind]
    operation = name(node)
    if operation == "resize_bilinear":
        raise Unsupported("of integers")
    sums = file.reading.values.get(node.inputs[0])
    plain = sums is not None and sums.dtype == "int32" and sums.scale is None
    x = node.inputs[0] if plain else file.codes(node.inputs[0])
    made = Node(operation, {"x": x}, node.outputs[0], settings(file, node), node.place)
    if plain:
        file.add_plain(made, "int32")
    else:
        file.add(made, file.quantizer_of(x))


def _held(dtype: str, numbers: list[int]) -> None:
    """Check numbers that become integers of a dtype."""
    info = np.iinfo(dtype)
    if not all(info.min <= number <= info.max for number in numbers):
        raise Unsupported(f"with numbers {numbers}, which {dtype} does not hold")


def _clip(file: OnnxFile, node: OnnxNode) -> None:
    x = file.codes(node.inputs[0])
    by = file.quantizer_of(x)
    info = np.iinfo(by.dtype)
    ends = [
        int(file.array(node, k).reshape(-1)[0]) if node.has(k) else end
        for k, end in ((1, int(info.min)), (2, int(info.max)))
    ]
    _held(by.dtype, ends)
    settings = {"lower": ends[0], "upper": ends[1]}
    file.add(Node("clip", {"x": x}, node.outputs[0], settings, node.place), by)


def _pad(file: OnnxFile, node: OnnxNode) -> None:
    x = file.codes(node.inputs[0])
    by, settings = file.quantizer_of(x), _pads(file, node)
    _held(by.dtype, [settings["fill"]])
    file.add(Node("pad", {"x": x}, node.outputs[0], settings, node.place), by)


def _move_of_reals(file: OnnxFile, node: OnnxNode) -> None:
    """Move real numbers, whether they are dequantized integers or not quantized yet."""
    name, settings = _MOVES[node.kind]
    operation, made = name(node), settings(file, node)
    keeps, x = operation != "resize_bilinear", node.inputs[0]
    if keeps and x in file.pending:
        waiting = file.pending.pop(x)
        moved = Pending(operation, {}, made, node.place, True, waiting)
        file.wait(node.outputs[0], moved)
    else:
        _wait(file, node, operation, {"x": file.of_real(x)}, made, keeps)


# -- operators between DequantizeLinear and QuantizeLinear -----------------------------------


def _wait(
    file: OnnxFile, node: OnnxNode, operation: str, operands: Any, settings: Any, keeps=False
) -> None:
    file.wait(node.outputs[0], Pending(operation, operands, settings, node.place, keeps))


def _real_product(file: OnnxFile, node: OnnxNode) -> None:
    operands = {"x": file.of_real(node.inputs[0]), "weight": file.of_real(node.inputs[1])}
    if node.has(2):
        operands["bias"] = _bias(file, node, 2)
    if node.kind == "Gemm":
        _wait(file, node, "linear", operands, _gemm_layout(node))
        return
    dims = _dims(file, operands["weight"])
    if node.kind == "Conv":
        _wait(file, node, f"conv{dims}d", operands, _convolution(node, dims))
        return
    if dims != 2 or node.options.get("group", 1) != 1 or node.options.get("output_shape"):
        raise Unsupported("in groups, or of another number of dimensions than 2")
    settings = _window(node, 2, dilated=False)
    settings |= {"weight_layout": "IOHW"}
    settings["output_padding"] = tuple(node.options.get("output_padding", (0, 0)))
    _wait(file, node, "conv_transpose2d", operands, settings)


def _bias(file: OnnxFile, node: OnnxNode, k: int) -> str:
    """Name a bias: integers of the sums' scale, or real numbers."""
    name = node.inputs[k]
    if name in file.constants:
        return _plain(file, node, k)
    codes = file.of_real(name)
    if file.reading.values[codes].data is None:
        raise Unsupported("whose bias is no constant")
    return codes


def _real_matmul(file: OnnxFile, node: OnnxNode) -> None:
    a, b = (file.of_real(node.inputs[k]) for k in (0, 1))
    if file.reading.values[b].data is None:
        _wait(file, node, "matmul", {"a": a, "b": b}, {})
    else:
        _wait(file, node, "linear", {"x": a, "weight": b}, {"weight_layout": "IO"})


def _real_pair(operation: str) -> Add:
    def add(file: OnnxFile, node: OnnxNode) -> None:
        one, other = (node.inputs[k] for k in (0, 1))
        for x, k in ((one, 1), (other, 0)):
            waiting = file.pending.get(x)
            if waiting is None or waiting.operation != "linear" or operation != "add":
                continue
            if "bias" not in waiting.operands:
                operands = {**waiting.operands, "bias": _bias(file, node, k)}
                del file.pending[x]
                _wait(file, node, "linear", operands, waiting.settings)
                return
        _wait(file, node, operation, {"a": file.of_real(one), "b": file.of_real(other)}, {})

    return add


def _real_function(operation: str, settings: Callable[[OnnxNode], dict[str, Any]] = _none) -> Add:
    def add(file: OnnxFile, node: OnnxNode) -> None:
        _wait(file, node, operation, {"x": file.of_real(node.inputs[0])}, settings(node))

    return add


def _real_concat(file: OnnxFile, node: OnnxNode) -> None:
    pieces = tuple(file.of_real(name) for name in node.inputs)
    _wait(file, node, "cat", {"x": pieces}, {"axis": node.options.get("axis", 0)})


def _real_mean(file: OnnxFile, node: OnnxNode) -> None:
    axes = node.options.get("axes")
    if axes is None and node.has(1):
        axes = tuple(int(n) for n in file.array(node, 1).reshape(-1)[:8])
    if axes is None:
        raise Unsupported("over all axes")
    settings = {"axes": tuple(axes), "keepdims": bool(node.options.get("keepdims", 1))}
    _wait(file, node, "mean", {"x": file.of_real(node.inputs[0])}, settings)


def _bounded(file: OnnxFile, node: OnnxNode) -> None:
    """Bound what waits, or integers."""
    ends: list[Any] = [0.0, None]
    if node.kind == "Clip":
        ends = [
            float(file.array(node, k).reshape(-1)[0]) if node.has(k) else node.options.get(name)
            for k, name in ((1, "min"), (2, "max"))
        ]
    known = {(0.0, None): "relu", (0.0, 6.0): "relu6", (-1.0, 1.0): "relu_n1_to_1"}
    if tuple(ends) not in known:
        raise Unsupported(f"with bounds {ends}")
    name, bounds = node.inputs[0], {"activation": known[tuple(ends)]}
    if name in file.pending:
        file.wait(node.outputs[0], file.bounded(name, **bounds))
    else:
        _wait(file, node, "requantize", {"x": file.of_real(name)}, bounds)


# For each operator what names quantizers of its integers: names, and operands of scale and zero.
Names = Iterator[tuple[list[str], int, int]]


def _triples(*starts: int, to: int) -> Callable[[Any], Names]:
    def names(node: OnnxNode) -> Names:
        for k in starts:
            if k < len(node.inputs):
                yield [node.inputs[k]], k + 1, k + 2
        yield node.outputs[:1], to, to + 1

    return names


def _concat_names(node: OnnxNode) -> Names:
    for k in range(2, len(node.inputs), 3):
        yield [node.inputs[k]], k + 1, k + 2
    yield node.outputs[:1], 0, 1


QUANTIZERS: dict[str, Callable[[Any], Any]] = {
    "QLinearConv": _triples(0, 3, to=6), "QLinearMatMul": _triples(0, 3, to=6),
    "QGemm": _triples(0, 3, to=7), "QLinearAdd": _triples(0, 3, to=6),
    "QLinearMul": _triples(0, 3, to=6), "QLinearConcat": _concat_names,
    **dict.fromkeys(
        ("QLinearSigmoid", "QLinearLeakyRelu", "QLinearSoftmax", "QLinearAveragePool",
         "QLinearGlobalAveragePool"), _triples(0, to=3),
    ),
    "QuantizeLinear": lambda node: [(node.outputs[:1], 1, 2)],
    "DequantizeLinear": lambda node: [(node.inputs[:1], 1, 2)],
}  # fmt: skip
INTEGERS: dict[str, Add] = {
    "QLinearConv": _qlinear_conv, "QLinearMatMul": _qlinear_matmul, "QGemm": _qgemm,
    "ConvInteger": _conv_integer, "MatMulInteger": _matmul_integer, "QLinearAdd": _qpair("add"),
    "QLinearMul": _qpair("mul"), "QLinearConcat": _qconcat,
    "QLinearSigmoid": _qfunction("sigmoid", _none),
    "QLinearLeakyRelu": _qfunction("leaky_relu", _slope),
    "QLinearSoftmax": _qfunction("softmax", _last_axis),
    "QLinearAveragePool": _qfunction("avg_pool2d", _average),
    "QLinearGlobalAveragePool": _qfunction("global_avg_pool2d", _channels_first),
    **dict.fromkeys(_MOVES, _move), "Clip": _clip, "Pad": _pad,
}  # fmt: skip
REALS: dict[str, Add] = {
    "Conv": _real_product, "Gemm": _real_product, "ConvTranspose": _real_product,
    "MatMul": _real_matmul, "Add": _real_pair("add"), "Sub": _real_pair("sub"),
    "Mul": _real_pair("mul"), "Concat": _real_concat, "ReduceMean": _real_mean,
    "Sigmoid": _real_function("sigmoid"), "Tanh": _real_function("tanh"),
    "Elu": _real_function("elu", _unit), "HardSwish": _real_function("hardswish"),
    "LeakyRelu": _real_function("leaky_relu", _slope),
    "Softmax": _real_function("softmax", _last_axis),
    "AveragePool": _real_function("avg_pool2d", _pooling),
    "GlobalAveragePool": _real_function("global_avg_pool2d", lambda node: {"layout": "NCHW"}),
    "Relu": _bounded, "Clip": _bounded, **dict.fromkeys(_MOVES, _move_of_reals),
}  # fmt: skip
