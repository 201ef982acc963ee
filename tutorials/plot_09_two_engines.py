r"""
9. Two engines, one answer?
===========================

FBGEMM and QNNPACK are given the same integers. Do they return the same integers? Not quite. We
count every output that differs, find the rule that is to blame, and explain each single bit.

The theory behind it: :doc:`/learn/requantization`; all rules: :doc:`/exactness/engines`.
"""

import matplotlib.pyplot as plt
import numpy as np

import refquant as torch
from refquant import engines, oracle, plotting
from refquant.demo.data import load_digits
from refquant.demo.schemes import fuse
from refquant.demo.training import train
from refquant.engines import Operands
from refquant.nn.quantized import functional as qF
from refquant.quantization import MinMaxObserver

# %%
# One real layer
# --------------
#
# The second convolution of a network that was trained on digits, and what it is given by the layers
# before for 447 test images. Everything is quantized with the smallest and the largest value.
# (``train`` is the loop of lesson 6.)

digits = load_digits(seed=0)
network = fuse(train(digits.train, epochs=4, seed=0, show=False))
layer = network.conv2[0]
with torch.no_grad():
    inputs = network.pool1(network.conv1(digits.test.pixels))
    outputs = network.conv2[0](inputs)


def quantized(values, dtype, scheme):
    observer = MinMaxObserver(dtype=dtype, qscheme=scheme)
    observer(values)
    scale, zero_point = (value.item() for value in observer.calculate_qparams())
    return torch.quantize_per_tensor(values, scale, zero_point, dtype)


x = quantized(inputs, torch.quint8, torch.per_tensor_affine)
w = quantized(layer.weight.detach(), torch.qint8, torch.per_tensor_symmetric)
bias = layer.bias.detach()
wanted = quantized(outputs, torch.quint8, torch.per_tensor_affine)
s_o, z_o = wanted.q_scale(), wanted.q_zero_point()
print(f"input  scale {x.q_scale():.6f}, zero point {x.q_zero_point()}")
print(f"weight scale {w.q_scale():.6f}, zero point {w.q_zero_point()}")
print(f"output scale {s_o:.6f}, zero point {z_o}")

# %%
# Four engines
# ------------
#
# refquant knows FBGEMM and QNNPACK in two releases of PyTorch. ``engines.using`` chooses one for a
# block.


def answer(engine):
    with engines.using(engine):
        result = qF.conv2d(x, w, bias, padding=1, scale=s_o, zero_point=z_o, dtype=torch.quint8)
    return result.int_repr().numpy().astype(np.int64)


NAMES = ("fbgemm", "qnnpack", "fbgemm-1.4", "qnnpack-1.4")
answers = {name: answer(name) for name in NAMES}
total = answers["fbgemm"].size
counts = np.array([[(answers[a] != answers[b]).sum() for b in NAMES] for a in NAMES])

print(f"{total:,} outputs; how many differ:")
print(" " * 11, *(f"{name:>11}" for name in NAMES))
for name, row in zip(NAMES, counts, strict=True):
    print(f"{name:11}", *(f"{count:11}" for count in row))

# %%
# A few in a thousand differ, and never by more than one integer:

largest = max(np.abs(answers[a] - answers[b]).max() for a in NAMES for b in NAMES)
print(f"largest share {100 * counts.max() / total:.3f} %, largest difference {largest}")
assert largest == 1
assert 0 < counts.max() < 0.01 * total
assert counts[NAMES.index("fbgemm"), NAMES.index("fbgemm-1.4")] == 0

fig, ax = plt.subplots(figsize=(5.5, 4), layout="constrained")
shown = ax.imshow(1e6 * counts / total, cmap="Blues")
for (row, column), count in np.ndenumerate(counts):
    ax.text(column, row, count, ha="center", va="center", backgroundcolor="white")
fig.colorbar(shown, ax=ax, label="outputs that differ, in a million")
ax.set_xticks(range(4), NAMES, rotation=30)
ax.set_yticks(range(4), NAMES)
ax.set(xlabel="engine", ylabel="engine")
plt.show()

# %%
# What they agree on
# ------------------
#
# The sum of products is exact in both, whatever the order of additions. Only then do opinions
# differ, in three steps: how the bias is added, how the multiplier is formed, and how the product
# is rounded. An engine is a record of rules, so we can ask:

