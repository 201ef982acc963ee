r"""
6. Static quantization of a trained network, layer by layer
===========================================================

Here is the whole workflow: train, fuse, prepare, calibrate, convert. After that comes the part that
tutorials leave out: looking into every layer to see what was lost, and where.

The theory behind it: :doc:`/learn/clipping` and :doc:`/learn/requantization`.
"""

import matplotlib.pyplot as plt
import numpy as np

import refquant as torch
from refquant import nn, plotting
from refquant.demo.data import load_digits
from refquant.demo.experiment import calibration_batches
from refquant.demo.metrics import accuracy, logits_of
from refquant.demo.network import DigitNet
from refquant.quantization import (
    DeQuantStub,
    MinMaxObserver,
    QConfig,
    QuantStub,
    convert,
    default_per_channel_weight_observer,
    fuse_modules,
    prepare,
)
from refquant.reporting import agreement, compare, parameter_bytes, sensitivity, sqnr

torch.backends.quantized.engine = "fbgemm"

# %%
# A network that can be quantized
# -------------------------------
#
# ``DigitNet`` is an ordinary network with three peculiarities: a ``QuantStub`` where numbers
# become integers, a ``DeQuantStub`` where they become real again, and a ReLU *module* at every
# place instead of one function for all.

torch.manual_seed(0)
network = DigitNet()
network

# %%
# Train it
# --------
#
# Eight passes over 1200 handwritten digits, 64 at a time, in the loop that everyone writes.

digits = load_digits(seed=0)
images, labels = digits.train.pixels.numpy(), digits.train.labels.numpy()
loss_of = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
shuffle = np.random.default_rng(0)

for epoch in range(8):
    order = shuffle.permutation(len(labels))
    losses = []
    for start in range(0, len(order), 64):
        chosen = order[start : start + 64]
        optimizer.zero_grad()
        loss = loss_of(network(torch.from_numpy(images[chosen])), torch.from_numpy(labels[chosen]))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"pass {epoch + 1}: mean loss {np.mean(losses):.3f}")

network.eval()
assert np.mean(losses) < 0.1

# %%
# On images that it has not seen:

float_accuracy = accuracy(logits_of(network, digits.test), digits.test)
print(f"float accuracy on {digits.test.labels.numel()} test images: {100 * float_accuracy:.2f} %")
assert float_accuracy > 0.97

fig, axes = plt.subplots(1, 8, figsize=(9, 1.5), layout="constrained")
for ax, image, label in zip(axes, digits.test.pixels, digits.test.labels, strict=False):
    ax.imshow(image.numpy()[0], cmap="gray_r")
    ax.set(title=f"a {label.item()}", xticks=[], yticks=[])
plt.show()

# %%
# Step 1: fuse
# ------------
#
# At inference, batch normalization is a multiplication and an addition for each channel; both go
# into the weights of the convolution. ReLU becomes the lower end of the clipping in the
# requantization. Three modules turn into one, and what remains of the others is an ``Identity``.

fused = fuse_modules(
    network, [["conv1", "bn1", "relu1"], ["conv2", "bn2", "relu2"], ["fc1", "relu3"]]
)
change = np.abs(logits_of(fused, digits.test) - logits_of(network, digits.test)).max()
print(f"largest change of a logit by fusing: {change:.2g}")
assert change < 1e-3

# %%
# Step 2: prepare
# ---------------
#
# A ``QConfig`` names the observers: one for outputs of layers, one for weights. ``prepare`` puts
# one behind each layer. For ``fbgemm``, activations use 7 of their 8 bits (``reduce_range``), which
# keeps its 16-bit intermediate sums from saturating; see :doc:`/exactness/saturation`.

fused.qconfig = QConfig(
    activation=MinMaxObserver.with_args(reduce_range=True),
    weight=default_per_channel_weight_observer,
)
prepared = prepare(fused)
print(prepared.conv1)

# %%
# Step 3: calibrate
# -----------------
#
# Show it 150 images that it neither learned from nor is tested on. Nothing is computed differently;
# observers look on.

batches = calibration_batches(digits)
with torch.no_grad():
    for images in batches:
        prepared(images)

prepared.conv2.activation_post_process.explain()

# %%
# Step 4: convert
# ---------------
#
# Each module becomes its quantized counterpart, with integers for weights, and a fixed scale and
# zero point for outputs.

quantized = convert(prepared)
quantized

# %%

logits = logits_of(quantized, digits.test)
float_logits = logits_of(fused, digits.test)
before, after = parameter_bytes(fused.state_dict()), parameter_bytes(quantized.state_dict())
quantized_accuracy = accuracy(logits, digits.test)
same = agreement(float_logits, logits)

