"""Copies, views and helpers of tensors."""

import io
import warnings

import numpy as np
import pytest

import refquant
from refquant import nn
from refquant.errors import RefquantError
from refquant.ops import quantized as ops


def test_indexing_large_integers(fbgemm):
    array, place = np.array([[2**24 + 1], [2**30 + 1]], np.int32), np.array([1, 0, 1])
    peer = fbgemm.peer
    theirs = peer._make_per_tensor_quantized_tensor(peer.from_numpy(array), 0.5, 0)
    assert theirs[peer.from_numpy(place)].int_repr()[0].item() == 2**30
    assert theirs.index_select(0, peer.from_numpy(place)).int_repr()[0].item() == 2**30 + 1
    ours = refquant.QuantizedTensor(array, refquant.qint32, 0.5, 0)
    assert np.array_equal(ours[refquant.from_numpy(place)].array, array[place])


def test_packing_leaves_the_weight_as_it_is(fbgemm):
    weights = [np.array([[1e6, -2.0]], np.float32) for _ in range(2)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch says what it changed
        fbgemm.peer.ops.quantized.linear_prepack_fp16(fbgemm.peer.from_numpy(weights[0]), None)
    assert weights[0].tolist() == [[65504.0, -2.0]]
    packed = ops.linear_prepack_fp16(refquant.from_numpy(weights[1]))
    assert weights[1].tolist() == [[1e6, -2.0]]
    assert ops.linear_unpack_fp16(packed)[0].tolist() == [[65504.0, -2.0]]


@pytest.mark.filterwarnings("ignore:.*float16:UserWarning", "ignore:.*out of range:UserWarning")
def test_helpers_of_weights_follow_strides(torch):
    def saturated(T):
        weight = T.ones(2, 2) * 1e6
        return T._saturate_weight_to_fp16(weight.t()[:1]), weight

    assert saturated(torch)[1].max() == 1e6
    part, weight = saturated(refquant)
    assert part.tolist() == [[65504.0, 65504.0]]
    assert weight.tolist() == [[65504.0, 1e6], [65504.0, 1e6]]

    def searched(T):
        column = T.tensor([[0.0, 9.0], [1.0, 8.0], [3.0, 7.0]])[:, 0]
        return T.choose_qparams_optimized(column, 3, 5, 0.1, 8)[0].item()

    assert searched(torch) == 9.0
    assert searched(refquant) == 3.0


def test_views_of_tensors_quantized_per_channel(torch):
    def made(T):
        parameters = T.tensor([0.5, 0.25, 1.0]), T.tensor([1, 2, 3])
        return T.quantize_per_channel(T.ones(2, 3), *parameters, 1, T.qint8)

    for view in (lambda q: q.permute(1, 0), lambda q: q.transpose(0, 1), lambda q: q.t()):
        with pytest.raises(RuntimeError):
            view(made(torch))
        turned = view(made(refquant))
        assert turned.q_per_channel_axis() == 0
        assert turned.dequantize().tolist() == [[1.0, 1.0]] * 3


def test_saving_a_whole_model(torch):
    theirs = io.BytesIO()
    torch.save(torch.nn.Linear(2, 2), theirs)
    assert theirs.getvalue()
    with pytest.raises(RefquantError, match="state_dict"):
        refquant.save(nn.Linear(2, 2), io.BytesIO())
