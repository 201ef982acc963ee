"""Damaged, foreign and hostile files are rejected, and nothing in them is executed."""

import io
import json
import os
import zlib
from collections import OrderedDict

import numpy as np
import pytest
from serialization.values import per_channel, per_tensor, same, written

import refquant
from refquant.archive import BEGIN, UNKNOWN
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


def rejected(data: bytes):
    with pytest.raises(FileFormatError):
        refquant.load(io.BytesIO(data))


def test_every_truncation_is_rejected():
    data = written(example())
    for length in range(len(data)):
        rejected(data[:length])


def test_a_flipped_byte_is_rejected_or_changes_nothing():
    data, wanted = written(example()), example()
    detected = 0
    for position in range(len(data)):
        for flip in (0x01, 0x20, 0x80, 0xFF):
            broken = bytearray(data)
            broken[position] ^= flip
            try:
                got = refquant.load(io.BytesIO(bytes(broken)))
            except FileFormatError:
                detected += 1
            else:
                assert same(got, wanted), position
    # The padding of the header and the checksum itself change nothing that is read.
    assert detected > 3.9 * len(data)


def test_random_garbage_is_rejected():
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
    rejected(b"")
    rejected(b"PK\x03\x04")
    rejected(b"{}" * 20)
    rejected(rng.bytes(1000))


def tensor(array, **others):
    """One entry of a header, without its place in the data."""
    names = {"float32": "F32", "float64": "F64", "int8": "I8", "uint8": "U8", "bool": "BOOL"}
    array = np.asarray(array)
    return {"dtype": names[array.dtype.name], "shape": list(array.shape), "data": array, **others}


def archive(document, *arrays, checksum=True, more=None, behind=b"", **entries):
    """Make a file as others might write it: arrays ``a0``, ``a1`` ... and entries to replace."""
    text = document if isinstance(document, str) else json.dumps(document)
    header = {"__metadata__": {"crc32": UNKNOWN.decode(), "refquant": text, **(more or {})}}
    data = b""
    for index, entry in enumerate(arrays):
        entry = {**entry}
        elements = entry.pop("data").tobytes()
        offsets = [len(data), len(data) + len(elements)]
        header[f"a{index}"] = {"data_offsets": offsets, **entry}
        data += elements
    header.update(entries)
    return packed(json.dumps(header, separators=(",", ":")).encode(), data, checksum) + behind


def packed(text, data=b"", checksum=True):
    if checksum and text.startswith(BEGIN):
        digits = f"{zlib.crc32(data, zlib.crc32(text)):08x}".encode()
        text = text.replace(UNKNOWN, digits, 1)
    return len(text).to_bytes(8, "little") + text + data


def document(value, **others):
    return {"refquant": 1, "value": value, **others}


TENSOR = {"tensor": {"array": "a0"}}
GOOD = tensor(np.zeros(3, np.float32))


def test_the_archive_of_these_tests_is_right():
    data = archive(document(TENSOR), GOOD)
    assert refquant.load(io.BytesIO(data)).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("version", [0, 2, "1", None, True, 1.5])
def test_other_versions_are_rejected(version):
    with pytest.raises(FileFormatError, match="version"):
        refquant.load(io.BytesIO(archive({**document(1), "refquant": version})))


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
        "[" * 100000,
        json.dumps({**document(1), "more": 1}),
        json.dumps({"refquant": 1}),
        '{"refquant":1,"refquant":1}',
        json.dumps(document(1)).replace("1}", "NaN}"),
        json.dumps(document(1)).replace("1}", "9" * 5000 + "}"),
    ],
    ids=lambda text: str(text)[:30],
)
def test_bad_documents_are_rejected(text):
    rejected(archive(text))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"  {}",
        b"null",
        b"{",
        b"\xff\xfe{}",
        b"[" * 100000,
        b'{"a":' * 100000,
        b'{"a":1}',
        b'{"a":{}}',
        b'{"__metadata__":[]}',
        b'{"__metadata__":{"a":1}}',
        b'{"__metadata__":{"a":"b"},"__metadata__":{"a":"b"}}',
        b'{"a":NaN}',
    ],
    ids=lambda text: str(text)[:30],
)
def test_bad_headers_are_rejected(text):
    rejected(packed(text))


def test_a_document_under_a_damaged_name_is_not_taken_for_a_file_of_others():
    data = archive(document(TENSOR), GOOD)
    for name in (b"refquant", b"crc32", b"__metadata__"):
        rejected(data.replace(b'"' + name + b'":', b'"' + name[:-1] + b'~":', 1))


