"""Untrusted folders of neutral vectors, and backends that answer nonsense."""

import json

import numpy as np
import pytest

from refquant import cli, oracle
from refquant.errors import FileFormatError, OperationError
from refquant.oracle import Codes
from refquant.oracle.vectors.formats import npz


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("neutral")
    for operation in ("linear", "conv2d", "avg_pool2d", "resize_bilinear", "cat"):
        engine = "xnnpack" if operation == "resize_bilinear" else "onnx"
        oracle.write_vectors(operation, folder / operation, engine, neutral=True)
    return folder


def damaged(whole, tmp_path, operation, change):
    """Copy a folder, and change the first case of its manifest."""
    top = tmp_path / operation
    top.mkdir()
    for path in (whole / operation).iterdir():
        (top / path.name).write_bytes(path.read_bytes())
    manifest = json.loads((top / "manifest.json").read_text())
    change(manifest["cases"][0]["arguments"], manifest)
    (top / "manifest.json").write_text(json.dumps(manifest))
    return top


@pytest.mark.parametrize(
    ("operation", "change", "message"),
    [
        ("linear", lambda a, m: a["x"].update(scale=0.0), "scale"),
        ("linear", lambda a, m: a["x"].update(scale="1"), "scale"),
        ("linear", lambda a, m: a["x"].update(scale=1e-60), "scale"),
        ("linear", lambda a, m: a["x"].update(zero_point=128), "zero_point"),
        ("linear", lambda a, m: a["x"].update(zero_point=0.5), "zero_point"),
        ("linear", lambda a, m: a["x"].update(dtype="uint8"), "integers for uint8"),
        ("linear", lambda a, m: a["x"].update(dtype="float32"), "integers for float32"),
        ("linear", lambda a, m: a["output"].update(scale=None), "scale"),
        ("linear", lambda a, m: a["output"].update(lower=99, upper=-99), "lower"),
        ("linear", lambda a, m: a["output"].update(activation="gelu"), "activation"),
        ("linear", lambda a, m: a["output"].update(dtype="int64"), "dtype"),
        ("linear", lambda a, m: a["output"].pop("dtype"), "must be an oracle.Output"),
        ("linear", lambda a, m: a.update(surprise=1), "surprise"),
        ("linear", lambda a, m: m.update(neutral="yes"), "operation or its list"),
        ("linear", lambda a, m: m.update(operation="linear_relu"), "operation or its list"),
        ("conv2d", lambda a, m: a["weight"].update(axis=9), "axis"),
        ("conv2d", lambda a, m: a["weight"].update(scales=[0.5] * 2), "numbers, one for each"),
        ("conv2d", lambda a, m: a.update(padding=[[10**9, 0], [0, 0]]), "output of more than"),
        ("avg_pool2d", lambda a, m: a.update(padding=10**9), "output of more than"),
        ("avg_pool2d", lambda a, m: a.update(kernel=[10**6, 10**6]), "output of more than"),
        ("resize_bilinear", lambda a, m: a.update(size=[10**6, 10**6]), "output of more than"),
        ("cat", lambda a, m: a.update(x=[]), "x"),
    ],
)
def test_operands_of_hostile_folders_are_rejected_in_one_line(
    whole, tmp_path, operation, change, message, capsys
):
    top, results = damaged(whole, tmp_path, operation, change), tmp_path / "results"
    results.mkdir()
    for path in top.glob("*.npz"):
        with np.load(path) as arrays:
            np.savez(results / path.name, output=arrays["expected"])
    with pytest.raises(FileFormatError, match=message) as caught:
        oracle.check_results(top, results, progress=False)
    assert str(caught.value).isprintable()
    assert cli.main(["check", str(top), "--results", str(results), "--quiet"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(
    "answer",
    [None, "12", 3, [1, 2], np.zeros(256), np.zeros(256, complex), np.zeros(256, bool),
     np.zeros((256, 2), int), np.array([{}] * 256), np.ma.zeros(3), np.ma.masked_all(256, int)],
)  # fmt: skip
@pytest.mark.parametrize("neutral", [False, True])
def test_nonsense_of_a_backend_is_an_error_that_names_the_case(answer, neutral):
    case = oracle.cases_of("sigmoid", neutral=neutral)[0]
    engine = "tflite-micro" if neutral else "fbgemm"
    with pytest.raises(OperationError, match=case.name):
        oracle.check(lambda **operands: answer, "sigmoid", engine, neutral=neutral)


class Speechless(Exception):
    def __str__(self):
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ZeroDivisionError("by zero"), "raised ZeroDivisionError .*: by zero"),
        (SystemExit(0), "raised SystemExit"),
        (GeneratorExit(), "raised GeneratorExit"),
        (StopIteration(), "raised StopIteration"),
        (Speechless(), "raised Speechless .*: without a text, which raised RuntimeError"),
    ],
)
@pytest.mark.parametrize("limit", [None, 60.0])
def test_what_a_backend_raises_is_an_error_that_names_the_case(error, message, limit):
    def backend(**operands):
        raise error

    with pytest.raises(OperationError, match=message):
        oracle.check(backend, "sigmoid", "tflite-micro", neutral=True, time_limit=limit)


@pytest.mark.parametrize("operation", ["sigmoid", "linear", "cat"])
def test_a_backend_that_computes_in_place_leaves_the_operands_of_cases_alone(operation):
    engine = "onnx"
    cases = {c.name: c.problem.result(engine) for c in oracle.cases_of(operation, neutral=True)}
    right = iter(cases.values())

    def backend(**operands):
        for value in operands.values():
            for piece in value if isinstance(value, list) else [value]:
                if isinstance(piece, Codes):
                    piece.array[...] = 0
        return next(right)

    assert oracle.check(backend, operation, engine, neutral=True).passed


def test_a_backend_is_graded_on_neutral_operands():
    def sigmoid(x, output):
        real = 1 / (1 + np.exp(-np.float64(x.scale) * (x.array.astype(int) - x.zero_point)))
        steps = np.floor(real / output.scale + 0.5) + output.zero_point
        return np.clip(steps, output.lower, output.upper).astype(np.int8)

    assert oracle.check(sigmoid, "sigmoid", "tflite-micro", neutral=True).passed


def test_nothing_half_written_is_left(tmp_path, monkeypatch):
    count = []

    def full(*arguments):
        count.append(1)
        if len(count) > 3:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(npz, "write", full)
    assert cli.main(["vectors", "linear", "--out", str(tmp_path / "v"), "--quiet"]) == 1
    assert not list(tmp_path.iterdir())
