r"""
7. Dynamic quantization of an LSTM
==================================

An LSTM reads real English, letter by letter, and guesses the next one. We train it, quantize it
with one line and no calibration, redo a layer by hand, and watch whether rounding errors pile up
while it reads.

The theory behind it: :doc:`/learn/dynamic`.
"""

import re

import matplotlib.pyplot as plt
import numpy as np
from sklearn import datasets

import refquant as torch
from refquant import nn, optim, plotting
from refquant.quantization import quantize_dynamic
from refquant.reporting import parameter_bytes, sqnr

torch.backends.quantized.engine = "fbgemm"

# %%
# Real sequences
# --------------
#
# Each data set of scikit-learn has a description of a page or two. Six of them together are 10,000
# letters of technical English. We keep letters and spaces, and put the last seventh aside.

NAMES = ("iris", "wine", "digits", "breast_cancer", "diabetes", "linnerud")
text = " ".join(getattr(datasets, f"load_{name}")().DESCR for name in NAMES)
text = re.sub("[^a-z]+", " ", text.lower()).strip()
LETTERS = " abcdefghijklmnopqrstuvwxyz"
codes = np.int64([LETTERS.index(letter) for letter in text])
training, held_out = np.split(codes, [len(codes) * 6 // 7])

print(len(training), "letters to learn from,", len(held_out), "to be tested on")
print(text[1000:1150])

# %%
# A letter is given to the network as a vector with a one at its place and zeros elsewhere.

ONE_HOT = np.eye(len(LETTERS), dtype=np.float32)


class Reader(nn.Module):
    """Score every letter as the next one, at each place of a text."""

    def __init__(self, hidden=64):
        super().__init__()
        self.lstm = nn.LSTM(len(LETTERS), hidden)
        self.fc = nn.Linear(hidden, len(LETTERS))

    def forward(self, x):
        states, _ = self.lstm(x)
        return self.fc(states)


# %%
# The LSTM carries two vectors from letter to letter: the *cell* :math:`c`, its memory, and the
# *state* :math:`h`, what it says. Four linear maps decide what is forgotten, stored and said:
#
# .. math::
#
#    (i, f, g, o) &= W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh} \\
#    c_t &= \sigma(f)\, c_{t-1} + \sigma(i) \tanh(g) \\
#    h_t &= \sigma(o) \tanh(c_t).
#
# Training
# --------
#
# 150 steps of Adam, each on 32 pieces of 32 letters.

torch.manual_seed(0)
reader = Reader()
optimizer = optim.Adam(reader.parameters(), lr=0.01)
loss_of = nn.CrossEntropyLoss()
generator = np.random.default_rng(0)
losses = []
for _ in range(150):
    starts = generator.integers(0, len(training) - 33, 32)
    pieces = training[starts + np.arange(33)[:, None]]
    optimizer.zero_grad()
    scores = reader(torch.from_numpy(ONE_HOT[pieces[:-1]]))
    targets = torch.from_numpy(pieces[1:].reshape(-1))
    loss = loss_of(scores.reshape(-1, len(LETTERS)), targets)
    loss.backward()
    optimizer.step()
    losses.append(loss.item() / np.log(2))
reader.eval()

fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
ax.plot(losses, color=plotting.COLORS[0], label="training")
ax.axhline(np.log2(27), color=plotting.COLORS[1], linestyle="--", label="blind guessing")
ax.set(xlabel="step", ylabel="bits a letter", ylim=(0, None))
ax.legend()
plt.show()

# %%
# The measure is how many *bits* are missing to know the next letter. Blind guessing among 27 needs
# :math:`\log_2 27 = 4.75`.

SPAN = 100
lines = held_out[: len(held_out) // SPAN * SPAN].reshape(-1, SPAN).T
inputs = torch.from_numpy(ONE_HOT[lines[:-1]])


def bits_a_letter(model):
    with torch.no_grad():
        scores = model(inputs).reshape(-1, len(LETTERS))
    return loss_of(scores, torch.from_numpy(lines[1:].reshape(-1))).item() / np.log(2)


float_bits = bits_a_letter(reader)
print(f"text that it never saw: {float_bits:.3f} bits a letter")
assert float_bits < 4.0

# %%
# One line
# --------
#
# ``quantize_dynamic`` rounds the *weights* to ``qint8`` now. *Activations* are rounded while the
# network runs: each time a product is due, its input's smallest and largest value decide the scale.
# That is why no calibration is needed.

quantized = quantize_dynamic(reader, {nn.LSTM, nn.Linear})
quantized

# %%

int8_bits = bits_a_letter(quantized)
before, after = parameter_bytes(reader.state_dict()), parameter_bytes(quantized.state_dict())
print(f"float {float_bits:.4f} bits a letter, {before:,} bytes")
print(f"int8  {int8_bits:.4f} bits a letter, {after:,} bytes")
print(f"difference {int8_bits - float_bits:+.4f} bits a letter; {before / after:.2f} times smaller")

assert abs(int8_bits - float_bits) < 0.02
assert before / after > 3

# %%
# One layer by hand
# -----------------
#
# What happens inside? Let us redo the linear layer at the end, for the states of the float LSTM.
#
# *First*, the range of this very input gives scale and zero point. FBGEMM uses 7 bits, 0 to 127.

with torch.no_grad():
    states, _ = reader.lstm(inputs)
x = states.numpy()
low, high = min(x.min(), 0), max(x.max(), 0)
scale = (np.float64(high) - np.float64(low)) / 127
zero_point = round(-low / scale)
print(f"states from {low:.4f} to {high:.4f}: scale {scale:.6f}, zero point {zero_point}")

# %%
# *Second*, input and weight are integers, and the sum of their products is exact. FBGEMM multiplies
# by the inverse scale and adds the zero point before it rounds: one operation, computed here in
# float64, in which it is exact.

weight = quantized.fc.weight()
inverse = np.float64(np.float32(1) / np.float32(scale))
q_x = np.rint((x * inverse + zero_point).astype(np.float32)).clip(0, 127).astype(np.int64)
q_w = weight.int_repr().numpy().astype(np.int64)
acc = (q_x - zero_point) @ (q_w - weight.q_zero_point()).T
print("sums from", acc.min(), "to", acc.max())

# %%
# *Third*, the sum becomes a real number at once: :math:`y = s_x s_w\,\mathrm{acc} + b`. Nothing is
# requantized, so that no output scale must be known.

by_hand = np.float32(scale) * np.float32(weight.q_scale()) * acc + reader.fc.bias.detach().numpy()
library = quantized.fc(states).detach().numpy()
largest = np.abs(by_hand - library).max()
print(f"largest difference to the library: {largest:.2g}")
assert largest < 1e-5

# %%
# (It is not zero, because FBGEMM rounds product and bias once, and we twice.)
#
# Do errors pile up?
# ------------------
#
# The LSTM feeds its state back into itself. An error at the first letter might grow and grow. So
# we compare the states of both networks at each place of the text.

with torch.no_grad():
    rounded_states, _ = quantized.lstm(inputs)
pairs = list(zip(states.numpy(), rounded_states.numpy(), strict=True))
ratios = np.array([sqnr(exact, rounded) for exact, rounded in pairs])
for start, end in ((0, 5), (5, 20), (20, 50), (50, 99)):
    print(f"letters {start + 1:2} to {end:2}: {ratios[start:end].mean():.1f} dB")

fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
ax.plot(np.arange(1, SPAN), ratios, color=plotting.COLORS[0])
ax.set(xlabel="letters read", ylabel="SQNR of the state (dB)", ylim=(0, None))
plt.show()

# %%
# They do not. After a few letters the noise is as large as it gets: the forget gate
# :math:`\sigma(f) < 1` lets old errors fade as it lets old memories fade. And the cell itself is
# never rounded; it stays in float32.

assert abs(ratios[20:50].mean() - ratios[50:].mean()) < 3
assert ratios[5:].min() > 15

# %%
# What it costs to share a batch
# ------------------------------
#
# The scale is chosen for the whole *batch*. So a sequence may get other bits in other company:

one = quantized.fc(states[:, :1]).detach().numpy()
among_others = quantized.fc(states).detach().numpy()[:, :1]
differing = np.mean(one != among_others)
print(f"{100 * differing:.1f} % of the results depend on the other sequences")
print(
    f"by at most {np.abs(one - among_others).max():.4f}, for results up to {np.abs(one).max():.1f}"
)

assert 0 < np.abs(one - among_others).max() < 0.2 * np.abs(one).max()

# %%
# Two scores of the same letter, alone and in company:

fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
ax.plot(one.ravel(), (among_others - one).ravel(), ".", markersize=3, color=plotting.COLORS[0])
ax.set(xlabel="score, sequence alone", ylabel="change in company")
plt.show()

# %%
# What to take away
# -----------------
#
# * Dynamic quantization needs no calibration: scales are chosen while the network runs.
# * Weights shrink to a quarter; here that cost less than a hundredth of a bit for each letter.
# * In an LSTM, errors fade with the memories that they belong to.
# * Results depend a little on the batch. Tests of a backend must use the same batches.
