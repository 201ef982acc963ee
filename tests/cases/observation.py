"""Observers, fake quantization with its gradient, and batch normalization that is folded."""

import numpy as np
from cases.operands import floats
from cases.registry import operation

# Neither observing nor folding asks the engine; PyTorch 2.13 observes in other ways.
OLD = {"releases": ("1.4",), "engines": ("fbgemm",)}
SHAPES = ((1,), (7,), (3, 5), (2, 3, 4, 5), (1, 4, 3, 3), (2, 3, 2, 3, 2), (17, 1))
LIMITS = ((0, 255), (-128, 127), (0, 127), (0, 15), (-8, 7), (-1000, 1000))


def watched(make, batches, *kept):
    """Let an observer see batches; returns what it chose and what it keeps."""
    observer = make()
    for x in batches:
        observer(x)
    low, high, *others = (getattr(observer, name) for name in kept)
    chosen = []
    if bool((low <= high).all()):  # PyTorch fails an assertion where averages crossed
        chosen = [part.reshape(-1) for part in observer.calculate_qparams()[:2]]
    return [*chosen, low, high, *others]


def observing(d, name, batches, kept=("min_val", "max_val"), **more):
    """Draw dtype, scheme and reduce_range among those that go together, and name the call."""
    kind = "per_channel" if "PerChannel" in name else "per_tensor"
    dtype, scheme, reduce_range = d.pick("quint8", "qint8"), d.pick("affine", "symmetric"), False
    if dtype == "qint8" or scheme == "affine":
        reduce_range = d.chance(0.5)
    more.setdefault("qscheme", getattr(d.T, kind + "_" + scheme))
    more.setdefault("dtype", getattr(d.T, dtype))
    more.setdefault("reduce_range", reduce_range)
    batches = [x if hasattr(x, "dim") else d.tensor(x) for x in batches]
    return d.by("quantization." + name, watched, lambda: make(d, name, more), batches, *kept)


def make(d, name, options):
    return getattr(d.T.quantization, name)(**options)


def seen(d, x, most=3, least=0):
    """Draw batches; without a peer the operand is one of them."""
    shape = d.pick(*SHAPES[least:])
    batches = [d.batch(shape) for _ in range(d.whole(1, most))]
    return batches, shape


@operation(None, recorded=150, **OLD)
def min_max(d, x):
    return observing(d, "MinMaxObserver", seen(d, x)[0])


@operation(None, recorded=100, **OLD)
def moving_average(d, x):
    constant = d.pick(0.01, 1 / 3.0, 0.9, 1.0, d.fraction())
    batches, _ = seen(d, x, 8)
    return observing(d, "MovingAverageMinMaxObserver", batches, averaging_constant=constant)


@operation(None, recorded=100, **OLD)
def min_max_per_channel(d, x):
    batches, shape = seen(d, x, least=2)
    ends = ("min_vals", "max_vals")
    axis = d.whole(0, len(shape) - 1)
    return observing(d, "PerChannelMinMaxObserver", batches, ends, ch_axis=axis)


@operation(None, recorded=60, **OLD)
def moving_average_per_channel(d, x):
    batches, shape = seen(d, x, least=2)
    return observing(
        d,
        "MovingAveragePerChannelMinMaxObserver",
        batches,
        ("min_vals", "max_vals"),
        ch_axis=d.whole(0, len(shape) - 1),
        averaging_constant=d.fraction(),
    )


@operation(None, recorded=8, **OLD)
def observed_layouts(d, x):
    """Observe transposed, strided and channels-last tensors."""
    x = d.tensor(d.bell((2, 6, 4, 5)))
    view = d.pick(
        x.transpose(1, 3),
        x[:, ::2],
        x.contiguous(memory_format=d.T.channels_last),
        x[1:, 2:4].permute(2, 0, 3, 1),
    )
    return [
        observing(d, "MinMaxObserver", [view]),
        observing(d, "HistogramObserver", [view], bins=64, qscheme=d.T.per_tensor_affine),
    ]


@operation(None, recorded=300, **OLD)
def ranges(d, x):
    """Choose parameters for ranges whose zero points lie on ties or near them."""
    shift = d.pick(0.0, 0.5, d.fraction())
    scale = d.pick(1.0, 0.25, 2.0**-26, 1 / 3.0)
    ends = np.array([d.whole(-600, 599) + shift, d.whole(-600, 599)]) * scale
    return observing(d, "MinMaxObserver", [ends.astype(np.float32)])


@operation(None, recorded=24, **OLD)
def histograms(d, x):
    """Keep histograms over ranges that grow a little or much."""
    spread, size, batches = 2.0 ** d.whole(-6, 5), d.whole(300, 324), []
    growth, rectified = d.pick(9.0, *[0.3] * 6), d.chance(0.3)
    for _ in range(d.whole(1, 5)):
        x = d.bell((size,), spread, spread * (d.fraction() - 0.5))
        batches.append(np.maximum(x, np.float32(0)) if rectified else x)
        spread *= 1.0 + d.fraction() * growth
    return observing(
        d,
        "HistogramObserver",
        batches,
        ("min_val", "max_val", "histogram"),
        bins=d.pick(8, 77, 100, 256, 500, 2048),
        upsample_rate=d.pick(128, 16, 3, 100),
        qscheme=d.T.per_tensor_affine,
    )


