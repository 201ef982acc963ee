"""Judgments: the first layer that departs, its rule, and backends that are not to be trusted."""

import json
import sys

import numpy as np
import pytest
from models import planted
from models.networks import images, trained

from refquant import cli, engines, from_numpy, oracle
from refquant.errors import ArgumentError, OperationError
from refquant.interop import onnx, tflite
from refquant.oracle.graphs import from_model
from refquant.oracle.judging import layers
from refquant.oracle.judging.fusions import fused_sums
from refquant.oracle.judging.runtimes import RUNTIMES, Runtime

ENGINE = planted.ENGINE


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tflite.write(planted.model(), tmp_path_factory.mktemp("model") / "m.tflite")


def judged(path, backend, **more):
    return oracle.judge(path, backend, planted.inputs(), ENGINE, **more)


def is_found(found, layer, kind):
    """Check that a judgment names the layer of a fault, its kind, and no other layer."""
    assert [each.name for each in found.layers if each.departs] == [layer]
    named = "rounding: " if kind == "rule" else planted.FAULTS[kind][1]
    assert named in found.first.rule


@pytest.mark.parametrize(("layer", "kind"), planted.planted())
def test_a_planted_fault_is_found_in_its_layer_and_named(path, layer, kind):
    is_found(judged(path, planted.backend(layer, kind)), layer, kind)


def test_faults_in_layers_of_a_trained_network_are_found(request, tmp_path):
    """Some of them, or all with --thorough; a few change no result of their layer."""
    x, _ = images(2)
    with engines.using("fbgemm"):
        whole = from_model(trained("mobilenet"), from_numpy(x))
    path = tflite.write(whole, tmp_path / "m.tflite")
    graph = tflite.read(path)
    given = {graph.inputs[0]: np.ascontiguousarray(x.transpose(0, 2, 3, 1))}
    right = graph.run(given, ENGINE, keep=True)
    pairs = planted.planted(graph)
    if not request.config.getoption("--thorough"):
        pairs = [pairs[k] for k in np.random.default_rng(0).choice(len(pairs), 6, replace=False)]
    for layer, kind in pairs:
        backend = planted.backend(layer, kind, graph)
        if not np.array_equal(backend(b"", given, [layer])[layer], right[layer]):
            is_found(oracle.judge(path, backend, given, ENGINE), layer, kind)


def test_no_rule_is_searched_for_behind_many_departing_elements(path, monkeypatch):
    monkeypatch.setattr(layers, "_MOST_EXPLAINED", 1)

    def two(content, given, wanted):
        arrays = planted.backend("deep", "bias")(content, given, wanted)
        return {**arrays, "head": arrays["head"] + np.int8(1)}

    found = judged(path, two)
    departing = [layer for layer in found.layers if layer.departs]
    assert [layer.name for layer in departing] == ["deep", "head"]
    assert "bias ignored" in departing[0].rule
    assert departing[1].rule.startswith("not searched for: ")


def right(content, given, wanted):
    return planted.model().run(given, ENGINE, keep=True)


def test_a_backend_without_fault_departs_nowhere(path):
    found = judged(path, right)
    assert found.first is None
    assert found.verdict() == "all 6 layers that are shown are equal"
    with pytest.raises(ArgumentError, match="a layer that departs"):
        found.write_reproducer(path.parent)


def test_layers_that_are_not_shown_are_computed(path):
    def last(content, given, wanted):
        return {"head": planted.backend("deep", "bias")(content, given, wanted)["head"]}

    found = judged(path, last)
    assert [layer.shown for layer in found.layers] == [False] * 5 + [True]
    assert found.first.name == "head"


def test_the_report_and_the_reproducer_are_written(path, tmp_path):
    found = judged(path, planted.backend("deep", "zero point"))
    page = found.write(tmp_path / "page.html").read_text(encoding="utf-8")
    assert "input zero point ignored" in page
    assert "from the inputs on" in page
    arrays, model = found.write_reproducer(tmp_path / "one")
    graph = tflite.read(model)
    with np.load(arrays) as held:
        answer = graph.run({graph.inputs[0]: held["x"]}, ENGINE)["deep"]
        assert (answer != held["output"]).sum() == found.first.differing


def test_an_onnx_file_is_judged_too(tmp_path):
    file = onnx.write(planted.model(), tmp_path / "m.onnx", form="qdq")
    found = oracle.judge(file, right, planted.inputs(), ENGINE)
    assert found.first is None


@pytest.mark.parametrize("backend", ["litert", "litert-optimized", "litert-reference"])
def test_litert_has_the_rules_of_its_engines(path, backend):
    pytest.importorskip("ai_edge_litert")
    found = oracle.judge(path, backend, planted.inputs())
    assert found.first is None, str(found)
    assert all(layer.shown for layer in found.layers)


def test_another_engine_departs_and_the_rule_is_named(path):
    pytest.importorskip("ai_edge_litert")
    found = oracle.judge(path, "litert-reference", planted.inputs(), "xnnpack")
    assert found.first is not None
    assert found.first.legal == found.first.differing


# -- fusions ---------------------------------------------------------------------------------


def fusing(told):
    """Make a runtime that adds to the convolution `narrow` before it quantizes that."""

    def run(read, content, given, names):
        graph = read.graph
        arrays, hidden = dict(given), {}
        for node in graph.nodes:
            whole = dict(fused_sums(graph, node, arrays, hidden))
            arrays[node.output] = whole.get("narrow", graph.answer(node, arrays, ENGINE))
            if node.output == "narrow" and "narrow" not in names:
                hidden["narrow"] = node
        return {name: arrays[name] for name in names}

    return Runtime("tflite", (ENGINE,), run, told)


