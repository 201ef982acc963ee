"""Linear quantization from scratch: a few bits, a straight-through estimator, training."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.autograd import Function
from torch.optim.lr_scheduler import CosineAnnealingLR
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(42)


def get_quantized_range(bitwidth):
    quantized_max = (1 << (bitwidth - 1)) - 1
    quantized_min = -(1 << (bitwidth - 1))
    return quantized_min, quantized_max


def linear_quantize(fp_tensor, bitwidth, scale, zero_point, dtype=torch.int8):
    """Quantize by r = S (q - Z)."""
    assert fp_tensor.dtype == torch.float
    scaled_tensor = fp_tensor / scale
    rounded_tensor = torch.round(scaled_tensor).to(torch.int32)
    shifted_tensor = rounded_tensor + zero_point
    quantized_min, quantized_max = get_quantized_range(bitwidth)
    return shifted_tensor.clamp_(quantized_min, quantized_max).to(dtype)


def get_quantization_scale_and_zero_point(fp_tensor, bitwidth):
    quantized_min, quantized_max = get_quantized_range(bitwidth)
    fp_max, fp_min = fp_tensor.max().item(), fp_tensor.min().item()
    scale = (fp_max - fp_min) / (quantized_max - quantized_min)
    zero_point = quantized_min - fp_min / scale
    zero_point = min(max(int(round(zero_point)), quantized_min), quantized_max)
    return scale, zero_point


def linear_quantize_weight_per_channel(tensor, bitwidth):
    dim_output_channels = 0
    num_output_channels = tensor.shape[dim_output_channels]
    scale = torch.zeros(num_output_channels)
    for oc in range(num_output_channels):
        _subtensor = tensor.select(dim_output_channels, oc)
        scale[oc] = _subtensor.abs().max().item() / get_quantized_range(bitwidth)[1]
    scale_shape = [1] * tensor.dim()
    scale_shape[dim_output_channels] = -1
    scale = scale.view(scale_shape)
    return linear_quantize(tensor, bitwidth, scale, zero_point=0), scale


class RoundSTE(Function):
    @staticmethod
    def forward(ctx, input, scale, qmin, qmax):
        inside = (input / scale >= qmin) & (input / scale <= qmax)
        ctx.save_for_backward(inside)
        return torch.clamp(torch.round(input / scale), qmin, qmax) * scale

    @staticmethod
    def backward(ctx, grad_output):
        (inside,) = ctx.saved_tensors
        return grad_output * inside, None, None, None


class QuantLinear(nn.Linear):
    def __init__(self, in_features, out_features, bits=None):
        super().__init__(in_features, out_features)
        self.bits = bits
        self.register_buffer("running_max", torch.zeros(1))

    def forward(self, x):
        if self.bits is None:
            return F.linear(x, self.weight, self.bias)
        qmin, qmax = get_quantized_range(self.bits)
        if self.training:
            self.running_max.mul_(0.9).add_(0.1 * x.detach().abs().max())
        x = RoundSTE.apply(x, (self.running_max / qmax).clamp(min=1e-8), qmin, qmax)
        scale = self.weight.detach().abs().amax(dim=1, keepdim=True) / qmax
        return F.linear(x, RoundSTE.apply(self.weight, scale, qmin, qmax), self.bias)


class MLP(nn.Module):
    def __init__(self, bits=None):
        super().__init__()
        self.fc1 = QuantLinear(2, 32, bits)
        self.fc2 = QuantLinear(32, 32, bits)
        self.fc3 = QuantLinear(32, 3, bits)

    def forward(self, x):
        return self.fc3(F.relu(self.fc2(torch.tanh(self.fc1(x)))))


def spirals(count):
    labels = torch.arange(count) % 3
    radius = torch.rand(count)
    angle = 3.5 * radius + labels * 2 * math.pi / 3 + 0.1 * torch.randn(count)
    return TensorDataset(torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1), labels)


train_set, test_set = spirals(384), spirals(300)
loader = DataLoader(train_set, batch_size=64, shuffle=True)


def evaluate(model):
    model.eval()
    x, y = test_set.tensors
    with torch.no_grad():
        return (model(x).argmax(1) == y).float().mean().item()


def train(model, optimizer, epochs):
    scheduler = CosineAnnealingLR(optimizer, T_max=epochs)
    for _ in range(epochs):
        model.train()
        total = 0.0
        for x, y in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(x)
        scheduler.step()
    return total / len(train_set)


model = MLP()
optimizer = torch.optim.AdamW(model.parameters(), lr=0.02, weight_decay=1e-3)
loss = train(model, optimizer, 12)
print(f"float32: loss {loss:.4g}, accuracy {evaluate(model):.2%}")

for bits in (8, 4, 2):
    weight = model.fc2.weight.detach()
    scale, zero_point = get_quantization_scale_and_zero_point(weight, bits)
    q = linear_quantize(weight, bits, scale, zero_point)
    error = ((q.float() - zero_point) * scale - weight).pow(2).mean().sqrt().item()
    per_channel, scales = linear_quantize_weight_per_channel(weight, bits)
    narrower = (per_channel * scales - weight).pow(2).mean().sqrt().item()
    print(f"{bits} bits: scale {scale:.4g}, zero point {zero_point}, {q.unique().numel()} integers")
    print(f"  error {error:.4g}, per channel {narrower:.4g}, {q.nelement() * bits // 8} bytes")
    rounded = MLP(bits)
    rounded.load_state_dict(model.state_dict())
    for layer, largest in zip((rounded.fc1, rounded.fc2, rounded.fc3), (1.0, 1.0, 4.0)):
        layer.running_max.fill_(largest)
    before = evaluate(rounded)
    train(rounded, torch.optim.SGD(rounded.parameters(), lr=0.01), 1)
    print(f"  accuracy {before:.1%}, trained {evaluate(rounded):.1%}")

x = torch.randn(5, requires_grad=True)
out = RoundSTE.apply(x, torch.tensor(0.25), -4, 3)
(grad,) = torch.autograd.grad(out.sum(), x)
print([round(v, 4) for v in out.tolist()], grad.tolist())
