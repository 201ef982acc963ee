"""The order in which engines add float32 numbers, seen in their last bits."""

import numpy as np
import pytest

import refquant
from refquant import engines
from refquant.engines.float_sums import sum_in_cascades, sum_in_order

BOTH = pytest.mark.parametrize("add", [sum_in_order, sum_in_cascades])
F = np.float32


def one_after_the_other(numbers):
    total = F(0)
    for number in numbers:
        total = F(total + number)
    return total


@BOTH
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_few_numbers_are_added_one_after_the_other(add, count):
    x = np.random.default_rng(count).normal(size=(count, 9)).astype(F)
    wanted = [one_after_the_other(column) for column in x.T]
    assert add(x, (0,)).tolist() == wanted
    assert add(np.ascontiguousarray(x.T), (1,)).tolist() == wanted


def test_five_numbers_with_a_large_one_tell_the_orders_apart():
    x = F([1, 2.0**24, 1, 1, 1])[:, None]
    assert sum_in_order(x, (0,)).tolist() == [2.0**24]  # each 1 is lost: the sum is a tie
    # The first number and the fifth are added first: 2, then 2**24 + 2, then two ties.
    assert sum_in_cascades(x, (0,)).tolist() == [2.0**24 + 4]
    # Of four columns each has one sum.
    assert sum_in_cascades(np.repeat(x, 4, axis=1), (0,)).tolist() == [2.0**24] * 4


def test_cascades_add_blocks_of_sixteen():
    x = np.ones((48, 4), F)
    x[0] = 2.0**24
    # The first block loses its ones; the two others are whole.
    assert sum_in_cascades(x, (0,)).tolist() == [2.0**24 + 32] * 4
    assert sum_in_order(x, (0,)).tolist() == [2.0**24] * 4


def test_long_runs_go_by_vectors():
    x = np.ones((1, 72), F)
    x[0, 0] = 2.0**24
    # Lane 0 of the first vector loses its second one; 2 stand in all other places. In pairs of
    # vectors lane 0 makes 2**24 + 2, then + 4; seven lanes of 8 follow. Of the last eight ones the
    # first is a tie that rounds up, to the even 2**24 + 64, the others round down to it.
    assert sum_in_order(x, (1,)).tolist() == [2.0**24 + 64]


@BOTH
def test_dimensions_that_are_no_neighbors_are_runs(add):
    x = np.random.default_rng(0).normal(size=(3, 2, 2)).astype(F)
    if add is sum_in_order:
        wanted = [one_after_the_other(x[:, j].reshape(-1)) for j in range(2)]
    else:
        runs = [[one_after_the_other(x[i, j]) for i in range(3)] for j in range(2)]
        wanted = [one_after_the_other(run) for run in runs]
    assert add(x, (0, 2)).tolist() == wanted


@BOTH
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (2, 0, 4, 1), (1, 1, 0)])
def test_sums_of_nothing_are_zero_and_empty_results_empty(add, shape):
    for axes in ((0,), (1,), (0, 1)):
        wanted = np.zeros(shape, F).sum(axis=axes)
        got = add(np.zeros(shape, F), axes)
        assert got.shape == wanted.shape
        assert not got.any()


@BOTH
def test_one_number_is_its_sum(add):
    assert add(F(1.5), ()).shape == ()
    assert add(np.asarray(F(1.5)), ()) == F(1.5)
    assert add(np.full((1, 1, 1), F(-2)), (0, 2)).tolist() == [-2]


@pytest.mark.parametrize("engine", ["fbgemm", "fbgemm-1.4"])
def test_each_number_is_rounded_before_it_is_added(engine):
    # With S = f32(0.1): f32(3 S) + S is 4 S and a bit; half of it lies beyond the tie at 2.
    q = np.array([[3], [1], [0]], np.uint8)
    x = refquant.tensors.QuantizedTensor(q, refquant.quint8, 0.1, 0)
    scale = F(0.1)
    total = F(F(F(3) * scale + scale) + F(0))
    steps = F(F(total / F(3)) * (F(1) / scale))
    with engines.using(engine):
        assert x.mean(0).int_repr().tolist() == [int(np.rint(steps))]


@pytest.mark.parametrize("engine", ["fbgemm", "fbgemm-1.4"])
@pytest.mark.parametrize("shape", [(2, 0, 4, 1), (0, 3, 2, 2)])
def test_a_mean_of_no_elements_over_some_is_empty(engine, shape):
    x = refquant.tensors.QuantizedTensor(np.zeros(shape, np.uint8), refquant.quint8, 0.1, 0)
    layout = x.contiguous(memory_format=refquant.channels_last)
    with engines.using(engine):
        for q in (x, layout, x.permute(3, 2, 1, 0)):
            axes = [d for d in range(4) if q.array.shape[d]][:2]
            assert q.mean(axes).int_repr().array.size == 0
