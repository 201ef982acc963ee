"""The C program of a network has the results of the engine, to the bit."""

import shutil
import subprocess

import numpy as np
import pytest
from models import planted
from models.networks import images, trained

import refquant
from refquant.errors import NotSupportedError
from refquant.interop import c, tflite
from refquant.oracle.graphs import Graph, from_model
from refquant.oracle.graphs.lowered import lowered

ENGINE = "tflite-micro"
FLAGS = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Werror"]
COMPILERS = {
    "host": (("gcc", "cc"), []),
    "arm": (("arm-linux-gnueabihf-gcc",), ["qemu-arm", "-L", "/usr/arm-linux-gnueabihf"]),
    "aarch64": (("aarch64-linux-gnu-gcc",), ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"]),
}


def compiled(folder, machine):
    """Compile a program; returns the words that run it."""
    names, emulator = COMPILERS[machine]
    compiler = next((found for found in map(shutil.which, names) if found), None)
    if compiler is None or (emulator and shutil.which(emulator[0]) is None):
        pytest.skip(f"no compiler or emulator for {machine}")
    program = folder / "network"
    subprocess.run([compiler, *FLAGS, "network.c", "-o", program], cwd=folder, check=True)
    return [*emulator, str(program)]


def answers(words, codes, shape):
    done = subprocess.run(words, input=codes.tobytes(), capture_output=True, check=True)
    return np.frombuffer(done.stdout, np.int8).reshape(shape)


def chain():
    """Leave the sum out of the model of planted faults, so that layers follow one another."""
    graph = planted.model()
    nodes = [node for node in graph.nodes if node.output in ("conv", "deep", "narrow")]
    names = {"x", *(name for node in nodes for name in (*node.names(), node.output))}
    return Graph([v for v in graph.values.values() if v.name in names], nodes, ["x"], ["narrow"])


@pytest.mark.parametrize("machine", COMPILERS)
def test_the_program_equals_the_engine_on_a_thousand_random_images(tmp_path, machine):
    c.write(chain(), tmp_path)
    words = compiled(tmp_path, machine)
    rng = np.random.default_rng(3)
    codes = rng.integers(-128, 128, (1000, 1, 6, 6, 4)).astype(np.int8)
    theirs = answers(words, codes, (1000, 1, 6, 6, 4))
    graph = chain()
    whole = Graph(
        [
            type(v)(v.name, v.dtype, v.shape if v.data is not None else None, v.scale,
                    v.zero_point, v.axis, v.data)
            for v in graph.values.values()
        ],
        graph.nodes, graph.inputs, graph.outputs,
    )  # fmt: skip
    mine = whole.run({"x": codes[:, 0]}, ENGINE)["narrow"]
    assert np.array_equal(mine, theirs[:, 0])


@pytest.mark.parametrize("machine", COMPILERS)
def test_the_program_runs_a_trained_network(tmp_path, machine):
    x, _ = images(24)
    with refquant.engines.using("fbgemm"):
        graph = from_model(trained("lenet"), refquant.from_numpy(x[:1]))
    c.write(graph, tmp_path)
    words = compiled(tmp_path, machine)
    small = lowered(graph)
    first, last = small.nodes[0], small.nodes[-1]
    for image in np.ascontiguousarray(x.transpose(0, 2, 3, 1)):
        kept = small.run({"input": image[None]}, ENGINE, keep=True)
        expected = kept[last.operands["x"]]
        assert np.array_equal(answers(words, kept[first.output], expected.shape), expected)


def test_what_has_no_place_in_a_header_is_listed(tmp_path):
    with pytest.raises(NotSupportedError, match="operator of sum"):
        c.write(planted.model(), tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_a_file_of_another_tool_becomes_a_program_too(tmp_path):
    path = tflite.write(chain(), tmp_path / "m.tflite")
    assert [f.name for f in c.write(tflite.read(path), tmp_path)] == ["network.h", "network.c"]