print(f"accuracy   {100 * float_accuracy:.2f} % -> {100 * quantized_accuracy:.2f} %")
print(f"same answer as float for {100 * same:.2f} % of the images")
print(f"bytes      {before:,} -> {after:,}, {before / after:.2f} times smaller")

assert abs(quantized_accuracy - float_accuracy) < 0.01
assert same > 0.98
assert before / after > 3

# %%
# It works. Most tutorials end here.
#
# Layer by layer
# --------------
#
# ``refquant.reporting.compare`` runs both networks side by side and compares the output of every
# layer that was quantized, as a ratio of signal to noise.

comparison = compare(fused, quantized, [digits.test.pixels])
for layer in comparison.layers:
    print(
        f"{layer.name:6} {layer.kind:11} SQNR {layer.sqnr:5.1f} dB,",
        f"{100 * layer.clipped / layer.elements:.3f} % clipped",
    )

# %%
# The first bar is the rounding of the input alone. Each layer then adds noise of its own to that of
# all layers before it. Some bars are longer than the one above: max-pooling keeps large values,
# whose *relative* error is small, and in the many terms of a linear layer errors of both signs
# cancel.

fig, ax = plt.subplots(figsize=(8, 4), layout="constrained")
names = [layer.name for layer in comparison.layers]
plotting.sqnr_bars(names, {"int8": [layer.sqnr for layer in comparison.layers]}, ax=ax)

by_name = {layer.name: layer for layer in comparison.layers}
assert by_name["conv1"].sqnr > by_name["conv2"].sqnr
assert by_name["fc2"].sqnr > 25
plt.show()

# %%
# The weights are innocent: with a scale for each channel they stay well above the outputs.

for layer in comparison.layers:
    if layer.weight_sqnr is not None:
        print(f"{layer.name:6} weight {layer.weight_sqnr:.1f} dB, output {layer.sqnr:.1f} dB")
        assert layer.weight_sqnr > layer.sqnr

# %%
# What the observers chose
# ------------------------
#
# For every layer: the float outputs on the *test* images, and the range that calibration fixed.
# With ``reduce_range`` the values that were seen fill the integers up to 127. The upper half is
# room for larger ones; only what lies in the shaded parts is clipped.

shown = [layer for layer in comparison.layers if layer.name in ("conv1", "conv2", "fc1", "fc2")]
fig, axes = plt.subplots(2, 2, figsize=(9, 6), layout="constrained")
for ax, layer in zip(axes.flat, shown, strict=True):
    output = layer.output
    plotting.value_histogram(layer.sample, output.scale, output.zero_point, output.dtype, ax=ax)
    ax.set(title=layer.name, xlabel="output of the layer")
plt.show()

# %%
# After a fused ReLU, integers below the zero point would be wasted. It is 0, so there are none:

for layer in shown:
    print(f"{layer.name}: scale {layer.output.scale:.5f}, zero point {layer.output.zero_point}")
assert [layer.output.zero_point for layer in shown][:3] == [0, 0, 0]
assert shown[3].output.zero_point > 0

# %%
# Where does the loss come from?
# ------------------------------
#
# The bars above are *cumulative*: a poor layer may only hand on what it got. To judge layers
# singly, we quantize the output of one place and leave all the rest in float. We use the scales
# that calibration found, and look at the logits.

PLACES = ("quant", "conv1", "conv2", "fc1", "fc2")


def logits_with_one_place_rounded(place):
    module = getattr(quantized, place)
    scale = float(module.scale)
    zero_point = int(module.zero_point)

    def rounded(module, inputs, output):
        return torch.fake_quantize_per_tensor_affine(output, scale, zero_point, 0, 255)

    hook = getattr(fused, place).register_forward_hook(rounded)
    found = logits_of(fused, digits.test)
    hook.remove()
    return found


alone = {place: sqnr(float_logits, logits_with_one_place_rounded(place)) for place in PLACES}
total = sqnr(float_logits, logits)
for place, ratio in alone.items():
    print(f"only {place:6} rounded: logits at {ratio:5.1f} dB")
print(f"everything quantized: logits at {total:5.1f} dB")

# %%
# If the errors are independent, their *energies* add up. In decibels,
#
# .. math:: \mathrm{SQNR} \approx -10 \log_{10} \sum_i 10^{-\mathrm{SQNR}_i / 10}.

predicted = -10 * np.log10(sum(10 ** (-ratio / 10) for ratio in alone.values()))
print(f"predicted from the activations alone {predicted:.1f} dB, measured {total:.1f} dB")
assert abs(predicted - total) < 4

