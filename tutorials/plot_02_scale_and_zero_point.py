r"""
2. Choosing a scale and a zero point
====================================

A quantizer is two numbers. Where do they come from? From the range of the data, by two formulas
that fit on one line. This lesson derives them, hands the work to an observer, and then chooses
wrongly on purpose, because wrong choices are what one meets in practice.

The theory behind it: :doc:`/learn/choosing`.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image

import refquant as torch
from refquant import plotting
from refquant.quantization import MinMaxObserver
from refquant.reporting import sqnr

# %%
# Real data
# ---------
#
# scikit-learn ships a photograph of a temple. We take its brightness, and as a second set of
# numbers what the first layer of a network might compute from it: the difference of each pixel to
# its right neighbor, with some of the brightness left in.

photo = load_sample_image("china.jpg")[::2, ::2].mean(axis=2).astype(np.float32) / 255
features = np.diff(photo, axis=1) * 4 + photo[:, 1:]

print("features:", features.size, "numbers from", features.min(), "to", features.max())

fig, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
for ax, picture, title in zip(axes, (photo, features), ("brightness", "features"), strict=True):
    shown = ax.imshow(picture, cmap="gray")
    fig.colorbar(shown, ax=ax, label="value")
    ax.set(title=title, xlabel="column (pixels)", ylabel="row (pixels)")
plt.show()

# %%
# The range, with zero in it
# --------------------------
#
# The marks of the quantizer should reach from the smallest to the largest value. One condition
# comes first: **zero must be a mark**, because padding, ReLU and pruned weights produce exact zeros
# everywhere. So the range is made to contain zero:
#
# .. math:: a = \min(x_\min, 0), \qquad b = \max(x_\max, 0).

a = min(float(features.min()), 0.0)
b = max(float(features.max()), 0.0)
print(f"a = {a:.6f}, b = {b:.6f}")

# %%
# The scale
# ---------
#
# 256 integers have 255 gaps between them, and they must span the range:
#
# .. math:: s = \frac{b - a}{q_\max - q_\min} = \frac{b - a}{255}.

q_min, q_max = 0, 255
scale = (b - a) / (q_max - q_min)
print(f"s = {scale:.9f}")

# %%
# The zero point
# --------------
#
# The lowest integer should stand for the lowest value, :math:`a = s\,(q_\min - z)`. Solved for
# :math:`z`, that gives a number that is no integer, so it is rounded:
#
# .. math:: z = \mathrm{round}\Bigl(q_\min - \frac{a}{s}\Bigr).

exact_zero_point = q_min - a / scale
zero_point = round(exact_zero_point)
print(f"q_min - a / s = {exact_zero_point:.4f}, so z = {zero_point}")

# %%
# Rounding the zero point moves the whole grid by less than half a step. One end of the range now
# sticks out a little; that is the price of an exact zero, and it is small:

low, high = scale * (q_min - zero_point), scale * (q_max - zero_point)
print(f"wanted      {a:+.5f} .. {b:+.5f}")
print(f"represented {low:+.5f} .. {high:+.5f}, shifted by {(low - a) / scale:+.3f} steps")

assert abs(low - a) <= scale / 2
assert abs(high - b) <= scale / 2 * 1.001


def kept(scale=scale, zero_point=zero_point):
    ax = plt.figure(figsize=(7, 3.4), layout="constrained").add_subplot()
    plotting.value_histogram(features, scale, zero_point, torch.quint8, ax=ax)
    back = torch.quantize_per_tensor(torch.from_numpy(features), scale, zero_point, torch.quint8)
    ax.set(xlabel="feature", title=f"SQNR {sqnr(features, back):.1f} dB")


kept()
plt.show()

# %%
# All features lie inside the range. In a notebook with ipywidgets, sliders move it: try to find a
# better one.

RANGES = {"scale": (scale / 8, 4 * scale), "zero_point": (0, 255)}
plotting.sliders(kept, **RANGES) if plotting.can_slide() else None

# %%
# The observer does the same
# --------------------------
#
# An *observer* watches data go by and then computes scale and zero point. The simplest keeps the
# smallest and the largest value. It can tell how it came to its answer:

observer = MinMaxObserver(dtype=torch.quint8, qscheme=torch.per_tensor_affine)
observer(torch.from_numpy(features))
observer.explain()

# %%
# Its answer is ours. (It computes in float32, we in float64: the last digits of the scale differ.)

found_scale, found_zero_point = observer.calculate_qparams()
print("observer:", found_scale.item(), found_zero_point.item())
print("by hand: ", scale, zero_point)

assert found_zero_point.item() == zero_point
assert abs(found_scale.item() / scale - 1) < 1e-6

# %%
# Wrong choices
# -------------
#
# Now let us break it. This function quantizes, comes back, and tells how much signal there is for
# the noise; it also counts what was clipped.


def judge(name, scale, zero_point, values=features, dtype=torch.quint8):
    quantized = torch.quantize_per_tensor(torch.from_numpy(values), scale, zero_point, dtype)
    ratio = sqnr(values, quantized)
    low = (dtype.quant_min - zero_point - 0.5) * scale
    high = (dtype.quant_max - zero_point + 0.5) * scale
    clipped = np.mean((values < low) | (values > high))
    print(f"{name:<28} SQNR {ratio:5.1f} dB, {100 * clipped:4.1f} % clipped")
    return ratio, quantized.dequantize().numpy()


right, good = judge("the right choice", scale, zero_point)
coarse, _ = judge("scale four times too large", 4 * scale, round(-a / (4 * scale)))
narrow, cut = judge("scale four times too small", scale / 4, 80)
shifted, moved = judge("zero point 60 too high", scale, zero_point + 60)

# %%
# * *Scale too large.* Nothing is clipped, yet three quarters of the integers are never used: two
#   of the eight bits are gone, which costs 12 dB.
# * *Scale too small.* The steps are finer, but what lies outside is cut off. The clipping costs far
#   more than the finer steps gain.
# * *Zero point too high.* The grid is moved, and bright pixels saturate.

assert right > 39
assert abs((right - coarse) - 12) < 1.5
assert narrow < right - 20
assert shifted < right - 12

fig, axes = plt.subplots(1, 3, figsize=(11, 2.8), layout="constrained")
for ax, back, title in zip(
    axes, (good, cut, moved), ("right", "scale too small", "zero point too high"), strict=True
):
    plotting.error_map(features, back, ax=ax)
    ax.set_title(title)
plt.show()

# %%
# Look at the numbers on the color bars. The right choice leaves half a step at most, which here
# looks like noise, because the features vary by more than a step from pixel to pixel. A wrong one
# leaves a picture: the edges of the temple, which were clipped.

assert np.abs(good - features).max() <= scale * 0.501
assert np.abs(cut - features).max() > 20 * scale

# %%
# Clipping a little can pay
# -------------------------
#
# Few features are near the ends of the range. If we give up some of them, all others get finer
# steps. Let us try every share of the range, at 4 bits, where steps matter most:

shares = np.linspace(0.1, 1.2, 45)
curve = []
for share in shares:
    s = share * (b - a) / 15
    z = int(np.clip(round(-share * a / s), 0, 15))
    back = torch.fake_quantize_per_tensor_affine(torch.from_numpy(features), s, z, 0, 15)
    curve.append(sqnr(features, back))
best = int(np.argmax(curve))
whole = curve[int(np.argmin(np.abs(shares - 1)))]
print(f"whole range: {whole:.1f} dB; best at {shares[best]:.2f} of it: {curve[best]:.1f} dB")

assert shares[best] < 0.8
assert curve[best] > whole + 2

fig, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
ax.plot(shares, curve, color=plotting.COLORS[0], label="SQNR at 4 bits")
ax.axvline(shares[best], color=plotting.COLORS[1], linestyle="--", label="best")
ax.annotate("clipping hurts", (shares[0], curve[0]), xytext=(0.22, curve[0]))
ax.annotate("steps are coarse", (1.0, whole), xytext=(0.95, whole + 2))
ax.set(xlabel="share of the range that the integers span", ylabel="SQNR (dB)")
ax.legend(loc="lower center")
plt.show()

# %%
# To the left of the best share, the loss comes from clipping; to the right, from coarse steps.
# ``HistogramObserver`` looks for such a range, step by step, and does not always find the best one;
# lesson 4 lets observers race for it.
#
# Data of one sign
# ----------------
#
# A *symmetric* quantizer has the zero point in the middle, which makes the arithmetic of weights
# simpler. After a ReLU nothing is negative, so half of the integers of a symmetric quantizer stand
# for values that never come.

positive = np.maximum(features, 0)
affine, _ = judge("affine, 0..255", b / 255, 0, positive)
symmetric, _ = judge("symmetric, -128..127", b / 127, 0, positive, torch.qint8)

print(f"lost: {affine - symmetric:.2f} dB, one bit")
assert abs(affine - symmetric - 6.02) < 0.5

# %%
# What to take away
# -----------------
#
# * Make the range contain zero; divide it by 255; round the zero point.
# * A scale that is too large wastes bits, 6 dB for each factor of two.
# * A scale that is too small, or a wrong zero point, clips, which costs far more.
# * The best range is often smaller than that of the data.
# * One-sided data call for an affine quantizer; symmetric ones would waste a bit.
