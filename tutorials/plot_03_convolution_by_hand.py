r"""
3. One output of a convolution, step by step
============================================

How does a layer compute with integers only, when every tensor has its own scale? We follow a single
number through a quantized convolution, print everything on the way, and end with the very integer
that the library gives.

The theory behind it: :doc:`/learn/products`, :doc:`/learn/bias` and :doc:`/learn/requantization`.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import refquant as torch
from refquant import plotting
from refquant.nn.quantized import functional as qF

# The arithmetic of FBGEMM. The default on x86-64, ``x86``, leaves convolutions to oneDNN.
torch.backends.quantized.engine = "fbgemm"

# %%
# Three float tensors
# -------------------
#
# The input is a handwritten zero of 8x8 pixels, moved so that it has both signs. The weight is a
# kernel that answers to edges. The bias is one number.

image = load_digits().images[0].astype(np.float32) / 16 - np.float32(0.25)
kernel = np.float32([[1.0, 0.0, -1.0], [1.9, 0.1, -2.0], [1.0, 0.0, -1.1]])
bias = np.float32(0.3)

fig, axes = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
for ax, picture, title in zip(axes, (image, kernel), ("input x", "weight w"), strict=True):
    shown = ax.imshow(picture, cmap="gray")
    fig.colorbar(shown, ax=ax, label="value")
    ax.set(title=title, xlabel="column", ylabel="row")
axes[0].add_patch(
    plt.Rectangle((1.5, 1.5), 3, 3, fill=False, color=plotting.COLORS[1], linewidth=2)
)
plt.show()

# %%
# The frame marks the window that we follow: rows 2 to 4, columns 2 to 4. In real numbers its
# output is
#
# .. math:: y = \sum_k x_k w_k + b.

window = image[2:5, 2:5]
y = float((window.astype(np.float64) * kernel).sum() + bias)
print(f"y = {y:.6f}")

# %%
# Step 1: integers for the input and the weight
# ---------------------------------------------
#
# The input is ``quint8`` with a zero point; the weight is ``qint8`` and symmetric, so that its zero
# point is 0.

s_x, z_x = 1 / 255, 64
s_w, z_w = 2 / 127, 0
s_o, z_o = 0.04, 110

x = torch.quantize_per_tensor(torch.from_numpy(image[None, None]), s_x, z_x, torch.quint8)
w = torch.quantize_per_tensor(torch.from_numpy(kernel[None, None]), s_w, z_w, torch.qint8)

q_x = x.int_repr().numpy()[0, 0, 2:5, 2:5].astype(np.int32)
q_w = w.int_repr().numpy()[0, 0].astype(np.int32)
print("input integers", q_x, "weight integers", q_w, sep="\n")

# %%
# Step 2: put the affine map into the sum
# ---------------------------------------
#
# Replace :math:`x_k` by :math:`s_x (q_{x,k} - z_x)` and :math:`w_k` by :math:`s_w (q_{w,k} - z_w)`.
# Both scales come out of the sum, and what stays inside are integers:
#
# .. math:: \sum_k x_k w_k \approx s_x s_w
#           \underbrace{\sum_k (q_{x,k} - z_x)(q_{w,k} - z_w)}_{\mathrm{acc}}.

products = (q_x - z_x) * (q_w - z_w)
acc = int(products.sum())
print("products", products, sep="\n")
print("acc =", acc)
print(f"in real units: s_x s_w acc = {s_x * s_w * acc:.6f}")

# %%
# The sum is *exact*: products of 8 bits have 16, and int32 holds tens of thousands of them. No
# rounding happens here, whatever the order of the additions.

assert abs(products).max() < 2**15
assert abs(s_x * s_w * acc - (y - bias)) < 0.05

fig, ax = plt.subplots(figsize=(5.5, 3.8), layout="constrained")
shown = ax.imshow(products, cmap="PuOr", vmin=-abs(products).max(), vmax=abs(products).max())
for (row, column), value in np.ndenumerate(products):
    ax.text(column, row, value, ha="center", va="center", backgroundcolor="white")
fig.colorbar(shown, ax=ax, label="product (integer)")
ax.set(xlabel="column of the window", ylabel="row of the window", title=f"the sum is {acc}")
ax.set(xticks=range(3), yticks=range(3))
plt.show()

# %%
# Fast kernels do not subtract zero points inside the loop. They multiply the raw integers, and
# correct the sum by terms that need one number for a row or a column:
#
# .. math:: \mathrm{acc} = \sum_k q_x q_w - z_x \sum_k q_w - z_w \sum_k q_x + K z_x z_w.

raw = int((q_x * q_w).sum())
terms = [raw, -z_x * int(q_w.sum()), -z_w * int(q_x.sum()), q_w.size * z_x * z_w]
print("terms:", terms, "sum:", sum(terms))
assert sum(terms) == acc

# %%
# Step 3: the bias, in units of the sum
# -------------------------------------
#
# One unit of ``acc`` is worth :math:`s_x s_w` in real numbers. So the bias must be divided by that
# before it is added. FBGEMM does it in float32, with one rounding for product and sum together
# (a *fused multiply-add*); we get the same by computing in float64 and rounding once.

aw = np.float32(s_x) * np.float32(s_w)
reciprocal = np.float32(1) / aw
total = np.float32(np.float64(bias) * np.float64(reciprocal) + acc)
print(f"s_x s_w = {aw:.9g}")
print(f"bias in units of the sum = {bias * reciprocal:.4f}")
print(f"total = {total:.4f}")

# %%
# Step 4: requantize
# ------------------
#
# The next layer wants integers with *its* input's scale :math:`s_o` and zero point :math:`z_o`.
# From :math:`y = s_x s_w \cdot \mathrm{total}` and :math:`y = s_o (q_o - z_o)` follows
#
# .. math:: q_o = \mathrm{clip}\bigl(\mathrm{round}(M \cdot \mathrm{total}) + z_o,\ 0,\ 255\bigr),
#           \qquad M = \frac{s_x s_w}{s_o}.
#
# All three scales end up in a single multiplier.

multiplier = aw / np.float32(s_o)
product = total * multiplier
q_o = int(np.clip(np.rint(product) + z_o, 0, 255))
print(f"M         = {multiplier:.9g}")
print(f"M * total = {product:.6f}")
print(f"rounded   = {np.rint(product):.0f}")
print(f"q_o       = {q_o}")

# %%
# Read back, that is the output that real numbers gave, up to the errors of three roundings:

print(f"quantized: {s_o * (q_o - z_o):.4f}")
print(f"float:     {y:.4f}")
assert abs(s_o * (q_o - z_o) - y) < s_o

# %%
# The library says the same
# -------------------------
#
# ``nn.quantized.functional.conv2d`` computes all 64 outputs; ``padding=1`` surrounds the image.

out = qF.conv2d(
    x, w, torch.tensor([float(bias)]), padding=1, scale=s_o, zero_point=z_o, dtype=torch.quint8
)
print("at row 3, column 3:", out.int_repr().numpy()[0, 0, 3, 3])
assert out.int_repr().numpy()[0, 0, 3, 3] == q_o

# %%
# Let us now do every output by our four steps, and compare. One thing is new at the border: the
# padding stands for the *real number* zero, so its integer is the zero point :math:`z_x` and not 0.


def convolve(q_image, padding):
    padded = np.pad(q_image.astype(np.int64), 1, constant_values=padding)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3))
    acc = ((windows - z_x) * q_w).sum(axis=(2, 3))
    total = (np.float64(bias) * np.float64(reciprocal) + acc).astype(np.float32)
    return np.clip(np.rint(total * multiplier) + z_o, 0, 255).astype(np.uint8)


q_image = x.int_repr().numpy()[0, 0]
library = out.int_repr().numpy()[0, 0]
ours = convolve(q_image, padding=z_x)
wrong = convolve(q_image, padding=0)

print("outputs that differ:", int((ours != library).sum()), "of", library.size)
print("with padding by the integer 0:", int((wrong != library).sum()), "of", library.size)

assert np.array_equal(ours, library)

# %%
# All of ours match. Padding by the wrong integer spoils the frame and nothing else, which is how
# one recognizes this mistake, the most frequent in new backends:

inside = np.zeros((8, 8), bool)
inside[1:-1, 1:-1] = True
assert np.array_equal(wrong[inside], library[inside])
assert (wrong != library).sum() > 10

fig, axes = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
difference = wrong.astype(int) - library
for ax, picture, title, label, colors in (
    (axes[0], library, "output", "integer", "gray"),
    (axes[1], difference, "error of padding by the integer 0", "steps of the output", "PuOr"),
):
    shown = ax.imshow(picture, cmap=colors)
    if colors == "PuOr":
        shown.set_clim(-abs(difference).max(), abs(difference).max())
    fig.colorbar(shown, ax=ax, label=label)
    ax.set(title=title, xlabel="column", ylabel="row")
plt.show()

# %%
# What to take away
# -----------------
#
# * Scales come out of the sum; inside are integers, and the sum is exact.
# * The bias is added in units of :math:`s_x s_w`.
# * One multiplication, one rounding, one zero point and one clip lead to the next layer's integers.
# * The sum of products is exact. Engines can differ only in the bias and in the requantization,
#   steps 3 and 4: see lesson 9.
