"""Grades of a backend's answers to test vectors, with a verdict for each case that differs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from refquant import arguments, engines
from refquant.engines import Engine
from refquant.engines.registry import chosen
from refquant.errors import (
    ArgumentError,
    EngineError,
    FileFormatError,
    OperationError,
    RefquantError,
)
from refquant.oracle.diagnosis import diagnose_problem
from refquant.oracle.joint import diagnose_all
from refquant.oracle.problems.base import Problem
from refquant.oracle.vectors.backend import answered
from refquant.oracle.vectors.case import Case
from refquant.oracle.vectors.generate import cases_of
from refquant.oracle.vectors.grades import Grade, Grades
from refquant.oracle.vectors.load import MALFORMED, Vectors, read_vectors
from refquant.oracle.vectors.save import MANIFEST
from refquant.oracle.vectors.storage import (
    DEFAULT,
    DamagedFileError,
    fault,
    format_names,
    format_of,
)
from refquant.progress import track

__all__ = ["Answered", "check", "check_results", "read_results"]


@dataclass(frozen=True)
class Answered:
    """Vectors and what a backend answered to them.

    Attributes
    ----------
    operation : str
        What was computed.
    engine : Engine
        Which computed the expected answers.
    manifest : Path
        The file that describes the vectors.
    cases : tuple of (Case, ndarray, ndarray, Path)
        Operands, the expected integers, those of the backend, and the file that holds them.
    """

    operation: str
    engine: Engine
    manifest: Path
    cases: tuple[tuple[Case, np.ndarray, np.ndarray, Path], ...]


def _grade(name: str, task: Problem, actual: Any, expected: np.ndarray, engine: Engine) -> Grade:
    given, _, _ = task.check(actual, engine)
    off = _distance(given, expected.reshape(-1))
    diagnosis = diagnose_problem(task, actual, engine) if off.any() else None
    return Grade(name, off.size, int((off == 0).sum()), int((off == 1).sum()), diagnosis)


def _distance(given: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Count the steps between answers: of integers, or units in the last place of real numbers."""
    if expected.dtype.kind != "f":
        return np.abs(given - expected.astype(np.int64))
    step = np.spacing(np.maximum(np.abs(expected), np.finfo(np.float32).tiny))
    off = np.abs(given - expected.astype(np.float64)) / step
    return np.where(np.isnan(off), np.inf, off)


def _joint(grades: list[Grade], answers: list, engine: Engine) -> tuple[tuple[str, ...], ...]:
    """Explain all answers together, if any differs."""
    if all(grade.diagnosis is None for grade in grades):
        return ()
    return diagnose_all(answers, engine)


def check(
    backend: Callable[..., Any],
    operation: str,
    engine: str | Engine | None = None,
    *,
    seed: int = 0,
    neutral: bool = False,
    time_limit: float | None = 60.0,
    progress: bool | None = None,
) -> Grades:
    """Run a backend on the test vectors of an operation and grade its answers.

    Parameters
    ----------
    backend : callable
        Called with the operands of each case by name, as `refquant.oracle.problem` takes them:
        quantized tensors have ``.array`` (the integers), ``.scale`` and ``.zero_point``. It returns
        the integers of the output as an ndarray, or a QuantizedTensor.
    operation : str
        One of `OPERATIONS`, or of `NEUTRAL_OPERATIONS`.
    engine : str or Engine, optional
        The engine to compare with; the current engine by default.
    seed : int, default 0
        Seed of the vectors.
    neutral : bool, default False
        Whether operands are `Codes` and `Output`, see `cases_of`.
    time_limit : float or None, default 60.0
        Seconds that the backend has for a case, in a thread of its own; None calls it in this one,
        however long it takes.
    progress : bool, optional
        Whether to show a bar; by default on a terminal.

    Returns
    -------
    Grades

    Raises
    ------
    ArgumentError
        If the operation has no vectors, or `backend` cannot be called.
    OperationError
        If the backend raises, takes too long, or does not return integers of the output's shape.

    Examples
    --------
    >>> import numpy as np
    >>> from refquant import oracle
    >>> def relu(input, inplace=False):
    ...     return np.maximum(input.array, input.zero_point)
    >>> oracle.check(relu, "relu", "fbgemm")
    relu against engine 'fbgemm': 768 of 768 elements equal in 3 cases: passed
    """
    if not callable(backend):
        raise ArgumentError(argument="backend", expected="callable", got=type(backend).__name__)
    record = chosen(engine)
    if time_limit is not None:
        time_limit = arguments.real("time_limit", time_limit, 0.0)
    grades, answers = [], []
    progress = arguments.flag_or_none("progress", progress)
    for case in track(
        cases_of(operation, seed, neutral=neutral), f"checking {operation}", show=progress
    ):
        try:
            task = case.problem
            expected = task.result(record)
        except EngineError:
            continue  # the engine does not support this case, so there is nothing to compare with
        actual = answered(backend, case, time_limit)
        try:
            grades.append(_grade(case.name, task, actual, expected, record))
            answers.append((actual, task))
        except RefquantError as error:
            raise OperationError(
                f"oracle.check: what the backend returned for case {case.name!r} cannot be "
                f"compared: {error}"
            ) from None
    return Grades(operation, record.name, tuple(grades), _joint(grades, answers, record))