here = Operands(bias=True)
STEPS = ("bias", "multiplier", "requantize_sum")
for name in ("fbgemm", "qnnpack-1.4"):
    print(name)
    for step in STEPS:
        rule = engines.get(name).rule(step, here)
        print(f"  {step:15} {rule.name:22} {rule.formula}")

# %%
# The real number before rounding
# -------------------------------
#
# To judge, we need to know what *should* come out. With integers for the sum, and float64 for the
# rest, the result before rounding is known to many digits:
#
# .. math:: r = M\,\Bigl(\mathrm{acc} + \frac{b}{s_x s_w}\Bigr), \qquad M = \frac{s_x s_w}{s_o}.

q_x = x.int_repr().numpy().astype(np.int64) - x.q_zero_point()
q_w = w.int_repr().numpy().astype(np.int64) - w.q_zero_point()
padded = np.pad(q_x, ((0, 0), (0, 0), (1, 1), (1, 1)))
windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
# Below 2**53 sums of integers in float64 are exact.
acc = np.tensordot(windows.astype(float), q_w.astype(float), axes=([1, 4, 5], [1, 2, 3]))
acc = acc.transpose(0, 3, 1, 2)

unit = x.q_scale() * w.q_scale()
multiplier = unit / s_o
bias_in_units = bias.numpy().astype(np.float64)[:, None, None] / unit
exact = multiplier * (acc + bias_in_units)
from_tie = np.abs(exact - np.floor(exact) - 0.5)
print(f"M = {multiplier:.8f}")
print(f"sums from {acc.min():.0f} to {acc.max():.0f}")

right = np.clip(np.rint(exact) + z_o, 0, 255).astype(np.int64)
for name in NAMES:
    wrong = answers[name] != right
    print(f"{name:11} {wrong.sum():4} outputs are not the nearest integer to r")

# %%
# FBGEMM is right nearly always. The others round the bias to an integer first, which moves
# :math:`r` by up to half a unit of the sum, that is :math:`M/2`. Such a shift can change the result
# only if :math:`r` lies that close to a tie, half way between two integers.
#
# Every difference is near a tie
# ------------------------------

differ = answers["fbgemm"] != answers["qnnpack-1.4"]
print(f"{differ.sum()} outputs differ between fbgemm and qnnpack-1.4")
print(f"the furthest from a tie: {from_tie[differ].max():.5f}")
print(f"half of all outputs are further than {np.median(from_tie):.5f}")

# %%
# The two numbers to compare with: rounding the bias moves a result by at most :math:`M/2`. And the
# multiplication of QNNPACK 1.4 rounds *twice*, first to a grid of :math:`2^{-n}`, where :math:`n`
# is the number of places that it then shifts by; that moves it by at most :math:`2^{-n-1}`.

places = int(np.ceil(-np.log2(multiplier))) - 1
bound = multiplier / 2 + 2.0 ** (-places - 1)
print(f"n = {places}; M/2 + 2**-(n+1) = {bound:.5f}")
# A hundredth more, because FBGEMM's float32 has a last bit, too.
assert from_tie[differ].max() <= bound * 1.01

fig, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
near = np.linspace(0, 2 * bound, 60)
ax.hist(from_tie.ravel(), bins=near, color=plotting.COLORS[0], label="all outputs")
ax.hist(from_tie[differ], bins=near, color=plotting.COLORS[1], label="outputs that differ")
ax.axvline(bound, color=plotting.COLORS[2], linestyle="--", label="M/2 + 2**-(n+1)")
ax.set(xlabel="distance of the exact result from a tie (steps)", ylabel="outputs")
ax.legend()
plt.show()

# %%
# That is the explanation of *every* differing output: all lie within the bound, and none beyond. An
# output that differed further away would be a bug, in an engine or in refquant.
#
# Which rule is to blame?
# -----------------------
#
# Since engines are data, we can build one that does not exist: FBGEMM with a single rule of
# QNNPACK 1.4. If the outputs then equal those of QNNPACK, that rule was it.


def hybrid(*steps):
    other = engines.get("qnnpack-1.4").steps
    mixed = engines.get("fbgemm").derive(
        "hybrid", "FBGEMM with rules of QNNPACK", steps={step: other[step] for step in steps}
    )
    engines.register(mixed)
    try:
        return answer("hybrid")
    finally:
        engines.unregister("hybrid")


