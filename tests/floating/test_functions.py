"""Operations with a backward pass of their own, and gradients as values."""

import pytest

import refquant
from refquant import autograd
from refquant.errors import GradientError, NotSupportedError, ShapeError


class Rounded(autograd.Function):
    """Rounds to steps, and returns a copy besides; the gradient is cut at 1."""

    @staticmethod
    def forward(ctx, x, step):
        ctx.save_for_backward(x)
        return refquant.round(x / step) * step, x.clone()

    @staticmethod
    def backward(ctx, grad_rounded, grad_copy):
        (x,) = ctx.saved_tensors
        return grad_rounded * (x.abs() < 1) + 2 * grad_copy, None


class Product(autograd.Function):
    """Keeps its operands in setup_context."""

    @staticmethod
    def forward(x, y):
        return x * y

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, grad_output):
        x, y = ctx.saved_tensors
        return grad_output * y, grad_output * x


def numbers(*values):
    return refquant.tensor(values, requires_grad=True)


def test_gradients_of_several_results_go_through_one_backward_pass():
    x = numbers(0.3, -0.7, 1.4)
    rounded, copy = Rounded.apply(x, 0.25)
    assert rounded.tolist() == [0.25, -0.75, 1.5]
    (rounded * 4 + copy).sum().backward()
    assert x.grad.tolist() == [6.0, 6.0, 2.0]


def test_a_result_that_was_not_used_has_a_gradient_of_zeros():
    x = numbers(0.3, 1.4)
    Rounded.apply(x * 2, 0.5)[0].sum().backward()
    assert x.grad.tolist() == [2.0, 0.0]


def test_setup_context_keeps_what_backward_needs():
    x, y = numbers(1.0, 2.0), numbers(3.0, 4.0)
    Product.apply(x, y).sum().backward()
    assert (x.grad.tolist(), y.grad.tolist()) == ([3.0, 4.0], [1.0, 2.0])


def test_nothing_is_recorded_without_gradients():
    with refquant.no_grad():
        assert not Product.apply(numbers(1.0), numbers(2.0)).requires_grad


def test_gradients_that_are_missing_are_rejected():
    class Half(Product):
        @staticmethod
        def backward(ctx, grad_output):
            return grad_output

    with pytest.raises(GradientError, match="2 gradients"):
        Half.apply(numbers(1.0), numbers(2.0)).backward()


def test_gradients_of_another_shape_are_rejected():
    class Wrong(Product):
        @staticmethod
        def backward(ctx, grad_output):
            return refquant.ones(3), None

    with pytest.raises(ShapeError):
        Wrong.apply(numbers(1.0, 2.0), numbers(3.0, 4.0)).sum().backward()


def test_grad_leaves_the_gradients_of_tensors_alone():
    x, y = numbers(1.0, 2.0), numbers(3.0, 4.0)
    between = x * y
    found = autograd.grad((between * between).sum(), [between, x, y])
    assert [part.tolist() for part in found] == [[6.0, 16.0], [18.0, 64.0], [6.0, 32.0]]
    assert x.grad is None


def test_grad_adds_several_outputs_up():
    x = numbers(1.0, 2.0)
    weights = refquant.tensor([10.0, 20.0])
    (found,) = autograd.grad([x.sum(), x * x], x, grad_outputs=[None, weights])
    assert found.tolist() == [21.0, 81.0]


def test_grad_of_what_was_not_used_is_none_if_allowed():
    x, unused = numbers(1.0), numbers(2.0)
    assert autograd.grad(x * 2, [x, unused], allow_unused=True)[1] is None
    with pytest.raises(GradientError, match="allow_unused"):
        autograd.grad(x * 2, [x, unused])
    with pytest.raises(NotSupportedError):
        autograd.grad(x * 2, x, create_graph=True)


def test_backward_of_several_tensors_adds_up():
    x = numbers(3.0)
    autograd.backward([x * x, x])
    assert x.grad.tolist() == [7.0]


def test_inference_mode_records_nothing_and_nests():
    x = numbers(1.0)
    with refquant.inference_mode():
        with refquant.inference_mode(False):
            assert refquant.is_inference_mode_enabled()
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad
    assert not refquant.is_inference_mode_enabled()


def test_detach_in_place_makes_a_leaf():
    y = numbers(1.0) * 2
    assert y.detach_() is y
    assert y.is_leaf
    assert not y.requires_grad
