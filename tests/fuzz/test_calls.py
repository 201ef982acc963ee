"""Random calls: what counts as a fault."""

import inspect
import itertools

from errors.calls import Target
from fuzz import calls

import refquant


def target(function):
    return Target("f", function, function.__code__, inspect.signature(function))


def never_ends():
    for _ in itertools.count():
        pass


def ends():
    """Return nothing."""


def takes_too_much():
    return refquant.zeros(1 << 33)


def test_a_call_that_does_not_end_is_a_fault(monkeypatch):
    monkeypatch.setattr(calls, "LONGEST", 0.01)
    succeeded, found = calls.bounded(target(never_ends), {})
    assert not succeeded
    assert found.startswith("Hang: more than 0.01 s")
    assert calls.bounded(target(ends), {}) == (True, None)


def test_a_call_that_needs_too_much_memory_is_none():
    with calls.limited():
        assert calls.bounded(target(takes_too_much), {}) == (False, None)