def check_results(
    folder: Any,
    results: Any,
    *,
    engine: str | Engine | None = None,
    progress: bool | None = None,
) -> Grades:
    """Grade the results that a backend saved for a folder of vectors.

    Parameters
    ----------
    folder : path
        A folder that `write_vectors` wrote.
    results : path
        A folder with the answer to each case: ``CASE.npz`` with an array ``output``, or as
        another format has it, see *Vectors as files*.
    engine : str or Engine, optional
        The engine that the vectors name, if it is not registered.
    progress : bool, optional
        Whether to show a bar; by default on a terminal.

    Returns
    -------
    Grades

    Raises
    ------
    FileFormatError
        If vectors or results are missing, damaged, or of another format.

    Examples
    --------
    >>> import tempfile
    >>> from refquant import oracle
    >>> import numpy as np
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as results:
    ...     _ = oracle.write_vectors("relu6", folder)
    ...     for name, integers in oracle.read_vectors(folder).expected.items():
    ...         np.savez(Path(results) / f"{name}.npz", output=integers)
    ...     grades = oracle.check_results(folder, results, progress=False)
    >>> all(grade.equal == grade.elements for grade in grades.grades)
    True
    """
    progress = arguments.flag_or_none("progress", progress)
    return grade_results(read_results(folder, results, engine), progress=progress)


def grade_results(given: Answered, *, progress: bool | None = None) -> Grades:
    """Grade answers that `read_results` read."""
    grades, answers = [], []
    for case, expected, answer, path in track(
        given.cases, f"checking {given.operation}", show=progress
    ):
        task = _task(given, case, expected)
        try:
            grades.append(_grade(case.name, task, answer, expected, given.engine))
            answers.append((answer, task))
        except RefquantError as error:
            raise FileFormatError(f"{path}: {error}") from None
    explanations = _joint(grades, answers, given.engine)
    return Grades(given.operation, given.engine.name, tuple(grades), explanations)


def read_results(folder: Any, results: Any, engine: str | Engine | None = None) -> Answered:
    """Read a folder of vectors, and what a backend answered to them."""
    manifest = arguments.path("folder", folder) / MANIFEST
    top = arguments.path("results", results)
    if not top.is_dir():
        raise FileFormatError(
            f"{top}: there is no such folder", hint="give the folder that holds the answers"
        )
    vectors: Vectors = read_vectors(folder, engine)
    formats = [format_of(name) for name in format_names()]
    found = {
        case.name: (form, path)
        for case in vectors.cases
        for form in reversed(formats)
        if (path := top / f"{case.name}{form.ENDING}").is_file()
    }
    missing = [case.name for case in vectors.cases if case.name not in found]
    if missing:
        raise FileFormatError(
            f"{top}: {len(missing)} of {len(vectors.cases)} results are missing, the first is "
            f"{missing[0]}.{DEFAULT}",
            hint="write for each case of the manifest one "
            + " or ".join(dict.fromkeys(f.ANSWER for f in formats)),
        )
    cases = []
    for case in vectors.cases:
        expected = vectors.expected[case.name]
        form, path = found[case.name]
        cases.append((case, expected, _answer(form, path, expected), path))
    record = engine if isinstance(engine, Engine) else engines.get(vectors.engine)
    return Answered(vectors.operation, record, manifest, tuple(cases))


def _answer(form: Any, path: Path, expected: np.ndarray) -> np.ndarray:
    """Read the answer to a case, or raise."""
    try:
        return form.answer(path, expected)
    except DamagedFileError as error:
        raise FileFormatError(
            f"{path}: the answer cannot be read ({error.reason})",
            hint=f"write {form.ANSWER}, in the order of the output",
        ) from None


def _task(given: Answered, case: Case, expected: np.ndarray) -> Problem:
    """Make the problem of a case, or raise if operands or the expected answer do not fit."""
    try:
        task = case.problem
        answer = task.result(given.engine)
        if answer.shape != expected.shape:
            raise ValueError(f"the answer has shape {expected.shape} instead of {answer.shape}")
        if (answer.dtype.kind == "f") != (expected.dtype.kind == "f"):
            raise ValueError(f"the answer has dtype {expected.dtype} instead of {answer.dtype}")
    except MALFORMED as error:
        raise fault(
            given.manifest, f"case {case.name!r}: {type(error).__name__}: {error}"
        ) from None
    return task
