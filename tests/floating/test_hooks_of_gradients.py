"""Functions that see the gradient of a tensor, and may replace it."""

import pytest

import refquant
from refquant.errors import ArgumentTypeError, GradientError, ShapeError


def test_a_leaf_gets_what_the_hook_returns():
    x = refquant.ones(2, requires_grad=True)
    handle = x.register_hook(lambda gradient: gradient * 10)
    (x * 3).sum().backward()
    assert x.grad.tolist() == [30.0, 30.0]
    handle.remove()
    (x * 3).sum().backward()
    assert x.grad.tolist() == [33.0, 33.0]


def test_a_result_hands_on_what_the_hook_returns():
    x = refquant.ones(2, requires_grad=True)
    y = x * 2
    seen = []
    y.register_hook(lambda gradient: seen.append(gradient.tolist()))
    y.register_hook(lambda gradient: gradient * 5)
    (y * 3).sum().backward()
    assert seen == [[3.0, 3.0]]
    assert x.grad.tolist() == [30.0, 30.0]


def test_gradients_as_values_pass_the_hooks():
    x = refquant.ones(2, requires_grad=True)
    y = x * 2
    y.register_hook(lambda gradient: gradient + 1)
    (gradient,) = refquant.autograd.grad(y.sum(), x)
    assert gradient.tolist() == [4.0, 4.0]
    assert x.grad is None


def test_a_hook_sees_the_sum_of_all_uses_once():
    x = refquant.ones(1, requires_grad=True)
    seen = []
    x.register_hook(lambda gradient: seen.append(gradient.item()))
    (x + x * x).backward()
    assert seen == [3.0]


def test_a_hook_of_a_parameter_sees_a_plain_tensor():
    layer = refquant.nn.Linear(2, 1)
    seen = []
    layer.weight.register_hook(lambda gradient: seen.append(type(gradient)))
    layer(refquant.ones(1, 2)).sum().backward()
    assert seen == [refquant.Tensor]


def test_what_is_no_hook_is_rejected():
    x = refquant.ones(2, requires_grad=True)
    with pytest.raises(ArgumentTypeError, match="`hook` must be a callable"):
        x.register_hook(3)
    with pytest.raises(GradientError, match="requires_grad=True"):
        refquant.ones(2).register_hook(print)


@pytest.mark.parametrize(
    ("hook", "error"), [(lambda g: g[:1], ShapeError), (lambda g: 3, ArgumentTypeError)]
)
def test_a_gradient_that_does_not_fit_is_an_error(hook, error):
    x = refquant.ones(2, requires_grad=True)
    x.register_hook(hook)
    with pytest.raises(error, match="`hook` must be"):
        x.sum().backward()
    assert x.grad is None


@pytest.mark.torch
def test_an_installed_pytorch_has_the_same_gradients(torch):
    def gradients(library):
        x = library.arange(4.0).requires_grad_()
        y = x * x
        y.register_hook(lambda gradient: gradient.clamp(max=0.5))
        x.register_hook(lambda gradient: gradient + 1)
        (y.sum() * 3).backward()
        return x.grad.tolist()

    assert gradients(refquant) == gradients(torch)
