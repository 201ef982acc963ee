"""Faults of PyTorch's engines ``onednn`` and ``x86``, where that takes oneDNN."""

import numpy as np
import pytest
from deviations.conftest import Pair

import refquant
from refquant.errors import ShapeError

# On other processors x86 takes FBGEMM, and oneDNN has other kernels.
pytestmark = pytest.mark.usefixtures("instructions_of_records")
BOTH = pytest.mark.parametrize("name", ["onednn", "x86"])


def packed(T, kind, weight, *layout):
    return getattr(T.ops.quantized, kind + "_prepack")(weight, None, *layout)


def results(torch, kind, operands, weights, layout, *output):
    """Run an operation with a fresh packed weight in both libraries; returns integers."""
    return [
        getattr(T.ops.quantized, kind)(x, packed(T, kind, w, *layout), *output).int_repr().numpy()
        for T, x, w in zip((torch, refquant), operands, weights, strict=True)
    ]


@BOTH
def test_scrambled_weights_of_transposed_convolutions(torch, name):
    both = Pair(torch, name)
    weights = both.weight(np.arange(1, 9).reshape(2, 4, 1, 1))
    layout = [1, 1], [0, 0], [0, 0], [1, 1], 1
    theirs, ours = results(
        torch, "conv_transpose2d", both.image([[[[1]], [[10]]]]), weights, layout, 1.0, 0
    )
    assert theirs.ravel().tolist() == [31, 75, 42, 86]
    assert ours.ravel().tolist() == [1 + 50, 2 + 60, 3 + 70, 4 + 80]


@BOTH
def test_packed_weights_that_keep_their_first_operation(torch, name):
    both = Pair(torch, name)
    weights = both.weight([[[[1]]], [[[-1]]]])
    for T, x, w, wanted in zip(
        (torch, refquant), both.image([[[[3]]]]), weights, ([13, 7], [13, 10]), strict=True
    ):
        weight = packed(T, "conv2d", w, [1, 1], [0, 0], [1, 1], 1)
        plain = T.ops.quantized.conv2d(x, weight, 1.0, 10).int_repr()
        with_relu = T.ops.quantized.conv2d_relu(x, weight, 1.0, 10).int_repr()
        assert plain.ravel().tolist() == [13, 7]
        assert with_relu.ravel().tolist() == wanted


def test_what_is_added_to_a_convolution_stays(torch):
    both = Pair(torch, "onednn")
    weights, addends = both.weight([[[[1]]]]), both.image([[[[5]]]], 1.0, 1)
    for T, x, w, addend, wanted in zip(
        (torch, refquant), both.image([[[[3]]]]), weights, addends,
        ([16, 0.5, 2], [5, 1.0, 1]), strict=True,
    ):  # fmt: skip
        addend = addend.contiguous(memory_format=T.channels_last)
        weight = packed(T, "conv2d", w, [1, 1], [0, 0], [1, 1], 1)
        result = T.ops.quantized.conv2d_add(x, addend, weight, 0.5, 2)
        assert result.int_repr().tolist() == [[[[16]]]]
        left = [*addend.int_repr().ravel().tolist(), addend.q_scale(), addend.q_zero_point()]
        assert left == wanted


@BOTH
def test_gaps_between_the_filters_of_transposed_convolutions(torch, name):
    both = Pair(torch, name)
    images = both.image(np.full((1, 32, 3, 3), 20), 1.0, 19)
    weights = both.weight(np.ones((32, 32, 1, 1)))
    layout = [3, 1], [0, 0], [0, 0], [1, 1], 1
    wrong = 0
    for _ in range(20):
        theirs, ours = results(torch, "conv_transpose2d", images, weights, layout, 1.0, 10)
        wrong += (theirs != ours).any()
        assert (ours[:, :, 1::3] == 10).all()
        assert (ours[:, :, 2::3] == 10).all()
        assert (ours[:, :, ::3] == 42).all()
    assert wrong


@BOTH
def test_windows_in_the_padding_alone(torch, name):
    both = Pair(torch, name)
    images = both.image(np.full((1, 1, 6, 8), 99), 1.0, 98)
    weights = both.weight(np.ones((17, 1, 2, 2)))
    layout = [1, 1], [2, 1], [1, 1], 1
    wrong = 0
    for _ in range(20):
        theirs, ours = results(torch, "conv2d", images, weights, layout, 1.0, 10)
        wrong += (theirs != ours).any()
        assert (ours[:, :, [0, 8]] == 10).all()
        assert (ours[:, :, 2:7, 1:8] == 14).all()
    assert wrong


@BOTH
def test_narrow_images_of_one_channel_in_a_group(torch, name):
    both = Pair(torch, name)
    images = both.image(np.arange(72).reshape(1, 8, 3, 3))
    weights = both.weight(np.ones((128, 1, 1, 3)))
    layout = [1, 3], [0, 0], [1, 1], 8
    theirs, ours = results(torch, "conv2d", images, weights, layout, 1.0, 0)
    sums = np.arange(72).reshape(8, 3, 3).sum(axis=2).repeat(16, axis=0)
    assert np.array_equal(ours[0, :, :, 0], sums)
    assert np.array_equal(theirs[0, :, 0, 0], sums[:, 0])
    assert not np.array_equal(theirs[0, :, 1:, 0], sums[:, 1:])


def test_what_is_added_has_another_shape(torch):
    both = Pair(torch, "onednn")
    x, ours = both.image(np.ones((1, 1, 2, 2)))
    w, own = both.weight([[[[1]]]])
    more, more_of_ours = both.image(np.ones((2, 1, 2, 2)))
    layout = [1, 1], [0, 0], [1, 1], 1
    result = torch.ops.quantized.conv2d_add(x, more, packed(torch, "conv2d", w, *layout), 1.0, 0)
    assert tuple(result.shape) == (2, 1, 2, 2)  # a smaller one destroys memory
    weight = packed(refquant, "conv2d", own, *layout)
    with pytest.raises(ShapeError, match="qaccum"):
        refquant.ops.quantized.conv2d_add(ours, more_of_ours, weight, 1.0, 0)
