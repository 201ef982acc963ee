"""Graphs: what they check, and how they run."""

import numpy as np
import pytest

from refquant.errors import ArgumentError, OperationError
from refquant.oracle.graphs import Graph, Node, Value
from refquant.oracle.graphs.sizes import check_size

X, Y = Value("x", "int8", (1, 4), 0.5), Value("y", "int8", (1, 4), 0.25, 3)
CODES = np.int8([[1, -2, 3, -4]])


def graph(*nodes, values=(X, Y), outputs=("y",)):
    return Graph(values, nodes or [Node("requantize", {"x": "x"}, "y")], ["x"], outputs)


def test_a_graph_runs_by_any_engine():
    for engine in ("onnx", "xnnpack", "tflite-micro", ("openvino", "onnx")):
        assert graph().run({"x": CODES}, engine)["y"].tolist() == [[5, -1, 9, -5]]


def test_an_engine_without_the_operation_leaves_it_to_the_next_one():
    with pytest.raises(OperationError, match="one that has the operation"):
        graph(Node("hardswish", {"x": "x"}, "y")).run({"x": CODES}, "xnnpack")
    graph(Node("hardswish", {"x": "x"}, "y")).run({"x": CODES}, ("xnnpack", "tflite-micro"))


def test_moves_are_the_same_under_every_engine():
    values = (X, *(Value(n, "int8", None, 0.5) for n in "abcy"))
    nodes = (
        Node("reshape", {"x": "x"}, "a", {"shape": (2, -1)}),
        Node("transpose", {"x": "a"}, "b", {"perm": (1, 0)}),
        Node("pad", {"x": "b"}, "c", {"pads": ((0, 1), (0, 0)), "fill": 7}),
        Node("clip", {"x": "c"}, "y", {"lower": 0, "upper": 6}),
    )
    found = graph(*nodes, values=values).run({"x": CODES}, "onnx", keep=True)
    assert found["b"].tolist() == [[1, 3], [-2, -4]]
    assert found["y"].tolist() == [[1, 3], [0, 0], [6, 6]]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: graph(Node("requantize", {"x": "z"}, "y")), "'z'"),
        (lambda: graph(Node("requantize", {"x": "y"}, "y")), "before they are used"),
        (lambda: graph(*[Node("requantize", {"x": "x"}, "y")] * 2), "one node for each result"),
        (lambda: graph(outputs=("z",)), "`outputs`"),
        (lambda: graph(values=(X, X, Y)), "names that differ"),
        (lambda: Node("erf", {"x": "x"}, "y"), "`operation`"),
        (lambda: Value("x", "int4", (1,)), "`dtype`"),
        (lambda: Value("x", "int8", (-2,)), "at least -1"),
        (lambda: Value("x", "int8", (2,), data=np.int8([1])), "shape"),
        (lambda: Value("x", "int8", (2,), -1.0), "positive"),
        (lambda: Value("x", "float32", (2,), 1.0), "beside float32"),
    ],
)
def test_what_does_not_fit_is_told(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "arrays for 'x'"),
        ({"x": CODES, "z": CODES}, "arrays for 'x'"),
        ({"x": CODES.astype(np.uint8)}, "int8"),
        ({"x": CODES[0]}, r"shape \(1, 4\)"),
    ],
)
def test_inputs_are_checked(inputs, message):
    with pytest.raises(ArgumentError, match=message):
        graph().run(inputs, "onnx")


def test_a_node_that_cannot_be_computed_is_named_by_its_place():
    node = Node("reshape", {"x": "x"}, "y", {"shape": (3,)}, "operator 7, RESHAPE")
    with pytest.raises(OperationError, match="operator 7, RESHAPE: "):
        graph(node).run({"x": CODES}, "onnx")


@pytest.mark.parametrize(
    ("operation", "settings"),
    [
        ("reshape", {}), ("reshape", {"size": 3}), ("pad", {"pads": 3, "fill": 0}),
        ("transpose", {"perm": "ab"}), ("avg_pool2d", {"kernel": 2}),
        ("clip", {"lower": None, "upper": "x"}),
    ],
)  # fmt: skip
def test_settings_that_do_not_fit_are_told(operation, settings):
    node = Node(operation, {"x": "x"}, "y", settings, "the place")
    with pytest.raises(OperationError, match="the place"):
        graph(node).run({"x": CODES}, "onnx")


def test_results_that_are_too_large_are_never_allocated():
    node = Node("pad", {"x": "x"}, "y", {"pads": ((0, 1 << 40), (0, 0)), "fill": 0})
    with pytest.raises(OperationError, match="at most 67,108,864 elements"):
        graph(node).run({"x": CODES}, "onnx")


def test_a_wide_border_is_an_error_even_below_a_wide_stride():
    shapes = {"x": (1, 8, 8, 4), "weight": (4, 3, 3, 4)}
    settings = {"layout": "NHWC", "stride": (2**29, 1)}
    check_size("conv2d", shapes, {**settings, "padding": 1})
    with pytest.raises(OperationError, match="at most 67,108,864 elements"):
        check_size("conv2d", shapes, {**settings, "padding": ((0, 2**30), (0, 0))})
