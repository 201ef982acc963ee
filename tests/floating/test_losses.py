"""Losses: errors of their arguments, and values where a formula has a corner."""

import math

import pytest

import refquant
from refquant import nn
from refquant.errors import DtypeError, OperationError, ShapeError
from refquant.nn import functional as F

SCORES = refquant.tensor([[0.0, 1.0, 2.0], [3.0, 1.0, 0.5]])
CLASSES = refquant.tensor([1, 2])


def test_smoothing_gives_every_class_its_part():
    smoothed = F.cross_entropy(SCORES, CLASSES, label_smoothing=0.3)
    shares = refquant.full((2, 3), 0.1)
    shares[0, 1] = shares[1, 2] = 0.8
    assert smoothed.item() == pytest.approx(F.cross_entropy(SCORES, shares).item(), rel=1e-6)


def test_a_loss_of_nothing_is_nan():
    assert math.isnan(F.cross_entropy(SCORES[:0], SCORES[:0]).item())
    ignored = refquant.tensor([-100, -100])
    assert math.isnan(F.cross_entropy(SCORES, ignored, label_smoothing=0.1).item())
    assert math.isnan(F.cross_entropy(SCORES[:0, :0], CLASSES[:0], label_smoothing=0.1).item())


def test_the_slope_at_a_score_of_zero_is_that_of_the_logistic_function():
    scores = refquant.zeros(2, requires_grad=True)
    F.binary_cross_entropy_with_logits(
        scores, refquant.tensor([0.0, 1.0]), reduction="sum"
    ).backward()
    assert scores.grad.tolist() == [0.5, -0.5]


def test_positive_targets_weigh_what_is_given():
    loss = nn.BCEWithLogitsLoss(reduction="none", pos_weight=refquant.tensor([3.0]))
    got = loss(refquant.zeros(2), refquant.tensor([0.0, 1.0])).tolist()
    assert got == pytest.approx([math.log(2), 3 * math.log(2)])
    assert list(loss.state_dict()) == ["pos_weight"]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"target": CLASSES, "weight": refquant.ones(3).double()}, DtypeError),
        ({"target": CLASSES, "weight": refquant.ones(2)}, ShapeError),
        ({"target": CLASSES, "label_smoothing": 1.5}, OperationError),
        ({"target": CLASSES, "label_smoothing": -0.1}, OperationError),
        ({"target": CLASSES.int()}, DtypeError),
        ({"target": SCORES, "ignore_index": 1}, OperationError),
    ],
)
def test_arguments_of_cross_entropy_are_checked(options, error):
    with pytest.raises(error):
        F.cross_entropy(SCORES, **options)


@pytest.mark.parametrize("loss", [F.binary_cross_entropy, F.binary_cross_entropy_with_logits])
def test_binary_targets_do_not_broadcast(loss):
    with pytest.raises(ShapeError, match="`target`"):
        loss(refquant.full((2, 3), 0.5), refquant.ones(3))


@pytest.mark.parametrize("name", ["weight", "pos_weight"])
def test_factors_of_binary_losses_leave_dtype_and_shape(name):
    scores = refquant.zeros(2, requires_grad=True)
    for factor in (refquant.tensor([2, 3]), refquant.tensor(2.0, dtype=refquant.float64)):
        options = {name: factor, "reduction": "none"}
        loss = F.binary_cross_entropy_with_logits(scores, refquant.ones(2), **options)
        assert (loss.dtype, loss.shape) == (refquant.float32, (2,))
        loss.sum().backward()
    assert scores.grad.tolist() == [-2.0, -2.5]
    with pytest.raises(ShapeError, match=f"`{name}`"):
        F.binary_cross_entropy_with_logits(scores, refquant.ones(2), **{name: refquant.ones(3, 2)})


@pytest.mark.parametrize(
    ("input", "options", "name"),
    [
        ([0.5, 1.5], {}, "input"),
        ([0.5, math.nan], {}, "input"),
        ([0.5, 0.5], {"target": refquant.ones(2).double()}, "target"),
        ([0.5, 0.5], {"weight": refquant.ones(3, 2)}, "weight"),
    ],
)
def test_operands_of_binary_cross_entropy_are_checked(input, options, name):
    with pytest.raises(RuntimeError, match=f"`{name}`"):
        F.binary_cross_entropy(refquant.tensor(input), **{"target": refquant.ones(2), **options})
