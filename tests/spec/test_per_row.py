"""Scales of rows, beside one row at a time and beside PyTorch."""

import numpy as np
import pytest

import refquant
from refquant import errors
from refquant.ptq import linear_per_row, quantize_per_row

f32 = np.float32


def packed(rng, outputs, depth):
    w = refquant.from_numpy(rng.normal(size=(outputs, depth)).astype(f32))
    q = refquant.quantize_per_tensor(w, 0.02, 0, refquant.qint8)
    return refquant.ops.quantized.linear_prepack(q, refquant.ones(outputs))


def test_by_hand():
    q = quantize_per_row(refquant.tensor([[-1.0, 1.55], [0.0, 255.0], [-2.55, 0.0]]))
    assert q.q_per_channel_scales().tolist() == pytest.approx([0.01, 1.0, 0.01])
    assert q.q_per_channel_zero_points().tolist() == [-28, -128, 127]
    assert q.int_repr().tolist() == [[-128, 127], [-128, 127], [-128, 127]]
    q = quantize_per_row(refquant.tensor([[-1.275, 0.01]]), symmetric=True)
    assert q.q_per_channel_scales().tolist() == pytest.approx([0.01])
    assert q.q_per_channel_zero_points().tolist() == [0]


@pytest.mark.parametrize("engine", ["fbgemm", "qnnpack", "x86", "onednn", "fbgemm-1.4"])
def test_a_row_does_not_depend_on_its_neighbors(engine):
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(5, 33)) * [[1], [10], [0.1], [0], [5]]).astype(f32)
    with refquant.engines.using(engine):
        weight = packed(rng, 7, 33)
        whole = linear_per_row(refquant.from_numpy(x), weight)
        for i in range(5):
            alone = refquant.ops.quantized.linear_dynamic(refquant.from_numpy(x[i : i + 1]), weight)
            assert np.array_equal(whole.numpy()[i], alone.numpy()[0])
        assert linear_per_row(refquant.zeros(0, 33), weight).shape == (0, 7)


def test_quiet_rows_keep_their_precision():
    """One scale for rows of size 1, 10 and 0.1 costs the quiet ones more than 30 dB."""
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(3, 256)) * [[1], [10], [0.1]]).astype(f32)
    one = refquant.quantize_per_tensor_dynamic(refquant.from_numpy(x), refquant.qint8, False)
    ratios = [
        [10 * np.log10((a**2).sum() / ((a - b) ** 2).sum()) for a, b in zip(x, y, strict=True)]
        for y in (
            quantize_per_row(refquant.from_numpy(x)).dequantize().numpy(),
            one.dequantize().numpy(),
        )
    ]
    assert np.ptp(ratios[0]) < 4
    assert ratios[0][2] > ratios[1][2] + 30


@pytest.mark.torch
@pytest.mark.parametrize("symmetric", [False, True])
def test_scales_beside_pytorch(torch, symmetric):
    """Affine, the scales are those of its operation; symmetric, it divides by 127 instead."""
    import torch.ao.quantization.fx._decomposed

    x = np.random.default_rng(0).normal(size=(50, 40)).astype(f32)
    ops = torch.ops.quantized_decomposed
    q = quantize_per_row(refquant.from_numpy(x), symmetric=symmetric)
    got = q.q_per_channel_scales().numpy()
    if symmetric:
        wanted, _ = ops.choose_qparams_per_token(torch.from_numpy(x), torch.int8)
        assert got * 127.5 == pytest.approx(wanted.numpy().ravel() * 127, rel=1e-6)
        return
    wanted, points = ops.choose_qparams_per_token_asymmetric(torch.from_numpy(x), torch.int8)
    assert got.astype(f32) == pytest.approx(wanted.numpy().ravel(), rel=2e-7)
    assert np.abs(q.q_per_channel_zero_points().numpy() - points.numpy().ravel()).max() <= 1


def test_what_cannot_be_rows():
    for bad in (refquant.zeros(3), refquant.zeros(2, 3, 4)):
        with pytest.raises(errors.ShapeError, match="input"):
            quantize_per_row(bad)
        with pytest.raises(errors.ShapeError, match="input"):
            linear_per_row(bad, packed(np.random.default_rng(0), 2, 3))
    with pytest.raises(errors.ArgumentError, match="dtype"):
        quantize_per_row(refquant.zeros(2, 3), refquant.qint32)
