"""Optimizers: their steps by hand, and compared with PyTorch's."""

import copy

import numpy as np
import pytest

import refquant
from refquant.errors import RefquantError

OPTIONS = {
    "SGD": [
        {"lr": 0.1},
        {"lr": 0.1, "weight_decay": 0.2},
        {"lr": 0.1, "momentum": 0.9},
        {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1},
        {"lr": 0.1, "momentum": 0.8, "nesterov": True},
    ],
    "Adam": [
        {"lr": 0.1},
        {"lr": 0.1, "betas": (0.8, 0.95), "eps": 1e-3},
        {"lr": 0.1, "weight_decay": 0.3},
        {"lr": 0.1, "amsgrad": True},
    ],
    "AdamW": [{"lr": 0.1}, {"lr": 0.1, "weight_decay": 0.3, "amsgrad": True}],
    "Adagrad": [
        {"lr": 0.1},
        {"lr": 0.1, "lr_decay": 0.2, "weight_decay": 0.3, "initial_accumulator_value": 0.5},
    ],
    "Adadelta": [{}, {"lr": 0.5, "rho": 0.8, "eps": 1e-3, "weight_decay": 0.3}],
    "RMSprop": [
        {"lr": 0.1},
        {"lr": 0.1, "alpha": 0.8, "eps": 1e-3, "weight_decay": 0.3},
        {"lr": 0.1, "momentum": 0.9, "centered": True},
    ],
}
CASES = [(name, options) for name, several in OPTIONS.items() for options in several]


def run(T, name, options, steps=6, saved_after=None):
    rng = np.random.default_rng(0)
    a, b = (T.tensor(rng.normal(size=s), requires_grad=True) for s in ((3, 2), (2,)))
    unused = T.tensor([1.0], requires_grad=True)
    groups = [{"params": [a, unused]}, {"params": [b], "lr": 0.02}]
    make = getattr(T.optim, name)
    optimizer = make(groups, **options)
    for step in range(steps):
        if step == saved_after:
            state = copy.deepcopy(optimizer.state_dict())
            optimizer = make(groups, **{**options, "lr": 9.0})
            optimizer.load_state_dict(state)
        optimizer.zero_grad()
        x = T.tensor(rng.normal(size=(4, 3)))
        ((x @ a + b) ** 2).sum().backward()
        optimizer.step()
    return [p.detach().numpy() for p in (a, b, unused)], optimizer


@pytest.mark.torch
@pytest.mark.parametrize(("name", "options"), CASES)
def test_steps_are_those_of_torch(torch, name, options):
    mine, optimizer = run(refquant, name, options)
    theirs, other = run(torch, name, options)
    for a, b in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(a, b, 1e-10)
    mine_state, state = optimizer.state_dict(), other.state_dict()
    assert list(mine_state["state"]) == list(state["state"])
    for a, b in zip(mine_state["param_groups"], state["param_groups"], strict=True):
        assert all(b[key] == value for key, value in a.items())


@pytest.mark.parametrize(("name", "options"), CASES)
def test_a_saved_optimizer_goes_on_as_if_nothing_had_happened(name, options):
    straight, _ = run(refquant, name, options)
    resumed, _ = run(refquant, name, options, saved_after=3)
    for a, b in zip(straight, resumed, strict=True):
        np.testing.assert_array_equal(a, b)


def test_momentum_by_hand():
    p = refquant.tensor([1.0], requires_grad=True)
    optimizer = refquant.optim.SGD([p], lr=0.5, momentum=0.5)
    seen = []
    for _ in range(3):
        optimizer.zero_grad()
        p.sum().backward()
        optimizer.step()
        seen.append(p.item())
    assert seen == [0.5, -0.25, -1.125]  # b is 1, 1.5, 1.75


def test_closure_and_zero_grad():
    p = refquant.tensor([2.0], requires_grad=True)
    optimizer = refquant.optim.SGD([p], lr=0.1)

    def closure():
        optimizer.zero_grad(set_to_none=False)
        loss = (p * p).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 4.0
    assert p.item() == pytest.approx(1.6)
    optimizer.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0.0]
    optimizer.zero_grad()
    assert p.grad is None


@pytest.mark.parametrize(
    "make",
    [
        lambda p: refquant.optim.SGD([], lr=0.1),
        lambda p: refquant.optim.SGD(p, lr=0.1),
        lambda p: refquant.optim.SGD([p, p], lr=0.1),
        lambda p: refquant.optim.SGD([p * 2], lr=0.1),
        lambda p: refquant.optim.SGD([p], lr=-1),
        lambda p: refquant.optim.SGD([p], lr=float("nan")),
        lambda p: refquant.optim.SGD([p], lr=0.1, nesterov=True),
        lambda p: refquant.optim.Adam([p], betas=(1.0, 0.9)),
        lambda p: refquant.optim.Adam([p]).load_state_dict(
            refquant.optim.Adam([p, refquant.ones(1, requires_grad=True)]).state_dict()
        ),
    ],
)
def test_errors(make):
    with pytest.raises(RefquantError):
        make(refquant.tensor([1.0], requires_grad=True))


def test_a_small_network_learns():
    refquant.manual_seed(0)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(256, 2)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] > 0).astype(np.int64)
    nn = refquant.nn
    model = nn.Sequential(
        nn.Linear(2, 16), nn.BatchNorm1d(16), nn.ReLU(inplace=True), nn.Linear(16, 2)
    )
    optimizer = refquant.optim.Adam(model.parameters(), lr=0.03)
    for _ in range(60):
        optimizer.zero_grad()
        loss = nn.CrossEntropyLoss()(model(refquant.from_numpy(x)), refquant.from_numpy(y))
        loss.backward()
        optimizer.step()
    right = model.eval()(refquant.from_numpy(x)).argmax(1).numpy() == y
    assert right.mean() > 0.95
