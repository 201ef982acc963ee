"""Vectors as files: a folder of one ``.npz`` a case, and ``manifest.json`` that describes them.

The manifest says everything that arrays cannot: parameters, quantizers, shapes, who answered. Any
language reads both. Reading believes nothing: names, sizes and types are checked before memory is
taken, and nothing is executed.
"""

import io
import json
import math
import os
import re
import shutil
import struct
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import refquant
from refquant import engines
from refquant.errors import ArgumentError, EngineError, FileFormatError
from refquant.oracle.vectors.case import Case
from refquant.oracle.vectors.coverage import coverage
from refquant.oracle.vectors.making import OPERATIONS, cases_of
from refquant.progress import track
from refquant.tensors import QuantizedTensor, Tensor

__all__ = ["Vectors", "read_npz", "read_vectors", "write_vectors"]

FORMAT, VERSION = "refquant-vectors", 1
MANIFEST = "manifest.json"
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


# -- writing ---------------------------------------------------------------------------------


def _described(value: Any, name: str, arrays: dict[str, np.ndarray]) -> Any:
    """Turn an argument into JSON; its arrays go into `arrays`."""
    if isinstance(value, QuantizedTensor):
        arrays[name] = value.array
        found: dict[str, Any] = {"array": name, "dtype": value.dtype.name}
        if value.axis is None:
            return {**found, "scale": value.scale, "zero_point": value.zero_point}
        return {
            **found,
            "axis": value.axis,
            "scales": np.asarray(value.scale).tolist(),
            "zero_points": np.asarray(value.zero_point).tolist(),
        }
    if isinstance(value, Tensor):
        arrays[name] = value.array
        return {"array": name}
    if isinstance(value, list | tuple) and any(isinstance(v, Tensor) for v in value):
        return {"list": [_described(v, f"{name}{i}", arrays) for i, v in enumerate(value)]}
    if isinstance(value, refquant.dtype):
        return {"dtype": value.name}
    return list(value) if isinstance(value, tuple) else value


def _table(rows: list[tuple[str, str]]) -> str:
    lines = ["| covered | how |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {how} |" for name, how in rows)]) + "\n"


def write_vectors(
    operation: str,
    folder: Any,
    engine: str | None = None,
    *,
    seed: int = 0,
    force: bool = False,
    progress: bool | None = None,
) -> list[tuple[str, str]]:
    """Write the test vectors of an operation.

    Cases that the engine refuses are left out, and named in the manifest with its reason. The
    folder holds an ``.npz`` for each case (its operands, and ``expected``), ``manifest.json``
    and ``coverage.md``. It appears whole or not at all.

    Parameters
    ----------
    operation : str
        One of `OPERATIONS`.
    folder : path
        Made anew; must not exist, or be empty.
    engine : str, optional
        Whose answers are expected; the engine that is chosen by default.
    seed : int, default 0
        Of the random integers.
    force : bool, default False
        Whether a folder of vectors that is there is replaced.
    progress : bool, optional
        Whether to show a bar; by default on a terminal.

    Returns
    -------
    list of (str, str)
        What is covered.

    Raises
    ------
    ArgumentError
        If the operation has no vectors, or the folder holds something.
    EngineError
        If the engine is not known.

    Examples
    --------
    >>> import tempfile
    >>> from refquant import oracle
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rows = oracle.write_vectors("relu", folder + "/relu", "fbgemm")
    ...     vectors = oracle.read_vectors(folder + "/relu")
    >>> vectors
    <Vectors of relu by engine 'fbgemm': 3 cases, 768 elements>
    """
    record = engines.current() if engine is None else engines.get(engine)
    cases = cases_of(operation, seed)
    target = Path(folder)
    _check_target(target, force)
    target.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".vectors-", dir=target.parent))
    try:
        entries, left_out = [], {}
        for case in track(cases, f"vectors of {operation}", show=progress):
            try:
                answer = case.problem.run(record)
            except EngineError as error:
                left_out[case.name] = str(error)
                continue
            arrays: dict[str, Any] = {}
            described = {
                name: _described(value, name, arrays) for name, value in case.arguments.items()
            }
            arrays["expected"] = answer.array
            np.savez(made / f"{case.name}.npz", **arrays)
            entries.append(
                {
                    "name": case.name,
                    "arguments": described,
                    "arrays": {n: [str(a.dtype), list(a.shape)] for n, a in arrays.items()},
                    "output": _described(answer, "expected", {}),
                }
            )
        rows = coverage([case for case in cases if case.name not in left_out])
        if left_out:
            rows.append(("left out, which the engine refuses", ", ".join(left_out)))
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            "operation": operation,
            "engine": record.name,
            "seed": seed,
            "made_by": f"refquant {refquant.__version__}",
            "cases": entries,
            "left_out": left_out,
        }
        (made / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        (made / "coverage.md").write_text(_table(rows), encoding="utf-8")
        if target.exists():
            shutil.rmtree(target)
        os.chmod(made, 0o755)
        made.rename(target)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    return rows


def _check_target(target: Path, force: bool) -> None:
    if not target.exists() and not target.is_symlink():
        return
    empty = target.is_dir() and not any(target.iterdir())
    ours = target.is_dir() and (target / MANIFEST).is_file()
    if empty or (force and ours):
        return
    raise ArgumentError(
        "oracle.write_vectors",
        argument="folder",
        expected="a folder that does not exist or is empty",
        got=str(target),
        mend="give another one" + (", or replace it with force" if ours else ""),
    )


# -- reading ---------------------------------------------------------------------------------


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
    top = Path(folder)
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
