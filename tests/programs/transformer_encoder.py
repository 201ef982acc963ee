"""Dynamic quantization of a small text classifier with attention: sizes, accuracy, F1."""

import math

import numpy as np
import torch
from torch import nn, optim
from torch.nn import functional as F
from torch.utils.data import DataLoader, RandomSampler, SequentialSampler, TensorDataset

torch.manual_seed(3)
np.random.seed(3)
VOCABULARY, LENGTH, WIDTH, HEADS = 40, 12, 32, 4


class SelfAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.value, self.out = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.dropout = nn.Dropout(0.1)

    def split(self, x):
        return x.view(x.size(0), x.size(1), HEADS, -1).permute(0, 2, 1, 3)

    def forward(self, x, mask):
        q, k, v = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
        scores = torch.matmul(q, k.transpose(-1, -2)) / math.sqrt(q.size(-1))
        scores = scores.masked_fill(mask[:, None, None, :], float("-inf"))
        probs = self.dropout(scores.softmax(dim=-1))
        context = torch.matmul(probs, v).permute(0, 2, 1, 3).contiguous()
        return self.out(context.view(x.shape))


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention, self.norm1 = SelfAttention(), nn.LayerNorm(WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 64), nn.GELU(), nn.Linear(64, WIDTH))
        self.norm2 = nn.LayerNorm(WIDTH, eps=1e-12)

    def forward(self, x, mask):
        x = self.norm1(x + self.attention(x, mask))
        return self.norm2(x + self.mlp(x))


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH, padding_idx=0)
        self.position = nn.Parameter(torch.randn(1, LENGTH, WIDTH) * 0.02)
        self.layers = nn.ModuleList([Layer() for _ in range(2)])
        self.pooler = nn.Linear(WIDTH, WIDTH)
        self.classifier = nn.Linear(WIDTH, 2)
        self.apply(self._init_weights)

    def _init_weights(self, module):
        if isinstance(module, (nn.Linear, nn.Embedding)):
            module.weight.data.normal_(mean=0.0, std=0.1)
        if isinstance(module, nn.Linear) and module.bias is not None:
            module.bias.data.zero_()

    def forward(self, ids):
        mask = ids == 0
        x = self.embedding(ids) + self.position
        for layer in self.layers:
            x = layer(x, mask)
        return self.classifier(torch.tanh(self.pooler(x[:, 0])))


def sentences(count):
    """A sentence is positive if it has more words of 1..19 than of 20..39; 0 fills it up."""
    ids = torch.randint(1, VOCABULARY, (count, LENGTH))
    lengths = torch.randint(6, LENGTH + 1, (count, 1))
    ids = ids.masked_fill(torch.arange(LENGTH).unsqueeze(0) >= lengths, 0)
    return TensorDataset(ids, ((ids > 0) & (ids < 20)).sum(1).gt((ids >= 20).sum(1)).long())


def f1_and_accuracy(preds, labels):
    true = ((preds == 1) & (labels == 1)).sum()
    precision, recall = true / max((preds == 1).sum(), 1), true / (labels == 1).sum()
    return 2 * precision * recall / (precision + recall), (preds == labels).mean()


def evaluate(model, dataset):
    model.eval()
    preds, losses = [], []
    for ids, labels in DataLoader(dataset, sampler=SequentialSampler(dataset), batch_size=50):
        with torch.no_grad():
            logits = model(ids)
        losses.append(F.cross_entropy(logits, labels).item())
        preds.append(logits.detach().cpu().numpy())
    found = np.argmax(np.concatenate(preds, axis=0), axis=1)
    f1, acc = f1_and_accuracy(found, dataset.tensors[1].numpy())
    return f"f1 {f1:.4f}, accuracy {acc:.4f}, loss {np.mean(losses):.3g}"


train_set, test_set = sentences(320), sentences(200)
loader = DataLoader(train_set, sampler=RandomSampler(train_set), batch_size=32)
model = Classifier()
decay = [p for n, p in model.named_parameters() if "bias" not in n and "norm" not in n]
others = [p for n, p in model.named_parameters() if "bias" in n or "norm" in n]
groups = [{"params": decay, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}]
optimizer = optim.AdamW(groups, lr=2e-3, eps=1e-8)
steps = 5 * len(loader)
scheduler = optim.lr_scheduler.LambdaLR(
    optimizer, lambda step: min((step + 1) / 10, max(0.0, (steps - step) / (steps - 10)))
)
for epoch in range(5):
    model.train()
    losses = []
    for ids, labels in loader:
        loss = F.cross_entropy(model(ids), labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        model.zero_grad()
        losses.append(loss.item())
    print(f"epoch {epoch}: loss {np.mean(losses):.4g}, lr {scheduler.get_last_lr()[0]:.4g}")

quantized = torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)
count = sum(isinstance(m, torch.ao.nn.quantized.dynamic.Linear) for m in quantized.modules())
print("layers quantized:", count)
print("FP32:", evaluate(model, test_set))
print("INT8:", evaluate(quantized, test_set))
layer = quantized.layers[0].mlp[0]
weight = layer.weight()
print(f"scale {weight.q_scale():.4g}, {tuple(weight.shape)}, {weight.int_repr().float().std():.4g}")
