"""A container of one JSON document and named NumPy arrays: a file of the safetensors format.

::

    8 bytes   length of the header, little-endian
    header    JSON: {"__metadata__": {...}, NAME: {"dtype", "shape", "data_offsets"}, ...}
    data      the elements of all arrays, row-major and little-endian, without gaps

The document is one string of the metadata, ``refquant``; beside it stands the CRC-32 of the whole
file. Other programs that read the format find the arrays under their names. Files that they wrote
have no document. Reading executes nothing and trusts nothing: every size is checked against the
file and a limit before memory is allocated for it.
"""

import io
import json
import math
import re
import sys
import zlib
from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from refquant.errors import ArgumentTypeError, FileFormatError

__all__ = ["VERSION", "Content", "fault", "read", "strict_json", "write"]

VERSION = 1
METADATA = "__metadata__"
DOCUMENT = "refquant"
CHECKSUM = "crc32"
# Of files of this library: the checksum has a fixed place, and counts as zeros while it is taken.
BEGIN = f'{{"{METADATA}":{{"{CHECKSUM}":"'.encode()
UNKNOWN = b"00000000"
# A damaged name of the document is known by how the document begins.
DOCUMENT_BEGINS = f'{{"{DOCUMENT}":'
LARGEST_HEADER = 100_000_000  # of the format
MOST_DIMENSIONS = 64  # of NumPy
PIECE = 1 << 24  # bytes that are read at once: more is allocated only when they have arrived
_COMPACT: dict[str, Any] = {"allow_nan": False, "separators": (",", ":")}
TYPES: dict[str, np.dtype] = {
    "F64": np.dtype("<f8"),
    "I64": np.dtype("<i8"),
    "F32": np.dtype("<f4"),
    "I32": np.dtype("<i4"),
    "F16": np.dtype("<f2"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
}
NAMES = {dtype: name for name, dtype in TYPES.items()}
# Types of the format that no tensor here has.
FOREIGN = re.compile(r"(U16|U32|U64|BF16|C64|C128|F4|F[68]_\w{1,12})\Z")


class Content(NamedTuple):
    """What a file holds; `own` tells whether this library wrote it, with a document."""

    own: bool
    document: Any
    arrays: dict[str, np.ndarray]


def fault(source: str, what: str) -> FileFormatError:
    """Describe what is wrong with a file."""
    return FileFormatError(
        f"{source}: the file is damaged or not one of refquant's ({what})",
        hint="copy it again from where it came from, or write it anew with refquant.save()",
    )


def _little(array: np.ndarray) -> np.ndarray:
    """Elements as files hold them; the same memory if it is so already."""
    return np.asarray(array, array.dtype.newbyteorder("<"), order="C")


def _bytes_of(array: np.ndarray) -> memoryview:
    return _little(array).reshape(-1).view(np.uint8).data


def write(stream: BinaryIO, value: Any, arrays: Mapping[str, np.ndarray]) -> None:
    """Write a JSON value and arrays.

    Parameters
    ----------
    stream : binary file
        Where to write.
    value : object
        What `json` can encode.
    arrays : mapping of str to ndarray
        The arrays; `value` may refer to them by name.
    """
    # The widest elements come first, so that all are aligned.
    items = sorted(arrays.items(), key=lambda item: -item[1].itemsize)
    document = json.dumps({DOCUMENT: VERSION, "value": value}, **_COMPACT)
    header: dict[str, Any] = {
        METADATA: {CHECKSUM: UNKNOWN.decode(), DOCUMENT: document},
    }
    end = 0
    for name, array in items:
        start, end = end, end + array.nbytes
        header[name] = {
            "dtype": NAMES[array.dtype.newbyteorder("<")],
            "shape": list(array.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(header, **_COMPACT).encode("ascii")
    text += b" " * (-len(text) % 8)
    checksum = zlib.crc32(text)
    for _, array in items:
        checksum = zlib.crc32(_bytes_of(array), checksum)
    place = len(BEGIN)
    text = text[:place] + f"{checksum:08x}".encode() + text[place + len(UNKNOWN) :]
    _write_all(stream, len(text).to_bytes(8, "little") + text)
    for _, array in items:
        _write_all(stream, _bytes_of(array))


def _write_all(stream: BinaryIO, data: bytes | memoryview) -> None:
    """Write everything; files without a buffer may take a part at a time."""
    rest = memoryview(data)
    while rest:
        written = stream.write(rest)
        rest = rest[len(rest) if written is None else written :]


def read(source: str, stream: BinaryIO, limit: int) -> Content:
    """Read a file of the format, from the current position to the end.

    Parameters
    ----------
    source : str
        What the file is called in messages.
    stream : binary file
        Open for reading; a size is found out if it is seekable.
    limit : int
        The most bytes that may be read.

    Returns
    -------
    Content

    Raises
    ------
    FileFormatError
        If the file is damaged, of another format, of a later version, or larger than the limit.
    """
    remaining = _remaining(stream)
    start = bytes(_take(stream, 8))
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06", b"\x80\x02")):
        raise _of_another_format(source, start + bytes(_take(stream, 1000)))
    if len(start) < 8:
        raise fault(source, f"it has {len(start)} bytes")
    length = int.from_bytes(start, "little")
    if not 2 <= length <= LARGEST_HEADER or (remaining is not None and length > remaining - 8):
        raise fault(source, f"it declares a header of {length} bytes")
    _check_limit(source, 8 + length, limit)
    text = _take(stream, length)
    if len(text) < length:
        raise fault(source, "its header is cut off")
    header = _parse(source, text)
    metadata = header.pop(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise fault(source, "its metadata are not strings")
    entries = _entries(source, header)
    size = entries[-1].end if entries else 0
    if remaining is not None and 8 + length + size != remaining:
        raise fault(source, f"it should hold {size} bytes of data, not {remaining - 8 - length}")
    _check_limit(source, 8 + length + size, limit)
    own = DOCUMENT in metadata or any(v.startswith(DOCUMENT_BEGINS) for v in metadata.values())
    if own:  # the checksum is compared when all is read
        expected, checksum = _prepare_checksum(source, text, metadata)
    arrays = {}
    for entry in entries:
        data = _take(stream, entry.end - entry.start)
        if len(data) < entry.end - entry.start:
            raise fault(source, f"the elements of {entry.name[:80]!r} are cut off")
        if own:
            checksum = zlib.crc32(data, checksum)
        arrays[entry.name] = _array(source, entry, data)
    if _take(stream, 1):
        raise fault(source, "there are bytes behind its data")
    if own and checksum != expected:
        raise fault(source, "its checksum does not fit")
    arrays = {name: arrays[name] for name in header}  # in the order of the file
    return Content(own, _document(source, metadata[DOCUMENT]) if own else None, arrays)


def _check_limit(source: str, size: int, limit: int) -> None:
    if size > limit:
        raise FileFormatError(
            f"{source}: the file has {size} bytes, the limit is {limit}",
            hint="if you trust it, raise the limit: refquant.load(f, max_bytes=...)",
        )


def _remaining(stream: BinaryIO) -> int | None:
    """Count the bytes to the end of a file, if it tells."""
    try:
        if not stream.seekable():
            return None
        here = stream.tell()
        end = stream.seek(0, io.SEEK_END)
        stream.seek(here)
    except (AttributeError, OSError):
        return None
    return end - here


def _take(stream: BinaryIO, count: int) -> bytearray:
    """Read so many bytes, or fewer if the file ends; memory grows only as they arrive."""
    taken = bytearray()
    while len(taken) < count:
        piece = stream.read(min(PIECE, count - len(taken)))
        if not isinstance(piece, bytes | bytearray):
            raise ArgumentTypeError(
                argument="f",
                expected="a file opened in binary mode",
                got=f"one that gives {type(piece).__name__}",
                hint='open it with "rb"',
            )
        if not piece:
            break
        taken += piece
    return taken


def _of_another_format(source: str, start: bytes) -> FileFormatError:
    if start.startswith(b"\x80\x02") or b"data.pkl" in start:
        return FileFormatError(
            f"{source}: torch.save() wrote the file, a pickle that could run any code",
            hint="write it anew where PyTorch is installed: content = torch.load(file, "
            "weights_only=True); refquant.save(refquant.from_torch(content), new_file)",
        )
    return fault(source, "it is a zip file, such as numpy.savez() writes")


def _parse(source: str, text: bytearray) -> dict[str, Any]:
    try:
        header = strict_json(text.decode("utf-8"))
    except RecursionError:
        raise fault(source, "its header is nested too deeply") from None
    except ValueError as error:
        raise fault(source, f"its header is no JSON: {error}"[:300]) from None
    if not isinstance(header, dict) or not text.startswith(b"{"):
        raise fault(source, "its header is no JSON object")
    return header


class _Entry(NamedTuple):
    start: int
    end: int
    name: str
    dtype: np.dtype
    shape: tuple[int, ...]


def _entries(source: str, header: dict[str, Any]) -> list[_Entry]:
    """Check what a header says of its arrays; they fill the data without gaps."""
    entries = sorted(_entry(source, name, entry) for name, entry in header.items())
    position = 0
    for entry in entries:
        if entry.start != position:
            raise fault(source, f"{entry.name[:80]!r} does not begin where another one ends")
        position = entry.end
    return entries


def _entry(source: str, name: str, entry: Any) -> _Entry:
    def whole(values: Any) -> bool:
        return isinstance(values, list) and all(type(n) is int and 0 <= n < 2**63 for n in values)

    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise fault(source, f"{name[:80]!r} is not described as an array")
    kind, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if isinstance(kind, str) and FOREIGN.match(kind):
        raise FileFormatError(
            f"{source}: tensor {name[:80]!r} is of type {kind}, which refquant does not have",
            hint="convert it, for example to float32, with the program that wrote the file",
        )
    dtype = TYPES.get(kind) if isinstance(kind, str) else None
    if dtype is None or not whole(shape) or not whole(offsets) or len(offsets) != 2:
        raise fault(source, f"{name[:80]!r} is not described as an array")
    start, end = offsets
    if len(shape) > MOST_DIMENSIONS or math.prod(shape) * dtype.itemsize != end - start:
        raise fault(source, f"{name[:80]!r} of shape {str(shape)[:80]} has {end - start} bytes")
    return _Entry(start, end, name, dtype, tuple(shape))


def _array(source: str, entry: _Entry, data: bytearray) -> np.ndarray:
    try:
        if data:
            array = np.frombuffer(data, entry.dtype).reshape(entry.shape)
        else:  # with the strides of an empty array
            array = np.empty(entry.shape, entry.dtype)
    except ValueError as error:  # empty, of dimensions whose product no array can have
        raise fault(source, f"{entry.name[:80]!r}: {error}") from None
    if entry.dtype.kind == "b" and (array.view(np.uint8) > 1).any():
        raise fault(source, f"{entry.name[:80]!r} holds bytes that are neither false nor true")
    return array.astype(entry.dtype.newbyteorder("="), copy=sys.byteorder != "little")


def _prepare_checksum(source: str, text: bytearray, metadata: dict[str, str]) -> tuple[int, int]:
    """Return the checksum that a file states, and that of its header."""
    place = slice(len(BEGIN), len(BEGIN) + len(UNKNOWN))
    stated = bytes(text[place])
    wanted = {CHECKSUM, DOCUMENT}
    known = re.fullmatch(rb"[0-9a-f]{8}", stated)
    if set(metadata) != wanted or not text.startswith(BEGIN) or not known:
        raise fault(source, "it has no checksum; another program may have changed it")
    text[place] = UNKNOWN
    return int(stated, 16), zlib.crc32(text)


def _document(source: str, text: str) -> Any:
    try:
        document = strict_json(text)
    except (RecursionError, ValueError) as error:
        raise fault(source, f"its document is no JSON: {error}"[:300]) from None
    version = document.get(DOCUMENT) if isinstance(document, dict) else None
    if version != VERSION or isinstance(version, bool):
        raise FileFormatError(
            f"{source}: the file has version {version!r:.40}, this release reads version {VERSION}",
            hint="read it with the release of refquant that wrote it, or a later one",
        )
    if set(document) != {DOCUMENT, "value"}:
        raise fault(source, "its document has other entries than it should")
    return document["value"]


def _no_duplicates(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    pairs = list(pairs)
    entries = dict(pairs)
    if len(entries) != len(pairs):
        raise ValueError("duplicate entry")
    return entries


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def strict_json(text: str) -> Any:
    """Decode JSON without duplicate entries and without NaN and infinities, or raise ValueError."""
    return json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