def test_a_layer_that_changes_the_result_when_it_is_shown_is_not_shown(path, monkeypatch):
    monkeypatch.setitem(RUNTIMES, "fusing", fusing(False))
    found = oracle.judge(path, "fusing", planted.inputs())
    hidden = [layer.name for layer in found.layers if not layer.shown]
    assert hidden == ["narrow"]
    assert found.first.name == "sum"
    assert "1 layers change the result of the model when they are shown" in found.notes[0]
    assert "narrow" in str(found)
    assert "not shown" in found.page().html()


def test_a_sum_of_what_is_not_quantized_before_is_told_of_runtimes_that_fuse(path, monkeypatch):
    monkeypatch.setitem(RUNTIMES, "fusing", fusing(True))
    found = oracle.judge(path, "fusing", planted.inputs())
    assert found.first is None
    (layer,) = (layer for layer in found.layers if layer.rule)
    assert layer.name == "sum"
    assert layer.rule == f"{ENGINE}, 'narrow' not quantized before the sum"
    assert layer.total_differing == 0


# -- programs --------------------------------------------------------------------------------

PROGRAM = """
import sys, pathlib
import numpy as np
sys.path.insert(0, {tests!r})
from models import planted
folder = pathlib.Path(sys.argv[-1])
lines = [line.split(" ", 4) for line in (folder / "tensors.txt").read_text().splitlines()]
given, wanted = {{}}, {{}}
for way, file, dtype, sizes, name in lines:
    shape = [int(n) for n in sizes.split("x") if n]
    if way == "in":
        given[name] = np.fromfile(folder / file, dtype).reshape(shape)
    else:
        wanted[name] = folder / file
for name, array in planted.backend("narrow", "bias")(b"", given, list(wanted)).items():
    array.tofile(wanted[name])
"""


@pytest.fixture
def program(tmp_path):
    def make(text):
        file = tmp_path / "program.py"
        file.write_text(text)
        return f"{sys.executable} {file}"

    return make


def test_a_program_is_judged(path, program):
    tests = str(planted.__file__).rsplit("/models/", 1)[0]
    found = judged(path, program(PROGRAM.format(tests=tests)))
    assert found.first.name == "narrow"
    assert "bias ignored" in found.first.rule


HEAD = "import sys, os, pathlib\nfolder = pathlib.Path(sys.argv[-1])\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has not written the result 'head'"),
        ("raise SystemExit(3)", "ended with exit code 3"),
        ("print('no such layer', file=sys.stderr); sys.exit(1)", "no such layer"),
        ("os.kill(os.getpid(), 9)", "was ended by signal 9"),
        ("while True: pass", "has not ended within 2 seconds"),
        ("[p.with_name('1.raw').write_bytes(b'x') for p in folder.iterdir()]", "wrote 1 for"),
        ("os.symlink('/dev/zero', folder / '1.raw')", "wrote what is no file"),
        ("os.mkfifo(folder / '1.raw')", "wrote what is no file"),
        ("(folder / '1.raw').mkdir()", "wrote what is no file"),
    ],
)
def test_programs_that_fail_are_told(path, program, text, message):
    with pytest.raises(OperationError, match=message):
        judged(path, program(HEAD + text), time_limit=2)


@pytest.mark.parametrize(
    ("command", "message"),
    [("/no/such/program", "cannot be started"), ("", "a command"), ("'", "a command")],
)
def test_commands_that_are_none_are_told(path, command, message):
    with pytest.raises((ArgumentError, OperationError), match=message):
        judged(path, command)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda: 3, "a dict of arrays"),
        (dict, "has not returned 'head'"),
        (lambda: {"head": np.zeros((1, 9), np.int8)}, r"shape \(1, 10\)"),
        (lambda: {"head": np.zeros((1, 10), np.uint8)}, "int8"),
        (lambda: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_functions_that_answer_nonsense_are_told(path, answer, message):
    with pytest.raises((ValueError, TypeError, RuntimeError), match=message):
        judged(path, lambda content, given, wanted: answer())


# -- the command -----------------------------------------------------------------------------


def test_the_command_prints_a_table_and_writes_what_is_asked_for(path, tmp_path, program, capsys):
    tests = str(planted.__file__).rsplit("/models/", 1)[0]
    np.savez(tmp_path / "in.npz", **planted.inputs())
    words = ["judge", f"{path}", "--backend", program(PROGRAM.format(tests=tests))]
    words += ["--engine", ENGINE, "--inputs", f"{tmp_path / 'in.npz'}"]
    words += ["--report", f"{tmp_path / 'r.html'}", "--reproducer", f"{tmp_path / 'one'}"]
    assert cli.main(words) == 1
    told = capsys.readouterr().out
    assert "the first layer that departs is 'narrow'" in told
    assert (tmp_path / "r.html").exists()
    assert sorted(p.name for p in (tmp_path / "one").iterdir()) == [
        "first-departing-layer.npz", "first-departing-layer.tflite",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (None, "an .npz file with arrays named 'x', got in.npz"),
        ({"y": np.zeros(3)}, "no item named 'x.npy'"),
        ({"x": np.zeros((1, 3), np.int8)}, "shape (1, 6, 6, 4)"),
    ],
)  # fmt: skip
def test_wrong_inputs_are_one_line(path, tmp_path, capsys, arrays, message):
    file = tmp_path / "in.npz"
    if arrays is None:
        file.write_bytes(json.dumps([1]).encode())
    else:
        np.savez(file, **arrays)
    assert cli.main(["judge", f"{path}", "--inputs", f"{file}"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error


def test_a_backend_that_is_none_is_told_with_those_that_are(path):
    with pytest.raises(OperationError, match=r"the name of a runtime .litert, .* or a program"):
        judged(path, "lite")
