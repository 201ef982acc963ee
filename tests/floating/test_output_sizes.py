"""Transposed convolutions that are told the extents of their result."""

import numpy as np
import pytest

import refquant
from refquant import nn
from refquant.errors import ArgumentError, ShapeError


@pytest.mark.parametrize("wanted", [(7, 7), (8, 7), (1, 2, 8, 8)])
def test_the_result_has_the_extents_that_are_given(wanted):
    layer = nn.ConvTranspose2d(1, 2, 3, stride=2)
    assert layer(refquant.ones(1, 1, 3, 3), output_size=wanted).shape[2:] == wanted[-2:]


@pytest.mark.parametrize(
    ("wanted", "error"), [((9, 7), ArgumentError), ((6, 7), ArgumentError), ((7,), ShapeError)]
)
def test_extents_that_no_padding_gives_are_rejected(wanted, error):
    with pytest.raises(error, match="`output_size`"):
        nn.ConvTranspose2d(1, 2, 3, stride=2)(refquant.ones(1, 1, 3, 3), wanted)


def test_an_input_without_channels_is_rejected_by_its_name():
    with pytest.raises(ShapeError, match="`input` must be of 3 or 4 dimensions"):
        nn.ConvTranspose2d(1, 2, 3)(refquant.ones(3, 3), (5, 5))


def test_reference_modules_take_extents_too():
    layer = nn.quantized.reference.ConvTranspose1d(1, 2, 3, stride=2)
    assert layer(refquant.ones(1, 1, 3), output_size=(8,)).shape == (1, 2, 8)


@pytest.mark.torch
@pytest.mark.parametrize("batch", [(2,), ()])
def test_results_are_those_of_pytorch(torch, batch):
    x = np.random.default_rng(5).standard_normal((*batch, 2, 4, 5)).astype(np.float32)
    ours, theirs = (
        T.nn.ConvTranspose2d(2, 3, 3, stride=(2, 3), padding=1, dilation=(1, 2))
        for T in (refquant, torch)
    )
    state = {k: refquant.tensor(v.detach().numpy()) for k, v in theirs.state_dict().items()}
    ours.load_state_dict(state)
    for wanted in ((7, 15), (8, 17)):
        expected = theirs(torch.from_numpy(x), wanted).detach().numpy()
        got = ours(refquant.from_numpy(x), output_size=wanted).detach().numpy()
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)