def test_a_file_that_another_program_has_changed_is_rejected():
    with pytest.raises(FileFormatError, match="checksum"):
        refquant.load(io.BytesIO(archive(document(TENSOR), GOOD, checksum=False)))
    with pytest.raises(FileFormatError, match="checksum"):
        refquant.load(io.BytesIO(archive(document(TENSOR), GOOD, more={"format": "pt"})))


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
        {"quantized": {}},
        {"tensor": {"array": 0}},
        {"tensor": {"array": "a1"}},
        {"tensor": {"array": ["a0"]}},
        {"tensor": {"array": "a0", "order": [0]}},
        {"tensor": {"array": "a0", "order": [1]}},
        {"tensor": {"array": "a0", "order": [False]}},
        {"tensor": {"array": "a0", "order": "0"}},
        {"tensor": {"array": "a0", "requires_grad": 1}},
        {"tensor": {"array": "a0", "more": 1}},
        {"quantized": {"array": "a0", "dtype": "quint8", "scale": 0.1, "zero_point": 0}},
        {"quantized": {"array": "a0", "dtype": "nothing", "scale": 0.1, "zero_point": 0}},
    ],
    ids=str,
)
def test_bad_values_are_rejected(value):
    rejected(archive(document({"list": [TENSOR, value]}), GOOD))


QUANTIZED = {"array": "a0", "dtype": "quint8", "scale": 0.1, "zero_point": 0}


@pytest.mark.parametrize(
    "entry",
    [
        {"scale": 0.0},
        {"scale": -1.0},
        {"scale": 1e300},
        {"scale": "0.1"},
        {"scale": None},
        {"scale": {"float": "nan"}},
        {"zero_point": 256},
        {"zero_point": -1},
        {"zero_point": 1.0},
        {"dtype": "qint8"},
        {"dtype": "quint4x2"},
        {"dtype": "float32"},
        {"dtype": None},
        {"axis": 0},
        {"shape": [3]},
        {"float_zero_points": 1},
    ],
    ids=str,
)
def test_bad_quantizers_are_rejected(entry):
    data = tensor(np.zeros(3, np.uint8))
    good = archive(document({"quantized": QUANTIZED}), data)
    assert refquant.load(io.BytesIO(good)).q_scale() == 0.1
    rejected(archive(document({"quantized": {**QUANTIZED, **entry}}), data))


@pytest.mark.parametrize(
    ("scales", "zero_points", "axis", "others"),
    [
        ([0.1, 0.2], [0, 0, 0], 0, {}),
        ([0.1, 0.2, 0.0], [0, 0, 0], 0, {}),
        ([0.1, 0.2, {"float": "nan"}], [0, 0, 0], 0, {}),
        ([0.1, 0.2, 1], [0, 0, 0], 0, {}),
        ([0.1, 0.2, 0.3], [0, 0, 256], 0, {}),
        ([0.1, 0.2, 0.3], [0, 0, 10**30], 0, {}),
        ([0.1, 0.2, 0.3], [0, 0, True], 0, {}),
        ([0.1, 0.2, 0.3], [0, 0, 0], 1, {}),
        ([0.1, 0.2, 0.3], [0, 0, 0], -1, {}),
        ([0.1, 0.2, 0.3], [0.0, 0.0, 0.0], 0, {}),
        ([0.1, 0.2, 0.3], [0, 0, 0], 0, {"float_zero_points": True}),
        ([0.1, 0.2, 1e200], [0.0, 0.0, 0.0], 0, {"float_zero_points": True}),
        (0.1, [0, 0, 0], 0, {}),
    ],
    ids=str,
)
def test_bad_channels_are_rejected(scales, zero_points, axis, others):
    value = {**QUANTIZED, "axis": axis, "scale": scales, "zero_point": zero_points, **others}
    rejected(archive(document({"quantized": value}), tensor(np.zeros(3, np.uint8))))


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F16"},
        {"dtype": "F65"},
        {"dtype": None},
        {"dtype": ["F32"]},
        {"shape": [4]},
        {"shape": [-3]},
        {"shape": [3.0]},
        {"shape": [True, 3]},
        {"shape": "3"},
        {"shape": [1] * 65 + [3]},
        {"data_offsets": [0, 11]},
        {"data_offsets": [0, 13]},
        {"data_offsets": [1, 13]},
        {"data_offsets": [12, 0]},
        {"data_offsets": [0]},
        {"data_offsets": [0.0, 12.0]},
        {"data_offsets": None},
        {"more": 1},
    ],
    ids=str,
)
def test_bad_arrays_are_rejected(entry):
    rejected(archive(document(TENSOR), {**GOOD, **entry}))


