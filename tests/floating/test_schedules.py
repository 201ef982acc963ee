"""Schedules of the step size: by hand, and compared with PyTorch's."""

import numpy as np
import pytest

import refquant
from refquant import optim
from refquant.errors import RefquantError
from refquant.optim import lr_scheduler

SCHEDULES = {
    "StepLR": {"step_size": 3, "gamma": 0.5},
    "MultiStepLR": {"milestones": [2, 5, 5, 9], "gamma": 0.3},
    "ExponentialLR": {"gamma": 0.9},
    "CosineAnnealingLR": {"T_max": 6, "eta_min": 0.001},
    "LambdaLR": {"lr_lambda": lambda epoch: 0.95**epoch},
    "ConstantLR": {"factor": 0.25, "total_iters": 4},
    "LinearLR": {"start_factor": 0.2, "end_factor": 0.9, "total_iters": 6},
    "PolynomialLR": {"total_iters": 40, "power": 1.7},
    "CosineAnnealingWarmRestarts": {"T_0": 3, "T_mult": 2, "eta_min": 0.001},
    "CyclicLR": {"base_lr": 0.01, "max_lr": [0.1, 0.3], "step_size_up": 3, "step_size_down": 5},
    "CyclicLR sawtooth": {"base_lr": 0.01, "max_lr": 0.2, "step_size_up": 3, "step_size_down": 0},
    "LinearLR of none": {"total_iters": 0},
    "PolynomialLR of none": {"total_iters": 0},
    "CyclicLR triangular2": {"base_lr": 0.01, "max_lr": 0.2, "step_size_up": 2}
    | {"mode": "triangular2", "cycle_momentum": False},
    "CyclicLR exp_range": {"base_lr": 0.01, "max_lr": 0.2, "step_size_up": 4}
    | {"mode": "exp_range", "gamma": 0.9, "base_momentum": 0.5},
    "CyclicLR function": {"base_lr": 0.01, "max_lr": 0.2, "step_size_up": 2}
    | {"scale_fn": lambda x: 1 / (1 + x), "scale_mode": "iterations"},
    "OneCycleLR": {"max_lr": 0.5, "total_steps": 60},
    "OneCycleLR phases": {"max_lr": [0.5, 0.3], "epochs": 30, "steps_per_epoch": 2}
    | {"three_phase": True, "anneal_strategy": "linear", "pct_start": 0.25},
    "ReduceLROnPlateau": {"patience": 1, "factor": 0.5, "cooldown": 1, "min_lr": 0.01},
}
MEASURES = [3.0, 2.9, 2.95, 2.95, 2.95, 2.8, 2.9, 2.9, 2.9, 2.9, 2.9, 2.9, 2.9, 2.9]


def optimizer_of(T):
    return T.optim.SGD(
        [{"params": [T.ones(2, requires_grad=True)]}, {"params": [T.ones(1)], "lr": 0.2}],
        lr=0.1,
        momentum=0.7,
    )


def advanced(scheduler, measures):
    """Step sizes of both groups after each epoch."""
    plateau = type(scheduler).__name__ == "ReduceLROnPlateau"
    steps = []
    for measure in measures:
        scheduler.optimizer.step()
        scheduler.step(*([measure] if plateau else []))
        momenta = [group["momentum"] for group in scheduler.optimizer.param_groups]
        steps.append([*scheduler.get_last_lr(), *momenta])
    return steps


def run(T, name, **options):
    """Step, save, load into another optimizer and schedule, step, and go to an epoch."""
    make = getattr(T.optim.lr_scheduler, name.split()[0])
    scheduler = make(optimizer_of(T), **options)
    steps = advanced(scheduler, MEASURES)
    other = make(optimizer_of(T), **options)
    other.optimizer.load_state_dict(scheduler.optimizer.state_dict())
    other.load_state_dict(scheduler.state_dict())
    steps += advanced(other, MEASURES)
    if name != "ReduceLROnPlateau":
        again = make(other.optimizer, **options, last_epoch=other.last_epoch)
        steps += advanced(again, MEASURES)
    return np.array(steps)


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore::UserWarning")  # PyTorch's own about the order of steps
@pytest.mark.parametrize("name", SCHEDULES)
def test_step_sizes_are_those_of_pytorch(torch, name):
    wanted, got = (run(T, name, **SCHEDULES[name]) for T in (torch, refquant))
    assert np.array_equal(wanted, got)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("StepLR", [0.1, 0.1, 0.05, 0.05]),
        ("MultiStepLR", [0.1, 0.03, 0.03, 0.03]),
        ("LambdaLR", [0.095, 0.09025, 0.0857375, 0.081450625]),
    ],
)
def test_step_sizes_follow_the_formula(name, wanted):
    scheduler = getattr(lr_scheduler, name)(optimizer_of(refquant), **SCHEDULES[name])
    got = [steps[0] for steps in advanced(scheduler, MEASURES[:4])]
    assert got == pytest.approx(wanted, rel=1e-12)


