"""Damaged, foreign and hostile files are refused, and nothing in them is executed."""

import io
import json
import struct
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
from serialization.values import per_channel, per_tensor, same, written

import refquant
from refquant.errors import FileFormatError


def example():
    return OrderedDict(
        [
            ("w", per_tensor()),
            ("c", per_channel()),
            ("f", refquant.tensor([1.5, 2.5])),
            ("n", [1, 2.5, "text", None]),
        ]
    )


def refused(data: bytes):
    with pytest.raises(FileFormatError):
        refquant.load(io.BytesIO(data))


def test_every_truncation_is_refused():
    data = written(example())
    for length in range(len(data)):
        refused(data[:length])


def test_a_flipped_byte_is_refused_or_changes_nothing():
    data, wanted = written(example()), example()
    detected = 0
    for position in range(len(data)):
        for flip in (0x01, 0x80, 0xFF):
            broken = bytearray(data)
            broken[position] ^= flip
            try:
                got = refquant.load(io.BytesIO(bytes(broken)))
            except FileFormatError:
                detected += 1
            else:
                assert same(got, wanted), position
    assert detected > len(data)


def test_random_garbage_is_refused():
    rng = np.random.default_rng(0)
    data = written(example())
    for _ in range(300):
        broken = bytearray(data)
        start = int(rng.integers(len(data)))
        count = int(rng.integers(1, 60))
        broken[start : start + count] = rng.bytes(int(rng.integers(0, 60)))
        try:
            got = refquant.load(io.BytesIO(bytes(broken)))
        except FileFormatError:
            continue
        assert same(got, example())
    refused(b"")
    refused(b"PK\x03\x04")
    refused(rng.bytes(1000))


def archive(document, arrays=(), compression=zipfile.ZIP_STORED, extra=()):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as z:
        text = document if isinstance(document, str | bytes) else json.dumps(document)
        z.writestr("refquant.json", text)
        for index, data in enumerate(arrays):
            z.writestr(f"arrays/{index}.npy", data)
        for name, data in extra:
            z.writestr(name, data)
    return file.getvalue()


def npy(array, **keywords):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, **keywords)
    return stream.getvalue()


def document(value, arrays=0, **others):
    return {"format": "refquant", "version": 1, "arrays": arrays, "value": value, **others}


TENSOR = {"tensor": {"array": 0, "order": [0], "requires_grad": False}}
GOOD = npy(np.zeros(3, np.float32))


def test_the_archive_of_these_tests_is_right():
    data = archive(document(TENSOR, 1), [GOOD])
    assert refquant.load(io.BytesIO(data)).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("version", [0, 2, "1", None, True, 1.5])
def test_other_versions_are_refused(version):
    with pytest.raises(FileFormatError, match="version"):
        refquant.load(io.BytesIO(archive({**document(1), "version": version})))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "1",
        "{",
        "null",
        "NaN",
        '{"format":"other"}',
        b"\xff\xfe",
        "[" * 100000,
        json.dumps({**document(1), "more": 1}),
        json.dumps(document(1, -1)),
        json.dumps(document(1, True)),
        json.dumps(document(1, 10**18)),
        '{"format":"refquant","format":"refquant"}',
        json.dumps(document(1)).replace("1}", "NaN}"),
        json.dumps(document(1)).replace("1}", "9" * 5000 + "}"),
    ],
    ids=lambda text: str(text)[:30],
)
def test_bad_documents_are_refused(text):
    refused(archive(text))


@pytest.mark.parametrize(
    "value",
    [
        [],
        {},
        {"list": 1},
        {"list": [], "tuple": []},
        {"dict": [[1]]},
        {"dict": [1]},
        {"dict": [[{"list": []}, 1]]},
        {"dict": [["a", 1], ["a", 2]]},
        {"constant": "eval"},
        {"constant": []},
        {"float": "1"},
        {"module": "os"},
        {"tensor": {}},
        {"tensor": 3},
        {"tensor": {"array": 0, "order": [0]}},
        {"quantized": {}},
        {"tensor": {"array": 1, "order": [0], "requires_grad": False}},
        {"tensor": {"array": -1, "order": [0], "requires_grad": False}},
        {"tensor": {"array": True, "order": [0], "requires_grad": False}},
        {"tensor": {"array": 0, "order": [1], "requires_grad": False}},
        {"tensor": {"array": 0, "order": [False], "requires_grad": False}},
        {"tensor": {"array": 0, "order": "0", "requires_grad": False}},
        {"tensor": {"array": 0, "order": [0], "requires_grad": 1}},
        {"tensor": {"array": 0, "order": [0], "requires_grad": False, "more": 1}},
        {"quantized": {"array": 0, "order": [0], "dtype": "quint8", "scale": 0.1, "zero_point": 0}},
        {
            "quantized": {
                "array": 0,
                "order": [0],
                "dtype": "nothing",
                "scale": 0.1,
                "zero_point": 0,
            }
        },
    ],
    ids=str,
)
def test_bad_values_are_refused(value):
    refused(archive(document({"list": [TENSOR, value]}, 1), [GOOD]))


