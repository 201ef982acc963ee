"""Files of one operation become graphs that have the answers of the vectors they belong to."""

import re

import numpy as np
import pytest
from fuzz import model_files
from models import planted
from oracle.test_model_files import ONNX, REALS, TFLITE, written

from refquant.errors import FileFormatError, NotSupportedError, RefquantError
from refquant.interop import onnx, tflite
from refquant.oracle.graphs.files import TFLITE as MARK
from refquant.oracle.graphs.files import Reading
from refquant.oracle.graphs.flatbuffer_reader import root
from refquant.oracle.graphs.moves import Move
from refquant.oracle.judging.structure import faults_of_moves

DYNAMIC = ("dynamic_quantize",)  # its scale is a result, too, and no part of static models
FILES = [
    *((onnx, "onnx", operation) for operation in (*ONNX, "conv_transpose2d")),
    *((tflite, "tflite", operation) for operation in TFLITE),
]


def engine_of(format, operation):
    if format == "tflite":
        return "litert-2.3-optimized-x86"
    return "onnxruntime-qdq-float" if operation in (*REALS, "conv_transpose2d") else "onnx"


@pytest.mark.parametrize(
    ("module", "format", "operation"), FILES, ids=[f"{f}-{o}" for _, f, o in FILES]
)
def test_a_file_is_read_as_the_problem_it_was_written_of(module, format, operation, tmp_path):
    engine = engine_of(format, operation)
    for name, model, arrays, expected in written(tmp_path / "v", operation, engine, format):
        if operation in DYNAMIC:
            with pytest.raises(NotSupportedError, match=r"node \d, "):
                module.read(model)
            return
        graph = module.read(model)
        (answer,) = graph.run({n: arrays[n] for n in graph.inputs}, engine).values()
        assert answer.dtype == expected.dtype
        assert np.array_equal(answer, expected), name


def first(operation, format, folder):
    for _, model, arrays, _ in written(folder, operation, engine_of(format, operation), format):
        return model, arrays
    raise AssertionError("no case")


@pytest.mark.parametrize("format", ["onnx", "tflite"])
@pytest.mark.parametrize("operation", ["conv2d", "mean", "cat"])
def test_damaged_files_are_clear_errors(format, operation, tmp_path):
    """Every file is read, or told to be damaged; a graph that is read runs, or says why not."""
    module = {"onnx": onnx, "tflite": tflite}[format]
    model, arrays = first(operation, format, tmp_path / "v")
    rng = np.random.default_rng(7)
    damaged = [model[: len(model) * k // 12] for k in range(12)]
    for _ in range(60):
        changed = bytearray(model)
        for place in rng.integers(0, len(model), 3):
            changed[place] = rng.integers(0, 256)
        damaged.append(bytes(changed))
    rejected = 0
    for content in damaged:
        try:
            graph = module.read(content)
            graph.run(
                {n: arrays[n] for n in graph.inputs if n in arrays}, engine_of(format, operation)
            )
        except RefquantError:
            rejected += 1
    assert rejected >= 12


def test_damaged_files_of_whole_models_are_clear_errors(request):
    """200 files of each kind, 5,000 others with --thorough; see tests/fuzz/model_files.py."""
    thorough = request.config.getoption("--thorough")
    held, faults = model_files.run(5000 if thorough else 200, 2 if thorough else 1)
    assert not faults
    assert held > 50


@pytest.mark.parametrize(
    ("form", "pattern", "changed", "message"),
    [
        # An input that became a field that is not known.
        ("qdq", rb'\n(\x03t\d\d\n\x03t\d\d\x12\x03t\d\d"\x03Add)', rb"Z\1", "damaged"),
        # A bound of int32 beside integers of 8 bits.
        ("qoperator", rb'c\d\d(\x12\x03sum"\x04Clip)', rb"c27\1", "which int8 does not hold"),
    ],
)
def test_damage_that_was_found(form, pattern, changed, message, tmp_path):
    data = onnx.write(planted.model(), tmp_path / "m", form=form).read_bytes()
    damaged = re.sub(pattern, changed, data)
    assert damaged != data
    with pytest.raises((FileFormatError, NotSupportedError), match=message):
        onnx.read(damaged)


@pytest.mark.parametrize("kind", [".onnx", ".tflite"])
def test_a_file_of_nothing_is_no_graph(kind):
    with pytest.raises(FileFormatError, match="nothing that it computes"):
        Reading(kind).graph([], [])


def test_a_tensor_that_is_rejected_is_rejected_wherever_it_is_taken(tmp_path):
    """Its name was known from the first time on, and its values were not."""
    content = bytearray(tflite.write(planted.model(), tmp_path / "m.tflite").read_bytes())
    graph = root(memoryview(content), MARK).tables(2)[0]
    for table in graph.tables(0):
        if table.text(3) in ("conv", "deep"):
            content[table.place_of(1)] = 10  # float64
    with pytest.raises(NotSupportedError, match=r"operator 0, .*operator 1, .*operator 2, "):
        tflite.read(bytes(content))


@pytest.mark.parametrize("module", [onnx, tflite])
@pytest.mark.parametrize(
    "content", [b"", b"\0", b"\xff" * 64, b"\x18\0\0\0TFL3" + b"\xff" * 64, b"PK\3\4" + bytes(64)]
)
def test_what_is_no_model_is_told(module, content):
    with pytest.raises(FileFormatError, match="damaged"):
        module.read(content)


def test_a_path_is_read_and_a_wrong_one_told(tmp_path):
    model, _ = first("add", "onnx", tmp_path / "v")
    (tmp_path / "m.onnx").write_bytes(model)
    assert [node.operation for node in onnx.read(tmp_path / "m.onnx").nodes] == ["add"]
    with pytest.raises(FileNotFoundError):
        onnx.read(tmp_path / "none.onnx")
    with pytest.raises(TypeError, match="a path, or the bytes"):
        tflite.read(3)


def test_all_operators_that_are_not_supported_are_listed_with_their_places():
    helper = pytest.importorskip("onnx.helper")
    nodes = [
        helper.make_node("Erf", ["x"], ["a"], name="first"),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Cos", ["b"], ["y"]),
    ]
    ends = [helper.make_tensor_value_info(name, 1, [1]) for name in "xy"]
    model = helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:]))
    message = r"node 0, Erf 'first'.*node 1, Relu.*node 2, Cos"
    with pytest.raises(NotSupportedError, match=message):
        onnx.read(model.SerializeToString())


