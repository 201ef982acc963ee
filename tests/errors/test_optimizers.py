"""Optimizers reject settings, parameters and states that make no sense, and stay as they are."""

import copy
import math

import numpy as np
import pytest

import refquant
from refquant import optim
from refquant.errors import ArgumentError, ArgumentTypeError, RefquantError, StateError


def parameter():
    return refquant.ones(2, requires_grad=True)


REFUSED = {
    "lr": (lambda: optim.SGD([parameter()], lr="fast"), ArgumentTypeError, "a number"),
    "lr NaN": (lambda: optim.SGD([parameter()], lr=math.nan), ArgumentError, "at least 0"),
    "nesterov": (lambda: optim.SGD([parameter()], nesterov=[]), ArgumentTypeError, "True or False"),
    "dampening": (lambda: optim.SGD([parameter()], dampening=None), ArgumentTypeError, "number"),
    "one beta": (lambda: optim.Adam([parameter()], betas=[0.9]), ArgumentError, "a pair"),
    "betas": (lambda: optim.Adam([parameter()], betas=0.9), ArgumentTypeError, "a pair"),
    "beta": (lambda: optim.Adam([parameter()], betas=(0.9, "x")), ArgumentTypeError, "betas[1]"),
    "eps": (lambda: optim.Adam([parameter()], eps=-1), ArgumentError, "at least 0"),
    "params": (lambda: optim.SGD(None), ArgumentTypeError, "iterable of tensors or dicts"),
    "numbers": (lambda: optim.SGD([1.0]), ArgumentTypeError, "leaves"),
    "group": (lambda: optim.SGD([{"lr": 1}]), ArgumentError, "'params'"),
    "group of none": (lambda: optim.SGD([{"params": 3}]), ArgumentTypeError, "iterable"),
    "defaults": (lambda: optim.Optimizer([parameter()], 3), ArgumentTypeError, "a dict"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_makes_no_sense_is_rejected_with_a_reason(name):
    call, kind, words = REFUSED[name]
    with pytest.raises(kind) as caught:
        call()
    assert isinstance(caught.value, RefquantError)
    assert words in str(caught.value)


def test_a_tensor_or_a_number_of_numpy_is_a_step_size():
    p = parameter()
    for lr in (refquant.tensor(0.5), np.float32(0.5), 0.5):
        optimizer = optim.SGD([p], lr=lr)
        assert optimizer.param_groups[0]["lr"] == 0.5
        assert type(optimizer.param_groups[0]["lr"]) is float


def test_a_closure_that_needs_arguments_is_rejected_before_the_step():
    p = parameter()
    optimizer = optim.SGD([p], lr=0.1)
    p.sum().backward()
    with pytest.raises(ArgumentTypeError, match="closure"):
        optimizer.step(lambda model: None)
    assert p.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("make", [optim.SGD, optim.Adam])
def test_steps_into_infinity_leave_no_warning(make):
    p = parameter()
    optimizer = make([p], lr=math.inf)
    for _ in range(3):
        (p * p).sum().backward()
        optimizer.step()
    assert not refquant.isfinite(p).any()


def broken(change):
    state = copy.deepcopy(trained().state_dict())
    return change(state) or state


def trained():
    p = parameter()
    optimizer = optim.SGD([p], lr=0.1, momentum=0.9)
    p.sum().backward()
    optimizer.step()
    return optimizer


STATES = {
    "no mapping": lambda s: [1],
    "no groups": lambda s: s.pop("param_groups") and None,
    "groups of numbers": lambda s: s.update(param_groups=[1]),
    "other sizes": lambda s: s["param_groups"][0].update(params=[0, 1]),
    "another parameter": lambda s: s["state"].update({7: {}}),
    "no state": lambda s: s["state"].update({0: 3}),
    "settings": lambda s: s["param_groups"][0].update(lr=-1),
}


@pytest.mark.parametrize("name", STATES)
def test_a_state_that_does_not_fit_changes_nothing(name):
    optimizer = trained()
    before = repr(optimizer.state_dict())
    with pytest.raises((StateError, ArgumentError, ArgumentTypeError)):
        optimizer.load_state_dict(broken(STATES[name]))
    assert repr(optimizer.state_dict()) == before
