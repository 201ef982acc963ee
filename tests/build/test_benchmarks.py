"""The benchmark runs and prints a table; no time is judged."""

import csv
import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import refquant

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def start(script, *words):
    if not BENCHMARKS.exists():
        pytest.skip("the benchmarks are not beside the tests")
    return subprocess.run(
        [sys.executable, str(BENCHMARKS / script), *words],
        capture_output=True,
        text=True,
        timeout=120,
    )


def module_of(name):
    """Import a script, as others beside it do."""
    if not BENCHMARKS.exists():
        pytest.skip("the benchmarks are not beside the tests")
    before = sys.path[:]
    sys.path.insert(0, str(BENCHMARKS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path[:] = before


def run(*words):
    return start("run.py", *words)


def test_a_table_of_microseconds():
    done = run("--only", "add-one", "--kernels", "reference", "--seconds", "0.001",
               "--engine", "qnnpack", "--threads", "1")  # fmt: skip
    assert done.returncode == 0, done.stderr
    title, heading, row = done.stdout.splitlines()
    assert title == "engine qnnpack, threads 1, microseconds (median)"
    assert heading.split() == ["case", "reference"]
    name, value = row.split()
    assert name == "add-one"
    assert float(value) > 0


@pytest.mark.torch
@pytest.mark.usefixtures("installed_torch")
def test_a_peer_adds_its_own_time_and_the_ratio():
    done = run("--only", "relu-one", "--peer", "torch", "--engine", "fbgemm", "--seconds", "0.001")
    assert done.returncode == 0, done.stderr
    _, heading, *rows = done.stdout.splitlines()
    assert heading.split()[2:] == ["torch", "torch/ours"]
    assert all(float(word) > 0 for row in rows for word in row.split()[1:])


def test_a_table_for_each_number_of_threads(tmp_path):
    done = run("--only", "add-one", "--threads", "1", "2", "--seconds", "0.001",
               "--json", str(tmp_path / "cases.json"))  # fmt: skip
    assert done.returncode == 0, done.stderr
    written = json.loads((tmp_path / "cases.json").read_text(encoding="utf-8"))["figures"]
    assert [(line["case"], line["threads"]) for line in written] == [("add-one", 1), ("add-one", 2)]


def test_cases_are_listed_and_chosen_by_words():
    names = run("--list").stdout.split()
    assert len(names) == len(set(names)) > 40
    assert run("--list", "--only", "lstm").stdout.split() == [n for n in names if "lstm" in n]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--only", "nothing"], "no case has nothing in its name"),
        (["--engine", "metal"], "expected one of qnnpack"),
        (["--kernels", "fast"], "invalid choice"),
    ],
)
def test_what_is_not_there(words, message):
    done = run(*words)
    assert done.returncode == 2
    assert message in done.stderr


def test_loops_are_measured_and_their_sums_are_right():
    if shutil.which("gcc") is None:
        pytest.skip("there is no gcc")
    done = start("loops.py", "--only", "dot 1x1", "float", "pairs", "--depth", "2", "66", "1024")
    assert done.returncode == 0, done.stderr
    title, heading, *rows = done.stdout.splitlines()
    assert "-O3" in title
    assert heading.split() == ["shape", "2", "66", "1024", "instructions"]
    names = ["dot 1x1", "float 6x", "float 6x", "float 10", "float 14", "int16 pa"]
    assert [row[:8].strip() for row in rows] == names


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--only", "nothing"], "no shape has nothing in its name"),
        (["--depth", "3"], "expected even numbers"),
        (["--compiler", "no-compiler"], "no-compiler is not there"),
    ],
)
def test_loops_that_cannot_be_measured(words, message):
    done = start("loops.py", *words)
    assert done.returncode == 2
    assert message in done.stderr


FAST = ("--seconds", "0.001")


def test_classes_of_layers(tmp_path):
    done = start("classes.py", "--only", "depthwise", "LSTM", "--peers", "--threads", "1", "2",
                 "--csv", str(tmp_path / "classes.csv"), "--json", str(tmp_path / "classes.json"),
                 *FAST)  # fmt: skip
    assert done.returncode == 0, done.stderr
    title, *lines = done.stdout.splitlines()
    assert title.endswith("10^9 operations a second, engine fbgemm")
    assert [line.split()[0] for line in lines] == ["class", "Conv", "LSTM,", "class", "Conv", "LSTM,"]
    rows = list(csv.reader((tmp_path / "classes.csv").read_text(encoding="utf-8").splitlines()))
    assert [row[:2] for row in rows[1:]] == [
        ["Conv 3x3, depthwise, 96", "1"],
        ["LSTM, dynamic, 256", "1"],
        ["Conv 3x3, depthwise, 96", "2"],
        ["LSTM, dynamic, 256", "2"],
    ]
    written = json.loads((tmp_path / "classes.json").read_text(encoding="utf-8"))
    assert {figure["depth"] for figure in written["figures"]} == {9, 256}
    assert all(min(figure["rates"].values()) > 0 for figure in written["figures"])


