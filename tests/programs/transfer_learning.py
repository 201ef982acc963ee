"""Transfer learning: a quantized feature extractor below a float head that is trained."""

import copy
from collections import OrderedDict

import torch
import torch.nn as nn
import torch.optim as optim
from torch.optim import lr_scheduler
from torch.utils.data import ConcatDataset, DataLoader, Subset, TensorDataset
from torch.quantization import DeQuantStub, QuantStub, convert, default_qconfig, prepare

torch.manual_seed(1)


class BasicBlock(nn.Module):
    def __init__(self, planes):
        super().__init__()
        self.conv1 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.add_relu = torch.nn.quantized.FloatFunctional()

    def forward(self, x):
        out = self.relu1(self.bn1(self.conv1(x)))
        return self.add_relu.add_relu(self.bn2(self.conv2(out)), x)

    def fuse_model(self):
        pairs = [["conv1", "bn1", "relu1"], ["conv2", "bn2"]]
        torch.quantization.fuse_modules(self, pairs, inplace=True)


class ResNet(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 12, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(12)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(2)
        self.layer1 = nn.Sequential(BasicBlock(12), BasicBlock(12))
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(12, num_classes)
        self.quant, self.dequant = QuantStub(), DeQuantStub()

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(self.quant(x)))))
        x = torch.flatten(self.avgpool(self.layer1(x)), 1)
        return self.dequant(self.fc(x))

    def fuse_model(self):
        torch.quantization.fuse_modules(self, ["conv1", "bn1", "relu"], inplace=True)
        for m in self.modules():
            if type(m) == BasicBlock:
                m.fuse_model()


def textures(count, frequencies):
    """Stripes of a few frequencies in three channels, with noise."""
    labels = torch.randint(len(frequencies), (count,))
    along = torch.arange(16).double()
    wave = torch.tensor(frequencies).double()[labels].view(-1, 1, 1, 1) * along
    phase = 6.28 * torch.rand(count, 3, 1, 1)
    x = torch.where(torch.rand(count, 1, 1, 1) < 0.5, (wave + phase).sin(), (wave + phase).cos())
    return TensorDataset(x.float() + 0.2 * torch.randn(count, 3, 16, 16), labels)


def train_model(model, dataloaders, criterion, optimizer, scheduler, num_epochs):
    best_acc, best_model_wts = 0.0, copy.deepcopy(model.state_dict())
    for epoch in range(num_epochs):
        for phase in ["train", "val"]:
            model.train(phase == "train")
            running_loss, running_corrects, seen = 0.0, 0, 0
            for inputs, labels in dataloaders[phase]:
                optimizer.zero_grad()
                with torch.set_grad_enabled(phase == "train"):
                    outputs = model(inputs)
                    _, preds = torch.max(outputs, 1)
                    loss = criterion(outputs, labels)
                    if phase == "train":
                        loss.backward()
                        optimizer.step()
                running_loss += loss.item() * inputs.size(0)
                running_corrects += torch.sum(preds == labels.data)
                seen += len(labels)
            if phase == "train":
                scheduler.step()
            epoch_loss = running_loss / seen
            epoch_acc = running_corrects.double() / seen
            print("{} {} Loss: {:.3g} Acc: {:.4f}".format(epoch, phase, epoch_loss, epoch_acc))
            if phase == "val" and epoch_acc > best_acc:
                best_acc = epoch_acc
                best_model_wts = copy.deepcopy(model.state_dict())
    print(f"Best val Acc: {best_acc:4f}")
    model.load_state_dict(best_model_wts)
    return model


source = textures(256, [0.3, 0.8, 1.3, 1.9])
model = ResNet(4)
optimizer = optim.SGD(model.parameters(), lr=0.05)
for inputs, labels in DataLoader(source, batch_size=32, shuffle=True):
    optimizer.zero_grad()
    loss = nn.CrossEntropyLoss()(model(inputs), labels)
    loss.backward()
    optimizer.step()
print(f"pretrained: last loss {loss.item():.3g}")

torch.backends.quantized.engine = "fbgemm"
model.eval()
model.fuse_model()
model.qconfig = default_qconfig
model.fc.qconfig = None
prepare(model, inplace=True)
with torch.no_grad():
    for inputs, _ in DataLoader(Subset(source, range(0, 96)), batch_size=32):
        model(inputs)
convert(model, inplace=True)
print(type(model.conv1).__name__, type(model.layer1[0].add_relu).__name__, type(model.fc).__name__)


def create_combined_model(model_fe):
    features = nn.Sequential(
        model_fe.quant,
        model_fe.conv1,
        model_fe.maxpool,
        model_fe.layer1,
        model_fe.avgpool,
        model_fe.dequant,
    )
    head = nn.Sequential(nn.Dropout(p=0.2), nn.Linear(12, 3))
    parts = [("features", features), ("flatten", nn.Flatten(1)), ("new_head", head)]
    return nn.Sequential(OrderedDict(parts))


target = textures(240, [0.5, 1.1, 2.4])
halves = {
    "train": ConcatDataset([Subset(target, range(0, 80)), Subset(target, range(80, 160))]),
    "val": Subset(target, range(160, 240)),
}
dataloaders = {name: DataLoader(part, 16, shuffle=name == "train") for name, part in halves.items()}
new_model = create_combined_model(model)
optimizer = optim.SGD(new_model.parameters(), lr=0.1, momentum=0.9)
exp_lr_scheduler = lr_scheduler.StepLR(optimizer, step_size=3, gamma=0.3)
train_model(new_model, dataloaders, nn.CrossEntropyLoss(), optimizer, exp_lr_scheduler, 4)
print(len(list(new_model.parameters())), [tuple(p.shape) for p in new_model.parameters()])
