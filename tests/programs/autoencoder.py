"""An autoencoder of float layers around int8 ones: transposed convolutions, norms, activations."""

import torch
from torch import nn
from torch.quantization import DeQuantStub, QuantStub

torch.manual_seed(5)


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.quant, self.dequant = QuantStub(), DeQuantStub()
        self.pad = nn.ReflectionPad2d(1)
        self.conv1 = nn.Conv2d(1, 8, 3, stride=2)
        self.act1 = nn.Hardswish()
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1, groups=2)
        self.act2 = nn.LeakyReLU(0.1)
        self.cat = nn.quantized.FloatFunctional()

    def forward(self, x):
        x = self.act1(self.conv1(self.quant(self.pad(x))))
        return self.dequant(self.cat.cat([x, self.act2(self.conv2(x))], dim=1))


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.GroupNorm(4, 16)
        self.up = nn.ConvTranspose2d(16, 8, 4, stride=2, padding=1)
        self.inorm = nn.InstanceNorm2d(8, affine=True)
        self.prelu = nn.PReLU(8)
        self.wrap = nn.Conv2d(8, 8, 3, padding=1, padding_mode="circular")
        self.silu = nn.SiLU()
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 8, 1), nn.Hardsigmoid())
        self.out = nn.Conv2d(8, 1, 1)

    def forward(self, x):
        x = self.silu(self.wrap(self.prelu(self.inorm(self.up(self.norm(x))))))
        return torch.sigmoid(self.out(x * self.gate(x)))


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = Encoder(), Decoder()

    def forward(self, x):
        return self.decoder(self.encoder(x))


def blobs(count):
    center = 3 + 6 * torch.rand(count, 2, 1, 1)
    grid = torch.arange(12.0)
    x = torch.exp(-((grid.view(1, 1, -1) - center[:, 0]) ** 2) / 4)
    y = torch.exp(-((grid.view(1, -1, 1) - center[:, 1]) ** 2) / 4)
    return (x * y).unsqueeze(1)


images = blobs(64)
model = Autoencoder()
print(sum(p.numel() for p in model.parameters()), "parameters")
optimizer = torch.optim.Adagrad(model.parameters(), lr=0.02)
scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[4, 8], gamma=0.5)
criterion = nn.BCELoss()
for step in range(10):
    noisy = images + 0.1 * torch.randn_like(images)
    loss = criterion(model(noisy), images)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
    if step % 3 == 0:
        print(f"step {step}: {loss.item():.4g}, lr {optimizer.param_groups[0]['lr']:g}")

torch.backends.quantized.engine = "fbgemm"
model.eval()
encoder = model.encoder
encoder.qconfig = torch.quantization.default_qconfig
torch.quantization.prepare(encoder, inplace=True)
with torch.no_grad():
    expected = model(images)
torch.quantization.convert(encoder, inplace=True)
with torch.no_grad():
    found = model(images)
print([type(m).__name__ for m in encoder.children()])
for name in ("quant", "conv1", "act1", "conv2", "cat"):
    module = getattr(encoder, name)
    print(f"  {name}: {float(module.scale):.4g}, {int(module.zero_point)}")
print(f"loss {criterion(found, images):.4g}, largest change {(found - expected).abs().max():.2g}")
peaks = torch.stack([found.flatten(1).argmax(1), expected.flatten(1).argmax(1)])
print("same brightest pixel:", (peaks[0] == peaks[1]).float().mean().item())