@pytest.mark.torch
@pytest.mark.usefixtures("installed_torch")
def test_classes_beside_engines_of_pytorch():
    done = start("classes.py", "--only", "16x1024x1024", "--peers", "fbgemm", "onednn", *FAST)
    assert done.returncode == 0, done.stderr
    _, heading, row = done.stdout.splitlines()
    assert heading.endswith("of fbgemm  of onednn")
    assert all(float(word) > 0 for word in row.split()[-2:])


@pytest.mark.onnxruntime
def test_layers_of_onnx_runtime_compute_the_same():
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    layers = module_of("layers")
    for name in ("Conv 3x3, depthwise, 96", "Linear 16x1024x1024"):
        layer = layers.CLASSES[name]
        (theirs,) = layers.onnx_session(layer, 1)()
        with refquant.engines.using("fbgemm"):
            ours = layer.make(refquant)().int_repr().numpy()
        assert np.abs(theirs.astype(int) - ours).max() <= 1  # its multipliers are rounded otherwise
        assert theirs.std() > 1


def test_the_cost_of_an_element():
    done = start("sizes.py", "--sizes", "100", "30000", *FAST)
    assert done.returncode == 0, done.stderr
    _, heading, *rows = done.stdout.splitlines()
    assert heading.split() == ["line", "kernels", "10^2", "30000"]
    assert len(rows) >= 10
    assert all(float(word) > 0 for row in rows for word in row.split()[-2:])


def test_a_network_and_its_memory(tmp_path):
    done = start("networks.py", "--only", "mobilenet", "--peers",
                 "--json", str(tmp_path / "networks.json"), *FAST)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[2].startswith("mobilenet_v2  1        refquant")
    (figure,) = json.loads((tmp_path / "networks.json").read_text(encoding="utf-8"))["figures"]
    assert figure["seconds"] > 0
    assert figure["peak"] > 20 * 2**20


@pytest.mark.parametrize(
    ("name", "published"), [("resnet18", 11_689_512), ("mobilenet_v2", 3_504_872)]
)
def test_networks_have_the_size_that_is_published(name, published):
    network = module_of("one_network").NETWORKS[name](refquant)
    sizes = {key: parameter.numel() for key, parameter in network.named_parameters()}
    # Fusion turns the weight and bias of a batch norm into the bias of its convolution.
    fused = sum(count for key, count in sizes.items() if key.endswith(".0.bias"))
    assert sum(sizes.values()) + fused == published


def test_limits_of_the_machine(tmp_path):
    words = ["--sizes", "4096", "8192", "--depth", "64", "--json", str(tmp_path / "machine.json")]
    done = start("machine.py", *words, *FAST)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "machine.json").read_text(encoding="utf-8"))["figures"]
    assert [row[0] for row in found["copies"]] == [4096, 8192]
    assert min(rate for row in found["copies"] for rate in row[1:]) > 0
    if shutil.which("gcc") is not None:
        assert found["tiles"]["depths"] == [64]


def test_a_picture_of_what_was_measured(tmp_path):
    if not (BENCHMARKS.parent / "docs").exists():
        pytest.skip("the documentation is not beside the tests")
    pytest.importorskip("matplotlib")
    measured = BENCHMARKS.parent / "docs" / "speed" / "measured"
    written = [str(measured / f"{name}.json") for name in ("machine", "classes", "sizes")]
    done = start("picture.py", *written, "--output", str(tmp_path / "picture.svg"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "picture.svg").read_text(encoding="utf-8").count("<path") > 50


def test_ratios_are_written_into_a_table(tmp_path):
    report = module_of("report")
    readme = BENCHMARKS.parent / "README.md"
    text = readme.read_text(encoding="utf-8")
    found = dict.fromkeys(report.CELLS, 12.34)
    changed = report.with_ratios(text, found)
    assert changed.count("| 12 |") == len(report.CELLS)
    with pytest.raises(SystemExit, match="expected one cell"):
        report.with_ratios("", found)


@pytest.mark.parametrize(
    ("script", "words", "message"),
    [
        ("classes.py", ["--only", "nothing"], "no class has nothing in its name"),
        ("sizes.py", ["--only", "nothing"], "no line has nothing in its name"),
        ("sizes.py", ["--sizes", "0"], "expected positive numbers"),
        ("networks.py", ["--only", "nothing"], "no network has nothing in its name"),
        ("picture.py", ["a.json", "b.json", "c.json"], "a.json is not there"),
        ("report.py", ["--only", "nothing"], "invalid choice"),
    ],
)
def test_what_other_benchmarks_do_not_have(script, words, message):
    done = start(script, *words)
    assert done.returncode == 2
    assert message in done.stderr
