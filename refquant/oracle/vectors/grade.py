"""Grades of a backend's answers to test vectors, with a verdict for each case that differs."""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from refquant import arguments, engines
from refquant.errors import (
    ArgumentError,
    EngineError,
    FileFormatError,
    OperationError,
    RefquantError,
)
from refquant.oracle.diagnosis import Diagnosis, diagnose_problem
from refquant.oracle.problems.base import Problem
from refquant.oracle.vectors.case import Case
from refquant.oracle.vectors.generate import cases_of
from refquant.oracle.vectors.load import MALFORMED, Vectors, read_vectors
from refquant.oracle.vectors.save import MANIFEST
from refquant.oracle.vectors.storage import DEFAULT, fault, format_names, format_of
from refquant.progress import track

__all__ = ["Grade", "Grades", "check", "check_results"]


@dataclass(frozen=True)
class Grade:
    """Grade of a backend's answer to one case.

    Attributes
    ----------
    name : str
        Name of the case.
    elements, equal, near : int
        Number of elements, of equal ones, and of those that differ by one step.
    diagnosis : Diagnosis or None
        Why elements differ; None if all are equal.

    Examples
    --------
    >>> from refquant import oracle
    >>> oracle.Grade("two-values", elements=2, equal=2, near=0, diagnosis=None).equal
    2
    """

    name: str
    elements: int
    equal: int
    near: int
    diagnosis: Diagnosis | None

    @property
    def verdict(self) -> str:
        """The verdict in one line: equal, or why not."""
        return "equal" if self.diagnosis is None else self.diagnosis.verdict


@dataclass(frozen=True)
class Grades:
    """Grades of a backend's answers to all cases of an operation.

    Attributes
    ----------
    operation, engine : str
        What was computed, and the engine it was compared with.
    grades : tuple of Grade
        One for each case.

    Examples
    --------
    >>> from refquant import oracle
    >>> grade = oracle.Grade("two-values", elements=2, equal=2, near=0, diagnosis=None)
    >>> oracle.Grades("relu6", "fbgemm", (grade,)).engine
    'fbgemm'
    """

    operation: str
    engine: str
    grades: tuple[Grade, ...]

    @property
    def passed(self) -> bool:
        """Whether every element of every case is equal."""
        return all(grade.diagnosis is None for grade in self.grades)

    @property
    def elements(self) -> int:
        """Number of elements compared."""
        return sum(grade.elements for grade in self.grades)

    @property
    def equal(self) -> int:
        """Number of elements that are equal."""
        return sum(grade.equal for grade in self.grades)

    @property
    def verdict(self) -> str:
        """The explanation that all differing cases share, if there is one."""
        diagnoses = [g.diagnosis for g in self.grades if g.diagnosis is not None]
        if not diagnoses:
            return "equal"
        first, *others = diagnoses
        shared = [e for e in first.explanations if all(e in d.explanations for d in others)]
        if shared:
            return " and ".join(shared[0])
        if any(d.unexplained for d in diagnoses):
            return "unexplained"
        return "several causes"

    def __str__(self) -> str:
        head = (
            f"{self.operation} against engine {self.engine!r}: {self.equal:,} of "
            f"{self.elements:,} elements equal in {len(self.grades)} cases"
        )
        wrong = [grade for grade in self.grades if grade.diagnosis is not None]
        if not wrong:
            return f"{head}: passed"
        width = max(len(grade.name) for grade in wrong)
        lines = [
            f"{head}: {self.verdict}",
            f"  {'case':<{width}}  elements  off by 1  more  verdict",
        ]
        for grade in wrong:
            more = grade.elements - grade.equal - grade.near
            lines.append(
                f"  {grade.name:<{width}}  {grade.elements:>8,}  {grade.near:>8,}  {more:>4,}  "
                f"{grade.verdict}"
            )
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"


def _grade(name: str, task: Problem, actual: Any, expected: np.ndarray, engine: str) -> Grade:
    given, _, _ = task.check(actual, "fbgemm")
    off = np.abs(given - expected.reshape(-1).astype(np.int64))
    diagnosis = diagnose_problem(task, actual, engine) if off.any() else None
    return Grade(name, off.size, int((off == 0).sum()), int((off == 1).sum()), diagnosis)


def check(
    backend: Callable[..., Any],
    operation: str,
    engine: str | None = None,
    *,
    seed: int = 0,
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
        One of `OPERATIONS`.
    engine : str, optional
        The engine to compare with; the current engine by default.
    seed : int, default 0
        Seed of the vectors.
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
        If the backend raises, or does not return integers of the output's shape.

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
    name = engines.current().name if engine is None else engines.get(engine).name
    grades = []
    progress = arguments.flag_or_none("progress", progress)
    for case in track(cases_of(operation, seed), f"checking {operation}", show=progress):
        try:
            task = case.problem
            expected = task.run(name).array
        except EngineError:
            continue  # the engine does not support this case, so there is nothing to compare with
        try:
            actual = backend(**case.arguments)
        except Exception as error:
            raise OperationError(
                f"oracle.check: the backend raised {type(error).__name__} in case {case.name!r}: "
                f"{error}",
                hint=f"the case is {case.problem.describe()}",
            ) from error
        try:
            grades.append(_grade(case.name, task, actual, expected, name))
        except RefquantError as error:
            raise OperationError(
                f"oracle.check: what the backend returned for case {case.name!r} cannot be "
                f"compared: {error}"
            ) from None
    return Grades(operation, name, tuple(grades))


def check_results(folder: Any, results: Any, *, progress: bool | None = None) -> Grades:
    """Grade the results that a backend saved for a folder of vectors.

    Parameters
    ----------
    folder : path
        A folder that `write_vectors` wrote.
    results : path
        A folder with the integers for each case: ``CASE.npz`` with an array ``output``, or as
        another format has it, see *Vectors as files*.
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
    manifest = arguments.path("folder", folder) / MANIFEST
    top = arguments.path("results", results)
    vectors: Vectors = read_vectors(folder)
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
            + " or ".join(f.ANSWER for f in formats),
        )
    grades = []
    for case in track(vectors.cases, f"checking {vectors.operation}", show=progress):
        expected = vectors.expected[case.name]
        task = _task(manifest, case, expected)
        form, path = found[case.name]
        answer = form.answer(path, expected)
        try:
            grades.append(_grade(case.name, task, answer, expected, vectors.engine))
        except RefquantError as error:
            raise FileFormatError(f"{path}: {error}") from None
    return Grades(vectors.operation, vectors.engine, tuple(grades))


def _task(manifest: Path, case: Case, expected: np.ndarray) -> Problem:
    """Make the problem of a case, or raise if operands or the expected answer do not fit."""
    try:
        task = case.problem
        shape = tuple(task.run("fbgemm").shape)
        if shape != expected.shape:
            raise ValueError(f"the answer has shape {expected.shape} instead of {shape}")
    except MALFORMED as error:
        raise fault(manifest, f"case {case.name!r}: {type(error).__name__}: {error}") from None
    return task
