r"""
5. One scale, or one for each channel?
======================================

The weights of a layer can share one scale, or each output channel can have its own. This lesson
shows why that costs nothing at run time, what it gains on a trained network, and a network on which
the shared scale fails completely although nothing is wrong with it.

The theory behind it: :doc:`/learn/per_channel`.
"""

import copy

import matplotlib.pyplot as plt
import numpy as np

import refquant as torch
from refquant import plotting
from refquant.demo.data import load_digits
from refquant.demo.metrics import accuracy, logits_of
from refquant.demo.schemes import fuse
from refquant.demo.training import train
from refquant.quantization import MinMaxObserver, PerChannelMinMaxObserver
from refquant.reporting import sqnr

digits = load_digits(seed=0)
network = fuse(train(digits.train, epochs=6, seed=0, show=False))

# %%
# Channels differ
# ---------------
#
# Each output channel of a convolution has its own kernel, and batch normalization was folded into
# the kernels: that multiplies each by its own factor. So ranges differ from channel to channel.

convolution = network.conv2[0]
weight = convolution.weight.detach()
ranges = np.abs(weight.numpy()).max(axis=(1, 2, 3))
print("shape of the weight:", tuple(weight.shape), "- 32 output channels")
print(f"largest weight of a channel: {ranges.min():.3f} to {ranges.max():.3f}")
assert ranges.max() > 1.5 * ranges.min()

fig, ax = plt.subplots(figsize=(8, 3.2), layout="constrained")
plotting.channel_ranges(weight, ax=ax)
ax.legend(loc="upper center", bbox_to_anchor=(0.5, 1.15), ncols=2)
plt.show()

# %%
# A shared scale serves the widest channel. All others use only a part of the 256 integers.
#
# Why a scale for each channel costs nothing
# ------------------------------------------
#
# Output channel :math:`n` is a sum over inputs :math:`k` only:
#
# .. math:: y_n = \sum_k x_k w_{nk} = \sum_k s_x q_{x,k} \cdot s_{w,n} q_{w,nk}
#               = s_x s_{w,n} \sum_k q_{x,k} q_{w,nk}.
#
# The scale :math:`s_{w,n}` does not depend on :math:`k`, so it leaves the sum. The integer loop is
# the same; the multiplier of the requantization becomes a table with one entry for each channel.
#
# A scale for each *input* channel would stay inside the sum. No int8 engine has that.
#
# Both ways on a trained weight
# -----------------------------

shared = MinMaxObserver(dtype=torch.qint8, qscheme=torch.per_tensor_symmetric)
shared(weight)
shared.explain()

# %%

own = PerChannelMinMaxObserver(dtype=torch.qint8, qscheme=torch.per_channel_symmetric, ch_axis=0)
own(weight)
own.explain()

# %%
# The weight itself gains a few decibels:

scale, zero_point = shared.calculate_qparams()
by_tensor = torch.quantize_per_tensor(weight, scale.item(), zero_point.item(), torch.qint8)
scales, zero_points = own.calculate_qparams()
by_channel = torch.quantize_per_channel(weight, scales, zero_points, own.ch_axis, torch.qint8)

tensor_db, channel_db = sqnr(weight, by_tensor), sqnr(weight, by_channel)
print(f"one scale        {tensor_db:.1f} dB")
print(f"one per channel  {channel_db:.1f} dB")
assert channel_db > tensor_db + 1

# %%
# The narrowest channels gain most; the widest, which made the shared scale, gains nothing.


def channel_sqnr(quantized):
    pairs = zip(weight.numpy(), quantized.dequantize().numpy(), strict=True)
    return np.array([sqnr(before, after) for before, after in pairs])


gain = channel_sqnr(by_channel) - channel_sqnr(by_tensor)
widest = int(np.argmax(ranges))
print(f"gain of the widest channel {gain[widest]:+.2f} dB, largest gain {gain.max():+.2f} dB")
assert abs(gain[widest]) < 0.2

fig, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
ax.plot(ranges / ranges.max(), gain, "o", color=plotting.COLORS[0], label="one channel")
line = np.linspace(ranges.min() / ranges.max(), 1, 50)
ax.plot(line, -20 * np.log10(line), color=plotting.COLORS[1], label="-20 log10(width)")
ax.set(xlabel="width of the channel / width of the widest", ylabel="gain (dB)")
ax.legend()
plt.show()

# %%
# The line is theory: a channel of half the width gets steps of half the size, and halving the error
# is 6 dB.

expected = -20 * np.log10(ranges / ranges.max())
assert np.abs(gain - expected).max() < 1.5

# %%
# Does the network notice?
# ------------------------
#
# Now we round the weights of all layers and leave the activations alone, so that only the weights
# can be to blame.

LAYERS = ("conv1", "conv2", "fc1", "fc2")


def layer_of(model, name):
    layer = getattr(model, name)
    return layer if hasattr(layer, "weight") else layer[0]


