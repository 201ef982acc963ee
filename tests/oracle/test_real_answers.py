"""Vectors whose answers are real numbers, and those of every dtype that is requantized."""

import json

import numpy as np
import pytest

from refquant import cli, oracle
from refquant.errors import FileFormatError
from refquant.oracle.vectors.storage import format_of

FORMATS = ("npz", "raw", "c")


def answered(top, format, change=None):
    """Write the vectors of dequantize, and right answers but for a change of the first one."""
    folder, results = top / "vectors", top / "results"
    oracle.write_vectors("dequantize", folder, "onnx", neutral=True, format=format)
    results.mkdir()
    for number, (name, right) in enumerate(oracle.read_vectors(folder).expected.items()):
        assert right.dtype == np.float32
        answer = right.copy()
        if change is not None and not number:
            change(answer)
        format_of(format).write(results, {"name": name}, {"output": answer})
    return folder, results


def next_up(answer):
    answer[3] = np.nextafter(answer[3], np.float32(np.inf))


def nothing(answer):
    answer[3] = np.nan


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(("change", "near"), [(None, None), (next_up, 1), (nothing, 0)])
def test_real_answers_are_graded_by_units_in_the_last_place(format, change, near, tmp_path):
    grades = oracle.check_results(*answered(tmp_path, format, change), progress=False)
    assert grades.passed == (change is None)
    assert grades.elements - grades.equal == (change is not None)
    if change is not None:
        assert grades.grades[0].near == near
        assert grades.verdict == "unexplained"


def test_decimals_as_c_prints_them_are_read(tmp_path):
    folder, results = answered(tmp_path, "c")
    for name, right in oracle.read_vectors(folder).expected.items():
        words = [f"{value:.9g}" for value in right.tolist()]
        (results / f"{name}.output.txt").write_text(" ".join(words))
    assert oracle.check_results(folder, results, progress=False).passed


def test_the_first_real_number_that_differs_is_shown(tmp_path, capsys):
    folder, results = answered(tmp_path, "npz", next_up)
    name = oracle.read_vectors(folder).cases[0].name
    words = ("check", str(folder), "--results", str(results), "--json", "--show", name)
    assert cli.main(words) == 1
    shown = json.loads(capsys.readouterr().out)["shown"]
    assert shown["index"] == [3]
    assert shown["got"] == np.nextafter(np.float32(shown["expected"]), np.float32(np.inf))


def test_an_ignored_zero_point_is_named_by_real_answers():
    x = oracle.Codes(np.arange(-128, 128).astype(np.int8), 0.25, 9)
    task, other = (oracle.problem("dequantize", c) for c in (x, oracle.Codes(x.array, 0.25)))
    found = oracle.diagnose(other.run("onnx"), task, engine="onnx")
    assert found.verdict == "input zero point ignored"
    assert oracle.diagnose_all([(other.run("onnx"), task)], "onnx") == (
        ("input zero point ignored",),
    )


def test_answers_of_a_kind_that_the_operation_does_not_return_are_rejected(tmp_path):
    oracle.write_vectors("relu6", tmp_path / "v", "fbgemm")
    path = tmp_path / "v" / "manifest.json"
    manifest = json.loads(path.read_text())
    name = manifest["cases"][0]["name"]
    manifest["cases"] = manifest["cases"][:1]
    manifest["cases"][0]["arrays"]["expected"][0] = "float32"
    path.write_text(json.dumps(manifest))
    with np.load(tmp_path / "v" / f"{name}.npz") as file:
        arrays = {n: file[n] for n in file.files}
    arrays["expected"] = arrays["expected"].astype(np.float32)
    np.savez(tmp_path / "v" / f"{name}.npz", **arrays)
    (tmp_path / "r").mkdir()
    np.savez(tmp_path / "r" / f"{name}.npz", output=arrays["expected"])
    with pytest.raises(FileFormatError, match="dtype float32 instead of uint8"):
        oracle.check_results(tmp_path / "v", tmp_path / "r", progress=False)


def test_every_pair_of_dtypes_is_requantized():
    names = {case.name for case in oracle.cases_of("requantize", neutral=True)}
    dtypes = ("int8", "uint8", "int16", "int32")
    assert {f"{source}-to-{to}" for source in dtypes for to in dtypes} <= names


@pytest.mark.parametrize(("operation", "stride"), [("conv_transpose2d", 1 << 20), ("conv3d", 1)])
def test_layers_that_are_too_large_are_rejected_before_they_are_computed(
    operation, stride, tmp_path
):
    oracle.write_vectors(operation, tmp_path / "v", "onnx", neutral=True)
    path = tmp_path / "v" / "manifest.json"
    manifest = json.loads(path.read_text())
    given = manifest["cases"][0]["arguments"]
    given["stride"], given["padding"] = stride, 0 if stride > 1 else 1 << 20
    path.write_text(json.dumps(manifest))
    with pytest.raises(FileFormatError, match="16,777,216 elements"):
        oracle.read_vectors(tmp_path / "v")
