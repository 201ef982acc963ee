"""Programs of recorded answers: observers, what they keep and what they choose."""

import numpy as np
from golden.programs import fraction, joined, program, tensor

RELEASES = ("1.4",)
ENGINES = ("fbgemm",)  # observers do not ask the engine


def normal(rng, shape, spread=1.0, middle=0.0):
    """Draw numbers that lie like a bell, made of integers: the same on every machine."""
    halves = rng.randint(-(2**14), 2**14, size=(6, *np.atleast_1d(shape))).sum(axis=0)
    return (halves / 2.0**14 * spread + middle).astype(np.float32).reshape(shape)


def batch(rng, shape):
    """Draw a batch of some kind: bell, one-sided, rectified, on a grid, constant, zeros."""
    spread = 2.0 ** rng.randint(-10, 6)
    x = normal(rng, shape, spread, spread * (fraction(rng) - 0.5))
    kind = rng.randint(0, 8)
    if kind == 0:
        return np.abs(x)
    if kind == 1:
        return -np.abs(x)
    if kind == 2:
        return np.maximum(x, np.float32(0))
    if kind == 3:
        return np.rint(x / np.float32(spread) * 4).astype(np.float32) / np.float32(4)
    if kind == 4:
        return np.full(shape, x.reshape(-1)[0], np.float32)
    if kind == 5:
        return np.zeros(shape, np.float32)
    return x


def qparams(observer):
    return [part.reshape(-1) for part in observer.calculate_qparams()[:2]]


def options(T, rng, kind):
    """Draw dtype, scheme and reduce_range among those that go together."""
    dtype = ("quint8", "qint8")[rng.randint(2)]
    scheme = ("affine", "symmetric")[rng.randint(2)]
    reduce_range = bool(rng.randint(2)) and not (dtype == "quint8" and scheme == "symmetric")
    return {
        "dtype": getattr(T, dtype),
        "qscheme": getattr(T, kind + "_" + scheme),
        "reduce_range": reduce_range,
    }


def summary(observers, ends=("min_val", "max_val")):
    """What the observers of several cases chose, and the ends of their ranges."""
    found = [qparams(observer) for observer in observers]
    return {
        "scale": joined(s for s, _ in found),
        "zero_point": joined(z for _, z in found),
        "ends": joined(getattr(o, name) for o in observers for name in ends),
    }


SHAPES = ((1,), (7,), (3, 5), (2, 3, 4, 5), (1, 4, 3, 3), (2, 3, 2, 3, 2), (17, 1))


@program(RELEASES, ENGINES)
def min_max(T, rng):
    observers = []
    for _ in range(150):
        observer = T.quantization.MinMaxObserver(**options(T, rng, "per_tensor"))
        for _ in range(rng.randint(1, 4)):
            observer(tensor(T, batch(rng, SHAPES[rng.randint(len(SHAPES))])))
        observers.append(observer)
    return summary(observers)


@program(RELEASES, ENGINES)
def moving_average(T, rng):
    observers = []
    for _ in range(100):
        constant = (0.01, 1 / 3.0, 0.9, 1.0, fraction(rng))[rng.randint(5)]
        observer = T.quantization.MovingAverageMinMaxObserver(
            averaging_constant=constant, **options(T, rng, "per_tensor")
        )
        for _ in range(rng.randint(1, 9)):
            observer(tensor(T, batch(rng, SHAPES[rng.randint(len(SHAPES))])))
        observers.append(observer)
    return summary(observers)


def per_channel_case(T, rng, make, **more):
    shape = SHAPES[rng.randint(2, len(SHAPES))]  # at least two dimensions
    observer = make(ch_axis=rng.randint(len(shape)), **more, **options(T, rng, "per_channel"))
    for _ in range(rng.randint(1, 4)):
        observer(tensor(T, batch(rng, shape)))
    return observer


def per_channel_summary(observers):
    answers = summary(observers, ("min_vals", "max_vals"))
    answers["axes"] = np.array([o.calculate_qparams()[2] for o in observers])
    return answers


@program(RELEASES, ENGINES)
def per_channel(T, rng):
    make = T.quantization.PerChannelMinMaxObserver
    return per_channel_summary([per_channel_case(T, rng, make) for _ in range(100)])


@program(RELEASES, ENGINES)
def moving_average_per_channel(T, rng):
    make = T.quantization.MovingAveragePerChannelMinMaxObserver
    return per_channel_summary(
        [per_channel_case(T, rng, make, averaging_constant=fraction(rng)) for _ in range(60)]
    )


@program(RELEASES, ENGINES)
def layouts(T, rng):
    """Observe transposed, strided and channels-last tensors."""
    observers = []
    for view in range(4):
        x = tensor(T, normal(rng, (2, 6, 4, 5)))
        seen = (
            x.transpose(1, 3),
            x[:, ::2],
            x.contiguous(memory_format=T.channels_last),
            x[1:, 2:4].permute(2, 0, 3, 1),
        )[view]
        observers += [T.quantization.MinMaxObserver(), T.quantization.HistogramObserver(bins=64)]
        for observer in observers[-2:]:
            observer(seen)
    return summary(observers)


@program(RELEASES, ENGINES)
def ranges(T, rng):
    """Choose parameters for ranges whose zero points lie on ties or near them."""
    observers = []
    for _ in range(300):
        observer = T.quantization.MinMaxObserver(**options(T, rng, "per_tensor"))
        low, high = rng.randint(-600, 600, size=2)
        shift = (0.0, 0.5, fraction(rng))[rng.randint(3)]
        scale = (1.0, 0.25, 2.0**-26, 1 / 3.0)[rng.randint(4)]
        observer(tensor(T, (np.array([low + shift, high]) * scale).astype(np.float32)))
        observers.append(observer)
    return summary(observers)


@program(RELEASES, ENGINES)
def histograms(T, rng):
    """Keep histograms over ranges that grow a little or much."""
    observers = []
    for case in range(24):
        observer = T.quantization.HistogramObserver(
            bins=(8, 77, 100, 256, 500, 2048)[case % 6],
            upsample_rate=(128, 16, 3, 100)[case % 4],
            dtype=(T.quint8, T.qint8)[case % 2],
            reduce_range=bool(rng.randint(2)),
        )
        spread = 2.0 ** rng.randint(-6, 6)
        for _ in range(case % 5 + 1):
            x = normal(rng, (300 + case,), spread, spread * (fraction(rng) - 0.5))
            observer(tensor(T, np.maximum(x, np.float32(0)) if case % 3 == 0 else x))
            spread *= 1.0 + fraction(rng) * (9.0 if case % 7 == 0 else 0.3)
        observers.append(observer)
    answers = summary(observers)
    answers["histogram"] = joined(o.histogram for o in observers)
    return answers


@program(RELEASES, ENGINES)
def histogram_searches(T, rng):
    """Search ranges of histograms with far-off numbers, two heaps, and symmetric schemes."""
    observers = []
    for case in range(18):
        observer = T.quantization.HistogramObserver(
            bins=(64, 128, 300)[case % 3],
            dtype=T.qint8,
            qscheme=(T.per_tensor_affine, T.per_tensor_symmetric)[case % 2],
        )
        x = normal(rng, (900,))
        if case % 4 == 0:
            x[:3] *= np.float32(30)
        if case % 4 == 1:
            x[:300] += np.float32(12)
        if case % 4 == 2:
            x = x * x * x
        observer(tensor(T, x))
        observers.append(observer)
    return summary(observers)
