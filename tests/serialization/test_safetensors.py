"""Files are of the safetensors format: the package of that name reads and writes them."""

import io

import numpy as np
import pytest
from serialization.values import per_channel, same, written

import refquant
from refquant import nn, quantization

safetensors = pytest.importorskip("safetensors")
numpy_files = pytest.importorskip("safetensors.numpy")


def test_the_package_reads_plain_tensors_under_their_names():
    rng = np.random.default_rng(0)
    arrays = {
        f"layer.{dtype.name}": (rng.random((2, 3, 1)) * 3).astype(dtype.numpy)
        for dtype in refquant.dtypes.PLAIN
    }
    read = numpy_files.load(written({k: refquant.from_numpy(v) for k, v in arrays.items()}))
    assert set(read) == set(arrays)
    for name, array in arrays.items():
        assert read[name].dtype == array.dtype
        assert np.array_equal(read[name], array)


def test_memory_formats_do_not_change_what_the_package_reads():
    x = refquant.from_numpy(np.arange(120, dtype=np.float32).reshape(2, 3, 4, 5))
    x = x.contiguous(memory_format=refquant.channels_last)
    assert np.array_equal(numpy_files.load(written({"x": x}))["x"], x.array)


def test_the_package_reads_quantized_tensors_as_integers():
    q = per_channel()
    assert np.array_equal(numpy_files.load(written({"q": q}))["q"], q.array)


@pytest.mark.parametrize(
    "value",
    [
        refquant.ones(2),
        [refquant.ones(2), {"a": refquant.zeros(2, 0)}],
        {"a.b": refquant.ones(1), "a": {"b": refquant.zeros(1)}, "": refquant.ones(3)},
        {"__metadata__": refquant.ones(1), 3: refquant.ones(2), "\ud800": refquant.zeros(1)},
        {"n" * 2000: refquant.ones(1), "n" * 2001: refquant.zeros(1)},
        {},
    ],
    ids=lambda value: str(value)[:40],
)
def test_every_value_gives_a_file_that_the_package_reads(value):
    data = written(value)
    numpy_files.load(data)
    assert same(refquant.load(io.BytesIO(data)), value)


def test_the_state_of_a_model_has_the_names_of_its_parameters(tmp_path):
    model = quantization.quantize_dynamic(nn.Sequential(nn.Linear(3, 2)))
    refquant.save(model.state_dict(), tmp_path / "m.safetensors")
    with safetensors.safe_open(tmp_path / "m.safetensors", "numpy") as file:
        assert "0._packed_params.weight" in set(file.keys())
        assert set(file.metadata()) == {"refquant", "crc32"}


@pytest.mark.parametrize("metadata", [None, {"format": "np"}])
def test_files_of_the_package_are_read(metadata, tmp_path):
    arrays = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b": np.array([True, False]),
        "c": np.zeros((0, 4), np.int64),
        "d": np.array(3, np.int8),
    }
    numpy_files.save_file(arrays, tmp_path / "x.safetensors", metadata)
    read = refquant.load(tmp_path / "x.safetensors")
    assert set(read) == set(arrays)
    for name, array in arrays.items():
        assert same(read[name], refquant.from_numpy(array))
    read["a"] += 1


def test_a_file_that_the_package_wrote_from_ours_loses_what_only_we_know(tmp_path):
    integers = numpy_files.load(written({"q": per_channel()}))
    numpy_files.save_file(integers, tmp_path / "x.safetensors")
    assert refquant.load(tmp_path / "x.safetensors")["q"].dtype is refquant.int8
