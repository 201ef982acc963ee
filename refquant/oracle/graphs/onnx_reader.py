"""``.onnx`` files, read into graphs: operators of integers, and those between quantizations.

A node that computes real numbers of dequantized integers waits until its result is quantized; with
what follows it up to there, such as ``Relu``, it becomes one node of the graph.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from refquant.errors import FileFormatError, RefquantError
from refquant.oracle.graphs.files import Read
from refquant.oracle.graphs.graph import Node, Value
from refquant.oracle.graphs.onnx_file import OnnxFile, OnnxNode, Pending, Quantizer
from refquant.oracle.graphs.onnx_operators import INTEGERS, QUANTIZERS, REALS
from refquant.oracle.graphs.onnx_tensors import (
    attributes,
    constant,
    damaged,
    described,
)
from refquant.oracle.graphs.protobuf_reader import Fields
from refquant.oracle.graphs.unsupported import Unsupported

__all__ = ["read_onnx"]

_DOMAINS = ("", "ai.onnx", "com.microsoft")
_MOST_NODES = 2**16


def _quantize(file: OnnxFile, node: OnnxNode) -> None:
    to = file.quantizer(node, 1, 2, node.options.get("axis", 1))
    x, y = node.inputs[0] if node.inputs else "", node.outputs[0]
    if x in file.inputs and file.inputs[x][0] == "float32":
        file.reading.add(Value(x, *file.inputs[x]))
        file.add(Node("quantize", {"x": x}, y, {}, node.place), to)
    elif x in file.pending:
        _emit(file, file.pending.pop(x), y, to)
    else:
        codes = file.of_real(x)
        file.add(Node("requantize", {"x": codes}, y, {}, node.place), to)


def _emit(file: OnnxFile, waiting: Pending, y: str, to: Quantizer) -> None:
    """Add an operation whose result is quantized; moves are requantized behind, if they must be."""
    operands = waiting.operands
    if waiting.before is not None:
        x = f"{y} before {waiting.place}"
        _emit(file, waiting.before, x, to)
        operands = {"x": x}
    own = file.quantizer_of(operands["x"]) if waiting.keeps else to
    between = y if own.same(to) else f"{y} before requantization"
    file.add(Node(waiting.operation, operands, between, waiting.settings, waiting.place), own)
    if between == y:
        return
    file.add(Node("requantize", {"x": between}, y, {}, waiting.place), to)


def _dequantize(file: OnnxFile, node: OnnxNode, wanted: set[str]) -> None:
    by = file.quantizer(node, 1, 2, node.options.get("axis", 1))
    if node.inputs[0] in file.constants and not node.has(2):
        by = replace(by, dtype=file.constants[node.inputs[0]].dtype.name)
    codes, y = file.codes(node.inputs[0], by), node.outputs[0]
    if y in file.reals or y in file.pending or y in file.made:
        raise damaged(f"two results of the name {y!r}")
    file.reals[y] = codes
    if y in wanted:
        file.add_plain(Node("dequantize", {"x": codes}, y, {}, node.place), "float32")


def _scan(file: OnnxFile, nodes: list[OnnxNode]) -> None:
    """Find the quantizers of integers that pass through nodes which do not name them."""
    for node in nodes:
        for names, scale, zero in QUANTIZERS.get(node.kind, lambda _: ())(node):
            for name in names:
                try:
                    by = file.quantizer(node, scale, zero)
                except Unsupported:
                    continue
                if name not in file.constants:
                    file.quantizers.setdefault(name, by)
        if node.kind in ("ConvInteger", "MatMulInteger"):  # which name zero points alone
            for k in (0, 1):
                zero = file.constants.get(node.inputs[k + 2]) if node.has(k + 2) else None
                if zero is not None and zero.size == 1 and node.inputs[k] not in file.constants:
                    by = Quantizer(1.0, int(zero.reshape(-1)[0]), zero.dtype.name)
                    file.quantizers.setdefault(node.inputs[k], by)
    moves = [n for n in nodes if n.kind in INTEGERS and n.kind not in QUANTIZERS and n.inputs]
    for order, (one, other) in ((moves[::-1], (0, 1)), (moves, (1, 0))):
        for node in order:
            ends = node.inputs[0], node.outputs[0]
            if ends[one] not in file.quantizers and ends[other] in file.quantizers:
                file.quantizers[ends[one]] = file.quantizers[ends[other]]


def _node(file: OnnxFile, node: OnnxNode, wanted: set[str]) -> None:
    real = bool(node.inputs) and (node.inputs[0] in file.reals or node.inputs[0] in file.pending)
    add: Callable[..., None] | None
    if node.kind == "Constant":
        value = node.options.get("value")
        if not isinstance(value, np.ndarray):
            raise Unsupported("of another kind than a tensor")
        file.constants[node.outputs[0]] = value
    elif node.kind == "Identity" and node.inputs[0] in file.constants:
        file.constants[node.outputs[0]] = file.constants[node.inputs[0]]
    elif node.kind == "QuantizeLinear":
        _quantize(file, node)
    elif node.kind == "DequantizeLinear":
        _dequantize(file, node, wanted)
    else:
        real = real or any(n in file.reals or n in file.pending for n in node.inputs)
        add = (REALS if real else INTEGERS).get(node.kind)
        if add is None:
            raise Unsupported("of real numbers" if real and node.kind in INTEGERS else "")
        add(file, node)


def read_onnx(content: bytes) -> Read:
    """Read a file; nothing in it is executed.

    Raises
    ------
    FileFormatError
        If it is damaged.
    NotSupportedError
        If operators cannot be computed; the message lists all of them.
    """
    graph = Fields(memoryview(content)).message(7)
    file = OnnxFile()
    reject = file.reading.reject
    raw = graph.messages(1)
    if not raw:
        raise damaged("no nodes")
    if len(raw) > _MOST_NODES:
        raise damaged(f"{len(raw)} nodes")
    for tensor in graph.messages(5):
        try:
            file.constants[tensor.text(8)] = constant(tensor)
        except Unsupported as error:
            reject("constants", str(error))
    for info in graph.messages(11):
        try:
            name, dtype, shape = described(info)
            if name not in file.constants:
                file.inputs[name] = dtype, shape
        except Unsupported as error:
            reject("inputs", str(error))
    nodes = []
    for number, each in enumerate(raw):
        kind, domain = each.text(4), each.text(7)
        place = f"node {number}, {kind}" + (f" {each.text(3)!r}" if each.text(3) else "")
        try:
            node = OnnxNode(kind, each.texts(1), each.texts(2), attributes(each), place)
        except Unsupported as error:
            reject(place, str(error))
            continue
        if domain not in _DOMAINS:
            reject(place, f"of domain {domain!r}")
        elif not node.outputs or not node.outputs[0]:
            raise damaged(f"{place} has no result")
        else:
            nodes.append(node)
    wanted = [info.text(1) for info in graph.messages(12)]
    for node in nodes:
        if node.kind == "Constant" and isinstance(node.options.get("value"), np.ndarray):
            file.constants.setdefault(node.outputs[0], node.options["value"])
    _scan(file, nodes)
    for node in nodes:
        if node.kind == "Constant":
            continue
        try:
            _node(file, node, set(wanted))
        except Unsupported as error:
            reject(node.place, str(error))
        except FileFormatError:
            raise
        except (RefquantError, IndexError) as error:
            raise damaged(f"{node.place}: {error}") from error
    for name, waiting in file.pending.items():
        reject(waiting.place, f"its result {name!r} is not quantized")
    for name, (dtype, shape) in file.inputs.items():
        if name not in file.reading.values:
            file.reading.add(Value(name, dtype, shape))
    result = file.reading.graph(list(file.inputs), wanted)
    known = {*file.inputs, *file.constants, *(name for node in nodes for name in node.outputs)}
    return Read(result, {name: name for name in result.values if name in known}, content)
