"""The engine of rational arithmetic, compared with fractions computed here by hand."""

import math
from fractions import Fraction

import numpy as np
import pytest
from oracle.operands import activations, bias, weights

import refquant
from refquant import engines
from refquant.engines.rules.exact import nearest_float32
from refquant.nn.quantized import functional as F

ops = refquant.ops.quantized


@pytest.fixture(autouse=True)
def _exact():
    with engines.using("exact"):
        yield


def real(q, index):
    scale, zero = (q.scale, q.zero_point) if q.axis is None else (q.scale[index[0]], 0)
    return Fraction(float(scale)) * (int(q.array[index]) - int(zero))


def integer(value, scale, zero_point, low=0, high=255):
    return min(max(round(value / Fraction(scale)) + zero_point, low), high)


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("scale", [0.5, 0.7])
def test_linear(per_channel, scale):
    rng = np.random.default_rng(1)
    x, w, b = activations(rng, (4, 9)), weights(rng, (5, 9), per_channel=per_channel), bias(rng, 5)
    y = F.linear(x, w, b, scale=scale, zero_point=100).array
    for m in range(4):
        for n in range(5):
            total = sum(real(x, (m, k)) * real(w, (n, k)) for k in range(9))
            assert y[m, n] == integer(total + Fraction(float(b.array[n])), scale, 100)


def test_convolution_with_borders_and_groups():
    rng = np.random.default_rng(2)
    x, w, b = activations(rng, (1, 4, 5, 5)), weights(rng, (2, 2, 3, 3)), bias(rng, 2)
    y = F.conv2d(x, w, b, stride=2, padding=1, groups=2, scale=2.0, zero_point=90).array
    for o in range(2):
        for i in range(3):
            for j in range(3):
                total = Fraction(float(b.array[o]))
                for c in range(2):
                    for u in range(3):
                        for v in range(3):
                            row, column = 2 * i + u - 1, 2 * j + v - 1
                            if 0 <= row < 5 and 0 <= column < 5:
                                pixel = real(x, (0, 2 * o + c, row, column))
                                total += pixel * real(w, (o, c, u, v))
                assert y[0, o, i, j] == integer(total, 2.0, 90)


@pytest.mark.parametrize(("name", "combine"), [("add", "__add__"), ("mul", "__mul__")])
@pytest.mark.parametrize("relu", [False, True])
def test_sums_and_products(name, combine, relu):
    rng = np.random.default_rng(3)
    a, b = activations(rng, (200,), 0.1), activations(rng, (200,), 0.3, 77)
    q = getattr(ops, name + "_relu" * relu)(a, b, 0.35, 60).array
    for i in range(200):
        value = getattr(real(a, (i,)), combine)(real(b, (i,)))
        assert q[i] == integer(max(value, Fraction(0)) if relu else value, 0.35, 60)


def test_averages():
    rng = np.random.default_rng(4)
    x = activations(rng, (1, 2, 4, 4))
    pooled, mean = F.avg_pool2d(x, 2).array, x.mean((2, 3)).array
    for c in range(2):
        steps = x.array[0, c].astype(int) - 13
        assert mean[0, c] == round(Fraction(int(steps.sum()), 16)) + 13
        for i in range(2):
            for j in range(2):
                window = steps[2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
                assert pooled[0, c, i, j] == round(Fraction(int(window.sum()), 4)) + 13


def test_resizing():
    x = activations(np.random.default_rng(5), (1, 1, 3, 4))
    q = F.interpolate(x, size=(5, 6), mode="bilinear", align_corners=True).array[0, 0]
    for i in range(5):
        for j in range(6):
            row, column = Fraction(2 * i, 4), Fraction(3 * j, 5)
            top, left = min(math.floor(row), 1), min(math.floor(column), 2)
            h, w = row - top, column - left
            pixels = x.array[0, 0].astype(int).tolist()
            upper = (1 - w) * pixels[top][left] + w * pixels[top][left + 1]
            lower = (1 - w) * pixels[top + 1][left] + w * pixels[top + 1][left + 1]
            assert q[i, j] == round((1 - h) * upper + h * lower)


def test_quantizing_ties_and_neighbors():
    ties = np.arange(-6, 7, dtype=np.float32) + np.float32(0.5)
    x = np.concatenate([ties, np.nextafter(ties, np.float32(9)), np.nextafter(ties, -ties)])
    q = refquant.quantize_per_tensor(refquant.tensor(x), 1.0, 3, refquant.qint8).array
    assert q.tolist() == [round(Fraction(float(v))) + 3 for v in x]


def test_quantizing_what_is_not_finite():
    x = refquant.tensor([float("inf"), float("-inf"), float("nan"), 1.0])
    q = refquant.quantize_per_tensor(x, 0.5, 3, refquant.quint8)
    assert q.array.tolist() == [255, 0, 0, 5]


def test_real_results_are_rounded_once():
    rng = np.random.default_rng(6)
    w, b = weights(rng, (3, 8), scale=0.013), bias(rng, 3)
    x = refquant.tensor(rng.normal(size=(2, 8)).astype(np.float32))
    y = ops.linear_dynamic(x, ops.linear_prepack(w, b)).numpy()
    assert y.dtype == np.float32
    assert np.isfinite(y).all()
    near = Fraction(1) + Fraction(1, 2**24) + Fraction(1, 2**80)  # just above a tie of float32
    values = np.array([near, -near, Fraction(0), Fraction(1, 2**149), Fraction(1, 2**151)])
    up = float(np.nextafter(np.float32(1), np.float32(2)))
    assert nearest_float32(values).tolist() == [up, -up, 0.0, 2.0**-149, 0.0]


def test_empty_and_scalar_operands():
    empty = activations(np.random.default_rng(7), (0, 4))
    assert ops.add(empty, empty, 1.0, 0).shape == (0, 4)
    one = activations(np.random.default_rng(7), ())
    assert ops.mul(one, one, 1.0, 0).shape == ()
