"""Backends that are programs: they read a folder of raw files, and write raw files into it.

``tensors.txt`` has a line for each array: ``in`` or ``out``, the name of a file, a dtype, sizes
separated by ``x``, and the name in the model. The program is called with the folder as its last
word; it reads the files of ``in`` and writes those of ``out``, little-endian, in row-major order.
Results of the model must be there; of the others those that the program can show.
"""

import math
import os
import shlex
import signal
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from refquant.errors import ArgumentError, OperationError
from refquant.oracle.graphs.files import Read
from refquant.oracle.judging.runtimes import RUNTIMES

__all__ = ["run_program"]

_LINES = 300  # characters of what a program says that are repeated


def _failed(command: list[str], what: str, hint: str | None = None) -> OperationError:
    return OperationError(f"oracle.judge: {command[0]!r} {what}", hint=hint)


def _called(command: list[str], folder: Path, limit: float | None) -> None:
    """Run a program, and end it with all that it started if it takes too long."""
    said = folder / ".said"
    with said.open("wb") as errors:
        try:
            process = subprocess.Popen(
                [*command, str(folder)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=errors, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            known = f"the name of a runtime ({', '.join(RUNTIMES)}), or a program"
            raise _failed(
                command, f"cannot be started: {error.strerror}", f"give {known}"
            ) from error
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            raise _failed(
                command, f"has not ended within {limit:g} seconds", "give time_limit= more of them"
            ) from None
        finally:
            _end(process)
    if code:
        with said.open("rb") as errors:
            errors.seek(max(said.stat().st_size - _LINES, 0))
            text = " ".join(errors.read(_LINES).decode("utf-8", "replace").split())
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        raise _failed(command, f"{how}: {text}" if text else how)


def _end(process: subprocess.Popen) -> None:
    """End what a program has started, and itself."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _answer(command: list[str], path: Path, dtype: str, shape: tuple, name: str) -> Any:
    """Read what a program has written; None if it has written nothing."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    kind = np.dtype(dtype).newbyteorder("<")
    wanted = math.prod(shape) * kind.itemsize
    if not stat.S_ISREG(status.st_mode) or status.st_size != wanted:
        got = f"{status.st_size:,}" if stat.S_ISREG(status.st_mode) else "what is no file"
        raise _failed(command, f"wrote {got} for {name!r}, which has {wanted:,} bytes")
    return np.fromfile(path, kind).astype(dtype).reshape(shape)


def run_program(
    command: str,
    read: Read,
    inputs: Mapping[str, np.ndarray],
    wanted: Mapping[str, tuple[str, tuple[int, ...]]],
    limit: float | None,
) -> dict[str, np.ndarray]:
    """Let a program run a model.

    Parameters
    ----------
    command : str
        The program, and words for it.
    read : Read
        The model.
    inputs : dict of str to ndarray
        What it is fed.
    wanted : dict of str to (str, tuple of int)
        Dtype and shape of each result, by name.
    limit : float or None
        Seconds.

    Returns
    -------
    dict of str to ndarray
        The results that it has shown.

    Raises
    ------
    OperationError
        If the program cannot be started, fails, takes too long, or its files do not fit.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ArgumentError(argument="backend", expected="a command", got=str(error)) from None
    if not words:
        raise ArgumentError(argument="backend", expected="a command", got=repr(command))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / f"model.{read.ending}").write_bytes(read.content)
        lines: list[str] = []
        results = {}
        for key, array in inputs.items():
            file = f"{len(lines)}.raw"
            little = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<")))
            (folder / file).write_bytes(little.tobytes())
            lines.append(_line("in", file, array.dtype.name, array.shape, key))
        for key, (dtype, shape) in wanted.items():
            file = f"{len(lines)}.raw"
            results[key] = folder / file, dtype, shape
            lines.append(_line("out", file, dtype, shape, key))
        (folder / "tensors.txt").write_text("".join(lines), encoding="utf-8")
        _called(words, folder, limit)
        found = {
            key: _answer(words, path, dtype, shape, key)
            for key, (path, dtype, shape) in results.items()
        }
    missing = [key for key in read.graph.outputs if found[key] is None]
    if missing:
        raise _failed(words, f"has not written the result {missing[0]!r}")
    return {key: array for key, array in found.items() if array is not None}


def _line(way: str, file: str, dtype: str, shape: tuple[int, ...], name: str) -> str:
    plain = " ".join(name.split())
    return f"{way} {file} {dtype} {'x'.join(map(str, shape))} {plain}\n"
