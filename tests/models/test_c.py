"""The C program of a network has the results of the engine, to the bit."""

import shutil
import subprocess

import numpy as np
import pytest
from models import planted
from models.networks import NETWORKS, images, trained

import refquant
from refquant.errors import NotSupportedError
from refquant.interop import c, tflite
from refquant.oracle.graphs import Graph, Node, Value, from_model
from refquant.oracle.graphs.lowered import lowered

ENGINE = "tflite-micro"
FLAGS = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Werror"]
COMPILERS = {  # for each machine compilers, and emulators
    "host": (("gcc", "cc"), ()),
    "arm": (("arm-linux-gnueabihf-gcc",), ("qemu-arm-static", "qemu-arm")),
    "aarch64": (("aarch64-linux-gnu-gcc",), ("qemu-aarch64-static", "qemu-aarch64")),
}


def compiled(folder, machine):
    """Compile a program, linked statically for emulators; returns the words that run it."""
    compiler, emulator = (
        next((found for found in map(shutil.which, names) if found), None)
        for names in COMPILERS[machine]
    )
    if compiler is None or (machine != "host" and emulator is None):
        pytest.skip(f"no compiler or emulator for {machine}")
    program = folder / "network"
    flags = [*FLAGS, "-static"] if emulator else FLAGS
    subprocess.run([compiler, *flags, "network.c", "-o", program], cwd=folder, check=True)
    return [emulator, str(program)] if emulator else [str(program)]


def answers(words, codes, shape):
    done = subprocess.run(words, input=codes.tobytes(), capture_output=True, check=True)
    return np.frombuffer(done.stdout, np.int8).reshape(shape)


def of_any_batch(graph):
    """Leave the shapes of results open, so that a graph takes many images at once."""
    values = [
        Value(v.name, v.dtype, v.shape if v.data is not None else None, v.scale, v.zero_point,
              v.axis, v.data)
        for v in graph.values.values()
    ]  # fmt: skip
    nodes = [
        Node("reshape", node.operands, node.output, {"shape": (-1, *node.settings["shape"][1:])})
        if node.operation == "reshape"
        else node
        for node in graph.nodes
    ]
    return Graph(values, nodes, graph.inputs, graph.outputs)


def averages():
    """Make a maximum, an average with a border, a sum of it and the image, and a mean."""
    image, small = (1, 7, 7, 5), (1, 7, 7, 5)
    values = [
        Value("x", "int8", image, 0.05, -7), Value("most", "int8", image, 0.05, -7),
        Value("average", "int8", small, 0.05, -7), Value("sum", "int8", small, 0.08, 3),
        Value("mean", "int8", (1, 5), 0.03, -9),
    ]  # fmt: skip
    window = {"kernel": (3, 3), "stride": (1, 1), "padding": ((1, 1), (1, 1)), "layout": "NHWC"}
    nodes = [
        Node("max_pool2d", {"x": "x"}, "most", window),
        Node("avg_pool2d", {"x": "most"}, "average", {**window, "activation": "relu"}),
        Node("add", {"a": "x", "b": "average"}, "sum", {"activation": "relu6"}),
        Node("mean", {"x": "sum"}, "mean", {"axes": (1, 2), "keepdims": False}),
    ]
    return Graph(values, nodes, ["x"], ["mean"])


GRAPHS = {"products": planted.model, "averages": averages}


@pytest.mark.parametrize("machine", COMPILERS)
@pytest.mark.parametrize("name", GRAPHS)
def test_the_program_equals_the_engine_on_a_thousand_random_images(tmp_path, name, machine):
    graph = GRAPHS[name]()
    c.write(graph, tmp_path)
    words = compiled(tmp_path, machine)
    rng = np.random.default_rng(3)
    codes = rng.integers(-128, 128, (1000, *graph.values["x"].shape[1:])).astype(np.int8)
    (mine,) = of_any_batch(graph).run({"x": codes}, ENGINE).values()
    assert np.array_equal(mine, answers(words, codes, mine.shape))


@pytest.mark.parametrize("machine", COMPILERS)
@pytest.mark.parametrize("name", NETWORKS)
def test_the_program_runs_a_trained_network(tmp_path, name, machine):
    x, _ = images(1000)
    with refquant.engines.using("fbgemm"):
        graph = from_model(trained(name), refquant.from_numpy(x[:1]))
    c.write(graph, tmp_path)
    words = compiled(tmp_path, machine)
    small = of_any_batch(lowered(graph))
    first, last = small.nodes[0], small.nodes[-1]
    kept = small.run({"input": np.ascontiguousarray(x.transpose(0, 2, 3, 1))}, ENGINE, keep=True)
    expected = kept[last.operands["x"]]
    assert np.array_equal(answers(words, kept[first.output], expected.shape), expected)


def test_few_slots_hold_the_images_of_many_layers(tmp_path):
    header = c.write(planted.model(), tmp_path)[0].read_text(encoding="utf-8")
    assert "SLOTS = 3, LARGEST = 144, FED = 0" in header


def test_what_has_no_place_in_a_header_is_listed(tmp_path):
    graph = planted.model()
    nodes = [
        Node("mul", node.operands, node.output, {}, node.place) if node.operation == "add" else node
        for node in graph.nodes
    ]
    with pytest.raises(NotSupportedError, match=r"1 nodes have no place .*operator of sum"):
        c.write(Graph(tuple(graph.values.values()), nodes, ["x"], ["head"]), tmp_path / "c")
    with pytest.raises(NotSupportedError, match="1 inputs and 2 results"):
        c.write(
            Graph(tuple(graph.values.values()), graph.nodes, ["x"], ["sum", "head"]), tmp_path / "c"
        )
    assert not (tmp_path / "c").exists()


def test_a_file_of_another_tool_becomes_a_program_too(tmp_path):
    path = tflite.write(planted.model(), tmp_path / "m.tflite")
    assert [f.name for f in c.write(tflite.read(path), tmp_path)] == ["network.h", "network.c"]
