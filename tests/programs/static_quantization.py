"""Static quantization of a small MobileNet: fuse, calibrate by histograms, convert, compare."""

import os
import tempfile

import torch
import torch.nn as nn
from torch.ao.quantization import DeQuantStub, QuantStub
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(191009)


class ConvBNReLU(nn.Sequential):
    def __init__(self, in_planes, out_planes, kernel_size=3, stride=1, groups=1):
        padding = (kernel_size - 1) // 2
        super().__init__(
            nn.Conv2d(
                in_planes, out_planes, kernel_size, stride, padding, groups=groups, bias=False
            ),
            nn.BatchNorm2d(out_planes, momentum=0.3),
            nn.ReLU(inplace=False),
        )


class InvertedResidual(nn.Module):
    def __init__(self, inp, oup, stride, expand_ratio):
        super().__init__()
        self.use_res_connect = stride == 1 and inp == oup
        hidden = int(round(inp * expand_ratio))
        layers = []
        if expand_ratio != 1:
            layers.append(ConvBNReLU(inp, hidden, kernel_size=1))
        layers.extend(
            [
                ConvBNReLU(hidden, hidden, stride=stride, groups=hidden),
                nn.Conv2d(hidden, oup, 1, 1, 0, bias=False),
                nn.BatchNorm2d(oup, momentum=0.3),
            ]
        )
        self.conv = nn.Sequential(*layers)
        self.skip_add = nn.quantized.FloatFunctional()

    def forward(self, x):
        if self.use_res_connect:
            return self.skip_add.add(x, self.conv(x))
        return self.conv(x)


class MobileNet(nn.Module):
    def __init__(self, num_classes=6):
        super().__init__()
        features = [ConvBNReLU(3, 16, stride=2)]
        planes = 16
        for expand, out, count, stride in ((1, 16, 1, 1), (4, 24, 2, 2), (4, 32, 2, 1)):
            for i in range(count):
                features.append(InvertedResidual(planes, out, stride if i == 0 else 1, expand))
                planes = out
        features.append(ConvBNReLU(planes, 64, kernel_size=1))
        self.features = nn.Sequential(*features)
        self.quant = QuantStub()
        self.dequant = DeQuantStub()
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(64, num_classes))
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out")
                if m.bias is not None:
                    nn.init.zeros_(m.bias)
            elif isinstance(m, nn.BatchNorm2d):
                nn.init.ones_(m.weight)
                nn.init.zeros_(m.bias)
            elif isinstance(m, nn.Linear):
                nn.init.normal_(m.weight, 0, 0.1)
                nn.init.zeros_(m.bias)

    def forward(self, x):
        x = self.quant(x)
        x = self.features(x)
        x = x.mean([2, 3])
        x = self.classifier(x)
        return self.dequant(x)

    def fuse_model(self):
        for m in self.modules():
            if type(m) is ConvBNReLU:
                torch.ao.quantization.fuse_modules(m, ["0", "1", "2"], inplace=True)
            if type(m) is InvertedResidual:
                for idx in range(len(m.conv)):
                    if type(m.conv[idx]) is nn.Conv2d:
                        pair = [str(idx), str(idx + 1)]
                        torch.ao.quantization.fuse_modules(m.conv, pair, inplace=True)


class AverageMeter:
    def __init__(self, name, fmt=":.3f"):
        self.name, self.fmt = name, fmt
        self.sum = self.count = 0

    def update(self, val, n=1):
        self.sum += val * n
        self.count += n

    def __str__(self):
        return ("{} {" + self.fmt + "}").format(self.name, self.sum / self.count)


def accuracy(output, target, topk=(1,)):
    with torch.no_grad():
        _, pred = output.topk(max(topk), 1, True, True)
        correct = pred.t().eq(target.view(1, -1).expand_as(pred.t()))
        return [
            correct[:k].reshape(-1).float().sum(0, keepdim=True).mul_(100.0 / target.size(0))
            for k in topk
        ]


def evaluate(model, criterion, data_loader, batches=None):
    model.eval()
    top1, top2 = AverageMeter("Acc@1"), AverageMeter("Acc@2", ":.2f")
    losses = AverageMeter("Loss")
    with torch.no_grad():
        for count, (image, target) in enumerate(data_loader, 1):
            output = model(image)
            losses.update(criterion(output, target).item(), image.size(0))
            acc1, acc2 = accuracy(output, target, topk=(1, 2))
            top1.update(acc1[0].item(), image.size(0))
            top2.update(acc2[0].item(), image.size(0))
            if count == batches:
                break
    return f"{top1}  {top2}  {losses}"


def print_size_of_model(model):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "temp.p")
        torch.save(model.state_dict(), path)
        print(f"Size (MB): {os.path.getsize(path) / 1e6:.1f}")


def images(count, generator):
    labels = torch.randint(0, 6, (count,), generator=generator)
    x = torch.linspace(0, 3.1416, 16, dtype=torch.float64)
    waves = torch.stack([torch.sin(x * (k + 1)).outer(torch.cos(x * (k % 3))) for k in range(6)])
    noise = torch.randn(count, 3, 16, 16, generator=generator)
    return TensorDataset(waves.float()[labels].unsqueeze(1) + 0.15 * noise, labels)


generator = torch.Generator().manual_seed(7)
train_loader = DataLoader(images(128, generator), batch_size=32, shuffle=True, generator=generator)
test_loader = DataLoader(images(200, generator), batch_size=50)
criterion = nn.CrossEntropyLoss()

# In float64, so that the figures below do not depend on the order of sums.
model = MobileNet().double()
optimizer = torch.optim.SGD(model.parameters(), lr=0.06, weight_decay=1e-4)
model.train()
for epoch in range(5):
    losses = AverageMeter("Loss", ":.4g")
    for image, target in train_loader:
        loss = criterion(model(image.double()), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.update(loss.item(), image.size(0))
    print(f"Epoch {epoch}: {losses}")

model = model.float().eval()
print("Float:", evaluate(model, criterion, test_loader))
print_size_of_model(model)
model.fuse_model()
print("Fused:", evaluate(model, criterion, test_loader))


def quantize(qconfig):
    quantized = MobileNet()
    quantized.eval()
    quantized.fuse_model()
    quantized.load_state_dict(model.state_dict())
    quantized.qconfig = qconfig
    torch.ao.quantization.prepare(quantized, inplace=True)
    evaluate(quantized, criterion, train_loader, batches=3)
    return torch.ao.quantization.convert(quantized, inplace=True)


for name in ("qnnpack", "fbgemm"):
    torch.backends.quantized.engine = name
    quantized = quantize(torch.ao.quantization.default_qconfig)
    print(f"{name}, min and max:", evaluate(quantized, criterion, test_loader))
    for place, layer in (
        ("stem", quantized.features[0][0]),
        ("skip", quantized.features[3].skip_add),
        ("last", quantized.features[-1][0]),
        ("classifier", quantized.classifier[1]),
    ):
        print(f"  {place}: {type(layer).__name__} {layer.scale:.4g} {layer.zero_point}")
    quantized = quantize(torch.ao.quantization.get_default_qconfig(name))
    print(f"{name}, histograms:", evaluate(quantized, criterion, test_loader))
    stub = quantized.quant
    print(f"  input: {stub.scale.item():.4g} {stub.zero_point.item()}")
print_size_of_model(quantized)
