"""Reference modules of PyTorch 2.13: its answer, and that of refquant."""

import numpy as np
import pytest

import refquant
from refquant import nn, quantization

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore:.*ao.quantization is deprecated:DeprecationWarning"),
]


def test_border_of_reference_convolutions(torch):
    image = np.arange(12, dtype=np.float32).reshape(1, 1, 3, 4)

    def answers(T, kind):
        conv = T.nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect", bias=False)
        with T.no_grad():
            conv.weight.fill_(1.0)
        zeros = T.nn.functional.conv2d(T.from_numpy(image), conv.weight, None, 1, 1)
        steps = {"qscheme": T.per_tensor_affine, "dtype": T.qint8, "scale": 1.0, "zero_point": 0}
        rounded = kind.from_float(conv, steps)
        results = [f(T.from_numpy(image)) for f in (conv, rounded)]
        return [part.detach().numpy() for part in (*results, zeros)]

    right, theirs, zeros = answers(torch, torch.ao.nn.quantized.reference.Conv2d)
    np.testing.assert_array_equal(theirs, zeros)
    assert (theirs != right).any()
    right, ours, _ = answers(refquant, nn.quantized.reference.Conv2d)
    np.testing.assert_array_equal(ours, right)


@pytest.mark.parametrize("name", ["Embedding", "EmbeddingBag", "LSTMCell", "GRUCell", "RNNCell"])
def test_tables_and_cells_as_reference_modules(torch, name):
    peer = torch.nn.Sequential(getattr(torch.nn, name)(4, 3))
    ours = nn.Sequential(getattr(nn, name)(4, 3))
    table = "Embedding" in name
    for model, workflow in ((peer, torch.ao.quantization), (ours, quantization)):
        model[0].qconfig = (
            workflow.float_qparams_weight_only_qconfig if table else workflow.default_qconfig
        )
    with pytest.raises(TypeError, match="weight_qparams"):
        torch.ao.quantization.convert(peer, is_reference=True)
    done = quantization.convert(ours, is_reference=True)
    assert type(done[0]) is getattr(nn.quantized.reference, name)
    rounded = done[0].get_weight() if table else done[0].get_weight_ih()
    observer = ours[0].qconfig.weight()
    weight = ours[0].weight if table else ours[0].weight_ih
    observer(weight.detach())
    scale, zero_point = observer.calculate_qparams()
    if table:
        right = refquant.quantize_per_channel(
            weight.detach(), scale, zero_point, 0, refquant.quint8
        )
    else:
        right = refquant.quantize_per_tensor(weight.detach(), scale, zero_point, refquant.qint8)
    assert refquant.equal(rounded, right.dequantize())
