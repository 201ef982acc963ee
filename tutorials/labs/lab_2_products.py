# %% [markdown]
# # Lab 2: one layer in integers
#
# Products of integers, bias, requantization, and a multiplier without floats: everything that a
# linear layer does. It goes with the lectures *Products of integers*, *The bias* and
# *Requantization*, and takes about two hours.
#
# The input `q_x` is uint8 with scale `s_x` and zero point `z_x`, one row for each sample; the
# weight `q_w` is int8 with `s_w` and `z_w`, one row for each output.

# %%
import numpy as np

from refquant import course

# %% [markdown]
# ## The accumulator
#
# The scales leave the sum. What remains is a sum of integers, and has no error at all.


# %% 2.1
def accumulate(q_x, q_w, z_x, z_w):
    ### BEGIN SOLUTION
    x, w = q_x.astype(np.int32) - z_x, q_w.astype(np.int32) - z_w
    return x @ w.T
    ### END SOLUTION


# %% 2.2
def correct(raw, sums_x, sums_w, k, z_x, z_w):
    ### BEGIN SOLUTION
    return raw - z_x * sums_w[None, :] - z_w * sums_x[:, None] + k * z_x * z_w
    ### END SOLUTION


# %% [markdown]
# Which of the four terms can be computed before the input is known? Which vanish for `z_w = 0`?
#
# ## The way back to 8 bits


# %% 2.3
def multiplier(s_x, s_w, s_o):
    ### BEGIN SOLUTION
    return s_x * s_w / s_o
    ### END SOLUTION


# %% 2.4
def bias_steps(bias, s_x, s_w):
    ### BEGIN SOLUTION
    return np.rint(bias / (s_x * s_w)).astype(np.int32)
    ### END SOLUTION


# %% 2.5
def requantize(total, m, z_o):
    ### BEGIN SOLUTION
    return np.clip(np.rint(total * m) + z_o, 0, 255).astype(np.uint8)
    ### END SOLUTION


# %% [markdown]
# ## A multiplier without floats
#
# The first phones that ran int8 networks multiplied by integers alone: a mantissa of 31 bits, and a
# shift to the right.


# %% 2.6
def mantissa_and_shift(m):
    ### BEGIN SOLUTION
    fraction, exponent = np.frexp(np.float32(m))
    return int(fraction * 2**31), -int(exponent)
    ### END SOLUTION


# %% 2.7
def rounded_twice(total, mantissa, shift):
    ### BEGIN SOLUTION
    high = (total.astype(np.int64) * mantissa + 2**30) >> 31
    half = (1 << shift) >> 1
    return np.sign(high) * ((np.abs(high) + half) >> shift)
    ### END SOLUTION


# %% [markdown]
# How often is rounding twice off by one? Compare your count with `2**-(shift + 1)`, and explain it.

# %%
total = np.random.default_rng(0).integers(1, 2**20, 200_000)
for m in (0.2, 0.05, 0.013):
    mantissa, shift = mantissa_and_shift(m)
    once = np.floor(total * np.float64(np.float32(m)) + 0.5)
    share = np.mean(rounded_twice(total, mantissa, shift) != once)
    print(f"m = {m}: {share:.4f}, shift {shift}")

# %% [markdown]
# ## Layers


# %% 2.8
def pad(image, z_x):
    ### BEGIN SOLUTION
    return np.pad(image, 1, constant_values=z_x)
    ### END SOLUTION


# %% 2.9
def linear_relu(q_x, q_w, bias, s_x, z_x, s_w, s_o, z_o):
    ### BEGIN SOLUTION
    total = accumulate(q_x, q_w, z_x, 0) + bias_steps(bias, s_x, s_w)
    return np.maximum(requantize(total, multiplier(s_x, s_w, s_o), z_o), z_o)
    ### END SOLUTION


# %% [markdown]
# What did the layer lose? Compare it with the same layer in real numbers, in steps of the output.
# Rounding the output alone would give a root mean square error of 0.29 steps.

# %%
rng = np.random.default_rng(1)
x = rng.normal(size=(100, 64))
w = rng.normal(size=(8, 64)) / 8
bias = rng.normal(size=8).astype(np.float32)
q_x = np.clip(np.rint(x / 0.03) + 128, 0, 255).astype(np.uint8)
q_w = np.clip(np.rint(w / 0.004), -128, 127).astype(np.int8)
q_o = linear_relu(q_x, q_w, bias, 0.03, 128, 0.004, 0.03, 0)
error = q_o - np.maximum(x @ w.T + bias, 0) / 0.03
print(f"root mean square error {np.sqrt(np.mean(error[q_o > 0] ** 2)):.2f} steps")
