"""Asking questions, judging answers and giving hints."""

import copy
import inspect
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from refquant import arguments
from refquant.course import lab_1_numbers, lab_2_products, lab_3_ranges, lab_4_network
from refquant.course.records import Question, Text, Verdict
from refquant.course.results import difference, form_fault, same
from refquant.errors import ArgumentTypeError

__all__ = ["check", "hint", "question", "questions"]

_LABS = (lab_1_numbers, lab_2_products, lab_3_ranges, lab_4_network)
_QUESTIONS = {entry.number: entry for lab in _LABS for entry in lab.QUESTIONS}
# How many hints of a question have been given in this process.
_given: Counter[str] = Counter()


def questions() -> list[str]:
    """List the numbers of all questions.

    Returns
    -------
    list of str

    Examples
    --------
    >>> from refquant.course import questions
    >>> questions()[:3]
    ['1.1', '1.2', '1.3']
    """
    return list(_QUESTIONS)


def question(number: str) -> Text:
    """Say what a question asks.

    Parameters
    ----------
    number : str
        The number of the question, such as ``'1.1'``.

    Returns
    -------
    str
        The title, the signature of the function to write, and the task.

    Raises
    ------
    ArgumentError
        If there is no such question.
    ArgumentTypeError
        If `number` is no string.

    Examples
    --------
    >>> from refquant.course import question
    >>> print(question("1.1").splitlines()[0])
    1.1 The real number of an integer: dequantize(q, scale, zero_point)
    """
    entry = _question(number)
    return Text(f"{entry.number} {entry.title}: {_signature(entry)}\n\n{entry.task}")


def hint(number: str, step: int | None = None) -> Text:
    """Reveal the next hint to a question.

    Parameters
    ----------
    number : str
        The number of the question.
    step : int, optional
        Which hint, from 1; the next one by default. After the last one, the last one again.

    Returns
    -------
    str

    Raises
    ------
    ArgumentError
        If there is no such question, or no such step.
    ArgumentTypeError
        If `number` is no string, or `step` no integer.

    Examples
    --------
    >>> from refquant.course import hint
    >>> hint("1.1", step=1)
    Hint 1 of 3: a grid has one free number for its step and one for the place of zero.
    """
    entry = _question(number)
    count = len(entry.hints)
    if step is None:
        step = _given[entry.number] = min(_given[entry.number] + 1, count)
    else:
        step = arguments.integer("step", step, 1, count)
    return Text(f"Hint {step} of {count}: {entry.hints[step - 1]}.")


def check(number: str, answer: Callable[..., Any]) -> Verdict:
    """Judge an answer, and say which rule it breaks.

    Parameters
    ----------
    number : str
        The number of the question.
    answer : callable
        The function that the question asks for, not a result of it.

    Returns
    -------
    Verdict
        True if the answer is right; it prints what is wrong, and by which rule.

    Raises
    ------
    ArgumentError
        If there is no such question.
    ArgumentTypeError
        If `number` is no string, or `answer` no function.

    Notes
    -----
    What is right comes from refquant itself. The answer is called with the cases of the question;
    if it is wrong, it is compared with the known mistakes.

    Examples
    --------
    >>> from refquant.course import check
    >>> check("1.1", lambda q, scale, zero_point: scale * (q.astype(float) - zero_point))
    1.1 is right: all 4 cases agree with refquant.
    >>> check("1.1", lambda q, scale, zero_point: scale * q.astype(float))
    1.1 is not right yet: your function forgets the zero point, so that the integer 0 stands for \
zero. In dequantize(q=[0, 100, 255], scale=0.1, zero_point=100) 3 of 3 differ, the first at [0]: \
got 0, expected -10.
    Rule: the real number is scale * (q - zero_point) (lecture affine).
    """
    entry = _question(number)
    if not callable(answer) or isinstance(answer, type):
        raise ArgumentTypeError(
            argument="answer",
            expected=f"the function {_signature(entry)}",
            got=arguments.describe(answer),
            hint="hand over the function itself, without calling it",
        )
    message = _fault(entry, answer)
    if message is None:
        return Verdict(entry.number, True, f"all {len(entry.cases)} cases agree with refquant")
    return Verdict(entry.number, False, message, f"{entry.rule} (lecture {entry.lecture})")


def _question(number: Any) -> Question:
    if not isinstance(number, str):
        raise ArgumentTypeError(
            argument="number",
            expected="a string such as '1.1'",
            got=arguments.describe(number),
            hint="write it in quotes",
        )
    return _QUESTIONS[arguments.choice("number", number, tuple(_QUESTIONS))]


def _signature(entry: Question) -> str:
    return f"{entry.solution.__name__}({', '.join(_parameters(entry))})"


def _parameters(entry: Question) -> list[str]:
    return list(inspect.signature(entry.solution).parameters)


def _fault(entry: Question, answer: Callable[..., Any]) -> str | None:
    """Say what is wrong with an answer; None if nothing is."""
    results = []
    for case in entry.cases:
        operands = copy.deepcopy(case)
        if not arguments.fits(answer, *operands):
            taken = arguments.parameters_of(answer)
            return f"your function takes {taken} instead of ({', '.join(_parameters(entry))})"
        try:
            result = answer(*operands)
        except NotImplementedError:
            return "there is no answer yet; replace the line that raises NotImplementedError"
        except Exception as error:  # whatever a student's code raises
            return f"{_call(entry, case)} raises {type(error).__name__}: {_text(error)}"
        fault = form_fault(result, entry.solution(*copy.deepcopy(case)))
        if fault:
            return f"in {_call(entry, case)} {fault}"
        for name, before, after in zip(_parameters(entry), case, operands, strict=True):
            if isinstance(before, np.ndarray) and not np.array_equal(before, after):
                return f"your function changes its argument `{name}`; work on a copy"
        results.append(result)
    return _wrong_values(entry, results)


def _wrong_values(entry: Question, results: list) -> str | None:
    """Say where results are wrong, and which mistake would give them."""
    rights = _results(entry, entry.solution)
    pairs = zip(entry.cases, results, rights, strict=True)
    wrong = [pair for pair in pairs if not same(pair[1], pair[2], entry.exact)]
    if not wrong:
        return None
    case, got, right = wrong[0]
    where = f"{_call(entry, case)} {difference(got, right, entry.exact)}"
    for mistake in entry.mistakes:
        wrongs = _results(entry, mistake.answer)
        if all(same(*pair, entry.exact) for pair in zip(results, wrongs, strict=True)):
            return f"your function {mistake.message}. In {where}"
    return f"in {where}"


def _results(entry: Question, function: Callable[..., Any]) -> list:
    return [function(*copy.deepcopy(case)) for case in entry.cases]


def _call(entry: Question, case: tuple) -> str:
    """Write the call of a case."""
    words = [f"{name}={_value(v)}" for name, v in zip(_parameters(entry), case, strict=True)]
    return f"{entry.solution.__name__}({', '.join(words)})"


def _value(value: Any) -> str:
    if isinstance(value, np.ndarray):
        if value.size > 6:
            return f"<{value.dtype} {value.shape}>"
        return str(value.tolist())
    if isinstance(value, list):
        return f"<{len(value)} arrays>"
    if isinstance(value, dict):
        return "<dict>"
    return f"{value:.6g}" if isinstance(value, float | np.floating) else str(value)


def _text(error: Exception) -> str:
    try:
        return str(error)
    except Exception:  # an error that cannot be printed
        return "without a message"
