"""Dynamic quantization of an LSTM language model, which is trained on made-up sentences first."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(29592)


class LSTMModel(nn.Module):
    """Encoder, a recurrent module, and a decoder."""

    def __init__(self, ntoken, ninp, nhid, nlayers, dropout=0.2):
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.encoder = nn.Embedding(ntoken, ninp)
        self.rnn = nn.LSTM(ninp, nhid, nlayers, dropout=dropout)
        self.decoder = nn.Linear(nhid, ntoken)
        self.init_weights()
        self.nhid, self.nlayers = nhid, nlayers

    def init_weights(self):
        initrange = 0.1
        self.encoder.weight.data.uniform_(-initrange, initrange)
        self.decoder.bias.data.zero_()
        self.decoder.weight.data.uniform_(-initrange, initrange)

    def forward(self, input, hidden):
        emb = self.drop(self.encoder(input))
        output, hidden = self.rnn(emb, hidden)
        return self.decoder(self.drop(output)), hidden

    def init_hidden(self, bsz):
        weight = next(self.parameters())
        return (
            weight.new_zeros(self.nlayers, bsz, self.nhid),
            weight.new_zeros(self.nlayers, bsz, self.nhid),
        )


class Dictionary:
    def __init__(self):
        self.word2idx, self.idx2word = {}, []

    def add_word(self, word):
        if word not in self.word2idx:
            self.idx2word.append(word)
            self.word2idx[word] = len(self.idx2word) - 1
        return self.word2idx[word]


class Corpus:
    def __init__(self, lines):
        self.dictionary = Dictionary()
        ids = [self.dictionary.add_word(w) for line in lines for w in line.split() + ["<eos>"]]
        self.train = torch.tensor(ids).type(torch.int64)


def sentences(count):
    people, verbs = ("ann", "bob", "eve", "the cat", "a dog"), ("sees", "feeds", "hears", "likes")
    for number in torch.randint(0, 10**6, (count,)).tolist():
        who, number = people[number % 5], number // 5
        does, number = verbs[number % 4], number // 4
        yield f"{who} {does} {people[number % 5]}" + (" again" if number % 3 == 0 else "")


def batchify(data, bsz):
    nbatch = data.size(0) // bsz
    data = data.narrow(0, 0, nbatch * bsz)
    return data.view(bsz, -1).t().contiguous()


def get_batch(source, i, bptt):
    seq_len = min(bptt, len(source) - 1 - i)
    return source[i : i + seq_len], source[i + 1 : i + 1 + seq_len].reshape(-1)


def repackage_hidden(h):
    """Wrap hidden states in new tensors, to detach them from their history."""
    if isinstance(h, torch.Tensor):
        return h.detach()
    return tuple(repackage_hidden(v) for v in h)


corpus = Corpus(sentences(600))
ntokens = len(corpus.dictionary.idx2word)
split = int(0.8 * len(corpus.train))
train_data, eval_data = batchify(corpus.train[:split], 10), batchify(corpus.train[split:], 5)
bptt = 16
criterion = nn.CrossEntropyLoss()
model = LSTMModel(ntokens, ninp=24, nhid=32, nlayers=2)
print("tokens:", ntokens, "batches:", tuple(train_data.shape), tuple(eval_data.shape))


def evaluate(model_, data_source):
    model_.eval()
    total_loss = 0.0
    hidden = model_.init_hidden(5)
    with torch.no_grad():
        for i in range(0, data_source.size(0) - 1, bptt):
            data, targets = get_batch(data_source, i, bptt)
            output, hidden = model_(data, hidden)
            hidden = repackage_hidden(hidden)
            total_loss += len(data) * criterion(output.view(-1, ntokens), targets).item()
    return total_loss / (len(data_source) - 1)


optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.25, patience=0)
for epoch in range(3):
    model.train()
    hidden, total, count = model.init_hidden(10), 0.0, 0
    for i in range(0, train_data.size(0) - 1, bptt):
        data, targets = get_batch(train_data, i, bptt)
        model.zero_grad()
        hidden = repackage_hidden(hidden)
        output, hidden = model(data, hidden)
        loss = criterion(output.view(-1, ntokens), targets)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 0.25)
        optimizer.step()
        total, count = total + loss.item(), count + 1
    val_loss = evaluate(model, eval_data)
    scheduler.step(val_loss)
    print(f"epoch {epoch} | train {total / count:.4g} | last norm {norm.item():.3g}", end=" | ")
    print(f"valid {val_loss:.4g} | ppl {math.exp(val_loss):.4g}")

quantized_model = torch.ao.quantization.quantize_dynamic(
    model, {nn.LSTM, nn.Linear}, dtype=torch.qint8
)
print(type(quantized_model.rnn).__name__, type(quantized_model.decoder).__name__)
print(type(quantized_model.encoder).__name__)


def parameter_bytes(module):
    return sum(p.numel() * p.element_size() for p in module.parameters())


weight = quantized_model.decoder.weight()
print("decoder:", f"scale {weight.q_scale():.4g}", f"zero point {weight.q_zero_point()}", end=", ")
print(parameter_bytes(model.decoder), "->", weight.numel() * weight.element_size(), "bytes")
loss = evaluate(quantized_model, eval_data)
print(f"quantized | valid {loss:.4g} | ppl {math.exp(loss):.4g}")

half = torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, dtype=torch.float16)
print(f"float16 decoder | valid {evaluate(half, eval_data):.4g}")

hidden = quantized_model.init_hidden(1)
word = torch.tensor([[corpus.dictionary.word2idx["bob"]]])
spoken = []
with torch.no_grad():
    for _ in range(12):
        output, hidden = quantized_model(word, hidden)
        weights = F.softmax(output.squeeze() / 0.8, dim=-1)
        index = torch.multinomial(weights, 1)[0]
        word.fill_(index)
        spoken.append(corpus.dictionary.idx2word[index])
print("bob", *spoken)
