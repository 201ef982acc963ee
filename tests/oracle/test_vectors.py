"""Test vectors: coverage, saving and loading, and grades of backends."""

import numpy as np
import pytest

import refquant
from refquant import cli, engines, oracle
from refquant.errors import ArgumentError, EngineError, OperationError

ENGINES = (*engines.names(), *engines.other_runtimes())


def test_products_cover_what_they_should():
    rows = dict(oracle.coverage(oracle.cases_of("conv2d")))
    for name in (
        "ties",
        "neighbors of ties",
        "clipped below",
        "clipped above",
        "at the ends of the range",
        "per channel",
        "weight zero points",
        "windows at the border",
        "sums that int16 saturation changes",
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
    cases = oracle.cases_of(operation)
    assert [c.name for c in vectors.cases] == [c.name for c in cases]
    assert len({c.name for c in cases}) == len(cases)
    for case in vectors.cases[:: max(1, len(cases) // 6)]:
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


def run(*words):
    return cli.main([str(word) for word in words])


def test_commands(folder, capsys):
    assert run("vectors", "relu6", "--engine", "qnnpack", "--out", folder / "six") == 0
    assert "3" in capsys.readouterr().out
    assert run("vectors", "relu6", "--out", folder / "seven", "--quiet") == 0
    assert capsys.readouterr() == ("", "")
    assert run("check", folder / "vectors", "--results", folder / "results") == 0
    assert "passed" in capsys.readouterr().out
    assert run("check", folder / "vectors", "--results", folder / "results", "--quiet") == 0
    assert capsys.readouterr() == ("", "")
    path = folder / "results" / "all-codes-z100.npz"
    with np.load(path) as kept:
        output = kept["output"].copy()
    output[3] += 1
    np.savez(path, output=output)
    assert run("check", folder / "vectors", "--results", folder / "results", "--quiet") == 1
    assert "all-codes-z100" in capsys.readouterr().out


def test_names_that_are_nearly_right_are_suggested(folder, capsys):
    assert run("vectors", "lineer", "--out", folder / "new") == 1
    assert "did you mean 'linear'?" in capsys.readouterr().err
    assert run("vectors", "linear", "--engine", "fbgem", "--out", folder / "new") == 1
    assert "did you mean 'fbgemm'?" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run("chek", folder / "vectors")
    assert "did you mean 'check'?" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run("vectors", "linear", "--out", folder / "new", "--froce")
    assert "did you mean '--force'?" in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_not_called_damaged(folder, capsys):
    assert run("check", folder / "nowhere", "--results", folder / "results") == 1
    told = capsys.readouterr().err
    assert "there is no such folder" in told
    assert "damaged" not in told


def test_existing_folders_are_kept(folder, capsys):
    again = ("vectors", "relu", "--out", folder / "vectors", "--quiet")
    assert run(*again) == 1
    assert "--force on the command line" in capsys.readouterr().err
    assert run(*again, "--force") == 0
    other = folder / "other"
    other.mkdir()
    (other / "letter.txt").write_text("mine")
    assert run("vectors", "relu", "--out", other, "--force", "--quiet") == 1
    assert (other / "letter.txt").read_text() == "mine"
    assert run("vectors", "conv4d", "--out", folder / "new", "--quiet") == 1
    assert not (folder / "new").exists()
    assert not list(folder.glob(".vectors-*"))


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


def test_numbers_in_arrays_are_written_as_numbers(tmp_path):
    """What names the vectors in their manifest is what a Python integer would be."""
    numbers = [(5, True), (np.int64(5), np.True_), (refquant.tensor(5), refquant.tensor(1))]
    manifests = []
    for name, (seed, neutral) in enumerate(numbers):
        oracle.write_vectors("add", tmp_path / str(name), "fbgemm", seed=seed, neutral=neutral)
        manifests.append((tmp_path / str(name) / "manifest.json").read_text())
    assert manifests[1:] == manifests[:1] * 2
