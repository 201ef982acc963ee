"""Every question takes its solution, and tells its typical mistakes apart."""

import inspect

import numpy as np
import pytest

from refquant import course
from refquant.course import checking
from refquant.course.checking import _QUESTIONS
from refquant.errors import ArgumentError, ArgumentTypeError

each_question = pytest.mark.parametrize("entry", _QUESTIONS.values(), ids=list(_QUESTIONS))
MISTAKES = [
    pytest.param(entry, mistake, id=f"{number}-{place}")
    for number, entry in _QUESTIONS.items()
    for place, mistake in enumerate(entry.mistakes)
]


@each_question
def test_a_solution_is_right(entry):
    verdict = course.check(entry.number, entry.solution)
    assert verdict, verdict
    assert str(verdict).startswith(f"{entry.number} is right: all {len(entry.cases)} cases")


@pytest.mark.parametrize(("entry", "mistake"), MISTAKES)
def test_a_typical_mistake_gets_its_message_and_the_rule(entry, mistake):
    verdict = course.check(entry.number, mistake.answer)
    assert not verdict
    assert f"your function {mistake.message}. In {entry.solution.__name__}(" in str(verdict)
    assert f"Rule: {entry.rule} (lecture {entry.lecture})." in str(verdict)


@each_question
def test_a_question_is_complete(entry):
    assert len(entry.mistakes) >= 3
    assert len(entry.hints) >= 2
    assert not any(text.endswith(".") for text in (entry.rule, entry.title, *entry.hints))
    assert not any(mistake.message.endswith(".") for mistake in entry.mistakes)
    assert entry.task.endswith(".")
    names = list(inspect.signature(entry.solution).parameters)
    for mistake in entry.mistakes:
        assert list(inspect.signature(mistake.answer).parameters)[: len(names)] == names
    signature = f"{entry.solution.__name__}({', '.join(names)})"
    assert course.question(entry.number).splitlines()[0] == (
        f"{entry.number} {entry.title}: {signature}"
    )


def test_questions_are_numbered_in_order():
    numbers = [tuple(map(int, number.split("."))) for number in course.questions()]
    assert numbers == sorted(numbers)
    for lab in {lab for lab, _ in numbers}:
        places = [place for of, place in numbers if of == lab]
        assert places == list(range(1, len(places) + 1))
        assert 8 <= len(places) <= 10


def test_hints_come_one_after_the_other(monkeypatch):
    monkeypatch.setattr(checking, "_given", type(checking._given)())
    first, second = course.hint("1.1"), course.hint("1.1")
    assert repr(first).startswith("Hint 1 of 3: ")
    assert second.startswith("Hint 2 of 3: ")
    assert course.hint("1.1") == course.hint("1.1")
    assert course.hint("1.1", 1) == first
    assert course.hint("1.2").startswith("Hint 1 of ")
    with pytest.raises(ArgumentError, match=r"`step` must be in 1\.\.3, got 4"):
        course.hint("1.1", 4)
    with pytest.raises(ArgumentTypeError, match="`step` must be an integer"):
        course.hint("1.1", "next")


@pytest.mark.parametrize(
    "ask", [course.question, course.hint, lambda number: course.check(number, abs)]
)
def test_an_unknown_number_is_an_error(ask):
    with pytest.raises(ArgumentError, match=r"one of '1\.1', .* did you mean '1\.1'"):
        ask("1.11")
    with pytest.raises(ArgumentTypeError, match=r"string such as '1\.1', got 1\.1; write it in"):
        ask(1.1)


def test_a_result_is_no_answer():
    with pytest.raises(ArgumentTypeError) as error:
        course.check("1.4", (0.1, 3))
    assert "`answer` must be the function choose_qparams(low, high), got (0.1, 3)" in str(error)
    assert "without calling it" in str(error)
    with pytest.raises(ArgumentTypeError, match="got the class int"):
        course.check("1.4", int)


def not_yet(q, scale, zero_point):
    raise NotImplementedError


def changes(q, scale, zero_point):
    kept = q.astype(float)
    q[...] = 0
    return scale * (kept - zero_point)


def fails_oddly(q, scale, zero_point):
    class Odd(Exception):
        def __str__(self):
            raise ValueError

    raise Odd


FAULTS = {
    "there is no answer yet": not_yet,
    "takes (x) instead of (q, scale, zero_point)": lambda x: x,
    "raises ZeroDivisionError: ": lambda q, scale, zero_point: 1 / 0,
    "raises Odd: without a message": fails_oddly,
    "it returns None": lambda q, scale, zero_point: None,
    "it should return the shape (3,), got ()": lambda q, scale, zero_point: 1.0,
    "it should return numbers, got 'no'": lambda q, scale, zero_point: "no",
    "it should return numbers, got [[1], [1, 2]]": lambda q, scale, zero_point: [[1], [1, 2]],
    "changes its argument `q`; work on a copy": changes,
    "expected -10": lambda q, scale, zero_point: np.full(q.shape, 7.0),
}


@pytest.mark.parametrize("message", FAULTS)
def test_what_is_no_number_at_all_is_told(message):
    verdict = course.check("1.1", FAULTS[message])
    assert not verdict
    assert message in verdict.message


def test_wrong_kinds_of_results_are_told():
    real = course.check("1.2", lambda x, scale, zero_point: np.zeros(x.shape))
    assert "it should return integers, got float64; convert them with .astype" in str(real)
    one = course.check("1.4", lambda low, high: 0.1)
    assert "it should return 2 values, got 0.1" in str(one)
    second = course.check("1.4", lambda low, high: (max(high, 0) / 255 - min(low, 0) / 255, 7))
    assert "value 2 of 2: got 7, expected 100" in str(second)
