"""Folding batch normalization, by its formula and in its order of operations."""

import numpy as np

from refquant import kernels


def f32(*values):
    return np.array(values, np.float32)


def test_a_normalization_that_does_nothing():
    weight = f32([1.5, -2.0])
    one, zero = f32(1.0), f32(0.0)
    folded = kernels.fold_batch_norm(weight, f32(3.0), zero, one, 0.0, one, zero)
    np.testing.assert_array_equal(folded[0], weight)
    assert folded[1].tolist() == [3.0]


def test_simple_numbers():
    # (2 x + 1 - 5) / sqrt(15 + 1) * 8 + 0.5 = 4 x - 7.5
    folded = kernels.fold_batch_norm(
        f32([2.0]), f32(1.0), f32(5.0), f32(15.0), 1.0, f32(8.0), f32(0.5)
    )
    assert (folded[0].item(), folded[1].item()) == (4.0, -7.5)


def test_bias_is_multiplied_by_the_inverse_deviation_first():
    rng = np.random.default_rng(0)
    bias, mean, gamma, beta = rng.normal(size=(4, 500)).astype(np.float32)
    variance = rng.random(500).astype(np.float32)
    weight = rng.normal(size=(500, 3)).astype(np.float32)
    folded_weight, folded_bias = kernels.fold_batch_norm(
        weight, bias, mean, variance, 1e-5, gamma, beta
    )
    r = np.float32(1) / np.sqrt(variance + np.float32(1e-5))
    np.testing.assert_array_equal(folded_weight, weight * (gamma * r)[:, None])
    np.testing.assert_array_equal(folded_bias, (bias - mean) * r * gamma + beta)
    # The other order gives other bits.
    assert ((bias - mean) * (gamma * r) + beta != folded_bias).any()
