"""Pairs of products beyond int16: the verdict, its witness, and real hardware."""

import os
import subprocess
import sys

import numpy as np
import pytest

import refquant
from refquant import oracle
from refquant.errors import ArgumentError, DtypeError, QuantizerError


def weight(integers):
    array = np.asarray(integers, np.float32)
    return refquant.quantize_per_tensor(refquant.from_numpy(array), 1.0, 0, refquant.qint8)


@pytest.mark.parametrize(
    ("row", "saturates"),
    [
        ([127, 127], True),
        ([128 - 1, 1], False),  # 255 * 128 = 32640
        ([127, 2], True),  # 255 * 129 = 32895
        ([-128, 0], False),
        ([-128, -1], True),  # -255 * 129 = -32895
        ([127, -128], False),  # each sign alone fits
        ([127, 0, 127], False),  # 0 and 2 are no neighbors
        ([0, 127, 127, 0], False),
        ([0, 0, 127, 127, 0], True),
    ],
)
def test_verdict(row, saturates):
    report = oracle.saturation(weight([row]))
    assert report.saturates.tolist() == [saturates]
    exact, saturated = report.accumulators(0, report.witness(0))
    assert (exact != saturated) is saturates


def test_seven_bits_are_always_safe():
    rng = np.random.default_rng(0)
    for shape in ((40, 65), (16, 3, 3, 3), (8, 1, 3, 3), (4, 2, 3, 3, 3)):
        w = weight(rng.choice([-128, 127], size=shape))
        assert oracle.saturation(w).saturates.any()
        assert not oracle.saturation(w, (0, 127)).saturates.any()


def test_convolutions_pair_neighboring_channels():
    w = np.zeros((1, 2, 2, 2))
    w[0, :, 0, 0] = 127
    assert oracle.saturation(weight(w)).saturates[0]
    w = np.zeros((1, 2, 2, 2))
    w[0, 0, 0, :] = 127
    assert not oracle.saturation(weight(w)).saturates[0]


def test_depthwise_kernels_pair_taps():
    w = np.zeros((8, 1, 3, 3))
    w[0, 0, 0, :2] = 127
    w[1, 0, 0, 1:] = 127
    report = oracle.saturation(weight(w))
    assert report.order == "depthwise"
    assert report.saturates.tolist() == [True] + [False] * 7
    assert report.witness(0).shape == (1, 3, 3)
    assert report.witness(0)[0, 0].tolist() == [255, 255, 0]


def test_random_inputs_never_beat_the_bounds():
    rng = np.random.default_rng(1)
    w = weight(rng.integers(-128, 128, size=(6, 5, 2, 2)))
    report = oracle.saturation(w, (3, 200))
    for _ in range(200):
        codes = rng.choice([3, 200], size=(5, 2, 2))
        for channel in range(6):
            exact, saturated = report.accumulators(channel, codes)
            assert report.saturates[channel] or exact == saturated


def test_an_empty_weight_is_safe():
    report = oracle.saturation(weight(np.zeros((3, 0))))
    assert report.saturates.tolist() == [False] * 3
    assert "0 of 3" in str(report)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((np.zeros((2, 2), np.float32),), QuantizerError),
        (
            (refquant.quantize_per_tensor(refquant.tensor([[1.0]]), 1.0, 0, refquant.quint8),),
            DtypeError,
        ),
        ((weight([[1, 2]]), (5, 4)), ArgumentError),
        ((weight([[1, 2]]), (0, 256)), ArgumentError),
        ((weight([[1, 2]]), (0, 255), "columns"), ArgumentError),
    ],
)
def test_bad_input(arguments, error):
    with pytest.raises(error, match=r"oracle\.saturation"):
        oracle.saturation(*arguments)


PROBE = """
import sys, numpy as np, torch
torch.backends.quantized.engine = "fbgemm"
data = np.load(sys.argv[1])
w = torch._make_per_tensor_quantized_tensor(torch.from_numpy(data["w"]), 1.0, 0)
x = torch._make_per_tensor_quantized_tensor(torch.from_numpy(data["x"]), 1.0, 0)
packed = torch.ops.quantized.linear_prepack(w, None)
scale = float(data["scale"])
np.save(sys.argv[2], torch.ops.quantized.linear(x, packed, scale, 128).int_repr().numpy())
"""


@pytest.mark.torch
@pytest.mark.usefixtures("installed_torch")
def test_real_kernels_without_vnni_saturate_as_the_witness_says(tmp_path):
    rng = np.random.default_rng(2)
    w = rng.integers(-128, 128, size=(16, 32))
    report = oracle.saturation(weight(w))
    x = np.stack([report.witness(c) for c in range(16)])
    expected = np.array([[report.accumulators(c, codes)[1] for c in range(16)] for codes in x])
    scale = float(2 ** np.ceil(np.log2(np.abs(expected).max() / 127)))
    np.savez(tmp_path / "in.npz", w=w.astype(np.int8), x=x, scale=scale)
    environment = {**os.environ, "FBGEMM_ENABLE_INSTRUCTIONS": "AVX2", "OMP_NUM_THREADS": "1"}
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROBE, tmp_path / "in.npz", tmp_path / "out.npy"],
        env=environment,
        check=True,
    )
    answer = np.load(tmp_path / "out.npy")
    assert report.saturates.any()
    assert np.array_equal(answer, np.clip(np.rint(expected / scale) + 128, 0, 255))
