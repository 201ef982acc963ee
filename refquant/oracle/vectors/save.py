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

from refquant import arguments, dtypes
from refquant._version import __version__
from refquant.engines import Engine
from refquant.engines.registry import chosen
from refquant.errors import ArgumentError, EngineError, NotSupportedError, OperationError
from refquant.oracle.problems.base import Problem
from refquant.oracle.problems.codes import Codes, Output
from refquant.oracle.problems.table import in_order
from refquant.oracle.vectors.case import Case
from refquant.oracle.vectors.coverage import coverage
from refquant.oracle.vectors.generate import cases_of
from refquant.oracle.vectors.storage import DEFAULT, format_of
from refquant.progress import track
from refquant.tensors import QuantizedTensor, Tensor

__all__ = ["entry_of", "entry_of_answer", "write_vectors"]

FORMAT, VERSION = "refquant-vectors", 1
MANIFEST = "manifest.json"
OUTPUT = ("scale", "zero_point", "dtype", "activation", "lower", "upper")


def _to_json(value: Any, name: str, arrays: dict[str, np.ndarray]) -> Any:
    """Convert an argument to JSON, and add its arrays to `arrays`."""
    if isinstance(value, Codes):
        arrays[name] = value.array
        quantizer = {"array": name, "dtype": value.array.dtype.name}
        if value.axis is None:
            return {**quantizer, "scale": value.scale, "zero_point": value.zero_point}
        scales, zeros = value.scale.tolist(), value.zero_point.tolist()
        return {**quantizer, "axis": value.axis, "scales": scales, "zero_points": zeros}
    if isinstance(value, Output):
        return {name: getattr(value, name) for name in OUTPUT}
    if isinstance(value, np.ndarray):
        arrays[name] = value
        return {"array": name}
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
    if isinstance(value, list | tuple) and any(isinstance(v, Tensor | Codes) for v in value):
        return {"list": [_to_json(v, f"{name}{i}", arrays) for i, v in enumerate(value)]}
    if isinstance(value, dtypes.dtype):
        return {"dtype": value.name}
    return list(value) if isinstance(value, tuple) else value


def entry_of(case: Case, record: Engine) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Make the entry of a case in the manifest, and its arrays."""
    task = case.problem
    return entry_of_answer(case, task, task.run(record))


def entry_of_answer(
    case: Case, task: Problem, answer: Any
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Make the entry of a case whose answer is known, and its arrays."""
    arrays: dict[str, np.ndarray] = {}
    operands = {
        name: _to_json(value, name, arrays)
        for name, value in in_order(case.operation, case.arguments).items()
    }
    arrays["expected"] = answer if isinstance(answer, np.ndarray) else answer.array
    to = _quantizer(task, answer)
    entry = {
        "name": case.name,
        "operation": case.operation,
        "arguments": operands,
        "arrays": {n: [str(a.dtype), list(a.shape)] for n, a in arrays.items()},
        "output": {"array": "expected", **to},
    }
    return entry, arrays


def _quantizer(task: Any, answer: Any) -> dict[str, Any]:
    """Describe the quantizer of an answer, or its dtype alone where it is not given before."""
    if not isinstance(answer, np.ndarray):
        return _to_json(answer, "expected", {})
    if task.output is None or task.operation == "dynamic_quantize":
        return {"dtype": answer.dtype.name}
    return _to_json(task.output, "expected", {})


def _table(rows: list[tuple[str, str]]) -> str:
    lines = ["| covered | how |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {how} |" for name, how in rows)]) + "\n"


def write_vectors(
    operation: str,
    folder: Any,
    engine: str | Engine | None = None,
    *,
    seed: int = 0,
    neutral: bool = False,
    format: str = DEFAULT,
    force: bool = False,
    progress: bool | None = None,
) -> list[tuple[str, str]]:
    """Write the test vectors of an operation.

    Cases that the engine does not support, or that files of the format cannot hold, are left out,
    and listed in the manifest with the reason.
    The folder holds the arrays of each case (its operands, and ``expected``), ``manifest.json``
    and ``coverage.md``. It is written completely or not at all.

    Parameters
    ----------
    operation : str
        One of `OPERATIONS`, or of `NEUTRAL_OPERATIONS`.
    folder : path
        Must not exist or be empty, unless `force` is given.
    engine : str or Engine, optional
        Whose answers are expected; the current engine by default.
    seed : int, default 0
        Seed of the random operands.
    neutral : bool, default False
        Whether operands are `Codes` and `Output`, see `cases_of`.
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
    OperationError
        If the engine supports no case, or files of the format hold none.

    Examples
    --------
    >>> import tempfile
    >>> from refquant import oracle
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rows = oracle.write_vectors("relu", folder + "/relu", "fbgemm")
    ...     again = oracle.write_vectors("relu", folder + "/relu", "fbgemm", force=True)
    ...     vectors = oracle.read_vectors(folder + "/relu")
    >>> vectors
    <Vectors of relu by engine 'fbgemm': 3 cases, 768 elements>
    """
    force = arguments.flag("force", force)
    progress = arguments.flag_or_none("progress", progress)
    neutral, seed = arguments.flag("neutral", neutral), arguments.integer("seed", seed, 0)
    target = arguments.path("folder", folder)
    form = format_of(format)
    if getattr(form, "NEUTRAL_ALONE", False) and not neutral:
        raise ArgumentError(
            argument="format",
            expected="one of arrays alone for operands of PyTorch",
            got=repr(format),
            hint=f"{format} files hold int8 models: neutral=True, --neutral on the command line",
        )
    record = chosen(engine)
    cases = cases_of(operation, seed, neutral=neutral)
    _check_target(target, force)
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".vectors-", dir=target.parent))
    try:
        entries, left_out = [], {}
        for case in track(cases, f"vectors of {operation}", show=progress):
            try:
                entry, arrays = entry_of(case, record)
                form.write(staging, entry, arrays)
            except (EngineError, NotSupportedError) as error:
                left_out[case.name] = str(error)
                continue
            entries.append(entry)
        if left_out and not entries:
            raise OperationError(
                f"oracle.write_vectors of {operation}: no case is left",
                hint=next(iter(left_out.values())),
            )
        rows = coverage([case for case in cases if case.name not in left_out], record)
        if left_out:
            rows.append(("left out, not supported", ", ".join(left_out)))
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            "files": format,
            "operation": operation,
            "neutral": neutral,
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
