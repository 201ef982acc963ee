r"""
4. Observers race on real activations
=====================================

An observer decides which range of an activation survives. There are three kinds, and none is best
everywhere. We let them run against each other on the activations of a trained network: first on
clean data at 8 bits, then at 4 bits, then with one broken image among the data.

The theory behind it: :doc:`/learn/clipping`.
"""

import matplotlib.pyplot as plt
import numpy as np

import refquant as torch
from refquant import plotting
from refquant.demo.data import load_digits
from refquant.demo.experiment import calibration_batches
from refquant.demo.training import train
from refquant.quantization import (
    HistogramObserver,
    MinMaxObserver,
    MovingAverageMinMaxObserver,
)
from refquant.reporting import sqnr

# %%
# A trained network
# -----------------
#
# Scikit-learn's handwritten digits, and a small network with two convolutions and two linear
# layers, which ``train`` trains in a second: lesson 6 shows the loop.

digits = load_digits(seed=0)
network = train(digits.train, epochs=6, seed=11, show=False)
network

# %%
# Its activations
# ---------------
#
# A *forward hook* sees what a module returns. We keep the outputs of four places, for three batches
# of 50 calibration images. Observers will see those. They are judged on other images, the test.

PLACES = ("relu1", "relu2", "relu3", "fc2")


def activations(images):
    found = {}

    def keep(name):
        return lambda module, inputs, output: found.__setitem__(name, output.clone())

    hooks = [getattr(network, name).register_forward_hook(keep(name)) for name in PLACES]
    with torch.no_grad():
        network(images)
    for hook in hooks:
        hook.remove()
    return found


batches = calibration_batches(digits)
seen = [activations(images) for images in batches]
test = activations(digits.test.pixels)

for name in PLACES:
    values = test[name].numpy()
    print(
        f"{name}: {values.size:6} values from {values.min():6.2f} to {values.max():5.2f},",
        f"99 % of them below {np.quantile(values, 0.99):5.2f}",
    )

# %%
# Note how far the largest value is from the rest: that is what the race is about.

fig, axes = plt.subplots(2, 2, figsize=(9, 5), layout="constrained")
for ax, name in zip(axes.flat, PLACES, strict=True):
    ax.hist(test[name].numpy().ravel(), bins=60, color=plotting.COLORS[0])
    ax.set(yscale="log", title=name, xlabel="activation", ylabel="values")
plt.show()

# %%
# The runners
# -----------
#
# * ``MinMaxObserver`` keeps the smallest and the largest value of all batches.
# * ``MovingAverageMinMaxObserver`` lets them drift, a hundredth of the way with each batch:
#   :math:`m \leftarrow m + 0.01\,(\min x - m)`.
# * ``HistogramObserver`` keeps a histogram and narrows its range step by step, until the squared
#   error grows for the first time. That need not be the best range.

#
# The search counts on as many integers as there are under the engines of PyTorch 1.4; that of
# PyTorch 2.13 counts on 256 even if four bits leave 16. So the race runs by the rules of 1.4.

torch.backends.quantized.engine = "fbgemm-1.4"
RUNNERS = {
    "min-max": MinMaxObserver,
    "moving average": MovingAverageMinMaxObserver,
    "histogram": HistogramObserver,
}


def race(seen, bits):
    """Return the SQNR in dB that each runner reaches at each place."""
    last = 2**bits - 1
    results = {}
    for runner, observer_class in RUNNERS.items():
        results[runner] = []
        for name in PLACES:
            observer = observer_class(dtype=torch.quint8, quant_min=0, quant_max=last)
            for batch in seen:
                observer(batch[name])
            scale, zero_point = (value.item() for value in observer.calculate_qparams())
            back = torch.fake_quantize_per_tensor_affine(test[name], scale, zero_point, 0, last)
            results[runner].append(sqnr(test[name], back))
        ratios = zip(PLACES, results[runner], strict=True)
        print(f"{runner:15}", *(f"{name} {ratio:5.1f} dB  " for name, ratio in ratios))
    return {runner: np.array(numbers) for runner, numbers in results.items()}


# %%
# First race: eight bits
# ----------------------

eight = race(seen, bits=8)

fig, ax = plt.subplots(figsize=(8, 4), layout="constrained")
plotting.sqnr_bars(PLACES, eight, ax=ax)
plt.show()

# %%
# All are good, and the plain ``MinMaxObserver`` is as good as any. With 256 integers the steps are
# so fine that nothing is gained by clipping, while something is lost when a test image is a little
# brighter than those of the calibration.

best = np.max(list(eight.values()), axis=0)
assert np.all(eight["min-max"] > best - 1)
assert np.all(best > 38)

# %%
# Second race: four bits
# ----------------------

