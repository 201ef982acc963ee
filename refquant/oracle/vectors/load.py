"""Load vectors and results from files that are not trusted.

Names, sizes and types are checked before memory is allocated, and nothing is executed.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from refquant import arguments, dtypes, engines
from refquant.archive import strict_json
from refquant.engines import Engine
from refquant.engines.registry import chosen
from refquant.errors import EngineError, FileFormatError, RefquantError
from refquant.ops.from_data import tensor
from refquant.oracle.problems.codes import DTYPES as CODES
from refquant.oracle.problems.codes import Codes, Output
from refquant.oracle.problems.table import bind
from refquant.oracle.vectors.case import Case
from refquant.oracle.vectors.generate import NEUTRAL_OPERATIONS, OPERATIONS
from refquant.oracle.vectors.limits import check_limits
from refquant.oracle.vectors.neutral import NEUTRAL
from refquant.oracle.vectors.save import FORMAT, MANIFEST, OUTPUT, VERSION
from refquant.oracle.vectors.storage import (
    DEFAULT,
    LIMIT,
    Forms,
    check_regular,
    fault,
    format_names,
    format_of,
)  # fmt: skip
from refquant.tensors import QuantizedTensor

__all__ = ["MALFORMED", "Vectors", "read_vectors"]

NAME = re.compile(r"[A-Za-z0-9_.-]{1,80}")
DTYPES = {
    name: np.dtype(name)
    for name in ("uint8", "int8", "int16", "int32", "int64", "float32", "float64")
}
MANIFEST_LIMIT = 1 << 24
EXPECTED = ("uint8", "int8", "int16", "int32", "float32")
# What Python raises where a value of a malformed file has another type, or an entry is missing.
MALFORMED = (
    RefquantError, TypeError, ValueError, AttributeError, LookupError, ArithmeticError,
    StopIteration, RecursionError,
)  # fmt: skip


@dataclass(frozen=True)
class Vectors:
    """Cases of one operation with the answers of one engine.

    Attributes
    ----------
    operation, engine : str
        What was computed, and by which engine.
    cases : tuple of Case
        The operands.
    expected : dict of str to ndarray
        The engine's integers, by the names of the cases.

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


