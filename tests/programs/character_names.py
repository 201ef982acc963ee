"""Classify made-up names by their characters: packed sequences, a GRU, quantized dynamically."""

import string

import torch
import torch.nn as nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence
from torch.utils.data import DataLoader, Dataset, WeightedRandomSampler

torch.manual_seed(11)
letters = string.ascii_lowercase
endings = {"italian": ["ini", "elli", "ucci"], "polish": ["ski", "wicz"], "irish": ["ney", "lan"]}
categories = sorted(endings)


def pick(sequence):
    return sequence[torch.randint(len(sequence), (1,)).item()]


class Names(Dataset):
    def __init__(self, count):
        self.items = []
        for _ in range(count):
            category = pick(categories)
            stem = "".join(pick("bdfgmrt") + pick("aeiou") for _ in range(pick([1, 2, 3])))
            self.items.append((stem + pick(endings[category]), categories.index(category)))

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        name, label = self.items[index]
        return torch.tensor([letters.index(c) + 1 for c in name]), label


def collate(batch):
    batch.sort(key=lambda item: len(item[0]), reverse=True)
    lengths = torch.LongTensor([len(x) for x, _ in batch])
    padded = pad_sequence([x for x, _ in batch], batch_first=True)
    return padded, lengths, torch.LongTensor([y for _, y in batch])


class RNN(nn.Module):
    def __init__(self, hidden_size=24):
        super().__init__()
        self.embedding = nn.Embedding(len(letters) + 1, 12, padding_idx=0)
        self.gru = nn.GRU(12, hidden_size, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(2 * hidden_size, len(categories))

    def forward(self, x, lengths):
        packed = pack_padded_sequence(self.embedding(x), lengths, batch_first=True)
        _, hidden = self.gru(packed)
        return self.fc(torch.cat([hidden[-2], hidden[-1]], dim=1))


train_set, test_set = Names(240), Names(120)
counts = torch.zeros(3)
for _, label in train_set.items:
    counts[label] += 1
weights = [1 / counts[label].item() for _, label in train_set.items]
sampler = WeightedRandomSampler(weights, num_samples=240, replacement=True)
loader = DataLoader(train_set, batch_size=24, sampler=sampler, collate_fn=collate)
print(train_set.items[0][0], test_set.items[-1][0], counts.tolist())

model = RNN()
criterion = nn.CrossEntropyLoss(reduction="sum")
optimizer = torch.optim.RMSprop(model.parameters(), lr=0.002)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.8)
for epoch in range(3):
    total = 0
    for x, lengths, y in loader:
        loss = criterion(model(x, lengths), y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_value_(model.parameters(), 5.0)
        optimizer.step()
        total += loss
    scheduler.step()
    print(f"epoch {epoch}: {total.item() / 240:.4g} (lr {scheduler.get_last_lr()[0]:.4g})")


@torch.no_grad()
def evaluate(model):
    model.eval()
    right, confusion = 0, torch.zeros(3, 3, dtype=torch.long)
    for x, lengths, y in DataLoader(test_set, batch_size=40, collate_fn=collate):
        predicted = model(x, lengths).argmax(dim=1)
        right += (predicted == y).sum().item()
        for t, p in zip(y.view(-1), predicted.view(-1)):
            confusion[t.long(), p.long()] += 1
    return right, confusion.tolist()


print("float:", *evaluate(model))
quantized = torch.quantization.quantize_dynamic(model, {nn.GRU, nn.Linear}, dtype=torch.qint8)
print("quantized:", *evaluate(quantized))
print(quantized.gru.__class__.__name__, f"{quantized.fc.weight().q_scale():.4g}")
