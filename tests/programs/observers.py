"""The pieces of quantization one by one: mapping, schemes, observers, recipes, sensitivity."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.quantization.observer import (
    HistogramObserver,
    MinMaxObserver,
    MovingAverageMinMaxObserver,
    PerChannelMinMaxObserver,
)

torch.manual_seed(0)


def qparams(observer):
    scale, zero_point = observer.calculate_qparams()
    return [float(f"{v:.4g}") for v in scale.tolist()], zero_point.tolist()


inputs = [torch.randn(64) * (k + 1) + 0.5 for k in range(3)]
for Observer in (MinMaxObserver, MovingAverageMinMaxObserver, HistogramObserver):
    for qscheme in (torch.per_tensor_affine, torch.per_tensor_symmetric):
        obs = Observer(qscheme=qscheme, dtype=torch.quint8)
        for x in inputs:
            obs(x)
        print(Observer.__name__, str(qscheme).rpartition(".")[2], qparams(obs))

weight = torch.randn(4, 8) * torch.tensor([[0.1], [1.0], [2.0], [0.5]])
for reduce_range in (False, True):
    obs = PerChannelMinMaxObserver(
        dtype=torch.qint8, qscheme=torch.per_channel_symmetric, reduce_range=reduce_range
    )
    obs(weight)
    print("per channel:", qparams(obs))

x = torch.linspace(-2, 2, steps=9)
q = torch.quantize_per_tensor(x, scale=0.03, zero_point=120, dtype=torch.quint8)
print(q.int_repr().tolist(), f"{q.q_scale():.3g} {q.q_zero_point()}")
print(
    torch.int_repr(q).type(torch.float).mean().item(),
    [round(v, 4) for v in q.dequantize().tolist()],
)
scales = weight.abs().amax(1) / 127
q = torch.quantize_per_channel(weight, scales, torch.zeros(4, dtype=torch.int), 0, torch.qint8)
print(q.int_repr().sum(1).tolist(), q.q_per_channel_axis())
print(f"per channel mse {F.mse_loss(q.dequantize(), weight):.4g}", end=", ")
q = torch.quantize_per_tensor(weight, weight.abs().max().item() / 127, 0, torch.qint8)
print(f"per tensor mse {F.mse_loss(q.dequantize(), weight):.4g}")
for dtype in (torch.int8, torch.uint8, torch.int32):
    info = torch.iinfo(dtype)
    print(info.bits, info.min, info.max, end="; ")
print(f"{torch.finfo(torch.float32).eps:.4g}")

model = nn.Sequential(
    nn.Conv2d(2, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(128, 10)
).eval()
data = [torch.randn(8, 2, 8, 8) for _ in range(3)]


def quantized(backend, qconfig):
    torch.backends.quantized.engine = backend
    m = nn.Sequential(
        torch.quantization.QuantStub(), *copy.deepcopy(model), torch.quantization.DeQuantStub()
    ).eval()
    torch.quantization.fuse_modules(m, [["1", "2"], ["3", "4"]], inplace=True)
    m.qconfig = qconfig
    torch.quantization.prepare(m, inplace=True)
    with torch.inference_mode():
        for batch in data:
            m(batch)
    return torch.quantization.convert(m, inplace=True)


def sqnr(a, b):
    return 20 * torch.log10(a.norm() / (a - b).norm())


reference = model(data[0]).detach()
for backend in ("fbgemm", "qnnpack"):
    recipes = {
        "default": torch.quantization.get_default_qconfig(backend),
        "symmetric": torch.quantization.QConfig(
            activation=MinMaxObserver.with_args(qscheme=torch.per_tensor_symmetric),
            weight=MinMaxObserver.with_args(dtype=torch.qint8, qscheme=torch.per_tensor_symmetric),
        ),
        "per channel": torch.quantization.QConfig(
            activation=MovingAverageMinMaxObserver.with_args(averaging_constant=0.5),
            weight=torch.quantization.default_per_channel_weight_observer,
        ),
    }
    for name, recipe in recipes.items():
        m = quantized(backend, recipe)
        out = m(data[0])
        print(f"{backend}, {name}: SQNR {sqnr(reference, out):.4g} dB", end=", ")
        print(
            f"agree {(out.argmax(1) == reference.argmax(1)).sum()}/8, last scale {m[6].scale:.4g}"
        )
