r"""
8. Quantization-aware training at 8, 4, 3 and 2 bits
====================================================

Rounding the weights of a trained network to 8 bits costs nothing. With 2 bits there are four values
for a weight, and the network falls apart. Unless it *learns* with rounded weights: this lesson
shows how that is possible although rounding has no gradient, and how much it brings back.

The theory behind it: :doc:`/learn/training`.
"""

import copy

import matplotlib.pyplot as plt
import numpy as np

import refquant as torch
from refquant import nn, plotting
from refquant.demo.bits import after_training
from refquant.demo.data import load_digits
from refquant.demo.experiment import calibration_batches
from refquant.demo.metrics import accuracy, logits_of
from refquant.demo.network import DigitNet
from refquant.quantization import (
    FakeQuantize,
    MovingAverageMinMaxObserver,
    MovingAveragePerChannelMinMaxObserver,
    QConfig,
    convert,
    default_fake_quant,
    fuse_modules_qat,
    prepare_qat,
)

torch.backends.quantized.engine = "fbgemm"

# %%
# Rounding has no gradient
# ------------------------
#
# *Fake quantization* rounds to the marks of the integers and comes back to real numbers:
#
# .. math:: \hat x = s\,\bigl(\mathrm{clip}(\mathrm{round}(x / s) + z,\ q_\min,\ q_\max) - z\bigr).
#
# It is a staircase. Its slope is zero on every stair, so a gradient that goes through it dies. The
# *straight-through estimator* pretends that the staircase were the line that it follows:
#
# .. math:: \frac{\partial \hat x}{\partial x} := \begin{cases}
#           1 & \text{where nothing was clipped} \\ 0 & \text{elsewhere.} \end{cases}
#
# Here are both, for 2 bits: four integers from -2 to 1.

x = torch.linspace(-2, 2, 401, requires_grad=True)
y = torch.fake_quantize_per_tensor_affine(x, 0.5, 0, -2, 1)
y.sum().backward()

fig, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
ax.plot(x.detach().numpy(), y.detach().numpy(), color=plotting.COLORS[0], label="fake quantized x")
ax.plot(x.detach().numpy(), x.grad.numpy(), color=plotting.COLORS[1], label="gradient that is used")
ax.set(xlabel="x", ylabel="value; gradient")
ax.legend()

print("values:", sorted(set(y.tolist())))
print("gradients:", sorted(set(x.grad.tolist())))
assert sorted(set(y.tolist())) == [-1.0, -0.5, 0.0, 0.5]
assert set(x.grad.tolist()) == {0.0, 1.0}
plt.show()

# %%
# It learns all the same
# ----------------------
#
# A toy shows why the pretence works. One weight with 2 bits should become 0.3. Only -1, -0.5, 0 and
# 0.5 can be had; the best is 0.5, by a little. We follow the gradient of the squared error.

weight = torch.tensor([-0.9], requires_grad=True)
path = []
for _ in range(40):
    weight.grad = None
    rounded = torch.fake_quantize_per_tensor_affine(weight, 0.5, 0, -2, 1)
    loss = ((rounded - 0.3) ** 2).sum()
    loss.backward()
    path.append((weight.item(), rounded.item()))
    with torch.no_grad():
        weight -= 0.05 * weight.grad

hidden, used = np.array(path).T
fig, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
ax.plot(hidden, color=plotting.COLORS[0], label="weight that learns, float32")
ax.step(range(40), used, where="mid", color=plotting.COLORS[1], label="weight that is used, 2 bits")
ax.axhline(0.3, color=plotting.COLORS[2], linestyle=":", label="wanted")
ax.set(xlabel="step", ylabel="weight")
ax.legend()
plt.show()

# %%
# The float32 weight behind the scenes collects many small steps until the rounded one jumps. In the
# end it dithers around the threshold between 0 and 0.5, and its time average is about what was
# wanted.

print("last ten values used:", used[-10:])
print(f"mean of the last twenty: {used[-20:].mean():.3f}")
assert set(used[-20:]) == {0.0, 0.5}
assert abs(used[-20:].mean() - 0.3) < 0.06

# %%
# The module
# ----------
#
# ``FakeQuantize`` is an observer and a staircase in one. It watches the range, and rounds with it.

fake = FakeQuantize(
    observer=MovingAverageMinMaxObserver,
    quant_min=-2,
    quant_max=1,
    dtype=torch.qint8,
    qscheme=torch.per_tensor_symmetric,
)
torch.manual_seed(0)
values = torch.randn(1000)
print("distinct values:", sorted({round(value, 4) for value in fake(values).tolist()}))
fake

# %%
# A network, rounded afterwards
# -----------------------------
#
# Now the digits. First the network is trained in float32, with this loop:

digits = load_digits(seed=0)
images, labels = digits.train.pixels.numpy(), digits.train.labels.numpy()