def test_declared_sizes_are_compared_with_the_file_before_memory_is_allocated():
    helper = pytest.importorskip("onnx.helper")
    tensor = helper.make_tensor("w", 3, [1], b"\1", raw=True)
    tensor.dims[:] = [1 << 40]
    node = helper.make_node("Reshape", ["x", "w"], ["y"])
    ends = [helper.make_tensor_value_info(name, 3, [1]) for name in "xy"]
    graph = helper.make_graph([node], "g", ends[:1], ends[1:], [tensor])
    with pytest.raises(FileFormatError, match="1 bytes for shape"):
        onnx.read(helper.make_model(graph).SerializeToString())


IMAGE = np.arange(60, dtype=np.int8).reshape(1, 4, 5, 3)
PADS = ((0, 0), (0, 1), (1, 1), (0, 0))


@pytest.mark.parametrize(
    ("task", "answer", "name"),
    [
        (Move("reshape", {"x": IMAGE, "shape": (1, 60)}),
         IMAGE.transpose(0, 2, 3, 1).reshape(1, 60), "layout: channels moved last"),
        (Move("transpose", {"x": IMAGE, "perm": (0, 3, 1, 2)}), IMAGE.reshape(1, 3, 4, 5),
         "layout: axes reshaped, not moved"),
        (Move("transpose", {"x": IMAGE, "perm": (0, 3, 1, 2)}),
         IMAGE.transpose(0, 2, 3, 1).reshape(1, 3, 4, 5), "layout: axes moved the other way"),
        (Move("pad", {"x": IMAGE, "pads": PADS, "fill": 7}), np.pad(IMAGE, PADS),
         "border: filled with zero"),
        (Move("pad", {"x": IMAGE, "pads": PADS, "fill": 7}),
         np.pad(IMAGE, [pair[::-1] for pair in PADS], constant_values=7),
         "border: its sides exchanged"),
        (Move("clip", {"x": IMAGE, "lower": 3, "upper": 9}), IMAGE, "bounds ignored"),
    ],
)  # fmt: skip
def test_faults_of_moves_are_named(task, answer, name):
    assert faults_of_moves(task, np.ascontiguousarray(answer)) == [name]
    assert faults_of_moves(task, np.full_like(task.run(), -5)) == []
