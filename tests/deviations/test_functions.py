"""Functions of one quantized tensor in PyTorch 2.13: its answer, and that of refquant."""

import numpy as np
import pytest

import refquant
from refquant.errors import ArgumentError

ops = refquant.ops.quantized
pytestmark = pytest.mark.torch


def ints(q):
    return q.int_repr().tolist()


def test_softmax_of_a_slice(qnnpack):
    theirs, ours = qnnpack.image([[9, 0, 2], [1, 2, 0]])
    peer = qnnpack.peer.ops.quantized
    right = [[31, 225], [225, 31]]
    with pytest.raises(IndexError):
        peer.softmax(theirs, -2, 1 / 256, 0)
    assert ints(peer.softmax(theirs[:, 1:].contiguous(), 1, 1 / 256, 0)) == right
    assert ints(peer.softmax(theirs[:, 1:], 1, 1 / 256, 0)) != right
    assert ints(ops.softmax(ours[:, 1:], -1, 1 / 256, 0)) == right


def test_parameters_of_the_sigmoid_table(qnnpack):
    theirs, ours = qnnpack.image([10, 20])
    with pytest.raises(RuntimeError, match="INTERNAL ASSERT"):
        qnnpack.peer.ops.quantized.sigmoid(theirs, 1 / 128, 0)
    with pytest.raises(ArgumentError, match="1/256"):
        ops.sigmoid(ours, 1 / 128, 0)
    with pytest.raises(RuntimeError, match="empty input"):
        qnnpack.peer.tanh(theirs[0])
    assert refquant.tanh(ours[0]).shape == ()


def test_functions_of_the_c_library(torch):
    """What a C library rounds otherwise is at most two bits of float32 away."""
    integers = np.arange(-300, 300, dtype=np.int32).reshape(40, 15)  # rows without a vector

    def answer(peer):
        peer.backends.quantized.engine = "fbgemm"
        q = peer.from_numpy(np.pad(integers, ((0, 0), (0, 1))))
        x = peer._make_per_tensor_quantized_tensor(q, 2.0**-6, 0)[:, :-1]
        return [peer.tanh(x).int_repr().numpy() * 2.0**-31, peer.sigmoid(x).int_repr().numpy()]

    theirs, right = answer(torch), np.tanh(integers * 2.0**-6).astype(np.float32)
    with refquant.engines.using("fbgemm"):
        ours = answer(refquant)
    np.testing.assert_array_equal(ours[0], np.where(right == 1, 1 - 2.0**-31, right))
    assert np.abs(theirs[0] - ours[0]).max() <= 2.0**-23
