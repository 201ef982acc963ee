"""Untrusted folders of vectors: everything is checked, and nothing large is allocated."""

import io
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from refquant import cli, oracle
from refquant.errors import FileFormatError


def run(*words):
    return cli.main([str(word) for word in words])


def damage_manifest(top, change):
    path = top / "vectors" / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(format="other"), "its format is not"),
        (lambda m: m.update(version=2), "version 2"),
        (lambda m: m.update(operation="shell"), "its operation"),
        (lambda m: m["cases"][0].update(name="../../etc/passwd"), "is not a valid case name"),
        (lambda m: m["cases"][0].update(name="other"), "does not exist"),
        (lambda m: m["cases"].append(m["cases"][0]), "is a duplicate"),
        (lambda m: m["cases"][0]["arrays"].update(expected=["uint8", [9]]), "not uint8"),
        (lambda m: m["cases"][0]["arrays"].update(expected=["object", [256]]), "KeyError"),
        (lambda m: m["cases"][0]["arrays"].update(expected=["uint8", [1 << 40]]), "too large"),
        (lambda m: m["cases"][0].pop("arguments"), "KeyError"),
        (lambda m: m["cases"][0]["arguments"]["input"].update(dtype="tensor"), "is not a dtype"),
        (lambda m: m["cases"][0]["arguments"]["input"].update(dtype="qint32"), "integers for"),
        (lambda m: m.update(cases=3), "list of cases"),
        (lambda m: m.pop("engine"), "does not name an engine"),
        (lambda m: m.update(engine="zzz"), "engine 'zzz' is not known; register an engine"),
        (lambda m: m.update(engine=["fbgemm"]), "does not name an engine"),
        (lambda m: m.update(version=True), "version True"),
        (lambda m: m["cases"].append(7), "TypeError"),
        (lambda m: m["cases"][0].update(name="a" * 81), "is not a valid case name"),
        (lambda m: m["cases"][0]["arrays"].pop("expected"), "expected"),
        (
            lambda m: m["cases"][0]["arrays"].update(expected=["uint8", [-2, -128]]),
            "an invalid shape",
        ),
        (lambda m: m["cases"][0]["arrays"].update(expected=["uint8", ["256"]]), "an invalid shape"),
        (lambda m: m["cases"][0]["arrays"].update(expected=["float64", [256]]), "the answer"),
        (lambda m: m["cases"][0]["arguments"].clear(), "missing a required argument"),
        (lambda m: m["cases"][0]["arguments"].update(zzz=1), "unexpected keyword argument"),
        (lambda m: m["cases"][0].update(arguments=[]), "AttributeError"),
    ],
)
def test_hostile_manifests(folder, change, message):
    damage_manifest(folder, change)
    with pytest.raises(FileFormatError, match=message):
        oracle.read_vectors(folder / "vectors")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale": float("nan")}, "NaN is not JSON"),
        ({"scale": float("inf")}, "Infinity is not JSON"),
        ({"scale": 0}, "`scale` must be a scale whose"),
        ({"scale": -1.0}, "`scale` must be a scale whose"),
        ({"scale": 1e-300}, "`scale` must be a scale whose"),
        ({"scale": "0.1"}, "is not a number"),
        ({"scale": True}, "is not a number"),
        ({"scale": [0.1]}, "is not a number"),
        ({"zero_point": 256}, "`zero_point` must be in 0..255"),
        ({"zero_point": 10**30}, "`zero_point` must be in 0..255"),
        ({"zero_point": 0.5}, "is not a number"),
        ({"array": "other"}, "KeyError: 'other'"),
        ({"array": []}, "TypeError"),
        ({"axis": 99, "scales": [0.1], "zero_points": [0]}, "`axis` must be in 0..0"),
        ({"axis": -1, "scales": [0.1], "zero_points": [0]}, "`axis` must be in 0..0"),
        ({"axis": "0", "scales": [0.1], "zero_points": [0]}, "`axis` must be in 0..0"),
        ({"axis": 0, "scales": [0.1], "zero_points": [0]}, r"`scale` must be of shape \(256,\)"),
        ({"axis": 0, "scales": [0] * 256, "zero_points": [0] * 256}, r"`scale\[0\]`"),
        ({"axis": 0, "scales": [1] * 256, "zero_points": [999] * 256}, r"`zero_point\[0\]`"),
        ({"axis": 0, "scales": ["1"] * 256, "zero_points": [0] * 256}, "`scale` must be numbers"),
        ({"axis": 0, "scales": [1] * 256, "zero_points": [0.5] * 256}, "an integer tensor"),
    ],
)
def test_quantizers_of_hostile_manifests_are_checked(folder, capsys, changes, message):
    damage_manifest(folder, lambda m: m["cases"][0]["arguments"]["input"].update(changes))
    with pytest.raises(FileFormatError, match=message):
        oracle.read_vectors(folder / "vectors")
    assert run("check", folder / "vectors", "--results", folder / "results", "--quiet") == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("refquant check: error: ")


def test_duplicate_keys_and_malformed_texts_are_errors(folder):
    path = folder / "vectors" / "manifest.json"
    whole = path.read_text()
    for text, message in (
        (whole.replace('"engine": "fbgemm"', '"engine": "fbgemm", "engine": "exact"'), "duplicate"),
        (whole.replace('"scale": ', '"scale": 3.0, "scale": ', 1), "duplicate"),
        ("[" * 100_000, "Error"),
        (whole.replace("all-codes-z0", "\\u001b[2J"), "is not a valid case name"),
        ("9" * 5000, "Error"),
    ):
        path.write_text(text)
        with pytest.raises(FileFormatError, match=message) as caught:
            oracle.read_vectors(folder / "vectors")
        assert str(caught.value).isprintable()


