"""Quantization-aware training of a small CNN, with a data loader and a schedule."""

import copy
import random

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, Dataset, random_split


def set_seed(seed):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    if torch.cuda.is_available():
        torch.cuda.manual_seed_all(seed)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False


class Strokes(Dataset):
    """Pictures of a horizontal, a vertical, a falling or a rising stroke."""

    def __init__(self, count, transform=None):
        self.transform = transform
        self.targets = np.random.randint(0, 4, count)
        self.data = np.zeros((count, 12, 12), dtype=np.float32)
        for picture, target in zip(self.data, self.targets):
            i = np.random.randint(2, 10)
            along, at = np.arange(12), np.clip(np.arange(12) + i - 6, 0, 11)
            places = [
                (np.full(12, i), along),
                (along, np.full(12, i)),
                (along, at),
                (11 - along, at),
            ]
            picture[places[target]] = 1
        self.data += np.random.normal(0, 0.3, self.data.shape).astype(np.float32)

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        picture = torch.from_numpy(self.data[index]).unsqueeze(0)
        if self.transform is not None:
            picture = self.transform(picture)
        return picture, int(self.targets[index])


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.quant = torch.quantization.QuantStub()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(8)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(8, 16, 3, stride=2, bias=False)
        self.bn2 = nn.BatchNorm2d(16)
        self.relu2 = nn.ReLU()
        self.pool = nn.MaxPool2d(2)
        self.fc1 = nn.Linear(16 * 2 * 2, 32)
        self.relu3 = nn.ReLU()
        self.drop = nn.Dropout(0.1)
        self.fc2 = nn.Linear(32, 4)
        self.dequant = torch.quantization.DeQuantStub()

    def forward(self, x):
        x = self.quant(x)
        x = self.relu1(self.bn1(self.conv1(x)))
        x = self.pool(self.relu2(self.bn2(self.conv2(x))))
        x = torch.flatten(x, 1)
        x = self.drop(self.relu3(self.fc1(x)))
        return self.dequant(self.fc2(x))


def train(model, device, loader, optimizer, epoch):
    model.train()
    seen = []
    for data, target in loader:
        data, target = data.to(device), target.to(device)
        optimizer.zero_grad()
        loss = F.nll_loss(F.log_softmax(model(data), dim=1), target)
        loss.backward()
        optimizer.step()
        seen.append(loss.item())
    print(f"Train epoch {epoch}: loss {np.mean(seen):.4g}, lr {optimizer.param_groups[0]['lr']:g}")


def test(model, device, loader):
    model.eval()
    test_loss, correct = 0, 0
    with torch.no_grad():
        for data, target in loader:
            data, target = data.to(device), target.to(device)
            output = F.log_softmax(model(data), dim=1)
            test_loss += F.nll_loss(output, target, reduction="sum").item()
            correct += output.argmax(dim=1, keepdim=True).eq(target.view_as(output[:, :1])).sum()
    total = len(loader.dataset)
    print(f"Test: loss {test_loss / total:.4g}, accuracy {correct}/{total}")


set_seed(2020)
device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
dataset = Strokes(500, transform=lambda x: (x - 0.1) / 0.4)
train_set, test_set = random_split(dataset, [300, 200])
train_loader = DataLoader(train_set, batch_size=30, shuffle=True, num_workers=0, drop_last=True)
test_loader = DataLoader(test_set, batch_size=100)

model = Net().to(device)
optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)
scheduler = StepLR(optimizer, step_size=2, gamma=0.3)
for epoch in range(1, 4):
    train(model, device, train_loader, optimizer, epoch)
    scheduler.step()
test(model, device, test_loader)

layers = [["conv1", "bn1", "relu1"], ["conv2", "bn2", "relu2"], ["fc1", "relu3"]]
qat_model = copy.deepcopy(model)
qat_model.train()
qat_model = torch.ao.quantization.fuse_modules_qat(qat_model, layers)
qat_model.qconfig = torch.quantization.get_default_qat_qconfig("fbgemm")
torch.quantization.prepare_qat(qat_model, inplace=True)
print(type(qat_model.conv1).__name__, type(qat_model.fc1).__name__, type(qat_model.fc2).__name__)

optimizer = optim.SGD(qat_model.parameters(), lr=0.0005)
for epoch in range(3):
    train(qat_model, device, train_loader, optimizer, epoch)
    if epoch >= 1:
        qat_model.apply(torch.quantization.disable_observer)
    if epoch >= 0:
        qat_model.apply(torch.nn.intrinsic.qat.freeze_bn_stats)
    with torch.inference_mode():
        quantized = torch.quantization.convert(copy.deepcopy(qat_model).eval().to("cpu"))
        test(quantized, "cpu", test_loader)

for name, module in quantized.named_modules():
    if hasattr(module, "scale"):
        print(f"{name}: {float(module.scale):.4g}, {int(module.zero_point)}")
print(f"weight of fc2: {quantized.fc2.weight().q_per_channel_scales()[0].item():.4g}")
