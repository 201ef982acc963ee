"""Real numbers that become integers in parts of a tensor, and ranges of the tensor's own."""

import numpy as np
import pytest

import refquant
from refquant.errors import (
    DtypeError,
    NotSupportedError,
    OperationError,
    QuantizerError,
    RefquantError,
    ShapeError,
)

F = refquant.nn.functional


def quint8(integers, scale=0.5, zero_point=3):
    return refquant.QuantizedTensor(np.uint8(integers), refquant.quint8, scale, zero_point)


def test_numbers_are_rounded_by_the_scalar_code_or_as_a_copy():
    scale, zero_point = 0.07, 37
    steps = np.arange(-30, 200) + 0.5
    x = (steps * np.float64(np.float32(scale))).astype(np.float32)
    for way in (-np.inf, np.inf):
        x = np.concatenate([x, np.nextafter(x, np.float32(way))])
    inverse = np.float32(1) / np.float32(scale)
    singly = np.clip(np.rint(np.float32(zero_point) + x * inverse), 0, 255)
    exact = x.astype(np.float64) * inverse + zero_point  # the product is not rounded
    fused = np.clip(np.rint(exact.astype(np.float32)), 0, 255)
    differ = np.flatnonzero(singly != fused)
    assert len(differ)
    on = refquant.tensor([True])
    for i in differ[:20]:
        q, number = quint8([0], scale, zero_point), float(x[i])
        assert q.masked_fill(on, number).array[0] == singly[i]
        put = q.clone().index_put_((refquant.tensor([0]),), refquant.tensor(number))
        assert put.array[0] == singly[i]
        assert F.pad(q, (1, 0), value=number).array[0] == fused[i]
        assert q.clone().fill_(number).array[0] == fused[i]


def test_results_are_row_major_or_keep_the_format():
    q = quint8(np.arange(2 * 4 * 2 * 4).reshape(2, 4, 2, 4)).contiguous(
        memory_format=refquant.channels_last
    )

    def kept(made):
        return made.is_contiguous(memory_format=refquant.channels_last)

    on, place = refquant.tensor([True]), refquant.tensor([1, 0])
    assert kept(q.flip(0, 3))
    assert kept(F.channel_shuffle(q, 2))
    assert kept(F.pad(q, (1, 1)))
    assert kept(q[place])
    assert kept(q.index_put((place,), refquant.tensor(0.0)))
    for made in (
        *(q.clone(), q.masked_fill(on, 0.0), q.repeat(1, 1, 2, 1), F.pad(q, (-1, 0))),
        *(F.pad(q, (1, 1, 1, 1), "reflect"), F.pixel_unshuffle(q, 2)),
        *(q.index_select(0, place), q[:, place], q.repeat_interleave(2, 1)),
    ):
        assert made.is_contiguous()
        assert not kept(made)


def test_the_range_of_a_tensor_has_a_scale_in_float64():
    x = refquant.tensor([-1.0, 1.55])
    scale, zero_point = refquant._choose_qparams_per_tensor(x)
    assert scale == (float(np.float32(1.55)) + 1.0) / 255
    assert scale != float(np.float32(scale))
    assert zero_point == 100
    assert refquant.quantize_per_tensor_dynamic(x, refquant.qint8, False).q_zero_point() == -28
    assert refquant._choose_qparams_per_tensor(x, True) == (
        (float(np.float32(1.55)) + 1.0) / 127,
        50,
    )
    half = refquant.quantize_per_tensor_dynamic(x, refquant.float16, False)
    assert half.dtype is refquant.float16


def test_the_range_of_least_loss_leaves_out_a_lonely_number():
    x = refquant.tensor([0.0, 0.1, 0.2, 0.3] * 20 + [1.0])
    high, low = refquant.choose_qparams_optimized(x, 81, 10, 0.9, 2)
    assert low.item() == 0.0
    assert high.item() == pytest.approx(0.8, rel=1e-6)
    high, low = refquant.choose_qparams_optimized(x, 4, 10, 0.0, 2)
    assert (low.item(), high.item()) == (0.0, x[3].item())


