"""A container of one JSON document and NumPy arrays that is read without executing anything.

It is an uncompressed zip file: the member ``refquant.json`` and arrays ``arrays/0.npy``,
``arrays/1.npy`` ..., so that any zip tool opens it and ``numpy.load`` reads the arrays. The reader
trusts nothing: names, sizes, types and checksums are checked before anything is allocated.
"""

import io
import json
import math
import os
import re
import secrets
import struct
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from refquant.errors import FileFormatError

__all__ = ["FORMAT", "VERSION", "read", "replace_file", "strict_json", "write"]

FORMAT = "refquant"
VERSION = 1
DOCUMENT = "refquant.json"
# Types of elements as files name them: little-endian everywhere.
# Only headers as NumPy writes them are accepted, so that no expression has to be evaluated.
HEADER = re.compile(
    rb"\{'descr': '(<f2|<f4|<f8|\|b1|\|u1|\|i1|<i2|<i4|<i8)', 'fortran_order': False, "
    rb"'shape': \(((?:\d{1,18}, ?)*(?:\d{1,18})?)\), \} *\n"
)
MAGIC = b"\x93NUMPY\x01\x00"
# The earliest time of the zip format: equal content gives equal files.
EPOCH = (1980, 1, 1, 0, 0, 0)


def _array_name(index: int) -> str:
    return f"arrays/{index}.npy"


def write(stream: BinaryIO, value: Any, arrays: Sequence[np.ndarray]) -> None:
    """Write a JSON value and C-contiguous arrays.

    Parameters
    ----------
    stream : binary file
        Where to write.
    value : object
        What `json` can encode.
    arrays : sequence of ndarray
        The arrays; `value` may refer to them by position.
    """
    document = {"format": FORMAT, "version": VERSION, "arrays": len(arrays), "value": value}
    text = json.dumps(document, allow_nan=False, separators=(",", ":"))
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as file:
        file.writestr(zipfile.ZipInfo(DOCUMENT, EPOCH), text.encode("ascii"))
        for index, array in enumerate(arrays):
            little = array.astype(array.dtype.newbyteorder("<"), copy=False)
            with file.open(zipfile.ZipInfo(_array_name(index), EPOCH), "w", force_zip64=True) as m:
                np.lib.format.write_array(m, little, version=(1, 0), allow_pickle=False)


def _fault(source: str, fault: str) -> FileFormatError:
    return FileFormatError(
        f"{source}: the file is damaged or not one of refquant's ({fault})",
        hint="copy it again from where it came from, or write it anew with refquant.save()",
    )


def _of_torch(source: str) -> FileFormatError:
    return FileFormatError(
        f"{source}: torch.save() wrote the file, a pickle that could run any code",
        hint="write it anew where PyTorch is installed: content = torch.load(file, "
        "weights_only=True); refquant.save(refquant.from_torch(content), new_file)",
    )


def read(source: str, stream: BinaryIO) -> tuple[Any, list[np.ndarray]]:
    """Read what `write` has written.

    Parameters
    ----------
    stream : binary file
        Open for reading, and seekable.

    Returns
    -------
    value : object
        The JSON value.
    arrays : list of ndarray
        Copies in native byte order.

    Raises
    ------
    FileFormatError
        If the file is damaged, of another format, or of a later version.
    """
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    if stream.read(2) == b"\x80\x02":  # what PyTorch wrote before it wrote zip files
        raise _of_torch(source)
    stream.seek(0)
    try:
        with zipfile.ZipFile(stream) as file:
            members = _members(source, file, size)
            document = _document(source, file, members)
            count = document["arrays"]
            wanted = {DOCUMENT, *(_array_name(i) for i in range(min(count, len(members))))}
            if count != len(members) - 1 or wanted != set(members):
                raise _fault(source, f"it should hold {count} arrays and nothing else")
            arrays = [
                _array(source, name, file.read(members[name]))
                for name in map(_array_name, range(count))
            ]
    except FileFormatError:
        raise
    except zipfile.BadZipFile as error:
        raise _fault(source, str(error)) from None
    # What zipfile raises for offsets and fields that make no sense.
    except (
        OSError,
        EOFError,
        ValueError,
        KeyError,
        IndexError,
        RuntimeError,
        OverflowError,
        MemoryError,
        struct.error,
    ) as error:
        raise _fault(source, f"{type(error).__name__}: {error}") from None
    return document["value"], arrays


def _members(source: str, file: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """List the members by name; each must be uncompressed, and all must fit into the file."""
    members: dict[str, zipfile.ZipInfo] = {}
    for info in file.infolist():
        if info.filename in members:
            raise _fault(source, f"{info.filename!r} is there twice")
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 0x1:
            raise _fault(source, f"{info.filename!r} is compressed or encrypted")
        if info.file_size != info.compress_size:
            raise _fault(source, f"{info.filename!r} tells two sizes")
        members[info.filename] = info
    if sum(info.file_size for info in members.values()) > size:
        raise _fault(source, "its members are larger than the file")
    return members


def _document(source: str, file: zipfile.ZipFile, members: dict) -> dict:
    if any(name.endswith("/data.pkl") for name in members):
        raise _of_torch(source)
    if DOCUMENT not in members:
        raise _fault(source, f"it has no {DOCUMENT}")
    text = file.read(members[DOCUMENT]).decode("ascii")
    try:
        document = strict_json(text)
    except RecursionError:
        raise _fault(source, "its values are nested too deeply") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise _fault(source, f"{DOCUMENT} does not say that it is one")
    version = document.get("version")
    if version != VERSION or isinstance(version, bool):
        raise FileFormatError(
            f"{source}: the file has version {version!r}, this release reads version {VERSION}",
            hint="read it with the release of refquant that wrote it, or a later one",
        )
    count = document.get("arrays")
    if (
        type(count) is not int
        or count < 0
        or set(document) != {"format", "version", "arrays", "value"}
    ):
        raise _fault(source, f"{DOCUMENT} has other entries than it should")
    return document


def _no_duplicates(pairs: list) -> dict:
    entries = dict(pairs)
    if len(entries) != len(pairs):
        raise ValueError("duplicate entry")
    return entries


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def strict_json(text: str) -> Any:
    """Decode JSON without duplicate entries and without NaN and infinities, or raise ValueError."""
    return json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)


def replace_file(path: Path, write: Callable[[BinaryIO], Any]) -> None:
    """Write a file beside the target, and replace the target when it is complete."""
    target = Path(os.path.realpath(path))
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with draft.open("xb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(draft, target)
    finally:
        draft.unlink(missing_ok=True)


def _array(source: str, name: str, data: bytes) -> np.ndarray:
    """Read one ``.npy``; its header must describe exactly as many bytes as there are."""
    start = len(MAGIC) + 2
    if len(data) < start or not data.startswith(MAGIC):
        raise _fault(source, f"{name} is no array")
    end = start + int.from_bytes(data[start - 2 : start], "little")
    header = HEADER.fullmatch(data[start:end])
    if header is None:
        raise _fault(source, f"{name} is no array of a type that tensors have")
    dtype = np.dtype(header[1].decode("ascii"))
    shape = tuple(int(n) for n in header[2].replace(b" ", b"").split(b",") if n)
    if len(shape) > 64 or math.prod(shape) * dtype.itemsize != len(data) - end:
        raise _fault(source, f"{name} should hold an array of shape {shape}")
    elements = np.frombuffer(data, dtype, offset=end).reshape(shape)
    if dtype.kind == "b" and (elements.view(np.uint8) > 1).any():
        raise _fault(source, f"{name} holds bytes that are neither false nor true")
    return elements.astype(dtype.newbyteorder("="))
