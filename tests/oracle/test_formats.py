"""Formats of vectors: the same arrays in each, and damaged files are rejected."""

import json

import numpy as np
import pytest

from refquant import cli, oracle
from refquant.errors import ArgumentError, FileFormatError
from refquant.oracle.vectors.storage import DEFAULT, format_names, format_of

EVERY = format_names()
# Those that have models beside arrays take neutral operands alone.
FORMATS = [name for name in EVERY if not hasattr(format_of(name), "NEUTRAL_ALONE")]


def written(top, format, operation="linear"):
    oracle.write_vectors(operation, top / format, "fbgemm", format=format, progress=False)
    return oracle.read_vectors(top / format)


@pytest.mark.parametrize("format", EVERY)
@pytest.mark.parametrize("operation", ["linear", "conv2d", "cat", "quantize"])
def test_every_format_keeps_neutral_operands_and_answers(format, operation, tmp_path):
    oracle.write_vectors(operation, tmp_path / "v", "onnx", neutral=True, format=format)
    read = oracle.read_vectors(tmp_path / "v")
    made = {case.name: case for case in oracle.cases_of(operation, neutral=True)}
    assert read.cases
    for case in read.cases:
        task = made[case.name].problem
        assert list(case.problem.arguments) == list(task.arguments)
        expected = read.expected[case.name]
        assert np.array_equal(expected, task.run("onnx"))
        assert np.array_equal(expected, case.problem.run("onnx"))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("operation", ["linear", "conv2d", "cat", "interpolate", "mean"])
def test_every_format_keeps_all_operands_and_answers(format, operation, tmp_path):
    first, other = written(tmp_path, DEFAULT, operation), written(tmp_path / "f", format, operation)
    assert [case.name for case in first.cases] == [case.name for case in other.cases]
    for name, expected in first.expected.items():
        assert other.expected[name].dtype == expected.dtype
        assert np.array_equal(other.expected[name], expected)
    for one, two in zip(first.cases, other.cases, strict=True):
        assert repr(one.arguments) == repr(two.arguments)


@pytest.mark.parametrize("format", FORMATS)
def test_answers_are_graded_in_every_format(format, tmp_path, capsys):
    vectors = written(tmp_path, format, "relu6")
    form, results = format_of(format), tmp_path / "results"
    results.mkdir()
    for name, integers in vectors.expected.items():
        form.write(results, {"name": name}, {"output": integers})
    words = ("check", str(tmp_path / format), "--results", str(results))
    assert cli.main(words) == 0
    assert "passed" in capsys.readouterr().out


@pytest.mark.parametrize("format", FORMATS)
def test_damaged_files_are_rejected(format, tmp_path):
    name, folder = written(tmp_path, format, "relu6").cases[0].name, tmp_path / format

    def rejected(message):
        with pytest.raises(FileFormatError, match=message):
            oracle.read_vectors(folder)

    for path in (p for p in folder.glob(f"{name}.*") if p.suffix != ".txt"):
        whole = path.read_bytes()
        for damaged in (b"", whole[:-1], whole[: len(whole) // 2]):
            path.write_bytes(damaged)
            rejected("damaged")
        path.unlink()
        rejected("does not exist")
        path.mkdir()
        rejected("not a regular file")
        path.rmdir()
        path.write_bytes(whole)
    assert oracle.read_vectors(folder).operation == "relu6"


@pytest.mark.parametrize("format", FORMATS)
def test_arrays_of_a_manifest_name_no_files_elsewhere(format, tmp_path):
    written(tmp_path, format, "relu6")
    path = tmp_path / format / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["cases"][0]["arrays"]["../../secret"] = ["uint8", [1]]
    path.write_text(json.dumps(manifest))
    with pytest.raises(FileFormatError, match="secret"):
        oracle.read_vectors(tmp_path / format)


def test_unknown_formats_are_rejected(tmp_path):
    with pytest.raises(ArgumentError, match="'npz'"):
        oracle.write_vectors("relu", tmp_path / "v", format="zzz")
    assert not (tmp_path / "v").exists()
    written(tmp_path, DEFAULT, "relu")
    path = tmp_path / DEFAULT / "manifest.json"
    whole = json.loads(path.read_text())
    for files in ("zzz", "../npz", 3, ["npz"], None):
        path.write_text(json.dumps({**whole, "files": files}))
        with pytest.raises(FileFormatError, match="unknown format of files"):
            oracle.read_vectors(tmp_path / DEFAULT)
    del whole["files"]  # as before there were several formats
    path.write_text(json.dumps(whole))
    assert oracle.read_vectors(tmp_path / DEFAULT).operation == "relu"
