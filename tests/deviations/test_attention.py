"""Attention: where PyTorch 2.13 loses its way between heads and between biases."""

import numpy as np
import pytest

import refquant
from refquant import nn

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch"),  # PyTorch's own
    pytest.mark.filterwarnings("ignore::UserWarning:torch"),
    pytest.mark.filterwarnings("ignore:torch.ao.quantization is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Please use quant_min and quant_max:UserWarning"),
    pytest.mark.filterwarnings("ignore:must run observer:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*are deprecated and will be removed:UserWarning"),
    # The division of queries is by a number, which is not observed in either.
    pytest.mark.filterwarnings("ignore:.*no data has passed through q_scaling_product"),
]


def observed(T, source):
    source.eval().qconfig = T.ao.quantization.get_default_qconfig("fbgemm")
    return T.ao.nn.quantizable.MultiheadAttention.from_float(source)


def test_heads_of_batches_first(fbgemm):
    torch = fbgemm.peer
    theirs = torch.nn.MultiheadAttention(4, 2, batch_first=True)
    ours = nn.MultiheadAttention(4, 2, batch_first=True)
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    x_theirs, x_ours = torch.from_numpy(x), refquant.from_numpy(x)
    wanted = theirs.eval()(*[x_theirs] * 3)[0].detach().numpy()
    mixed = observed(torch, theirs)(*[x_theirs] * 3)[0].detach().numpy()
    kept = observed(refquant, ours)(*[x_ours] * 3)[0].detach().numpy()
    assert abs(mixed - wanted).max() > 1e-3
    assert abs(kept - wanted).max() < 1e-5


def test_quantizer_of_the_value_that_is_a_parameter(fbgemm):
    torch, scales = fbgemm.peer, {}
    for T in (torch, refquant):
        source = T.nn.MultiheadAttention(4, 2, add_bias_kv=True)
        source.bias_k.data.fill_(1.0)
        source.bias_v.data.fill_(100.0)
        ready = observed(T, source)
        x = T.ones(3, 1, 4)
        ready(x, x, x)
        done = T.ao.nn.quantized.MultiheadAttention.from_observed(ready)
        scales[T] = done.bias_v.q_scale()
    assert scales[torch] == pytest.approx(1 / 255, rel=1e-3)  # that of the key: it holds 1 at most
    assert scales[refquant] == pytest.approx(100 / 255, rel=1e-3)