def read_vectors(folder: Any, engine: str | Engine | None = None) -> Vectors:
    """Read a folder that `write_vectors` wrote.

    Parameters
    ----------
    folder : path
        The folder.
    engine : str or Engine, optional
        The engine that the vectors name, if it is not registered.

    Returns
    -------
    Vectors

    Raises
    ------
    FileFormatError
        If a file is missing, damaged, of another format, or of a later version.
    EngineError
        If the vectors name another engine than `engine`.

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
    top = arguments.path("folder", folder)
    known = None if engine is None else chosen(engine).name
    manifest = _manifest(top / MANIFEST, known)
    operation = manifest["operation"]
    try:
        forms = {}
        for entry in manifest["cases"]:
            name, arrays = _read_forms(entry)
            if name in forms:
                raise ValueError(f"case {name!r} is a duplicate")
            forms[name] = arrays
        if sum(sum(_sizes(arrays).values()) for arrays in forms.values()) > LIMIT:
            raise ValueError(f"its arrays are too large, more than {LIMIT:,} bytes together")
        read_arrays = format_of(manifest["files"]).read
        read = []
        for entry in manifest["cases"]:
            arrays = read_arrays(top, entry["name"], forms[entry["name"]])
            name = NEUTRAL[operation][0] if manifest["neutral"] else operation
            read.append(_read_case(name, entry, arrays, manifest["neutral"]))
    except FileFormatError:
        raise
    except MALFORMED as error:
        raise fault(top / MANIFEST, f"{type(error).__name__}: {error}") from None
    expected = {case.name: answer for case, answer in read}
    return Vectors(operation, manifest["engine"], tuple(case for case, _ in read), expected)


def _manifest(path: Path, known: str | None) -> dict[str, Any]:
    try:
        check_regular(path)
        if path.stat().st_size > MANIFEST_LIMIT:
            raise fault(path, "it is too large")
        manifest = strict_json(path.read_text(encoding="utf-8"))
    except FileFormatError:
        raise
    except FileNotFoundError:
        there = path.parent.exists()
        raise FileFormatError(
            f"{path.parent}: " + (f"it has no {MANIFEST}" if there else "there is no such folder"),
            hint="give a folder that `refquant vectors` has made",
        ) from None
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise fault(path, f"{type(error).__name__}: {error}") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise fault(path, f"its format is not {FORMAT!r}")
    version = manifest.get("version")
    if version != VERSION or isinstance(version, bool):
        raise FileFormatError(
            f"{path}: the vectors have version {repr(version)[:40]}, this release reads version "
            f"{VERSION}",
            hint="write them again, or read them with the release that wrote them",
        )
    operation, cases = manifest.get("operation"), manifest.get("cases")
    neutral = manifest.setdefault("neutral", False)
    listed = NEUTRAL_OPERATIONS if neutral is True else OPERATIONS
    if not isinstance(neutral, bool) or operation not in listed or not isinstance(cases, list):
        raise fault(path, "its operation or its list of cases is not valid")
    if manifest.setdefault("files", DEFAULT) not in format_names():
        raise fault(path, "it names an unknown format of files")
    if not isinstance(manifest.get("engine"), str):
        raise fault(path, "it does not name an engine")
    _check_engine(path, manifest["engine"], known)
    return manifest


def _check_engine(path: Path, name: str, known: str | None) -> None:
    if known is None:
        try:
            engines.get(name)
        except EngineError:
            raise fault(
                path,
                f"engine {name[:80]!r} is not known; register an engine of your own before reading "
                "its vectors, or give it as engine=",
            ) from None
    elif known != name:
        raise EngineError(
            argument="engine", expected=f"{name[:80]!r}, which the vectors name", got=repr(known)
        )


def _sizes(forms: Forms) -> dict[str, int]:
    return {n: math.prod(shape) * dtype.itemsize for n, (dtype, shape) in forms.items()}


def _read_forms(entry: dict[str, Any]) -> tuple[str, Forms]:
    """Read the name of a case, and dtypes and shapes of its arrays, from a manifest entry."""
    name = entry["name"]
    if not isinstance(name, str) or not NAME.fullmatch(name) or name.startswith("."):
        raise ValueError(f"{name!r} is not a valid case name")
    forms = {}
    for key, (dtype, shape) in entry["arrays"].items():
        if not all(type(n) is int and n >= 0 for n in shape) or len(shape) > 32:
            raise ValueError(f"array {key!r} of {name!r} has an invalid shape")
        forms[key] = DTYPES[dtype], tuple(shape)
    if forms["expected"][0].name not in EXPECTED:
        raise ValueError(
            f"the dtype of the answer to {name!r} must be one of {', '.join(EXPECTED)}"
        )
    return name, forms


def _read_case(
    operation: str, entry: dict[str, Any], arrays: dict[str, np.ndarray], neutral: bool
) -> tuple[Case, np.ndarray]:
    name = entry["name"]
    try:
        arguments = {key: _from_json(value, arrays) for key, value in entry["arguments"].items()}
        bind(operation, (), arguments)
        check_limits(operation, arguments, neutral)
    except MALFORMED as error:
        raise ValueError(f"case {name!r}: {type(error).__name__}: {error}") from None
    return Case(name, operation, arguments), arrays["expected"]


def _from_json(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if not isinstance(value, dict):
        return value
    if set(value) == set(OUTPUT):
        return Output(**value)
    if "list" in value:
        return [_from_json(v, arrays) for v in value["list"]]
    if "array" in value and value.get("dtype") in CODES:
        return _codes(arrays[value["array"]], value)
    dtype = dtypes.BY_NAME.get(value["dtype"]) if "dtype" in value else None
    if "dtype" in value and dtype is None:
        raise ValueError(f"{value['dtype']!r} is not a dtype")
    if "array" not in value:
        return dtype
    array = arrays[value["array"]]
    if dtype is None:
        return tensor(array)
    if array.dtype != dtype.numpy:
        raise ValueError(f"{array.dtype} integers for {dtype.name}")
    if "axis" not in value:
        scale, zero_point = value["scale"], value["zero_point"]
        if type(scale) not in (float, int) or type(zero_point) is not int:
            raise ValueError(f"scale {scale!r} or zero point {zero_point!r} is not a number")
        return QuantizedTensor(array, dtype, scale, zero_point)
    zero_points = value["zero_points"]
    if not isinstance(zero_points, list) or any(type(z) is not int for z in zero_points):
        raise ValueError("zero points are not an integer tensor")
    return QuantizedTensor(array, dtype, value["scales"], zero_points, axis=value["axis"])


def _codes(array: np.ndarray, value: dict[str, Any]) -> Codes:
    if array.dtype.name != value["dtype"]:
        raise ValueError(f"{array.dtype} integers for {value['dtype']}")
    if "axis" not in value:
        return Codes(array, value["scale"], value["zero_point"])
    return Codes(array, value["scales"], value["zero_points"], value["axis"])