@operation(None, recorded=18, **OLD)
def histogram_searches(d, x):
    """Search ranges of histograms with far-off numbers, two heaps, and symmetric schemes."""
    x = d.bell((900,))
    heaps, far = x.copy(), x.copy()
    heaps[:300] += np.float32(12)
    far[:3] *= np.float32(30)
    bins = d.pick(64, 128, 300)
    batch = d.pick(x, heaps, far, x * x * x)
    return observing(
        d, "HistogramObserver", [batch], bins=bins, dtype=d.T.qint8, reduce_range=False
    )


# -- fake quantization ---------------------------------------------------------------------------


def differentiated(function, x, gradient, *arguments):
    """Result and gradient of an operation, for a gradient of many values."""
    leaf = x.clone().detach().requires_grad_(True)
    y = function(leaf, *arguments)
    (y * gradient).sum().backward()
    return [y.detach(), leaf.grad]


def faking(d, path, x, *arguments):
    gradient = d.tensor(d.bell(tuple(x.shape)))
    return d.by(path, differentiated, d.call(path).function, x, gradient, *arguments)


@operation(None, recorded=60, **OLD)
def fake_quantize_per_tensor_affine(d, x):
    low, high = d.pick(*LIMITS)
    scale, zero_point = d.scale(), d.whole(low, high)
    storage = "qint8" if low else "quint8"
    x = floats(d.rng, (3, d.whole(1, 69)), scale, zero_point, storage, special=False)
    path = "fake_quantize_per_tensor_affine"
    return faking(d, path, d.tensor(x), scale, zero_point, low, high)


@operation(None, recorded=40, **OLD)
def fake_quantize_per_channel_affine(d, x):
    (low, high), shape = d.pick(*LIMITS), d.pick((5, 9), (2, 3, 4, 5), (4, 3, 17), (7,))
    axis = d.whole(0, len(shape) - 1)
    scales = np.array([d.scale() for _ in range(shape[axis])], np.float32)
    zeros = d.rng.randint(low, high + 1, size=shape[axis])
    wide = [1] * len(shape)
    wide[axis] = shape[axis]
    x = floats(d.rng, shape, 1.0, 0, "qint8" if low else "quint8", special=False)
    with np.errstate(over="ignore"):
        x = ((x - zeros.reshape(wide)) * scales.reshape(wide)).astype(np.float32)
    path, zeros = "fake_quantize_per_channel_affine", d.tensor(zeros)
    return faking(d, path, d.tensor(x), d.tensor(scales), zeros, axis, low, high)


@operation(None, recorded=1, **OLD)
def fake_quantize_special(d, x):
    """NaN and numbers that no integer of 8 bits holds; infinities differ by intent."""
    x = d.tensor(np.array([np.nan, 3e9, -3e9, 1e15, -1e15, 0.0, -0.0, 1e-45], np.float32))
    return faking(d, "fake_quantize_per_tensor_affine", x, 0.1, 3, 0, 255)


@operation(None, recorded=8, **OLD)
def fake_quantize_modules(d, x):
    """Train with the default modules, switch observing off, then rounding."""
    name = d.pick(
        *("default_fake_quant", "default_weight_fake_quant"),
        *("default_per_channel_weight_fake_quant", "default_histogram_fake_quant"),
    )
    shape = (4, 3, 5)
    bell = "histogram" in name
    batches = [d.bell(shape, 1.0 + n) if bell else d.batch(shape) for n in range(6)]
    gradients = [d.tensor(d.bell(shape)) for _ in batches]

    def trained(batches):
        module, results = getattr(d.T.quantization, name)(), []
        for step, (x, gradient) in enumerate(zip(batches, gradients)):  # noqa: B905
            if step == 4:
                module.disable_observer()
            if step == 5:
                module.disable_fake_quant()
            results += differentiated(module, x, gradient)
        return [*results, module.scale, module.zero_point]

    return d.by("quantization." + name, trained, [d.tensor(x) for x in batches])


# -- folding -------------------------------------------------------------------------------------


@operation(None, engines=("fbgemm",), recorded=40)
def folded_batch_norm(d, x):
    groups, channels = d.pick(1, 2), 2 * d.whole(1, 8)
    convolution = d.T.nn.Conv2d(4, channels, 3, groups=groups, bias=d.chance(0.5))
    normalization = d.T.nn.BatchNorm2d(channels, eps=d.pick(1e-5, 1e-3, 0.5))
    for module in (convolution, normalization):
        state = module.state_dict()
        for key in sorted(state):
            if key != "num_batches_tracked":
                drawn = d.bell(tuple(state[key].shape), 0.7)
                state[key] = d.tensor(abs(drawn) if key == "running_var" else drawn)
        module.load_state_dict(state)

    def folded(model):
        made = d.T.quantization.fuse_modules(model.eval(), [["0", "1"]])[0]
        return [made.weight.detach(), made.bias.detach()]

    model = d.T.nn.Sequential(convolution, normalization)
    return d.by("quantization.fuse_modules", folded, model)
