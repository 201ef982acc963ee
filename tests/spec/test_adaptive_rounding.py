"""Adaptive rounding, beside all roundings tried, and on a network of digits."""

import itertools

import numpy as np
import pytest

import refquant
from refquant import errors, nn, quantization
from refquant.ptq import adaround, rounded_adaptively


def error(codes, w, gram):
    return (((codes - w) @ gram) * (codes - w)).sum(axis=1)


def correlated(rng, depth):
    x = rng.normal(size=(500, 1)) + 0.7 * rng.normal(size=(500, depth))
    return x.T @ x / len(x)


def test_between_the_nearest_and_the_best_of_all_roundings():
    """No row is worse than rounded to nearest; on average most of what can be had is had."""
    tried = np.array(list(itertools.product((0, 1), repeat=8)))
    rng = np.random.default_rng(0)
    w, gram = rng.normal(size=(40, 8)) * 2, correlated(rng, 8)
    found = error(adaround(w, 1.0, gram, -128, 127), w, gram)
    nearest = error(np.rint(w), w, gram)
    best = np.array([error(np.floor(row) + tried, row, gram).min() for row in w])
    assert (best <= found + 1e-9).all()
    assert (found <= nearest + 1e-9).all()
    assert (found - best).mean() < 0.35 * (nearest - best).mean()


def test_each_weight_goes_up_or_down_and_stays_in_the_range():
    rng = np.random.default_rng(0)
    w, scale = rng.normal(size=(6, 20)), rng.uniform(0.1, 0.4, 6)
    codes = adaround(w, scale, correlated(rng, 20), -4, 3)
    steps = w / scale[:, None]
    assert ((codes >= -4) & (codes <= 3)).all()
    assert (np.abs(codes - np.clip(steps, -4, 3)) < 1 + 1e-9).all()


def test_of_inputs_that_are_independent_the_nearest_is_best():
    w = np.random.default_rng(0).normal(size=(3, 10)) * 3
    assert (adaround(w, 1.0, np.eye(10), -128, 127) == np.rint(w)).all()


def test_groups_padding_strides_and_zero_points():
    """What was rounded is compared by outputs of the float layer with the rounded weight."""
    refquant.manual_seed(0)
    layers = (
        nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2),
        nn.Conv2d(4, 6, (3, 2), dilation=2),
        nn.Linear(9, 5),
    )
    weight = quantization.MinMaxObserver.with_args(dtype=refquant.qint8, quant_min=-8, quant_max=7)
    for layer in layers:
        model = quantization.QuantWrapper(layer).eval()
        model.qconfig = quantization.QConfig(quantization.default_observer, weight)
        x = refquant.randn(32, 9) if isinstance(layer, nn.Linear) else refquant.randn(6, 4, 9, 9)
        x = x + 3 * refquant.randn(*x.shape[:1], *[1] * (x.ndim - 1))  # correlated
        quantized = quantization.quantize(model, lambda model, data: model(data), [x])
        rounded = rounded_adaptively(model, quantized, [x], -8, 7)
        losses = []
        for made in (quantized, rounded):
            before, layer.weight = layer.weight, nn.Parameter(made.module.weight().dequantize())
            changed = layer(x).detach().numpy()
            layer.weight = before
            losses.append(((changed - layer(x).detach().numpy()) ** 2).mean())
        assert losses[1] < 0.9 * losses[0]


@pytest.mark.parametrize(
    ("weight", "scale", "gram"),
    [
        (np.zeros(3), 1.0, np.eye(3)),
        (np.zeros((2, 3)), 1.0, np.eye(2)),
        (np.zeros((2, 3)), np.ones(3), np.eye(3)),
        (np.zeros((2, 3)), 0.0, np.eye(3)),
        (np.full((2, 3), np.nan), 1.0, np.eye(3)),
    ],
)
def test_arguments_that_do_not_fit(weight, scale, gram):
    with pytest.raises(errors.RefquantError):
        adaround(weight, scale, gram)


def test_models_without_such_layers():
    model = nn.Sequential(nn.ReLU()).eval()
    with pytest.raises(errors.ArgumentError, match="quantized_model"):
        rounded_adaptively(model, model, [refquant.zeros(1)])