def test_masks_of_fake_quantization():
    x = refquant.tensor([-0.1, 0.2, 1.5, 1.6, float("nan")], requires_grad=True)
    on, one = refquant.ones(1), refquant.tensor([0.1])
    call = refquant._fake_quantize_per_tensor_affine_cachemask_tensor_qparams
    output, mask = call(x, one, refquant.tensor([0]), on, 0, 15)
    assert mask.tolist() == [False, True, True, False, False]
    output[:4].sum().backward()
    assert x.grad.tolist() == [0.0, 1.0, 1.0, 0.0, 0.0]
    output, mask = call(x, one, refquant.tensor([0]), on * 0, 0, 15)
    assert refquant.equal(output[:4], x[:4])
    assert mask.all().item()


def test_dequantize_takes_other_dtypes_and_sequences():
    q, half = quint8([4, 3]), refquant.tensor([1.0, 2.0]).half()
    made = refquant.dequantize([q, half, refquant.tensor([7])])
    assert [part.tolist() for part in made] == [[0.5, 0.0], [1.0, 2.0], [7.0]]
    assert all(part.dtype is refquant.float32 for part in made)


Q = quint8(np.arange(12).reshape(3, 4))
MASK, PLACE = refquant.tensor([True]), refquant.tensor([0])
CHANNELS = refquant.quantize_per_channel(
    refquant.ones(3, 4), refquant.ones(3), refquant.tensor([0, 0, 0]), 0, refquant.quint8
)
REFUSED = {
    "added": (lambda: Q.index_put((PLACE,), refquant.ones(4), True), NotSupportedError),
    "put quantized": (lambda: Q.index_put_((PLACE,), Q[0]), NotSupportedError),
    "put shape": (lambda: Q.index_put_((PLACE,), refquant.ones(3)), ShapeError),
    "no indices": (lambda: Q.index_put_(PLACE, refquant.ones(4)), RefquantError),
    "mask dtype": (lambda: Q.masked_fill(refquant.ones(1), 0.0), DtypeError),
    "mask shape": (lambda: Q.masked_fill(refquant.ones(5) > 0, 0.0), ShapeError),
    "mode": (lambda: F.pad(Q, (1, 1), "replicate"), NotSupportedError),
    "mirrored too far": (lambda: F.pad(Q, (4, 0), "reflect"), OperationError),
    "mirrored in three": (
        lambda: F.pad(Q.reshape(1, 1, 1, 3, 4), (1, 1, 1, 1, 0, 0), "reflect"),
        NotSupportedError,
    ),
    "per channel": (lambda: CHANNELS.flip(0), QuantizerError),
    "pad per channel": (lambda: F.pad(CHANNELS, (1, 1)), QuantizerError),
    "channels of a matrix": (lambda: F.channel_shuffle(Q, 2), ShapeError),
    "fmod": (lambda: Q.fmod(2), QuantizerError),
    "new tensor": (lambda: Q.new_tensor([1.0]), QuantizerError),
    "new empty": (lambda: Q.new_empty(2), QuantizerError),
    "range of nothing": (
        lambda: refquant._choose_qparams_per_tensor(refquant.zeros(0)),
        OperationError,
    ),
    "range of qint32": (
        lambda: refquant.quantize_per_tensor_dynamic(refquant.ones(1), refquant.qint32, False),
        DtypeError,
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_done_is_rejected_and_changes_nothing(name):
    call, error = REFUSED[name]
    before = Q.array.copy()
    with pytest.raises(error):
        call()
    assert np.array_equal(Q.array, before)


def test_new_tensors_of_another_dtype():
    assert Q.new_tensor([1.0], dtype=refquant.float32).tolist() == [1.0]
    assert Q.new_empty((2, 3), dtype=refquant.float32).shape == (2, 3)
    assert refquant.ones(1).new_full((2,), 3).tolist() == [3.0, 3.0]
    assert refquant.tensor([1]).new_ones(2).dtype is refquant.int64
