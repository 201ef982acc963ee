"""Convolutions whose padding has a name: by hand, and compared with PyTorch's."""

import numpy as np
import pytest

import refquant
from refquant import nn
from refquant.errors import ArgumentError, OperationError
from refquant.nn import functional as F

MODES = ("zeros", "reflect", "replicate", "circular")


def test_same_has_the_larger_border_behind():
    x, w = refquant.tensor([[[1.0, 2.0, 3.0]]]), refquant.tensor([[[1.0, 10.0]]])
    assert F.conv1d(x, w, padding="same").tolist() == [[[21.0, 32.0, 3.0]]]
    assert F.conv1d(x, w, padding="valid").tolist() == [[[21.0, 32.0]]]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
def test_same_keeps_the_extents(kernel, mode):
    layer = nn.Conv2d(1, 2, (kernel, 3), padding="same", dilation=(1, 2), padding_mode=mode)
    assert layer(refquant.ones(1, 1, 7, 6)).shape == (1, 2, 7, 6)


def test_modules_show_the_name_of_a_padding():
    assert repr(nn.Conv2d(1, 1, 3, padding="same")) == (
        "Conv2d(1, 1, kernel_size=(3, 3), stride=(1, 1), padding=same)"
    )


@pytest.mark.parametrize(
    ("padding", "stride", "expected"),
    [("same", 2, "numbers for a stride"), ("Same", 1, "'same'")],
)
def test_paddings_that_are_not_valid_are_rejected(padding, stride, expected):
    with pytest.raises(ArgumentError, match=expected):
        nn.Conv2d(1, 1, 3, stride=stride, padding=padding)
    x = refquant.ones(1, 1, 4, 4)
    with pytest.raises(OperationError, match=expected):
        F.conv2d(x, x, stride=stride, padding=padding)


@pytest.mark.parametrize("make", [nn.quantized.Conv2d, nn.quantized.ConvTranspose2d])
def test_quantized_convolutions_take_numbers_alone(make):
    with pytest.raises(OperationError, match="whole numbers for quantized convolutions"):
        make(1, 1, 3, padding="same")


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:Using padding='same'")  # PyTorch's own about its copy
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("spatial", [1, 2, 3])
def test_named_paddings_are_those_of_pytorch(torch, spatial, padding, mode):
    numbers = np.random.default_rng(spatial)
    x = numbers.standard_normal((2, 2, *range(7, 7 + spatial))).astype(np.float32)
    kernel, dilation = (2, 3, 2)[:spatial], (3, 1, 2)[:spatial]
    results = []
    state = None
    for T in (torch, refquant):
        make = getattr(T.nn, f"Conv{spatial}d")
        layer = make(2, 4, kernel, 1, padding, dilation, 2, padding_mode=mode)
        state = state or {k: v.detach().numpy() for k, v in layer.state_dict().items()}
        layer.load_state_dict({k: T.from_numpy(v.copy()) for k, v in state.items()})
        input = T.from_numpy(x.copy())
        input.requires_grad = True
        output = layer(input)
        (output * output).sum().backward()
        results.append((repr(layer), output.detach().numpy(), input.grad.numpy()))
    (text, wanted, gradient), (own_text, got, own_gradient) = results
    assert own_text == text
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(own_gradient, gradient, rtol=1e-4, atol=1e-4)
