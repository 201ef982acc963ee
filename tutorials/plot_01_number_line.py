r"""
1. From the number line to integers
===================================

A neural network computes with real numbers. An int8 network computes with integers, each of which
stands for a real number. This lesson builds the map between the two, first by hand, then with one
call, and looks at what it loses.

The theory behind it: :doc:`/learn/affine`.
"""

import matplotlib.pyplot as plt
import numpy as np

import refquant as torch
from refquant import plotting

# %%
# ``import refquant as torch``: what follows is spelled as in PyTorch 1.4, and needs no PyTorch.
#
# Marks on a line
# ---------------
#
# Two numbers fix a quantizer. The **scale** :math:`s` is the distance of neighboring marks, in
# real units. The **zero point** :math:`z` is the integer that stands for zero. Integer :math:`q`
# stands for
#
# .. math:: \hat x = s\,(q - z).
#
# Let us take 3 bits, which is 8 integers, and write them all down.

scale, zero_point = 0.5, 3
integers = np.arange(8)
marks = scale * (integers - zero_point)
for q, mark in zip(integers, marks, strict=True):
    print(f"integer {q} stands for {mark:+.1f}")

# %%
# The marks are equally spaced, and zero is one of them. That is the whole idea.


def number_line(scale=scale, zero_point=zero_point):
    ax = plt.figure(figsize=(7, 2), layout="constrained").add_subplot()
    plotting.integer_grid(scale, zero_point, torch.quint8, quant_max=7, ax=ax)
    ax.set(title="eight integers on the number line", xlim=(-5, 5))


number_line()
plt.show()
assert marks[zero_point] == 0
assert set(np.diff(marks)) == {scale}

# %%
# In a notebook with ipywidgets, sliders move both numbers: the scale stretches the marks, the zero
# point shifts them, and zero always stays one of them.

RANGES = {"scale": (0.1, 1.0), "zero_point": (0, 7)}
plotting.sliders(number_line, **RANGES) if plotting.can_slide() else None

# %%
# The way in
# ----------
#
# A real number :math:`x` gets the integer of the nearest mark. Solve the formula above for
# :math:`q`, round, and keep the result among the integers that exist:
#
# .. math:: q = \mathrm{clip}\bigl(\mathrm{round}(x / s + z),\ q_\min,\ q_\max\bigr).
#
# Three lines, one for each part:

x = np.float32([-3.0, -0.6, 0.0, 0.2, 0.25, 0.75, 1.1, 9.0])

position = x / scale + zero_point
rounded = np.rint(position)
by_hand = np.clip(rounded, 0, 7)

print("real number  ", x)
print("x / s + z    ", position)
print("rounded      ", rounded)
print("clipped      ", by_hand)

# %%
# Two things deserve a second look.
#
# *Ties.* 0.25 and 0.75 lie exactly between two marks: 3.5 and 4.5. Both become 4, since ``rint``
# rounds a tie to the **even** neighbor. Always rounding up would push all data up a little.
#
# *Ends.* -3 and 9 lie beyond the last marks. They **saturate**: they become the last integer.

assert by_hand.tolist() == [0, 2, 3, 3, 4, 4, 5, 7]

# %%
# Here is the map as a staircase. Every step is one scale wide, except the last on either side,
# which go on for ever.

line = np.linspace(-3, 4, 1401, dtype=np.float32)
stairs = np.clip(np.rint(line / scale + zero_point), 0, 7)

fig, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
ax.plot(line, stairs, color=plotting.COLORS[0], label="quantizer")
ax.plot(
    line, line / scale + zero_point, color=plotting.COLORS[1], linestyle="--", label="x / s + z"
)
ax.plot(x[1:-1], by_hand[1:-1], "o", color=plotting.COLORS[1])
ax.set(xlabel="real number x", ylabel="integer q", ylim=(-1, 8))
ax.legend()
plt.show()