def test_bytes_that_are_no_truth_values_are_rejected():
    rejected(archive(document(TENSOR), tensor(np.frombuffer(b"\x02\x01\x00", np.bool_))))


def test_types_that_tensors_do_not_have_are_named():
    with pytest.raises(FileFormatError, match=r"'a0' is of type BF16.*float32"):
        refquant.load(io.BytesIO(archive(document(TENSOR), {**GOOD, "dtype": "BF16"})))


def test_arrays_that_overlap_or_leave_gaps_are_rejected():
    both = document({"list": [TENSOR, {"tensor": {"array": "a1"}}]})
    assert len(refquant.load(io.BytesIO(archive(both, GOOD, GOOD)))) == 2
    rejected(archive(both, GOOD, {**GOOD, "data_offsets": [0, 12]}))
    rejected(archive(both, {**GOOD, "data_offsets": [12, 24]}, {**GOOD, "data_offsets": [12, 24]}))


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ([2**60], 2**62),
        ([2**62, 2**62], 2**126),
        ([0, 2**62, 2**62], 0),
        ([2**40], 2**42),
    ],
)
def test_declared_sizes_beyond_the_file_are_rejected(shape, size):
    rejected(archive(document(TENSOR), {**GOOD, "shape": shape, "data_offsets": [0, size]}))


@pytest.mark.parametrize("length", [0, 1, 2**20, 2**40, 2**63, 2**64 - 1])
def test_headers_beyond_the_file_are_rejected(length):
    rejected(length.to_bytes(8, "little") + b"{}" + b" " * 100)


class Endless(io.RawIOBase):
    """A file that does not tell its size and does not end."""

    def __init__(self, start):
        self.start, self.given = start, 0

    def read(self, count=-1):
        assert 0 <= count <= 1 << 24, "memory is not allocated at once"
        piece, self.start = self.start[:count], self.start[count:]
        piece += bytes(count - len(piece))
        self.given += count
        return piece


def test_files_that_do_not_end_are_rejected_after_what_they_declare():
    good = archive(document(TENSOR), GOOD)
    endless = Endless(good)
    with pytest.raises(FileFormatError, match="behind its data"):
        refquant.load(endless)
    assert endless.given == len(good) + 1
    large = archive(document(TENSOR), {**GOOD, "shape": [2**60], "data_offsets": [0, 2**62]})
    with pytest.raises(FileFormatError, match="limit"):
        refquant.load(Endless(large))
    rejected(b"")
    if os.path.exists("/dev/zero"):
        with pytest.raises(FileFormatError):
            refquant.load("/dev/zero")


def test_a_file_beyond_the_limit_is_rejected_before_it_is_read():
    data = written(refquant.zeros(1000))
    assert refquant.load(io.BytesIO(data), max_bytes=len(data)).shape == (1000,)
    with pytest.raises(FileFormatError, match="max_bytes"):
        refquant.load(io.BytesIO(data), max_bytes=len(data) - 1)
    with pytest.raises(FileFormatError, match="max_bytes"):
        refquant.load(io.BytesIO(data), max_bytes=0)


def test_a_small_file_does_not_become_many_large_arrays():
    array = tensor(np.zeros((1, 2, 3), np.float32))
    values = [{"tensor": {"array": "a0", "order": order}} for order in ([0, 2, 1], [1, 0, 2])]
    assert refquant.load(io.BytesIO(archive(document(values[0]), array))).stride() == (6, 1, 2)
    rejected(archive(document({"list": values}), array))


def test_what_does_not_belong_is_rejected():
    rejected(archive(document(TENSOR), GOOD, GOOD))
    rejected(archive(document({"list": []}), GOOD))
    rejected(archive(document(TENSOR), GOOD, behind=b"\0"))
    rejected(archive(document(TENSOR), GOOD, more={"more": "1"}))


def test_files_of_others_are_rejected(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(FileFormatError, match="zip"):
        refquant.load(tmp_path / "other.npz")
    for start in (b"\x80\x02}q\x00.", b"PK\x03\x04" + bytes(26) + b"archive/data.pkl"):
        with pytest.raises(FileFormatError, match=r"torch\.save"):
            refquant.load(io.BytesIO(start + bytes(100)))
