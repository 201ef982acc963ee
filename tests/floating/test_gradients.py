"""Gradients against differences: a small step in each operand, in float64."""

import numpy as np
import pytest
from floating.cases import CASES

import refquant
from refquant import nn
from refquant.errors import GradientError

STEP = 1e-6


def leaves(arrays):
    return [refquant.tensor(a, requires_grad=True) for a in arrays]


def differences(function, arrays, weights):
    """Measure how the weighted sum of the result changes with each number of each operand."""

    def value(parts):
        with refquant.no_grad():
            return float((function(*map(refquant.tensor, parts)).numpy() * weights).sum())

    slopes = []
    for array in arrays:
        slope = np.zeros_like(array)
        for index in np.ndindex(*array.shape):
            middle = array[index]
            array[index] = middle + STEP
            above = value(arrays)
            array[index] = middle - STEP
            slope[index] = (above - value(arrays)) / (2 * STEP)
            array[index] = middle
        slopes.append(slope)
    return slopes


def check(function, arrays, rng):
    """Compare `backward` with differences for every operand that has a gradient."""
    operands = leaves(arrays)
    result = function(*operands)
    weights = rng.normal(size=result.shape)
    result.backward(refquant.tensor(weights))
    for operand, slope in zip(operands, differences(function, arrays, weights), strict=True):
        if operand.grad is not None:
            np.testing.assert_allclose(operand.grad.numpy(), slope, rtol=1e-5, atol=1e-7)
    assert any(operand.grad is not None for operand in operands)


@pytest.mark.parametrize("name", CASES)
def test_operation(name):
    rng = np.random.default_rng(len(name))
    case = CASES[name]
    arrays = [rng.uniform(case.low, case.high, size=shape) for shape in case.shapes]
    if name in (
        "cross_entropy_options",
        "binary_cross_entropy",
        "binary_cross_entropy_with_logits",
        "batch_norm_eval",
    ):
        # Only the operands that are not detached have a gradient.
        detached = arrays if name == "batch_norm_eval" else arrays[1:]
        frozen = [a.copy() for a in detached]
        if name == "batch_norm_eval":
            function = lambda x, w, b: nn.functional.batch_norm(  # noqa: E731
                x,
                refquant.tensor(frozen[0][0, :, 0]),
                refquant.tensor(abs(frozen[0][1, :, 0])),
                w,
                b,
            )
        else:
            function = lambda x: case.function(refquant, x, *map(refquant.tensor, frozen))  # noqa: E731
            arrays = arrays[:1]
    else:
        function = lambda *operands: case.function(refquant, *operands)  # noqa: E731
    check(function, arrays, rng)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("lengths", [None, [4, 2, 1]])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "tanh", "relu"])
def test_recurrent_layers(kind, bidirectional, lengths, bias):
    rng = np.random.default_rng(5)
    refquant.manual_seed(1)
    make = getattr(nn, kind, nn.RNN)
    options = {"nonlinearity": kind} if make is nn.RNN else {}
    options |= {"bidirectional": bidirectional, "bias": bias}
    layers = make(3, 2, num_layers=2, **options).double()
    directions = 2 if bidirectional else 1
    names = [name for name, _ in layers.named_parameters()]

    def function(x, h, c, *weights):
        for name, weight in zip(names, weights, strict=True):
            layers._parameters[name] = weight
        if lengths is not None:
            x = nn.utils.rnn.pack_padded_sequence(x, lengths)
        y, last = layers(x, (h, c) if kind == "LSTM" else h * c)
        y = y if lengths is None else y.data
        hn, cn = last if kind == "LSTM" else (last, last)
        return refquant.cat([y.flatten(), hn.flatten(), (cn * 2).flatten()])

    state = (2 * directions, 3, 2)
    arrays = [rng.normal(size=s) for s in ((4, 3, 3), state, state)]
    arrays += [p.detach().numpy().copy() for p in layers.parameters()]
    check(function, arrays, rng)


def test_a_tensor_used_twice_adds_its_gradients_up():
    x = refquant.tensor([2.0, 3.0], requires_grad=True)
    y = x * x
    (y + y * x).sum().backward()
    assert x.grad.tolist() == [2 * 2 + 3 * 4, 2 * 3 + 3 * 9]
    (x * 1).sum().backward()
    assert x.grad.tolist() == [17.0, 34.0]


def test_no_grad_records_nothing():
    x = refquant.tensor([2.0], requires_grad=True)
    with refquant.no_grad():
        assert not (x * 2).requires_grad
        with refquant.enable_grad():
            assert (x * 2).requires_grad

    @refquant.no_grad()
    def twice(x):
        return x * 2

    assert not twice(x).requires_grad


def test_retained_gradient_of_a_result():
    x = refquant.tensor([2.0], requires_grad=True)
    y = x * 3
    y.retain_grad()
    (y * y).backward()
    assert y.grad.tolist() == [12.0]
    assert x.grad.tolist() == [36.0]


def test_in_place_leaves_earlier_results_alone():
    # h is used before and after it changes; each use has the gradient of its own value.
    x = refquant.tensor([-1.0, 2.0], requires_grad=True)
    h = x * 2
    square = h * h
    h.relu_()
    (square + h).sum().backward()
    assert x.grad.tolist() == [-8.0, 18.0]


def test_in_place_without_recording_changes_what_shares_storage():
    x = refquant.zeros(2, 3)
    x[0].add_(1)
    x[:, 1:].mul_(2)
    x.t()[2, 1] = 5
    assert x.tolist() == [[1.0, 2.0, 2.0], [0.0, 0.0, 5.0]]


def test_gradient_of_equal_extremes_is_shared():
    x = refquant.tensor([3.0, 1.0, 3.0], requires_grad=True)
    x.max().backward()
    assert x.grad.tolist() == [0.5, 0.0, 0.5]
    a = refquant.tensor([1.0], requires_grad=True)
    refquant.maximum(a, refquant.tensor([1.0])).backward()
    assert a.grad.tolist() == [0.5]


def test_gradient_at_bends():
    x = refquant.tensor([0.0, 6.0, -0.5], requires_grad=True)
    (nn.functional.relu6(x) + refquant.relu(x) + x.clamp(-0.5, 6) + x.abs()).sum().backward()
    assert x.grad.tolist() == [1.0, 3.0, 0.0]


def test_gradients_keep_the_dtype_of_leaves():
    x = refquant.tensor([1.0, 2.0], dtype=refquant.float16, requires_grad=True)
    y = refquant.tensor([1.0, 2.0], dtype=refquant.float64, requires_grad=True)
    (x.double() * y).sum().backward()
    assert x.grad.dtype is refquant.float16
    assert y.grad.dtype is refquant.float64


def test_set_grad_enabled_from_now_on_and_in_a_block():
    x = refquant.tensor([2.0], requires_grad=True)
    with refquant.set_grad_enabled(False):
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad
    refquant.set_grad_enabled(False)
    assert not refquant.is_grad_enabled()
    refquant.set_grad_enabled(True)
    assert (x * 2).requires_grad


def test_errors():
    x = refquant.tensor([2.0, 1.0], requires_grad=True)
    for wrong in (
        lambda: (x * 2).backward(),
        lambda: x.detach().sum().backward(),
        lambda: refquant.tensor([1], requires_grad=True),
        lambda: (x * 2).requires_grad_(False),
        lambda: (x * 2).numpy(),
        lambda: x.resize_(3),
    ):
        with pytest.raises(GradientError) as caught:
            wrong()
        assert caught.value.expected
    with pytest.raises(NotImplementedError):
        x.sum().backward(create_graph=True)