# %%
# The same in one call
# --------------------
#
# Real networks use 8 bits. ``quint8`` has the integers 0 to 255, ``qint8`` those from -128 to 127.
# With them no number above is clipped at the upper end:

q = torch.quantize_per_tensor(torch.tensor(x.tolist()), scale, zero_point, torch.quint8)
print("integers     ", q.int_repr())
print("real numbers ", q.dequantize())

assert q.int_repr().tolist() == [0, 2, 3, 3, 4, 4, 5, 21]

# %%
# A quantized tensor remembers how it was made. ``print`` shows the real numbers that the integers
# stand for, not those that you put in. As the result of a cell it is a table of its integers.

print(q)
q

# %%
# What is lost
# ------------
#
# Between the ends, the nearest mark is never further away than half a step:
#
# .. math:: |x - \hat x| \le \frac{s}{2}.
#
# We check it on a million numbers, with the scale that a real layer might have.

torch.manual_seed(0)
values = torch.rand(1_000_000) * 10 - 5
s, z = 10 / 255, 128
back = torch.quantize_per_tensor(values, s, z, torch.quint8).dequantize()
error = (back - values).numpy()

print(f"scale           {s:.5f}")
print(f"half a step     {s / 2:.5f}")
print(f"largest error   {np.abs(error).max():.5f}")
print(f"mean error      {error.mean():+.7f}")
print(f"root mean square of the error {error.std():.5f}; s / sqrt(12) = {s / np.sqrt(12):.5f}")

# %%
# The largest error is half a step, up to the last bit of float32. Errors of both signs are
# equally frequent, and all sizes equally likely: such an error has a root mean square of
# :math:`s / \sqrt{12}`, which is the one formula of this lesson worth knowing by heart.

assert np.abs(error).max() <= s / 2 * (1 + 1e-4)
assert abs(error.mean()) < 1e-4
assert abs(error.std() / (s / np.sqrt(12)) - 1) < 0.01

fig, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
plotting.error_sawtooth(s, z, torch.quint8, ax=axes[0])
axes[0].set_title("error as a function of the value")
plotting.error_histogram(values, back, step=s, ax=axes[1])
axes[1].set_title("all errors are equally frequent")
plt.show()

# %%
# Fewer bits
# ----------
#
# Each bit that we take away doubles the scale, so it doubles the error. On a logarithmic scale
# that is :math:`20 \log_{10} 2 \approx 6.02` decibels a bit. The measure is the *signal to
# quantization noise ratio*,
#
# .. math:: \mathrm{SQNR} = 10 \log_{10} \frac{\sum x^2}{\sum (x - \hat x)^2}\ \text{dB}.

from refquant.reporting import sqnr

bits = [8, 7, 6, 5, 4, 3, 2]
ratios = []
for b in bits:
    step = 10 / (2**b - 1)
    coarse = torch.fake_quantize_per_tensor_affine(values, step, 2 ** (b - 1), 0, 2**b - 1)
    ratios.append(sqnr(values, coarse))
    print(f"{b} bits: scale {step:.4f}, SQNR {ratios[-1]:5.2f} dB")

# %%
# (``fake_quantize`` quantizes and comes back at once; it admits any number of bits.)
#
# Each bit is worth close to 6 dB, from the eighth down to the fourth:

steps = -np.diff(ratios)
print("lost with each bit:", steps.round(2), "dB")
assert np.all(np.abs(steps[:4] - 6.02) < 0.7)

fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
plotting.sqnr_curves(bits[::-1], {"measured": ratios[::-1]}, ax=ax)
plt.show()

# %%
# What to take away
# -----------------
#
# * A quantizer is two numbers: a scale and a zero point.
# * Between the ends the error is at most half a step, and its root mean square :math:`s/\sqrt{12}`.
# * Beyond the ends numbers saturate, and the error has no bound.
# * One bit is 6 dB.
#
# So everything hangs on the choice of scale and zero point: the next lesson.
