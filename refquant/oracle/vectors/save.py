"""Save vectors: arrays of each case, and a ``manifest.json`` that describes all of them.

The manifest holds what arrays cannot: parameters, quantizers, shapes, the engine.
"""

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from refquant import arguments, dtypes, engines
from refquant._version import __version__
from refquant.errors import ArgumentError, EngineError
from refquant.oracle.vectors.coverage import coverage
from refquant.oracle.vectors.generate import cases_of
from refquant.oracle.vectors.storage import DEFAULT, format_of
from refquant.progress import track
from refquant.tensors import QuantizedTensor, Tensor

__all__ = ["write_vectors"]

FORMAT, VERSION = "refquant-vectors", 1
MANIFEST = "manifest.json"


def _to_json(value: Any, name: str, arrays: dict[str, np.ndarray]) -> Any:
    """Convert an argument to JSON, and add its arrays to `arrays`."""
    if isinstance(value, QuantizedTensor):
        arrays[name] = value.array
        entry: dict[str, Any] = {"array": name, "dtype": value.dtype.name}
        if value.axis is None:
            return {**entry, "scale": value.scale, "zero_point": value.zero_point}
        return {
            **entry,
            "axis": value.axis,
            "scales": np.asarray(value.scale).tolist(),
            "zero_points": np.asarray(value.zero_point).tolist(),
        }
    if isinstance(value, Tensor):
        arrays[name] = value.array
        return {"array": name}
    if isinstance(value, list | tuple) and any(isinstance(v, Tensor) for v in value):
        return {"list": [_to_json(v, f"{name}{i}", arrays) for i, v in enumerate(value)]}
    if isinstance(value, dtypes.dtype):
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
    format: str = DEFAULT,
    force: bool = False,
    progress: bool | None = None,
) -> list[tuple[str, str]]:
    """Write the test vectors of an operation.

    Cases that the engine does not support are left out, and listed in the manifest with the reason.
    The folder holds the arrays of each case (its operands, and ``expected``), ``manifest.json``
    and ``coverage.md``. It is written completely or not at all.

    Parameters
    ----------
    operation : str
        One of `OPERATIONS`.
    folder : path
        Must not exist or be empty, unless `force` is given.
    engine : str, optional
        Whose answers are expected; the current engine by default.
    seed : int, default 0
        Seed of the random operands.
    format : str, default 'npz'
        How arrays are stored, see *Vectors as files*.
    force : bool, default False
        Whether to replace an existing folder of vectors.
    progress : bool, optional
        Whether to show a bar; by default on a terminal.

    Returns
    -------
    list of (str, str)
        What is covered.

    Raises
    ------
    ArgumentError
        If the operation has no vectors, the format is not known, or the folder is not empty.
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
    force = arguments.flag("force", force)
    progress = arguments.flag_or_none("progress", progress)
    target = arguments.path("folder", folder)
    write_arrays = format_of(format).write
    record = engines.current() if engine is None else engines.get(engine)
    cases = cases_of(operation, seed)
    _check_target(target, force)
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".vectors-", dir=target.parent))
    try:
        entries, left_out = [], {}
        for case in track(cases, f"vectors of {operation}", show=progress):
            try:
                answer = case.problem.run(record)
            except EngineError as error:
                left_out[case.name] = str(error)
                continue
            arrays: dict[str, Any] = {}
            operands = {
                name: _to_json(value, name, arrays) for name, value in case.arguments.items()
            }
            arrays["expected"] = answer.array
            entry = {
                "name": case.name,
                "arguments": operands,
                "arrays": {n: [str(a.dtype), list(a.shape)] for n, a in arrays.items()},
                "output": _to_json(answer, "expected", {}),
            }
            write_arrays(staging, entry, arrays)
            entries.append(entry)
        rows = coverage([case for case in cases if case.name not in left_out])
        if left_out:
            rows.append(("left out, not supported by the engine", ", ".join(left_out)))
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            "files": format,
            "operation": operation,
            "engine": record.name,
            "seed": seed,
            "made_by": f"refquant {__version__}",
            "cases": entries,
            "left_out": left_out,
        }
        (staging / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        (staging / "coverage.md").write_text(_table(rows), encoding="utf-8")
        if target.exists():
            shutil.rmtree(target)
        os.chmod(staging, 0o755)
        staging.rename(target)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
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
        argument="folder",
        expected="a folder that does not exist or is empty",
        got=str(target),
        hint="give another one"
        + (", or replace it with force=True (--force on the command line)" if ours else ""),
    )