def test_arguments_that_do_not_belong_together_are_errors_of_the_manifest(tmp_path):
    for operation, changes, message in (
        ("max_pool2d", {"kernel_size": "big"}, "kernel_size"),
        ("max_pool2d", {"kernel_size": 100}, "window"),
        ("linear", {"weight": {"array": "bias"}}, "weight"),
        ("linear", {"bias": {"array": "input"}}, "bias"),
        ("cat", {"dim": 99}, "dim"),
        ("mean", {"dim": [99]}, "dim"),
    ):
        top = tmp_path / f"{operation}-{message}"
        (top / "results").mkdir(parents=True)
        oracle.write_vectors(operation, top / "vectors", "fbgemm", progress=False)
        vectors = oracle.read_vectors(top / "vectors")
        for name, expected in vectors.expected.items():
            np.savez(top / "results" / f"{name}.npz", output=expected)
        damage_manifest(top, lambda m, c=changes: m["cases"][0]["arguments"].update(c))
        with pytest.raises(FileFormatError, match=rf"manifest.json.*{message}"):
            oracle.check_results(top / "vectors", top / "results", progress=False)


@pytest.mark.parametrize(
    ("operation", "changes"),
    [
        ("interpolate", {"size": [100_000, 100_000]}),
        ("adaptive_avg_pool2d", {"output_size": 2**62}),
        ("interpolate", {"size": None, "scale_factor": 1e4}),
        ("conv2d", {"padding": 10**9}),
        ("avg_pool2d", {"padding": [2**62, 0]}),
    ],
)
def test_outputs_are_bounded_before_they_are_computed(tmp_path, operation, changes):
    oracle.write_vectors(operation, tmp_path / "vectors", "fbgemm", progress=False)
    damage_manifest(tmp_path, lambda m: m["cases"][0]["arguments"].update(changes))
    with pytest.raises(FileFormatError, match="an output of more than 16,777,216 elements"):
        oracle.read_vectors(tmp_path / "vectors")


def test_a_small_file_cannot_claim_much_memory(folder):
    """Declared sizes are added up before any file is opened, and those of headers are checked."""

    def change(manifest):
        for case in manifest["cases"]:
            case["arrays"]["expected"] = ["uint8", [1 << 27]]

    top = folder / "vectors"
    whole = (top / "manifest.json").read_text()
    damage_manifest(folder, change)
    with pytest.raises(FileFormatError, match="too large, more than 268,435,456 bytes together"):
        oracle.read_vectors(top)
    (top / "manifest.json").write_text(whole)
    path = folder / "results" / "all-codes-z0.npz"
    header = io.BytesIO()
    form = {"descr": "|u1", "fortran_order": False, "shape": (1 << 40,)}
    np.lib.format.write_array_header_1_0(header, form)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("output.npy", header.getvalue() + bytes(256))
    with pytest.raises(FileFormatError, match="its header declares another size"):
        oracle.check_results(top, folder / "results")


def test_devices_are_not_read(folder):
    zero = Path("/dev/zero")
    if not zero.exists():
        pytest.skip("this system has no /dev/zero")
    for path in ("manifest.json", "all-codes-z0.npz"):
        kept = (folder / "vectors" / path).read_bytes()
        (folder / "vectors" / path).unlink()
        (folder / "vectors" / path).symlink_to(zero)
        with pytest.raises(FileFormatError, match="not a regular file"):
            oracle.read_vectors(folder / "vectors")
        (folder / "vectors" / path).unlink()
        (folder / "vectors" / path).write_bytes(kept)


def test_hostile_files(folder):
    vectors, results = folder / "vectors", folder / "results"
    path = results / "all-codes-z0.npz"
    whole = path.read_bytes()
    for data in (b"", whole[: len(whole) // 2], b"PK\x03\x04" + bytes(50), whole[:-30] + bytes(30)):
        path.write_bytes(data)
        with pytest.raises(FileFormatError, match="all-codes-z0"):
            oracle.check_results(vectors, results)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("output.npy", bytes(1 << 24))
    with pytest.raises(FileFormatError, match="larger than"):
        oracle.check_results(vectors, results)
    np.savez(path, output=np.array([{}], dtype=object))
    with pytest.raises(FileFormatError, match="Object arrays cannot be loaded"):
        oracle.check_results(vectors, results)
    np.savez(path, other=np.zeros(256, np.uint8))
    with pytest.raises(FileFormatError, match="output"):
        oracle.check_results(vectors, results)
    np.savez(path, output=np.zeros(255, np.uint8))
    with pytest.raises(FileFormatError, match="of shape"):
        oracle.check_results(vectors, results)
    path.unlink()
    with pytest.raises(FileFormatError, match="1 of 3 results are missing") as caught:
        oracle.check_results(vectors, results)
    assert str(caught.value).count("CASE.npz") == 1
    with pytest.raises(FileFormatError, match="nowhere: there is no such folder; give the folder"):
        oracle.check_results(vectors, results / "nowhere")
    shutil.rmtree(vectors)
    with pytest.raises(FileFormatError, match="there is no such folder"):
        oracle.read_vectors(vectors)