@pytest.mark.parametrize(
    "entry",
    [
        {"scale": 0.0},
        {"scale": -1.0},
        {"scale": 1e300},
        {"scale": "0.1"},
        {"scale": None},
        {"zero_point": 256},
        {"zero_point": -1},
        {"zero_point": 1.0},
        {"dtype": "qint8"},
        {"dtype": "float32"},
        {"dtype": None},
        {"axis": 0},
    ],
    ids=str,
)
def test_bad_quantizers_are_refused(entry):
    q = {"array": 0, "order": [0], "dtype": "quint8", "scale": 0.1, "zero_point": 0}
    data = npy(np.zeros(3, np.uint8))
    assert (
        refquant.load(io.BytesIO(archive(document({"quantized": q}, 1), [data]))).q_scale() == 0.1
    )
    refused(archive(document({"quantized": {**q, **entry}}, 1), [data]))


@pytest.mark.parametrize(
    ("scales", "zero_points", "axis"),
    [
        ([0.1, 0.2], [0, 0, 0], 0),
        ([0.1, 0.2, 0.0], [0, 0, 0], 0),
        ([0.1, 0.2, np.nan], [0, 0, 0], 0),
        ([0.1, 0.2, 0.3], [0, 0, 256], 0),
        ([0.1, 0.2, 0.3], [0, 0, 0], 1),
        ([0.1, 0.2, 0.3], [0, 0, 0], -1),
        ([0.1, 0.2, 0.3], [0.0, 0.0, 0.0], 0),
        (np.float32([0.1, 0.2, 0.3]), [0, 0, 0], 0),
    ],
    ids=str,
)
def test_bad_channels_are_refused(scales, zero_points, axis):
    value = {
        "quantized": {
            "array": 0,
            "order": [0],
            "dtype": "quint8",
            "axis": axis,
            "scale": {"array": 1, "order": [0]},
            "zero_point": {"array": 2, "order": [0]},
        }
    }
    arrays = [npy(np.zeros(3, np.uint8)), npy(np.array(scales)), npy(np.array(zero_points))]
    refused(archive(document(value, 3), arrays))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x93NUMPY",
        GOOD[:-1],
        GOOD + b"\0",
        GOOD[:60],
        npy(np.zeros(3, np.float32), version=(2, 0)),
        npy(np.zeros(3, ">f4")),
        npy(np.zeros(3, np.complex64)),
        npy(np.zeros(3, "S4")),
        npy(np.zeros(3, "M8[s]")),
        npy(np.zeros((2, 3), np.float32, order="F")),
        npy(np.array([object()]), allow_pickle=True),
        npy(np.zeros(3, [("a", "f4")])),
        GOOD.replace(b"(3,)", b"(9,)"),
        GOOD.replace(b"(3,)", b"(-3,)"),
        GOOD.replace(b"(3,)", b"(1e3,)"),
        GOOD.replace(b"False", b"True "),
        GOOD.replace(b"'<f4'", b"print"),
        npy(np.frombuffer(b"\x02\x01\x00", np.bool_)),
    ],
    ids=lambda data: repr(data[10:70]),
)
def test_bad_arrays_are_refused(data):
    refused(archive(document(TENSOR, 1), [data]))


def test_declared_sizes_beyond_memory_are_refused():
    huge = GOOD.replace(b"(3,)", b"(99999999999999999,)").replace(b"                ", b"", 1)
    refused(archive(document(TENSOR, 1), [huge]))


def test_members_that_do_not_belong_are_refused():
    refused(archive(document(TENSOR, 1), [GOOD], extra=[("data.pkl", b"x")]))
    refused(archive(document(TENSOR, 1), [GOOD, GOOD]))
    refused(archive(document({"list": []}, 1), [GOOD]))
    refused(archive(document(TENSOR, 2), [GOOD]))
    with pytest.warns(UserWarning, match="Duplicate"):
        twice = archive(document(TENSOR, 1), [GOOD], extra=[("refquant.json", b"{}")])
    refused(twice)


def test_compressed_members_are_refused_before_they_are_unpacked():
    refused(archive(document({"list": [0] * 10**6}), compression=zipfile.ZIP_DEFLATED))


def test_a_member_that_claims_to_be_larger_than_the_file_is_refused():
    data = bytearray(archive(document(TENSOR, 1), [GOOD]))
    entry = data.rindex(b"PK\x01\x02")
    struct.pack_into("<II", data, entry + 20, 2**31, 2**31)
    refused(bytes(data))


def test_files_of_others_are_refused(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(FileFormatError, match=r"refquant\.json"):
        refquant.load(tmp_path / "other.npz")
