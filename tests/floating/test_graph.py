"""What is recorded for `backward`, when it is freed, and what a second call does."""

import gc
import weakref

import numpy as np
import pytest
from floating.cases import CASES

import refquant
from refquant import nn
from refquant.errors import GradientError, ShapeError


def recorded():
    x = refquant.tensor([3.0], requires_grad=True)
    return x, (x * x).sum()


def test_a_second_backward_is_an_error_and_changes_nothing():
    x, y = recorded()
    y.backward()
    with pytest.raises(GradientError, match="retain_graph=True"):
        y.backward()
    assert x.grad.tolist() == [6.0]


def test_a_graph_that_is_retained_can_be_walked_again():
    x, y = recorded()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [12.0]
    with pytest.raises(GradientError):
        y.backward(retain_graph=True)


def test_a_freed_part_is_found_before_any_gradient_is_added():
    x = refquant.tensor([2.0], requires_grad=True)
    w = refquant.tensor([5.0], requires_grad=True)
    shared = x * x
    shared.sum().backward()
    with pytest.raises(GradientError):
        (shared * w).sum().backward()
    assert w.grad is None
    assert x.grad.tolist() == [4.0]


def test_operations_that_keep_no_arrays_can_be_shared():
    x = refquant.tensor([2.0, 1.0], requires_grad=True)
    total = (x + 1).reshape(2, 1).sum()
    total.backward()
    (total * 3).backward()
    assert x.grad.tolist() == [4.0, 4.0]


def test_gradients_of_inner_tensors_are_kept_once_a_call():
    x, _ = recorded()
    y = x * x
    y.retain_grad()
    z = (y * y).sum()
    z.backward(retain_graph=True)
    z.backward()
    assert y.grad.tolist() == [36.0]
    assert x.grad.tolist() == [216.0]


def test_backward_frees_what_the_operations_kept():
    x = refquant.tensor(np.ones(9, np.float32), requires_grad=True)
    inner = refquant.exp(x)
    kept = weakref.ref(inner.array)
    loss = inner.sum()
    del inner
    loss.backward()
    gc.collect()
    assert kept() is None
    assert loss.node is not None


def test_a_gradient_of_another_shape_is_an_error():
    x = refquant.tensor([2.0, 1.0], requires_grad=True)
    with pytest.raises(ShapeError, match="gradient"):
        (x * 2).backward(refquant.tensor([1.0]))
    assert x.grad is None


def test_recurrent_states_that_are_not_detached_are_found():
    cell = nn.Linear(2, 2)
    state = refquant.ones(1, 2)
    state = refquant.tanh(cell(state))
    state.sum().backward()
    state = refquant.tanh(cell(state))
    with pytest.raises(GradientError, match="retain_graph"):
        state.sum().backward()
    refquant.tanh(cell(state.detach())).sum().backward()


@pytest.mark.torch
@pytest.mark.parametrize("name", CASES)
def test_a_second_backward_is_an_error_where_pytorch_raises(torch, name):
    case = CASES[name]
    rng = np.random.default_rng(3)
    arrays = [rng.uniform(case.low, case.high, size=shape) for shape in case.shapes]
    raised = []
    for peer, error in ((torch, RuntimeError), (refquant, GradientError)):
        result = case.function(peer, *(peer.tensor(a, requires_grad=True) for a in arrays))
        gradient = peer.tensor(np.ones(tuple(result.shape)))
        result.backward(gradient)
        try:
            result.backward(gradient)
            raised.append(False)
        except error:
            raised.append(True)
    assert raised[0] == raised[1]


def test_triangles_cut_off_infinities_and_whole_numbers_stop_gradients():
    x = refquant.tensor([[1.0, 2.0], [float("inf"), 4.0]], requires_grad=True)
    assert refquant.triu(x).tolist() == [[1.0, 2.0], [0.0, 4.0]]
    y = refquant.tensor([1.4], requires_grad=True)
    (y.round() * float("inf")).sum().backward()
    assert y.grad.tolist() == [0.0]
