"""Test vectors: what they cover, how they travel through files, and how backends are graded."""

import json
import shutil
import zipfile

import numpy as np
import pytest

import refquant
from refquant import cli, engines, oracle
from refquant.errors import ArgumentError, EngineError, FileFormatError, OperationError

ENGINES = (*engines.names(), *engines.foreign_names())


def test_products_cover_what_they_should():
    rows = dict(oracle.coverage(oracle.cases_of("conv2d")))
    for name in (
        "ties",
        "neighbours of ties",
        "clipped below",
        "clipped above",
        "at an end of the range",
        "per channel",
        "weight zero points",
        "windows at the border",
        "sums that pairs of 16 bits change",
    ):
        assert int(rows[name].replace(",", "")) > 0
    assert set(rows["input zero points"].split(", ")) >= {"0", "128", "255"}
    assert rows["strides"] == "1 x 1, 2 x 2, 3 x 3"
    assert {"1", "2", "4", "8"} <= set(rows["groups"].split(", "))
    rows = dict(oracle.coverage(oracle.cases_of("linear")))
    assert set(range(25)) <= {int(s) for s in rows["shifts"].split(", ")}
    assert int(rows["largest |sum|"].replace(",", "")) > 2**24


@pytest.mark.parametrize("operation", oracle.OPERATIONS)
def test_every_case_can_be_written_and_read(operation, tmp_path):
    oracle.write_vectors(operation, tmp_path / "v", "fbgemm")
    vectors = oracle.read_vectors(tmp_path / "v")
    made = oracle.cases_of(operation)
    assert [c.name for c in vectors.cases] == [c.name for c in made]
    assert len({c.name for c in made}) == len(made)
    for case in vectors.cases[:: max(1, len(made) // 6)]:
        again = case.problem.run("fbgemm")
        assert np.array_equal(again.array, vectors.expected[case.name])


def test_the_same_seed_gives_the_same_files(tmp_path):
    for name in ("a", "b"):
        oracle.write_vectors("linear", tmp_path / name, "qnnpack", seed=5)
    for path in sorted((tmp_path / "a").glob("*.json")):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
    text = (tmp_path / "a" / "coverage.md").read_text()
    assert "| ties | " in text


def test_a_backend_is_graded():
    def mine(qa, qb, scale, zero_point):
        real = (qa.array.astype(float) - qa.zero_point) * qa.scale + (
            qb.array.astype(float) - qb.zero_point
        ) * qb.scale
        return np.clip(np.floor(real / scale + 0.5) + zero_point, 0, 255).astype(np.int64)

    grades = oracle.check(mine, "add", "fbgemm")
    assert not grades.passed
    assert grades.elements == 262_440
    assert grades.equal > 240_000
    assert "rounding: half_even -> half_up" in str(grades)
    right = oracle.check(
        lambda **operands: oracle.problem("add", **operands).run("tflite"), "add", "tflite"
    )
    assert right.passed
    assert str(right).endswith("passed")


def test_backends_that_fail():
    def broken(**operands):
        raise ZeroDivisionError("by nothing")

    with pytest.raises(OperationError, match=r"ZeroDivisionError in case 'all-codes-z0'"):
        oracle.check(broken, "relu")
    with pytest.raises(OperationError, match=r"case 'all-codes-z0' cannot be compared.*list"):
        oracle.check(lambda **operands: [1], "relu")
    with pytest.raises(OperationError, match="of shape"):
        oracle.check(lambda **operands: np.zeros(3, int), "relu")
    with pytest.raises(OperationError, match="give the integers"):
        oracle.check(lambda **operands: np.zeros(256), "relu")
    with pytest.raises(ArgumentError, match="callable"):
        oracle.check(3, "relu")
    with pytest.raises(ArgumentError, match="linear, linear_relu"):
        oracle.check(broken, "conv9d")
    with pytest.raises(EngineError, match="nothing"):
        oracle.check(broken, "relu", "nothing")


@pytest.fixture
def folder(tmp_path):
    oracle.write_vectors("relu", tmp_path / "vectors", "fbgemm")
    results = tmp_path / "results"
    results.mkdir()
    vectors = oracle.read_vectors(tmp_path / "vectors")
    for name, expected in vectors.expected.items():
        np.savez(results / f"{name}.npz", output=expected)
    return tmp_path


def run(*words):
    return cli.main([str(word) for word in words])


def test_commands(folder, capsys):
    assert run("vectors", "relu6", "--engine", "qnnpack", "--out", folder / "six", "--quiet") == 0
    assert "3" in capsys.readouterr().out
    assert run("check", folder / "vectors", "--results", folder / "results", "--quiet") == 0
    assert "passed" in capsys.readouterr().out
    path = folder / "results" / "all-codes-z100.npz"
    with np.load(path) as kept:
        output = kept["output"].copy()
    output[3] += 1
    np.savez(path, output=output)
    assert run("check", folder / "vectors", "--results", folder / "results", "--quiet") == 1
    assert "all-codes-z100" in capsys.readouterr().out


def test_folders_that_are_there_stay_whole(folder, capsys):
    again = ("vectors", "relu", "--out", folder / "vectors", "--quiet")
    assert run(*again) == 1
    assert "replace it with force" in capsys.readouterr().err
    assert run(*again, "--force") == 0
    foreign = folder / "foreign"
    foreign.mkdir()
    (foreign / "letter.txt").write_text("mine")
    assert run("vectors", "relu", "--out", foreign, "--force", "--quiet") == 1
    assert (foreign / "letter.txt").read_text() == "mine"
    assert run("vectors", "conv4d", "--out", folder / "new", "--quiet") == 1
    assert not (folder / "new").exists()
    assert not list(folder.glob(".vectors-*"))


def damage_manifest(top, change):
    path = top / "vectors" / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m.update(format="other"), "does not say"),
        (lambda m: m.update(version=2), "version 2"),
        (lambda m: m.update(operation="shell"), "its operation"),
        (lambda m: m["cases"][0].update(name="../../etc/passwd"), "is no name of a case"),
        (lambda m: m["cases"][0].update(name="other"), "is not there"),
        (lambda m: m["cases"].append(m["cases"][0]), "there twice"),
        (lambda m: m["cases"][0]["arrays"].update(expected=["uint8", [9]]), "not uint8"),
        (lambda m: m["cases"][0]["arrays"].update(expected=["object", [256]]), "KeyError"),
        (lambda m: m["cases"][0]["arrays"].update(expected=["uint8", [1 << 40]]), "too large"),
        (lambda m: m["cases"][0].pop("arguments"), "KeyError"),
        (lambda m: m["cases"][0]["arguments"]["input"].update(dtype="tensor"), "no dtype"),
        (lambda m: m["cases"][0]["arguments"]["input"].update(dtype="qint32"), "integers for"),
        (lambda m: m.update(cases=3), "its cases"),
        (lambda m: m.pop("engine"), "names no engine"),
    ],
)
def test_hostile_manifests(folder, change, said):
    damage_manifest(folder, change)
    with pytest.raises(FileFormatError, match=said):
        oracle.read_vectors(folder / "vectors")


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
    with pytest.raises(FileFormatError, match="1 of 3 results are missing"):
        oracle.check_results(vectors, results)
    shutil.rmtree(vectors)
    with pytest.raises(FileFormatError, match="is not there"):
        oracle.read_vectors(vectors)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_passes_its_own_vectors(engine):
    for operation in ("linear", "relu6", "mean"):
        grades = oracle.check(
            lambda operation=operation, **o: oracle.problem(operation, **o).run(engine),
            operation,
            engine,
        )
        assert grades.passed


def test_a_tensor_may_be_returned():
    grades = oracle.check(lambda input: refquant.relu(input), "relu", "fbgemm", progress=False)
    assert grades.passed
    assert "passed" in grades._repr_html_()
