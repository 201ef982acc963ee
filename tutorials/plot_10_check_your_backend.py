r"""
10. Check your own backend against refquant
===========================================

Somebody wrote an int8 convolution for a new processor. Is it right? We play that somebody: we write
the convolution in C, compile it, compare it with refquant bit by bit, and let the oracle name what
is wrong, until nothing is.

How the arithmetic works: :doc:`/learn/requantization`, and lesson 3.
"""

import ctypes
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image

import refquant as torch
from refquant import oracle, plotting

torch.backends.quantized.engine = "fbgemm"

# %%
# The backend
# -----------
#
# One output after the other: sum the products, add the bias, multiply, round, clip. Two lines are
# left open, ``PAD`` and ``ROUND``. What to write there looks obvious, and that is the trouble.

SOURCE = r"""
#include <math.h>
#include <stdint.h>

void convolve(const uint8_t *x, const int8_t *w, const float *bias, uint8_t *out,
              int inputs, int height, int width, int outputs, int size, int padding,
              float input_scale, float weight_scale, float output_scale,
              int input_zero_point, int output_zero_point)
{
    float unit = input_scale * weight_scale;
    float multiplier = unit / output_scale;
    for (int o = 0; o < outputs; o++)
    for (int row = 0; row < height; row++)
    for (int column = 0; column < width; column++) {
        int32_t sum = 0;
        for (int i = 0; i < inputs; i++)
        for (int a = 0; a < size; a++)
        for (int b = 0; b < size; b++) {
            int y = row + a - padding, z = column + b - padding;
            int inside = y >= 0 && y < height && z >= 0 && z < width;
            int pixel = inside ? x[(i * height + y) * width + z] : PAD;
            sum += (pixel - input_zero_point) * w[((o * inputs + i) * size + a) * size + b];
        }
        float total = fmaf(bias[o], 1.0f / unit, (float)sum);
        float result = ROUND(total * multiplier) + output_zero_point;
        result = result < 0 ? 0 : result > 255 ? 255 : result;
        out[(o * height + row) * width + column] = (uint8_t)result;
    }
}
"""

# %%
# The system's compiler makes a library of it, in a folder that vanishes with this program. Where
# there is no compiler, the same arithmetic in NumPy takes its place.

COMPILER = None if sys.platform == "win32" else shutil.which("cc")
FOLDER = tempfile.TemporaryDirectory()
CHOICES = {
    "0": 0,
    "input_zero_point": None,
    "half_up": lambda v: np.floor(v + np.float32(0.5)),
    "rintf": np.rint,
}


def build(pad, rounding):
    """Return a function ``(q_x, q_w, bias, padding, scales, zero points) -> integers``."""
    if COMPILER is None:
        return lambda *operands: numpy_backend(CHOICES[pad], CHOICES[rounding], *operands)
    name = Path(FOLDER.name) / f"backend_{pad}_{rounding}"
    half_up = "static float half_up(float v) { return floorf(v + 0.5f); }\n"
    definitions = f"#define PAD {pad}\n#define ROUND {rounding}\n#include <math.h>\n{half_up}"
    name.with_suffix(".c").write_text(definitions + SOURCE)
    files = ["-o", str(name.with_suffix(".so")), str(name.with_suffix(".c")), "-lm"]
    subprocess.run([COMPILER, "-O2", "-shared", "-fPIC", *files], check=True)
    compiled = ctypes.CDLL(str(name.with_suffix(".so"))).convolve
    compiled.restype = None
    integer, real, pointer = ctypes.c_int, ctypes.c_float, ctypes.c_void_p
    compiled.argtypes = [pointer] * 4 + [integer] * 6 + [real] * 3 + [integer] * 2

    def run(q_x, q_w, bias, padding, scales, zero_points):
        arrays = [np.ascontiguousarray(array) for array in (q_x, q_w, bias)]
        out = np.empty((1, len(q_w), *q_x.shape[2:]), np.uint8)
        addresses = [array.ctypes.data for array in (*arrays, out)]
        compiled(*addresses, *q_x.shape[1:], len(q_w), q_w.shape[2], padding, *scales, *zero_points)
        return out

    return run


