"""Random programs run alike by kernels and by definitions; the fuzzer finds what does not."""

import sys

import numpy as np
import pytest
from fuzz import programs

import refquant
from refquant import engines, kernels

has_kernels = pytest.mark.skipif(not kernels.available()[1:], reason="there are no kernels")


@has_kernels
def test_two_hundred_programs_run_alike():
    report = programs.run(200, seed=2)
    assert not report.differences, "\n".join(report.differences)
    assert report.valid > 100
    assert not +report.raw


def test_every_operation_and_engine_is_drawn():
    made = programs.run(2000, seed=3, choices=(kernels.REFERENCE,) * 2).successes
    assert made.things == list(programs.OPERATIONS)
    assert made.succeeded.sum(axis=0).all()
    assert set(made.groups) == {*engines.names(), *engines.other_runtimes()}
    assert made.succeeded.sum(axis=1).all()


def test_a_program_is_the_same_each_time():
    first, again = (programs.run(20, seed=4).successes.succeeded for _ in range(2))
    assert np.array_equal(first, again)


@has_kernels
def test_a_difference_is_told_with_a_small_operand(monkeypatch):
    clamp = kernels.clamp

    def wrong(a, lower, upper):
        right = clamp(a, lower, upper)
        return right if kernels.running() == kernels.REFERENCE else np.where(a == 7, 8, right)

    monkeypatch.setattr(kernels, "clamp", wrong)
    q = np.arange(100, dtype=np.uint8).reshape(10, 10)
    operand = refquant.tensors.QuantizedTensor(q, refquant.quint8, 0.5, 0)
    call = programs.Program(programs.OPERATIONS["relu"], operand, [0])
    record = engines.get("fbgemm")
    sides = (record, kernels.available()[-1]), (record, kernels.REFERENCE)
    assert programs.differs(call, sides) is not None
    assert programs.smallest(call, sides).operand.array.tolist() == [[7]]


def test_single_calls_end_when_all_succeeded_often_enough(monkeypatch):
    few = {name: programs.OPERATIONS[name] for name in ("relu", "add", "clamp")}
    monkeypatch.setattr(programs, "OPERATIONS", few)
    record = engines.get("fbgemm")
    made = programs.run(10**6, 1, [record], choices=(kernels.REFERENCE,) * 2, each=True).successes
    assert made.rare() == []
    assert made.tried.sum() <= 1000
    assert made.summary() == "3 of 3 succeeded 100 times"


def test_the_command_prints_a_table(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["programs.py", "--count", "5", "--engine", "fbgemm"])
    assert programs.main() is False
    told = capsys.readouterr().out
    assert "5 of 5 programs" in told
    assert "fbgemm" in told
    assert "calls succeeded, 0 differ" in told


def test_a_copy_keeps_strides_and_shares_nothing():
    for seed in range(50):
        x = programs.Draw(refquant, seed).operand("integers")
        copied = programs.own_copy(x)
        assert copied.array.strides == x.array.strides or not x.array.size
        assert np.array_equal(copied.array, x.array)
        assert not np.shares_memory(copied.array, x.array)