four = race(seen, bits=4)

fig, ax = plt.subplots(figsize=(8, 4), layout="constrained")
plotting.sqnr_bars(PLACES, four, ax=ax)
plt.show()

# %%
# With 16 integers each step counts. After the convolutions, where the tails are long, the histogram
# wins: it gives up a few large values so that all others get finer steps.

gain = four["histogram"] - four["min-max"]
print("histogram over min-max, after the convolutions:", gain[:2].round(2), "dB")
assert np.all(gain[:2] > 0.7)

# %%
# We can watch it decide. Here are the ranges for ``relu1``, and the histogram that it looked at.

observer = HistogramObserver(dtype=torch.quint8, quant_min=0, quant_max=15)
for batch in seen:
    observer(batch["relu1"])
observer.explain()

# %%

scale, zero_point = (value.item() for value in observer.calculate_qparams())
values = test["relu1"].numpy().ravel()


def clipped(end=15 * scale):
    ax = plt.figure(figsize=(8, 3.5), layout="constrained").add_subplot()
    ax.hist(values, bins=80, color=plotting.COLORS[0], label="values")
    ax.axvline(values.max(), color=plotting.COLORS[2], linestyle=":", label="largest value")
    ax.axvline(end, color=plotting.COLORS[1], label="end of the range")
    back = np.clip(np.rint(values * 15 / end), 0, 15) * end / 15
    title = f"SQNR {sqnr(values, back):.1f} dB"
    ax.set(yscale="log", xlabel="activation of relu1", ylabel="values", title=title)
    ax.legend()


clipped()
plt.show()
assert 15 * scale < 0.9 * values.max()

# %%
# In a notebook with ipywidgets, a slider moves the end. Where is the SQNR best?

END = (0.3 * float(values.max()), float(values.max()))
plotting.sliders(clipped, end=END) if plotting.can_slide() else None

# %%
# Is it the best range? Let us try every end, on the calibration data themselves:


def squared_error(values, last):
    back = np.clip(np.rint(values * 15 / last), 0, 15) * last / 15
    return np.mean((back - values) ** 2)


excess = []
for place in ("relu1", "relu2", "relu3"):
    values = np.concatenate([batch[place].numpy().ravel() for batch in seen])
    observer = HistogramObserver(dtype=torch.quint8, quant_min=0, quant_max=15)
    for batch in seen:
        observer(batch[place])
    found = 15 * observer.calculate_qparams()[0].item()
    ends = np.linspace(0.3, 1, 141) * values.max()
    best = min(ends, key=lambda last, values=values: squared_error(values, last))
    excess.append(squared_error(values, found) / squared_error(values, best))
    print(f"{place}: search 0 .. {found:.2f}, best 0 .. {best:.2f}, error {excess[-1]:.2f} times")

assert max(excess) > 1.1

# %%
# It is not. The search stops at its first minimum, wherever that lies.
#
# Third race: one broken image
# ----------------------------
#
# Calibration data come from the real world. Let one image of 150 be eight times too bright, as a
# wrong normalization makes it.

broken = [torch.from_numpy(images.numpy().copy()) for images in batches]
broken[1][0] *= 8

spoilt = race([activations(images) for images in broken], bits=8)

fig, ax = plt.subplots(figsize=(8, 4), layout="constrained")
plotting.sqnr_bars(PLACES, spoilt, ax=ax)
plt.show()

# %%
# ``MinMaxObserver`` never forgets: the range is now that of the broken image, and two to three bits
# are gone. The moving average does not mind, and even gains where the clean data had been narrow.
# The histogram saves a few decibels at best: it judges by the *squared* error, in which the few
# huge values weigh a lot.

loss = {runner: eight[runner] - spoilt[runner] for runner in RUNNERS}
for runner, numbers in loss.items():
    print(f"{runner:15} loses", numbers.round(1), "dB")

assert np.all(loss["min-max"] > 10)
assert np.all(loss["moving average"] < 2)
assert np.all(loss["histogram"] > 5)

# %%
# Yet a moving average is no insurance. It *starts* at the first batch. Put the broken image there:

broken.insert(0, broken.pop(1))
first = race([activations(images) for images in broken], bits=8)
print("moving average loses", (eight["moving average"] - first["moving average"]).round(1), "dB")

assert np.all(eight["moving average"] - first["moving average"] > 4)

# %%
# What to take away
# -----------------
#
# * Eight bits, clean data: min-max is enough.
# * Few bits, long tails: the histogram gains a decibel or more.
# * Outliers in the data: min-max is lost, the moving average is lucky or not, the histogram saves
#   a little.
# * Better than any observer: look at the calibration data, and at ``observer.explain()``.