def numpy_backend(pad, rounding, q_x, q_w, bias, padding, scales, zero_points):
    fill = zero_points[0] if pad is None else pad
    edges = ((0, 0), (0, 0), (padding, padding), (padding, padding))
    padded = np.pad(q_x.astype(np.int64), edges, constant_values=fill) - zero_points[0]
    windows = np.lib.stride_tricks.sliding_window_view(padded, q_w.shape[2:], axis=(2, 3))
    sums = np.tensordot(windows, q_w.astype(np.int64), axes=([1, 4, 5], [1, 2, 3]))
    s_x, s_w, s_o = (np.float32(scale) for scale in scales)
    reciprocal = np.float64(np.float32(1) / (s_x * s_w))
    totals = (bias.astype(np.float64) * reciprocal + sums).astype(np.float32)
    results = rounding(totals * (s_x * s_w / s_o)) + zero_points[1]
    return np.clip(results, 0, 255).astype(np.uint8).transpose(0, 3, 1, 2)


print("backend:", "NumPy" if COMPILER is None else "C")

# %%
# A problem with ties
# -------------------
#
# Which data should the test use? Real ones, here a flower. And scales that make *ties*, because
# that is where implementations disagree: with powers of two, :math:`M = s_x s_w / s_o = 2^{-7}`,
# one output in 128 lies exactly between two integers.

photo = load_sample_image("flower.jpg")[100:244:2, 200:392:2].transpose(2, 0, 1)[None]
rng = np.random.default_rng(0)
s_x, z_x = 2.0**-7, 100
s_w = 2.0**-6
s_o, z_o = 2.0**-6, 120

x = torch.quantize_per_tensor(
    torch.from_numpy((photo.astype(np.float32) - z_x) * np.float32(s_x)), s_x, z_x, torch.quint8
)
kernels = rng.integers(-20, 21, (8, 3, 3, 3)).astype(np.float32) * np.float32(s_w)
w = torch.quantize_per_tensor(torch.from_numpy(kernels), s_w, 0, torch.qint8)
bias = torch.from_numpy(rng.integers(-900, 900, 8).astype(np.float32) * np.float32(s_x * s_w))
print("image", tuple(x.shape), "kernels", tuple(w.shape))

PROBLEM = {
    "operation": "conv2d",
    "input": x,
    "weight": w,
    "bias": bias,
    "padding": 1,
    "scale": s_o,
    "zero_point": z_o,
    "engine": "fbgemm",
}


def answer(backend):
    return backend(
        x.int_repr().numpy(), w.int_repr().numpy(), bias.numpy(), 1, (s_x, s_w, s_o), (z_x, z_o)
    )


# %%
# First try
# ---------
#
# Pad with 0, of course. And round as one learns at school, ``floorf(v + 0.5f)``.

first = answer(build(pad="0", rounding="half_up"))
report = oracle.compare(first, **PROBLEM)
report

# %%
# The comparison counts, and sorts each difference into a class. Let us draw where they are: the
# reddish frame is one fault, the specks inside are another.

expected = torch.nn.quantized.functional.conv2d(
    x, w, bias, padding=1, scale=s_o, zero_point=z_o, dtype=torch.quint8
).int_repr()


def draw(actual, title):
    difference = actual.astype(int) - expected.numpy().astype(int)
    fig, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
    shown = ax.imshow(np.abs(difference[0]).max(axis=0), cmap="Reds", vmin=0, vmax=3)
    fig.colorbar(shown, ax=ax, label="largest difference (steps)", extend="max")
    ax.set(xlabel="column (pixels)", ylabel="row (pixels)", title=title)


draw(first, "first try")
assert report.count > 0
assert report.at_border.any()
assert not report.at_border.all()
plt.show()

# %%
# The diagnosis
# -------------
#
# A difference says *that* something is wrong. ``oracle.diagnose`` says *what*: it changes the rules
# of the engine one by one, then in pairs, until an answer equals that of the backend in every bit.