def in_sequence(T):
    optimizer = optimizer_of(T)
    library = T.optim.lr_scheduler
    parts = [
        library.LinearLR(optimizer, 0.1, total_iters=4),
        library.CosineAnnealingWarmRestarts(optimizer, 3),
        library.ExponentialLR(optimizer, 0.8),
        library.CyclicLR(optimizer, 0.02, 0.3, step_size_up=2),
    ]
    return library.SequentialLR(optimizer, parts, [4, 8, 11])


@pytest.mark.torch
def test_schedules_in_sequence_are_those_of_pytorch(torch):
    results = []
    for T in (torch, refquant):
        first, second = in_sequence(T), in_sequence(T)
        start = list(first.get_last_lr()) * 2
        steps = advanced(first, MEASURES[:6])
        second.optimizer.load_state_dict(first.optimizer.state_dict())
        second.load_state_dict(first.state_dict())
        results.append(np.array([start, *steps, *advanced(second, MEASURES)]))
    assert np.array_equal(*results)


def test_a_schedule_starts_at_its_milestone():
    optimizer = optimizer_of(refquant)
    parts = [lr_scheduler.ConstantLR(optimizer, 0.5), lr_scheduler.ExponentialLR(optimizer, 0.5)]
    scheduler = lr_scheduler.SequentialLR(optimizer, parts, milestones=[2])
    assert scheduler.get_last_lr()[0] == 0.05
    assert [row[0] for row in advanced(scheduler, range(4))] == [0.05, 0.1, 0.05, 0.025]


def test_steps_beyond_one_cycle_are_rejected_and_change_nothing():
    scheduler = lr_scheduler.OneCycleLR(optimizer_of(refquant), 1.0, total_steps=2)
    advanced(scheduler, range(2))
    with pytest.raises(RefquantError, match="steps are over"):
        scheduler.step()
    assert scheduler.last_epoch == 2


def test_schedules_can_be_chained():
    optimizer = optim.SGD([refquant.ones(1, requires_grad=True)], lr=1.0)
    first = lr_scheduler.ExponentialLR(optimizer, 0.5)
    second = lr_scheduler.StepLR(optimizer, 2, 0.1)
    for wanted in (0.5, 0.025, 0.0125):
        optimizer.step()
        first.step()
        second.step()
        assert optimizer.param_groups[0]["lr"] == pytest.approx(wanted)


def test_a_schedule_before_the_optimizer_warns():
    scheduler = lr_scheduler.StepLR(optimizer_of(refquant), 2)
    with pytest.warns(UserWarning, match=r"call optimizer\.step\(\) first"):
        scheduler.step()


@pytest.mark.parametrize(
    "make",
    [
        lambda o: lr_scheduler.StepLR(o, 0),
        lambda o: lr_scheduler.StepLR("adam", 2),
        lambda o: lr_scheduler.StepLR(o, 2, last_epoch=3),
        lambda o: lr_scheduler.LambdaLR(o, [lambda epoch: 1.0]),
        lambda o: lr_scheduler.ReduceLROnPlateau(o, factor=1.0),
        lambda o: lr_scheduler.ReduceLROnPlateau(o, mode="least"),
        lambda o: lr_scheduler.CosineAnnealingLR(o, 0),
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 0),
        lambda o: lr_scheduler.ConstantLR(o, factor=1.5),
        lambda o: lr_scheduler.LinearLR(o, start_factor=0.0),
        lambda o: lr_scheduler.PolynomialLR(o, total_iters=-1),
        lambda o: lr_scheduler.LinearLR(o, total_iters=0).step(1),
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 2).step(float("inf")),
        lambda o: lr_scheduler.CyclicLR(o, 0.1, 0.2, mode="square"),
        lambda o: lr_scheduler.CyclicLR(o, 0.1, 0.2, step_size_up=0),
        lambda o: lr_scheduler.OneCycleLR(o, 0.1, total_steps=5, final_div_factor=0),
        lambda o: lr_scheduler.CyclicLR(o, [0.1], 0.2),
        lambda o: lr_scheduler.CyclicLR(optim.Adagrad([refquant.ones(1)]), 0.1, 0.2),
        lambda o: lr_scheduler.OneCycleLR(o, 0.1),
        lambda o: lr_scheduler.OneCycleLR(o, 0.1, total_steps=5, pct_start=2.0),
        lambda o: lr_scheduler.SequentialLR(o, [], []),
        lambda o: lr_scheduler.SequentialLR(o, [lr_scheduler.StepLR(o, 2)], [3]),
        lambda o: lr_scheduler.SequentialLR(o, [lr_scheduler.ReduceLROnPlateau(o)], []),
    ],
)
def test_what_is_not_valid_is_rejected(make):
    with pytest.raises(RefquantError):
        make(optimizer_of(refquant))
