"""Save and load int8 models, equalize layers, compare float and quantized layers."""

import copy
import io

import torch
import torch.nn as nn
import torch.ao.quantization as tq
from torch.ao.ns._numeric_suite import compare_weights
from torch.ao.quantization._equalize import equalize

torch.manual_seed(77)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.quant = tq.QuantStub()
        self.conv1 = nn.Conv2d(3, 8, 3)
        self.relu1 = nn.ReLU6()
        self.conv2 = nn.Conv2d(8, 8, 3)
        self.pool = nn.AvgPool2d(2)
        self.fc1 = nn.Linear(32, 16)
        self.relu2 = nn.ReLU()
        self.fc2 = nn.Linear(16, 4)
        self.dequant = tq.DeQuantStub()

    def forward(self, x):
        x = self.pool(self.conv2(self.relu1(self.conv1(self.quant(x)))))
        x = self.relu2(self.fc1(torch.flatten(x, 1)))
        return self.dequant(self.fc2(x))


def prepared(model):
    model = copy.deepcopy(model).eval()
    tq.fuse_modules(model, [["fc1", "relu2"]], inplace=True)
    model.qconfig = tq.QConfig(
        activation=tq.MinMaxObserver.with_args(dtype=torch.quint8, reduce_range=True),
        weight=tq.default_weight_observer,
    )
    return tq.prepare(model)


def calibrated(model, batches):
    model = prepared(model)
    with torch.no_grad():
        for batch in batches:
            model(batch)
    return tq.convert(model)


torch.backends.quantized.engine = "fbgemm"
device = torch.device("cpu")
model = Net().to(device)
with torch.no_grad():
    model.conv1.weight[::2].mul_(8)
    model.conv2.weight[:, ::2].div_(8)
batches = [torch.rand(8, 3, 8, 8, device="cpu") for _ in range(3)]
int8 = calibrated(model, batches)
x = torch.rand(16, 3, 8, 8)
reference = model(x).detach()


def error(quantized):
    return (quantized(x) - reference).abs().mean().item()


print(f"error {error(int8):.3g}")
buffer = io.BytesIO()
torch.save(int8.state_dict(), buffer)
buffer.seek(0)
again = tq.convert(prepared(Net()))
state = torch.load(buffer, map_location=torch.device("cpu"), weights_only=False)
again.load_state_dict(state)
print("same outputs:", torch.equal(again(x), int8(x)))
for name in ("conv1", "conv2", "fc1", "fc2"):
    module = getattr(again, name)
    print(f"  {name}: {module.scale:.4g} {module.zero_point} {module.weight().q_scale():.4g}")

found = compare_weights(model.state_dict(), int8.state_dict())
for key in sorted(found):
    a, b = found[key]["float"], found[key]["quantized"].dequantize()
    name = key.partition("._packed")[0]
    print(f"  {name}: SQNR {20 * torch.log10(a.norm() / (a - b).norm()):.4g} dB")


class Scaled(nn.Module):
    """The two convolutions alone: equalization needs an activation that scales."""

    def __init__(self, model):
        super().__init__()
        self.conv1, self.conv2 = copy.deepcopy(model.conv1), copy.deepcopy(model.conv2)

    def forward(self, x):
        return self.conv2(self.conv1(x))


pair = Scaled(model)
equal = equalize(copy.deepcopy(pair), [["conv1", "conv2"]], 1e-4)
difference = (equal(x) - pair(x)).abs().max().item()
print("equalized outputs agree:", difference < 1e-4)
for name, m in (("before", pair), ("after", equal)):
    ranges = m.conv1.weight.detach().flatten(1).abs().amax(1)
    print(f"  {name}: ranges {ranges.min():.4g} to {ranges.max():.4g}")
