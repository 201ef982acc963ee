"""Reading of vectors and of results that nobody vouches for.

Names, sizes and types are checked before memory is taken, and nothing is executed.
"""

import io
import json
import math
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import refquant
from refquant import arguments
from refquant.errors import FileFormatError
from refquant.oracle.vectors.case import Case
from refquant.oracle.vectors.making import OPERATIONS
from refquant.oracle.vectors.writing import FORMAT, MANIFEST, VERSION
from refquant.tensors import QuantizedTensor

__all__ = ["Vectors", "read_npz", "read_vectors"]

NAME = re.compile(r"[A-Za-z0-9_.-]{1,80}")
DTYPES = {
    name: np.dtype(name) for name in ("uint8", "int8", "int32", "int64", "float32", "float64")
}
LIMIT = 1 << 28  # bytes of one array, and of the manifest


@dataclass(frozen=True)
class Vectors:
    """Cases of one operation with the answers of one engine.

    Attributes
    ----------
    operation, engine : str
        What was computed by whom.
    cases : tuple of Case
        The operands.
    expected : dict of str to ndarray
        The engine's integers by the names of the cases.

    Examples
    --------
    >>> import tempfile
    >>> from refquant import oracle
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = oracle.write_vectors("relu6", folder)
    ...     vectors = oracle.read_vectors(folder)
    >>> set(vectors.expected) == {case.name for case in vectors.cases}
    True
    """

    operation: str
    engine: str
    cases: tuple[Case, ...]
    expected: dict[str, np.ndarray]

    def __repr__(self) -> str:
        elements = sum(array.size for array in self.expected.values())
        return (
            f"<Vectors of {self.operation} by engine {self.engine!r}: {len(self.cases)} cases, "
            f"{elements:,} elements>"
        )


def _fault(path: Path, fault: str) -> FileFormatError:
    return FileFormatError(
        f"{path}: the file is damaged or not one of a folder of vectors ({fault})",
        mend="write the vectors anew with `refquant vectors`",
    )


def read_npz(path: Path, limits: dict[str, int]) -> dict[str, np.ndarray]:
    """Read arrays of an ``.npz`` file that nobody vouches for.

    Parameters
    ----------
    path : Path
        The file.
    limits : dict of str to int
        The arrays wanted, and how many bytes each may have.

    Returns
    -------
    dict of str to ndarray

    Raises
    ------
    FileFormatError
        If the file is missing, damaged, too large, or lacks an array.
    """
    found = {}
    try:
        with zipfile.ZipFile(path) as file:
            for name, limit in limits.items():
                with file.open(f"{name}.npy") as member:
                    data = member.read(limit + 4096 + 1)
                if len(data) > limit + 4096:
                    raise _fault(path, f"array {name!r} is larger than {limit:,} bytes")
                found[name] = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    except FileFormatError:
        raise
    except FileNotFoundError:
        raise _fault(path, "it is not there") from None
    except KeyError as error:
        raise _fault(path, str(error.args[0])) from None
    except (
        OSError, EOFError, ValueError, TypeError, SyntaxError, RuntimeError, OverflowError,
        MemoryError, NotImplementedError, struct.error, zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        raise _fault(path, f"{type(error).__name__}: {error}") from None
    return found


def read_vectors(folder: Any) -> Vectors:
    """Read a folder that `write_vectors` wrote.

    Parameters
    ----------
    folder : path
        The folder.

    Returns
    -------
    Vectors

    Raises
    ------
    FileFormatError
        If a file is missing, damaged, foreign, or of a later version.

    Examples
    --------
    >>> import tempfile
    >>> from refquant import oracle
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = oracle.write_vectors("relu6", folder)
    ...     vectors = oracle.read_vectors(folder)
    >>> vectors.operation, len(vectors.cases) > 0
    ('relu6', True)
    """
    top = arguments.path("oracle.read_vectors", "folder", folder)
    manifest = _manifest(top / MANIFEST)
    cases, expected = [], {}
    for entry in manifest["cases"]:
        try:
            case, answer = _read_case(top, manifest["operation"], entry)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise _fault(top / MANIFEST, f"{type(error).__name__}: {error}") from None
        if case.name in expected:
            raise _fault(top / MANIFEST, f"case {case.name!r} is there twice")
        cases.append(case)
        expected[case.name] = answer
    return Vectors(manifest["operation"], str(manifest["engine"]), tuple(cases), expected)


def _manifest(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > LIMIT:
            raise _fault(path, "it is too large")
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise _fault(path, "it is not there") from None
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise _fault(path, f"{type(error).__name__}: {error}") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise _fault(path, f"it does not say {FORMAT!r}")
    if manifest.get("version") != VERSION:
        raise FileFormatError(
            f"{path}: the vectors have version {manifest.get('version')!r}, this release reads "
            f"version {VERSION}",
            mend="write them anew, or read them with the release that wrote them",
        )
    if manifest.get("operation") not in OPERATIONS or not isinstance(manifest.get("cases"), list):
        raise _fault(path, "its operation or its cases are none")
    if not isinstance(manifest.get("engine"), str):
        raise _fault(path, "it names no engine")
    return manifest


def _read_case(top: Path, operation: str, entry: dict[str, Any]) -> tuple[Case, np.ndarray]:
    name = entry["name"]
    if not isinstance(name, str) or not NAME.fullmatch(name) or name.startswith("."):
        raise ValueError(f"{name!r} is no name of a case")
    forms = {n: (DTYPES[d], tuple(int(i) for i in s)) for n, (d, s) in entry["arrays"].items()}
    sizes = {n: math.prod(shape) * dtype.itemsize for n, (dtype, shape) in forms.items()}
    if any(size > LIMIT or size < 0 for size in sizes.values()):
        raise ValueError(f"an array of {name!r} is too large")
    path = top / f"{name}.npz"
    arrays = read_npz(path, sizes)
    for key, (dtype, shape) in forms.items():
        if arrays[key].dtype != dtype or arrays[key].shape != shape:
            raise _fault(
                path, f"{key!r} is {arrays[key].dtype} {arrays[key].shape}, not {dtype} {shape}"
            )
    arguments = {key: _undescribed(value, arrays) for key, value in entry["arguments"].items()}
    return Case(name, operation, arguments), arrays["expected"]


def _undescribed(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if not isinstance(value, dict):
        return value
    if "list" in value:
        return [_undescribed(v, arrays) for v in value["list"]]
    dtype = getattr(refquant, value["dtype"]) if "dtype" in value else None
    if dtype is not None and not isinstance(dtype, refquant.dtype):
        raise ValueError(f"{value['dtype']!r} is no dtype")
    if "array" not in value:
        return dtype
    array = arrays[value["array"]]
    if dtype is None:
        return refquant.tensor(array)
    if array.dtype != dtype.numpy:
        raise ValueError(f"{array.dtype} integers for {dtype.name}")
    if "axis" not in value:
        return QuantizedTensor(array, dtype, float(value["scale"]), int(value["zero_point"]))
    scales, zeros = np.asarray(value["scales"], float), np.asarray(value["zero_points"], np.int64)
    if scales.shape != zeros.shape or scales.shape != (array.shape[value["axis"]],):
        raise ValueError("another number of scales than of channels")
    return QuantizedTensor(array, dtype, scales, zeros, axis=int(value["axis"]))