def fit(model, epochs, learning_rate):
    loss_of = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    shuffle = np.random.default_rng(0)
    for _ in range(epochs):
        order = shuffle.permutation(len(labels))
        for start in range(0, len(order), 64):
            chosen = order[start : start + 64]
            optimizer.zero_grad()
            logits = model(torch.from_numpy(images[chosen]))
            loss_of(logits, torch.from_numpy(labels[chosen])).backward()
            optimizer.step()


torch.manual_seed(0)
network = DigitNet()
fit(network, epochs=6, learning_rate=3e-3)
network.eval()

# %%
# Then its weights are rounded to ever fewer bits, one scale for each output channel. Activations
# keep 8 bits, of which ``fbgemm`` uses 7.

float_accuracy = accuracy(logits_of(network, digits.test), digits.test)
print(f"float32: {100 * float_accuracy:.2f} %")

BITS = (8, 4, 3, 2)
batches = calibration_batches(digits)
rounded = {bits: after_training(network, bits, "per channel", batches) for bits in BITS}
afterwards = {bits: accuracy(logits_of(rounded[bits], digits.test), digits.test) for bits in BITS}
for bits in BITS:
    print(f"{bits} bits, {2**bits:3} values for a weight: {100 * afterwards[bits]:6.2f} %")

# %%
# At 8 bits nothing is lost; at 2 bits much is.

assert afterwards[8] > float_accuracy - 0.01
assert afterwards[2] < float_accuracy - 0.05

# %%
# The same network, trained on
# ----------------------------
#
# ``prepare_qat`` puts a ``FakeQuantize`` on every weight and behind every layer, and training goes
# on for four more passes over the same 1200 images, in the same loop. Then ``convert`` makes it a
# network of integers.

FUSED = [["conv1", "bn1", "relu1"], ["conv2", "bn2", "relu2"], ["fc1", "relu3"]]


def train_rounded(bits):
    weight = FakeQuantize.with_args(
        observer=MovingAveragePerChannelMinMaxObserver,
        quant_min=-(2 ** (bits - 1)),
        quant_max=2 ** (bits - 1) - 1,
        dtype=torch.qint8,
        qscheme=torch.per_channel_symmetric,
    )
    model = fuse_modules_qat(copy.deepcopy(network).train(), FUSED)
    model.qconfig = QConfig(activation=default_fake_quant, weight=weight)
    model = prepare_qat(model)
    fit(model, epochs=4, learning_rate=1e-3)
    return convert(model.eval())


learned = {bits: train_rounded(bits) for bits in BITS}
within = {bits: accuracy(logits_of(learned[bits], digits.test), digits.test) for bits in BITS}
for bits in BITS:
    print(
        f"{bits} bits: rounded afterwards {100 * afterwards[bits]:6.2f} %,",
        f"trained with rounding {100 * within[bits]:6.2f} %",
    )

fig, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
places = np.arange(len(BITS))
for shift, numbers, label in (
    (-0.2, afterwards, "rounded afterwards"),
    (0.2, within, "trained with rounding"),
):
    heights = [100 * numbers[bits] for bits in BITS]
    color = plotting.COLORS[0 if shift > 0 else 1]
    bars = ax.bar(places + shift, heights, width=0.38, color=color, label=label)
    ax.bar_label(bars, fmt="%.1f")
ax.axhline(100 * float_accuracy, color=plotting.COLORS[2], linestyle="--", label="float32")
ax.set(xlabel="bits of a weight", ylabel="accuracy (%)", ylim=(0, 119))
ax.set_xticks(places, BITS)
ax.legend(loc="upper center", ncols=3)
plt.show()

# %%
# Two bits are enough for handwritten digits, if the network is trained for it.

assert within[8] > float_accuracy - 0.015
assert within[4] > float_accuracy - 0.03
assert within[2] > afterwards[2] + 0.02
assert within[2] > 0.9

# %%
# What the weights look like
# --------------------------
#
# The integers of the second convolution with 2 bits: training moved many of them.

before = rounded[2].conv2.weight().int_repr().numpy()
after = learned[2].conv2.weight().int_repr().numpy()
print("values used:", np.unique(after))
print(f"{100 * np.mean(before != after):.1f} % of the weights are other integers than before")
assert set(np.unique(after)) <= {-2, -1, 0, 1}

fig, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
integers = np.arange(-2, 2)
for shift, weights, label in (
    (-0.2, before, "rounded afterwards"),
    (0.2, after, "trained with rounding"),
):
    counts = [(weights == integer).sum() for integer in integers]
    color = plotting.COLORS[0 if shift > 0 else 1]
    ax.bar(integers + shift, counts, width=0.38, color=color, label=label)
ax.set(xlabel="integer", ylabel="weights of conv2", xticks=integers)
ax.legend()
plt.show()

# %%
# What to take away
# -----------------
#
# * The gradient of rounding is replaced by 1, and by 0 where it clips.
# * A float32 weight behind the rounded one collects small steps until an integer changes.
# * At 8 bits rounding afterwards is enough; at 4 bits and fewer, train with it.
