# %% [markdown]
# # Lab 1: numbers
#
# Scale and zero point, rounding and its ties, clipping: everything about one tensor. It goes with
# the lectures *The affine map*, *Choosing scale and zero point* and *Rounding*, and takes about an
# hour and a half.
#
# You need NumPy, and refquant to judge your answers: `pip install refquant`. Everything runs
# offline. Write your code where it says so, then run the cell below it, which says what is wrong
# and by which rule. `course.hint("1.1")` gives a hint, and each call one more.

# %%
import numpy as np

from refquant import course

# %% [markdown]
# ## The affine map
#
# An integer `q` stands for the real number `scale * (q - zero_point)`. Zero is exact: the integer
# `zero_point` stands for it.


# %% 1.1
def dequantize(q, scale, zero_point):
    ### BEGIN SOLUTION
    return (np.float32(scale) * (q.astype(np.int32) - zero_point)).astype(np.float32)
    ### END SOLUTION


# %% 1.2
def quantize(x, scale, zero_point):
    ### BEGIN SOLUTION
    steps = np.rint(x / scale + zero_point)
    return np.clip(steps, 0, 255).astype(np.uint8)
    ### END SOLUTION


# %% [markdown]
# Try it. Which of these numbers come back, and what happens to the last one?

# %%
x = np.float32([-1.0, -0.013, 0.0, 0.26, 1.5, 99.0])
dequantize(quantize(x, 0.01, 100), 0.01, 100)


# %% 1.3
def real_range(scale, zero_point):
    ### BEGIN SOLUTION
    return scale * (0 - zero_point), scale * (255 - zero_point)
    ### END SOLUTION


# %% [markdown]
# ## Choosing scale and zero point
#
# Data lie between `low` and `high`. There are two equations for two unknowns, and several ways to
# get them wrong, none of which raises an error.


# %% 1.4
def choose_qparams(low, high):
    ### BEGIN SOLUTION
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / 255
    zero_point = int(np.clip(round(-low / scale), 0, 255))
    return scale, zero_point
    ### END SOLUTION


# %% 1.5
def symmetric_qparams(low, high):
    ### BEGIN SOLUTION
    return max(-low, high) / 127.5, 0
    ### END SOLUTION


# %% [markdown]
# ## What is lost
#
# Where nothing is clipped, the error is at most half a step. Beyond the ends of the grid it has no
# bound: range and precision compete.


# %% 1.6
def fake_quantize(x, scale, zero_point):
    ### BEGIN SOLUTION
    return dequantize(quantize(x, scale, zero_point), scale, zero_point)
    ### END SOLUTION


# %% 1.7
def sqnr(x, y):
    ### BEGIN SOLUTION
    return 10 * np.log10(np.sum(x**2) / np.sum((x - y) ** 2))
    ### END SOLUTION


# %% [markdown]
# Normal data, cut off at several places. Where is the best one? What makes it worse to its left,
# and what to its right?

# %%
x = np.random.default_rng(0).normal(size=10_000).astype(np.float32)
for end in (1, 2, 3, 4, 6, 10):
    scale, zero_point = choose_qparams(-end, end)
    print(f"-{end} to {end}: {sqnr(x, fake_quantize(x, scale, zero_point)):.1f} dB")

# %% [markdown]
# ## Rounding, and its ties
#
# Random numbers hardly ever lie halfway between two integers. Numbers that come out of a quantized
# network do: requantized to twice their scale, every second one is a tie.


# %% 1.8
def nearest_even(v):
    ### BEGIN SOLUTION
    rounded = np.floor(v + 0.5)
    is_tie = v - np.floor(v) == 0.5
    return np.where(is_tie & (rounded % 2 == 1), rounded - 1, rounded)
    ### END SOLUTION


# %% 1.9
def round_then_add(x, scale, zero_point):
    ### BEGIN SOLUTION
    inverse = np.float32(1) / np.float32(scale)
    steps = np.rint(x * inverse) + zero_point
    return np.clip(steps, 0, 255).astype(np.uint8)
    ### END SOLUTION


# %% [markdown]
# Your functions of questions 1.2 and 1.9 are both right, and differ. How often do they on multiples
# of half a step, with an even and with an odd zero point?

# %%
x = np.arange(200, dtype=np.float32) / 2
for zero_point in (4, 5):
    differ = np.sum(quantize(x, 1.0, zero_point) != round_then_add(x, 1.0, zero_point))
    print(f"zero point {zero_point}: {differ} of {x.size} integers differ")
