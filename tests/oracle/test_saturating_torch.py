"""Engine x86-sat16 compared with PyTorch's FBGEMM, made to believe there is no VNNI."""

import os
import subprocess
import sys

import numpy as np
import pytest

import refquant
from refquant import engines
from refquant.nn.quantized import functional as F

pytestmark = [pytest.mark.torch, pytest.mark.usefixtures("installed_torch")]

# name: (channels in, channels out, groups, kernel, stride, padding)
CONVOLUTIONS = {
    "general": (6, 8, 1, 3, 1, 1),
    "odd channels": (5, 8, 1, 3, 2, 1),
    "1x1": (16, 8, 1, 1, 1, 0),
    "depthwise 3x3": (8, 8, 8, 3, 1, 1),
    "depthwise 3x3, stride 2": (16, 16, 16, 3, 2, 1),
    "depthwise 5x5": (8, 8, 8, 5, 1, 2),
}

PROBE = """
import sys, numpy as np, torch
torch.backends.quantized.engine = "fbgemm"
torch.set_num_threads(1)
data, answers = np.load(sys.argv[1]), {}
make = torch._make_per_tensor_quantized_tensor
for name in data["names"]:
    x = make(torch.from_numpy(data[name + " x"]), 0.5, int(data["zero_point"]))
    w = make(torch.from_numpy(data[name + " w"]), 0.5, 0)
    groups, stride, padding = (int(v) for v in data[name + " setting"])
    if x.dim() == 2:
        packed = torch.ops.quantized.linear_prepack(w, None)
        y = torch.ops.quantized.linear(x, packed, 512.0, 100)
    else:
        strides, paddings = [stride] * 2, [padding] * 2
        pack = torch.ops.quantized.conv2d_prepack
        packed = pack(w, None, strides, paddings, [1, 1], groups)
        y = torch.ops.quantized.conv2d(x, packed, 512.0, 100)
    answers[name] = y.int_repr().contiguous().numpy()
np.savez(sys.argv[2], **answers)
"""


def layers(rng):
    """Draw codes near the ends of their ranges, whose pairs leave int16."""

    def codes(shape, dtype, ends):
        far = rng.choice(np.array(ends, dtype), shape)
        near = rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max + 1, shape, dtype)
        return np.where(rng.random(shape) < 0.7, far, near)

    yield "linear", codes((6, 33), np.uint8, [255, 250]), codes((9, 33), np.int8, [127, -128])
    for name, (inputs, outputs, groups, kernel, *_) in CONVOLUTIONS.items():
        x = codes((2, inputs, 7, 7), np.uint8, [255, 250])
        yield name, x, codes((outputs, inputs // groups, kernel, kernel), np.int8, [127, -128])


def ours(name, x, w, zero_point):
    qx = refquant.QuantizedTensor(x, refquant.quint8, 0.5, zero_point)
    qw = refquant.QuantizedTensor(w, refquant.qint8, 0.5, 0)
    if name == "linear":
        return F.linear(qx, qw, scale=512.0, zero_point=100).array
    groups, _, stride, padding = CONVOLUTIONS[name][2:]
    return F.conv2d(
        qx, qw, None, stride=stride, padding=padding, groups=groups, scale=512.0, zero_point=100
    ).array


@pytest.mark.parametrize("zero_point", [0, 7, 255])
def test_saturation_is_that_of_the_processor(zero_point, tmp_path):
    drawn = list(layers(np.random.default_rng(zero_point)))
    stored = {"names": [name for name, _, _ in drawn], "zero_point": zero_point}
    for name, x, w in drawn:
        stored[f"{name} x"], stored[f"{name} w"] = x, w
        groups, _, stride, padding = CONVOLUTIONS.get(name, (0, 0, 1, 0, 1, 0))[2:]
        stored[f"{name} setting"] = (groups, stride, padding)
    np.savez(tmp_path / "in.npz", **stored)
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROBE, tmp_path / "in.npz", tmp_path / "out.npz"],
        env={**os.environ, "FBGEMM_ENABLE_INSTRUCTIONS": "AVX2", "OMP_NUM_THREADS": "1"},
        check=True,
    )
    answers = np.load(tmp_path / "out.npz")
    for name, x, w in drawn:
        with engines.using("x86-sat16"):
            saturated = ours(name, x, w, zero_point)
        with engines.using("exact"):
            exact = ours(name, x, w, zero_point)
        np.testing.assert_array_equal(answers[name], saturated, err_msg=name)
        assert (saturated != exact).any(), name