left = {}
for steps in (("multiplier",), ("bias",), ("requantize_sum",), ("bias", "requantize_sum")):
    mixed = hybrid(*steps)
    left[steps] = (mixed != answers["qnnpack-1.4"]).sum()
    print(
        f"with {' and '.join(steps):24} {(mixed != answers['fbgemm']).sum():4} outputs change,",
        f"{left[steps]:4} still differ from qnnpack-1.4",
    )

# %%
# The multiplier is the same. Bias and rounding together explain everything. Of the two the rounding
# weighs more; it takes an integer, so that even alone it rounds the bias that it is given.
#
# To part the two, give FBGEMM the bias rule alone. What changes then comes from rounding the bias;
# what still differs comes from rounding the product twice.

assert left[("multiplier",)] == differ.sum()
assert left[("bias", "requantize_sum")] == 0

by_bias = (hybrid("bias") != answers["fbgemm"]).sum()
by_product = (hybrid("bias") != answers["qnnpack-1.4"]).sum()
print(f"bias rounded to an integer: {by_bias} outputs")
print(f"product rounded twice:      {by_product} outputs, {by_product / total:.5f} of all")
print(f"2**-(n+1) =                 {2.0 ** (-places - 1):.5f}")

# %%
# The last two numbers agree, and not by accident. Rounding twice goes wrong if the first rounding
# lands exactly on a tie, which then goes the wrong way. Of the :math:`2^n` places of the first grid
# in a step one is a tie, and half of what lands there came from the other side.

assert 0.5 < by_product / total / 2.0 ** (-places - 1) < 2

# %%
# One of them, step by step
# -------------------------
#
# Take the first output on which rounding twice and rounding once disagree.

index = tuple(np.argwhere(hybrid("bias") != answers["qnnpack-1.4"])[0])
whole = int(acc[index] + np.rint(bias_in_units[index[1], 0, 0]))
print(f"index {tuple(map(int, index))}: sum with the rounded bias {whole}")
print(f"times M = {whole * multiplier:.6f}")

single = int(np.rint(np.float32(whole) * np.float32(multiplier)))
mantissa, exponent = np.frexp(np.float32(multiplier))
high = (whole * int(np.float64(mantissa) * 2**31) + 2**30) >> 31
print(f"rounded once: {single}")
print(f"rounded to a grid of 2**{exponent}: {high} / {2**-exponent} = {high * 2.0**exponent}")
twice = int(np.sign(high) * np.floor(np.abs(high) * 2.0**exponent + 0.5))
print(f"rounded again, ties away from zero: {twice}")

assert single != twice
assert single + z_o == hybrid("bias")[index]
assert twice + z_o == answers["qnnpack-1.4"][index]

# %%
# The short way
# -------------
#
# We did by hand what the *oracle* does in general. Given integers from anywhere, it sorts the
# differences to an engine into classes, and looks for the change of rules that explains them all.

operands = {"input": x, "weight": w, "bias": bias, "padding": 1, "scale": s_o, "zero_point": z_o}
found = oracle.diagnose(answers["qnnpack-1.4"], "conv2d", **operands, engine="fbgemm")
found

# %%

print(found.verdict)
print(found.mismatch)
assert found.verdict == "engine 'qnnpack-1.4'"
assert found.mismatch.count == differ.sum()

# %%
# Where several candidates fit, all are listed: TFLite rounds twice by the same formula as QNNPACK
# did.
#
# *Multiplier precision* is a difference that the last bits of float32 explain. *Unexplained* are
# those where :math:`r` lies too far from a tie for that: one element alone does not tell that a
# bias was rounded. All elements together do, and that is the verdict.

# %%
# Does it matter?
# ---------------
#
# For the accuracy of a network, no: one integer in a thousand outputs is far less than the rounding
# itself. For the test of a backend, very much: ``assert equal`` fails, and a tolerance of
# one integer would hide real bugs. So a backend should be compared with the engine that it means to
# be, bit for bit; and where that is not possible, only near ties.
#
# What to take away
# -----------------
#
# * The integer sum is exact everywhere; engines differ in bias, multiplier and rounding.
# * They differ by one integer at most, and only near ties.
# * How near is a formula: half a unit of the sum for the bias, :math:`2^{-n-1}` for the second
#   rounding.
# * An engine is a record of rules: exchange one, and see which it was.