def with_rounded_weights(model, bits, per_channel, layers=LAYERS):
    model = copy.deepcopy(model)
    half = 2 ** (bits - 1)
    integers = {"dtype": torch.qint8, "quant_min": -half, "quant_max": half - 1}
    for name in layers:
        weight = layer_of(model, name).weight.detach()
        if per_channel:
            observer = PerChannelMinMaxObserver(qscheme=torch.per_channel_symmetric, **integers)
            observer(weight)
            scales, zero_points = observer.calculate_qparams()
            rounded = torch.fake_quantize_per_channel_affine(
                weight, scales, zero_points, observer.ch_axis, -half, half - 1
            )
        else:
            observer = MinMaxObserver(qscheme=torch.per_tensor_symmetric, **integers)
            observer(weight)
            scale, zero_point = (value.item() for value in observer.calculate_qparams())
            rounded = torch.fake_quantize_per_tensor_affine(
                weight, scale, zero_point, -half, half - 1
            )
        layer_of(model, name).weight.data = rounded
    return model


float_logits = logits_of(network, digits.test)
reference = accuracy(float_logits, digits.test)
print(f"float: {100 * reference:.2f} % of the test images")


def weight_sqnr(model):
    """Return the SQNR of each layer's weight in dB."""
    pairs = ((layer_of(network, name), layer_of(model, name)) for name in LAYERS)
    return np.array([sqnr(one.weight.detach(), other.weight.detach()) for one, other in pairs])


BITS = (8, 6, 4, 3, 2)
of_weights, of_logits, right = {}, {}, {}
for bits in BITS:
    for per_channel in (False, True):
        rounded = with_rounded_weights(network, bits, per_channel)
        logits = logits_of(rounded, digits.test)
        of_weights[bits, per_channel] = weight_sqnr(rounded)
        of_logits[bits, per_channel] = sqnr(float_logits, logits)
        right[bits, per_channel] = accuracy(logits, digits.test)
        print(
            f"{bits} bits, {'per channel ' if per_channel else 'shared scale'}:",
            f"weights {of_weights[bits, per_channel].mean():4.1f} dB,",
            f"logits {of_logits[bits, per_channel]:4.1f} dB,",
            f"accuracy {100 * right[bits, per_channel]:5.2f} %",
        )

# %%
# *The weights* of every layer gain at every number of bits, one to two decibels on average:

gains = np.array([of_weights[bits, True] - of_weights[bits, False] for bits in BITS])
print("gain in dB; rows: bits", BITS, "columns:", LAYERS)
print(gains.round(1))
assert np.all(gains > 0)
assert 0.8 < gains.mean() < 3

# %%
# *The accuracy* is as good as float at 8 bits, both ways. With very few bits it becomes a matter of
# luck, because the errors of four layers may add up or cancel: one network, tested on 447 images,
# may even be better off with the coarser weights. Do not call a winner from one such number.

assert abs(right[8, False] - reference) < 0.01
assert abs(right[8, True] - reference) < 0.01

fig, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
for per_channel, color, label in ((False, 1, "shared scale"), (True, 0, "per channel")):
    style = {"marker": "o", "color": plotting.COLORS[color], "label": label}
    axes[0].plot(BITS, [of_weights[bits, per_channel].mean() for bits in BITS], **style)
    axes[1].plot(BITS, [100 * right[bits, per_channel] for bits in BITS], **style)
axes[1].axhline(100 * reference, color=plotting.COLORS[2], linestyle=":", label="float")
axes[0].set(xlabel="bits of a weight", ylabel="SQNR of the weights (dB)")
axes[1].set(xlabel="bits of a weight", ylabel="accuracy (%)", ylim=(0, 102))
axes[1].legend()
plt.show()

# %%
# A network that looks the same, and is not
# -----------------------------------------
#
# ReLU and max-pooling commute with a positive factor. So we may multiply one output channel of the
# first convolution by 1000, and divide the matching weights of the second by 1000: the float
# network computes the same. Training may leave a network in such a state, since the loss does not
# see it.

stretched = copy.deepcopy(network)
first, second = layer_of(stretched, "conv1"), layer_of(stretched, "conv2")
with torch.no_grad():
    first.weight[5] *= 1000
    first.bias[5] *= 1000
    second.weight[:, 5] /= 1000

difference = np.abs(logits_of(stretched, digits.test) - logits_of(network, digits.test)).max()
print(f"largest difference of a logit: {difference:.6f}")
assert difference < 1e-3

# %%
# The weights of the first convolution, rounded to 8 bits:

results = {}
for per_channel, label in ((False, "shared scale"), (True, "per channel")):
    rounded = with_rounded_weights(stretched, 8, per_channel, layers=("conv1",))
    logits = logits_of(rounded, digits.test)
    results[label] = accuracy(logits, digits.test)
    print(f"{label:13} {100 * results[label]:.2f} %")

# %%
# With the shared scale, fifteen of sixteen channels are left with nothing but zeros. With their own
# scales nothing happens at all.
#
# (The second convolution has the opposite trouble: one *input* channel with tiny weights, for which
# no engine has a scale. The cure is to undo the stretching before quantizing, which is known as
# cross-layer equalization.)

assert results["per channel"] > reference - 0.01
assert results["shared scale"] < reference - 0.05

fig, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
for ax, model, title in zip(axes, (network, stretched), ("before", "stretched"), strict=True):
    plotting.channel_ranges(layer_of(model, "conv1").weight.detach(), ax=ax)
    ax.set_title(f"first convolution, {title}")
plt.show()

# %%
# What to take away
# -----------------
#
# * A scale for each *output* channel leaves the integer sum as it is.
# * A channel of half the width gains 6 dB.
# * At 8 bits a healthy network hardly notices. One with uneven channels fails without it.
# * QNNPACK of PyTorch 1.4 has shared scales only; see :doc:`/exactness/engines`.