fig, ax = plt.subplots(figsize=(8, 3.5), layout="constrained")
plotting.sqnr_bars([*PLACES, "all"], {"only this place": [*alone.values(), total]}, ax=ax)
ax.set_xlabel("SQNR of the logits (dB)")
ax.set_ylabel("place that is rounded")
plt.show()

# %%
# (The prediction leaves out the rounding of the weights, which matters little here.) The place with
# the shortest bar is where a better observer, or one more bit, would help most:

worst = min(alone, key=alone.get)
print("most is lost at:", worst)

# %%
# Weights can be judged in the same way, one layer and one number of bits at a time.
# ``sensitivity`` makes a map of that, and from it a choice of bits that fits a budget:

found = sensitivity(fused, [digits.test.pixels])
fig, ax = plt.subplots(figsize=(8, 3.5), layout="constrained")
plotting.sensitivity_map(found.layers, found.bits, found.decibels, ax=ax)
plt.show()

# %%

eight, four = (found.bytes_of(dict.fromkeys(found.layers, bits)) for bits in (8, 4))
choice = found.within(four)
uniform = found.predicted(dict.fromkeys(found.layers, 4))
print(f"8 bits: {eight:,} bytes; in {four:,} bytes: {choice}")
print(f"4 bits for all {uniform:.1f} dB, this choice {found.predicted(choice):.1f} dB (predicted)")
assert found.predicted(choice) > uniform

# %%
# The images that changed their minds
# -----------------------------------
#
# Accuracy moves only if an image was a close call. The *margin* is the distance of the best logit
# to the second best; noise decides only where the margin is small. With the int8 network above no
# image of the test changes its answer, so we quantize once more with 4 bits, for weights and for
# activations.

fused.qconfig = QConfig(
    activation=MinMaxObserver.with_args(quant_min=0, quant_max=15),
    weight=default_per_channel_weight_observer.with_args(quant_min=-8, quant_max=7),
)
prepared = prepare(fused)
with torch.no_grad():
    for images in batches:
        prepared(images)
four_bit_logits = logits_of(convert(prepared), digits.test)

ordered = np.sort(float_logits, axis=1)
margin = ordered[:, -1] - ordered[:, -2]
judged = {}
for name, found in (("int8", logits), ("4 bits", four_bit_logits)):
    noise = np.abs(found - float_logits).max(axis=1)
    flipped = found.argmax(axis=1) != float_logits.argmax(axis=1)
    judged[name] = noise, flipped
    print(
        f"{name}: largest error of a logit {noise.max():.2f},",
        f"median margin {np.median(margin):.2f};",
        f"{flipped.sum()} of {len(flipped)} images changed their answer,",
        f"{100 * np.mean(noise < margin / 2):.1f} % could not have",
    )
    assert np.all(margin[flipped] <= 2 * noise[flipped])

assert judged["int8"][1].sum() == 0
assert np.mean(judged["int8"][0] < margin / 2) > 0.9
assert 1 <= judged["4 bits"][1].sum() <= 20

fig, axes = plt.subplots(1, 2, figsize=(9, 3.5), sharex=True, sharey=True, layout="constrained")
for ax, (name, (noise, flipped)) in zip(axes, judged.items(), strict=True):
    ax.plot(margin, noise, ".", color=plotting.COLORS[0], label="an image")
    ax.plot(margin[flipped], noise[flipped], "o", color=plotting.COLORS[1], label="answer changed")
    edge = np.array([0, margin.max()])
    ax.plot(edge, edge / 2, "--", color=plotting.COLORS[2], label="half the margin")
    ax.set(title=name, xlabel="margin of the float logits")
axes[0].set(ylabel="largest error of a logit", ylim=(0, None))
axes[1].legend()
plt.show()

# %%
# (A mark far above the others is an image with a logit beyond the range of the calibration, which
# was clipped.) Images below the dashed line are safe for certain: with int8 nearly all are, by
# far. *That* is why int8 works: not because the noise is small, but because the margins are large.
# With 4 bits every eleventh image lies above the line, and still only a few of them change.
#
# Your own network
# ----------------
#
# ``QuantWrapper`` puts stubs around a network that has none.

wrapped = torch.quantization.QuantWrapper(nn.Sequential(nn.Linear(4, 2), nn.ReLU()))
assert isinstance(wrapped.quant, QuantStub)
assert isinstance(wrapped.dequant, DeQuantStub)
wrapped

# %%
# What to take away
# -----------------
#
# * Fuse, prepare, calibrate, convert.
# * Look at the cumulative SQNR of each layer, then at each place alone: energies of errors add up.
# * Compare with the margins to know whether the noise matters.
