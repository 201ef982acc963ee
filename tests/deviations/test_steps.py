"""Steps of the workflow that PyTorch accepts in a wrong order, or without the data they need."""

import warnings

import numpy as np
import pytest

import refquant
from refquant import nn, quantization
from refquant.errors import NoDataWarning, NotSupportedError


def test_fusing_after_preparing(torch):
    def prepare(nn, quantization):
        model = nn.Sequential(quantization.QuantStub(), nn.Conv2d(1, 2, 3), nn.ReLU()).eval()
        model.qconfig = quantization.default_qconfig
        return quantization.prepare(model)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's own deprecations
        theirs = torch.ao.quantization
        fused = theirs.fuse_modules(prepare(torch.nn, theirs), ["1", "2"])
        fused(torch.ones(1, 1, 4, 4))
        broken = theirs.convert(fused)
    assert type(broken[1][0]) is torch.nn.Conv2d  # amid integers
    with pytest.raises(RuntimeError):
        broken(torch.ones(1, 1, 4, 4))
    with pytest.raises(NotSupportedError, match="got 1, which is prepared already"):
        quantization.fuse_modules(prepare(nn, quantization), ["1", "2"])


def test_converting_before_training():
    model = quantization.QuantWrapper(nn.Linear(3, 2)).train()
    model.module.weight.array[:] = [[0.5, -1.0, 0.25], [2.0, 0.0, -4.0]]
    for recipe, scales in (
        (quantization.get_default_qat_qconfig("qnnpack"), 4.0 / 127.5),
        (quantization.get_default_qat_qconfig("fbgemm"), [1.0 / 127.5, 4.0 / 127.5]),
    ):
        model.qconfig = model.quant.qconfig = recipe
        with pytest.warns(NoDataWarning):
            done = quantization.convert(quantization.prepare_qat(model))
        weight = done.module.weight()
        per_channel = weight.qscheme() is refquant.per_channel_affine
        found = weight.q_per_channel_scales().numpy() if per_channel else weight.q_scale()
        assert np.array_equal(np.float32(found), np.float32(scales))
