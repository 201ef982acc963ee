import numpy as np
from matplotlib import pyplot

from refquant.engines.rules.requantize import FIXED_POINT, FLOAT_PRODUCT
from refquant.plotting import COLORS

WIDE = (0, -(2**31), 2**31 - 1)


def draw(ink):
    rng = np.random.default_rng(0)
    shifts = np.arange(1, 11)
    shares = {FIXED_POINT: [], FLOAT_PRODUCT: []}
    for shift in shifts:
        multiplier = np.float32(rng.uniform(0.5, 1)) * np.float32(2.0**-shift)
        a = rng.integers(1, 2 ** (8 + shift), 1_000_000)
        exact = np.floor(a * np.float64(multiplier) + 0.5).astype(np.int64)
        for rule, counted in shares.items():
            counted.append(np.mean(rule(a, multiplier, *WIDE) != exact))
    figure, ax = pyplot.subplots()
    ax.plot(shifts, 2.0 ** -(shifts + 1), color=ink, linewidth=1, label="$2^{-(k+1)}$")
    ax.plot(shifts, shares[FIXED_POINT], "o", color=COLORS[1], label="rounded twice")
    ax.plot(shifts, shares[FLOAT_PRODUCT], "s", color=COLORS[0], label="float multiplier")
    # Logarithmic down to one of a million outputs, with a place for zero below.
    ax.set_yscale("symlog", linthresh=1e-6)
    ax.set_ylim(-3e-7, 0.5)
    ax.set_xticks(shifts)
    ax.set_xlabel("shift k")
    ax.set_ylabel("share of outputs off by one")
    ax.legend(loc="center left")
    return figure
