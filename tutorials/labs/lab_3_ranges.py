# %% [markdown]
# # Lab 3: ranges and channels
#
# What observers collect, why weights have a scale for each channel, and where to clip. It goes with
# the lectures *Clipping and the histogram search*, *Four ways to choose a range* and *Per-channel
# quantization*, and takes about two hours.

# %%
import numpy as np

from refquant import course

# %% [markdown]
# ## Observers


# %% 3.1
def min_max(batches):
    ### BEGIN SOLUTION
    return min(float(b.min()) for b in batches), max(float(b.max()) for b in batches)
    ### END SOLUTION


# %% 3.2
def moving_min_max(batches, c):
    ### BEGIN SOLUTION
    low, high = float(batches[0].min()), float(batches[0].max())
    for batch in batches[1:]:
        low += c * (float(batch.min()) - low)
        high += c * (float(batch.max()) - high)
    return low, high
    ### END SOLUTION


# %% [markdown]
# One batch holds an outlier of 100. What is left of it in each of the two ranges, at the end?

# %%
rng = np.random.default_rng(0)
batches = [rng.normal(size=1000).astype(np.float32) for _ in range(300)]
batches[20][0] = 100
print(min_max(batches)[1], moving_min_max(batches, 0.01)[1])


# %% 3.3
def reduced_qparams(low, high):
    ### BEGIN SOLUTION
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / 127
    return scale, int(np.clip(round(-low / scale), 0, 127))
    ### END SOLUTION


# %% [markdown]
# ## A scale for each channel


# %% 3.4
def channel_scales(w):
    ### BEGIN SOLUTION
    return np.abs(w).reshape(len(w), -1).max(axis=1) / np.float32(127.5)
    ### END SOLUTION


# %% 3.5
def quantize_channels(w, scales):
    ### BEGIN SOLUTION
    return np.clip(np.rint(w / scales[:, None]), -128, 127).astype(np.int8)
    ### END SOLUTION


# %% 3.6
def real_outputs(sums, s_rows, s_channels):
    ### BEGIN SOLUTION
    return sums * s_rows[:, None] * s_channels[None, :]
    ### END SOLUTION


# %% [markdown]
# Three channels of very different size. How many decibels does each of them gain from its own
# scale? What do you expect from a factor of 10?

# %%
sizes = np.float32([1, 0.1, 0.01])
w = sizes[:, None] * rng.uniform(-1, 1, (3, 1000)).astype(np.float32)
own = channel_scales(w)
for scales in (np.full(3, own.max()), own):
    error = scales[:, None] * quantize_channels(w, scales) - w
    print(np.round(10 * np.log10((w**2).sum(axis=1) / (error**2).sum(axis=1)), 1), "dB")

# %% [markdown]
# ## Where to clip
#
# A wide range rounds coarsely, a narrow one clips. The fewer bits, the more the steps cost.


# %% 3.7
def clipping_error(x, clip, levels):
    ### BEGIN SOLUTION
    step = 2 * clip / (levels - 1)
    back = step * np.clip(np.rint(x / step), -(levels // 2), levels // 2 - 1)
    return np.mean((back - x) ** 2)
    ### END SOLUTION


# %% 3.8
def best_clip(x, clips, levels):
    ### BEGIN SOLUTION
    return clips[np.argmin([clipping_error(x, clip, levels) for clip in clips])]
    ### END SOLUTION


# %% 3.9
def laplace_clip(b, levels):
    ### BEGIN SOLUTION
    target = np.log(3 * levels**2)
    t = target
    for _ in range(50):
        t = target - np.log(t)
    return t * b
    ### END SOLUTION


# %% [markdown]
# Theory and measurement side by side. Where do they differ most, and why?

# %%
x = rng.laplace(size=100_000)
for bits in (2, 3, 4, 8):
    measured = best_clip(x, np.arange(1, 15, 0.1), 2**bits)
    print(f"{bits} bits: measured {measured:.1f}, theory {laplace_clip(1.0, 2**bits):.1f}")