diagnosis = oracle.diagnose(first, **PROBLEM)
diagnosis

# %%
# Two faults at once, both named. (The candidates that it rejected come with an element that
# contradicts each: a counter-example that you can recompute by hand.)

print(diagnosis.verdict)
assert len(diagnosis.changes) == 2
assert any("half_even -> half_up" in change for change in diagnosis.changes)
assert any("zero_point -> zero" in change for change in diagnosis.changes)

# %%
# Second try
# ----------
#
# Padding stands for the *real number* zero, so its integer is the zero point of the input.

second = answer(build(pad="input_zero_point", rounding="half_up"))
diagnosis = oracle.diagnose(second, **PROBLEM)
print(diagnosis.verdict)
draw(second, "second try: padding fixed")

assert diagnosis.changes == ("rounding: half_even -> half_up",)
assert diagnosis.mismatch.count < report.count
assert not (np.abs(second.astype(int) - expected.numpy()) > 1).any()
plt.show()

# %%
# By how much do the integers differ? Before, by anything at the border; now by one at most,
# whatever the integer:

fig, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
for ax, actual in zip(axes, (first, second), strict=True):
    plotting.code_confusion(expected, actual, ax=ax)
plt.show()

# %%
# What remains are ties, each off by one. One output in 128 is a tie, and half of those are rounded
# upwards by both:

share = diagnosis.mismatch.count / diagnosis.mismatch.size
print(
    f"{diagnosis.mismatch.count} of {diagnosis.mismatch.size}: {share:.5f}; 1/256 = {1 / 256:.5f}"
)
print("classes:", diagnosis.mismatch.counts)
assert diagnosis.mismatch.counts == {"tie": diagnosis.mismatch.count}

# %%
# Here is one of them. ``oracle.trace`` computes a single output as the engine does, and writes
# every step down:

index = tuple(int(i) for i in diagnosis.mismatch.indices[0])
print("the backend says", second[index])
oracle.trace(**PROBLEM, index=index)

# %%
# Third try
# ---------
#
# FBGEMM rounds ties to the even integer, as ``rintf`` does.

third = answer(build(pad="input_zero_point", rounding="rintf"))
report = oracle.compare(third, **PROBLEM)
print(report)
assert report.count == 0

fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
counts = [int((try_ != expected.numpy()).sum()) for try_ in (first, second, third)]
bars = ax.bar(("first try", "padding fixed", "rounding fixed"), counts, color=plotting.COLORS[0])
ax.bar_label(bars)
ax.set(ylabel="outputs that differ", ylim=(0, 1.15 * max(counts)))
plt.show()

# %%
# The same fault, unseen
# ----------------------
#
# Would an ordinary test have found it? Take scales as calibration gives them, no powers of two, and
# run the backend that rounds ties upwards:

s_w, s_o = 0.01234, 0.02345
w = torch.quantize_per_tensor(torch.from_numpy(kernels), s_w, 0, torch.qint8)
bias = torch.from_numpy(rng.normal(size=8).astype(np.float32))
usual = {**PROBLEM, "weight": w, "bias": bias, "scale": s_o}
unseen = oracle.compare(answer(build(pad="input_zero_point", rounding="half_up")), **usual)
print(unseen)
assert unseen.count <= 2

# %%
# Not a trace: a tie never happens. On such data wrong and right agree for years, until a customer
# chooses a power of two. So give your tests ties on purpose.
#
# Your backend
# ------------
#
# All that the oracle needs is an array of integers in the shape of the output. A whole test reads


def test_convolution():
    backend = build(pad="input_zero_point", rounding="rintf")
    report = oracle.compare(answer(backend), **usual)
    assert report.count == 0, report


test_convolution()
FOLDER.cleanup()

# %%
# What to take away
# -----------------
#
# * Compare integers, bit by bit; a tolerance of one would have hidden the second fault.
# * Make test data with ties, borders and saturation in them.
# * ``compare`` tells where and how much, ``diagnose`` tells why.
