"""Pooling and resizing of images."""

import numpy as np
from cases.registry import operation


def window(d, x, most=4):
    """Draw kernel, stride, padding and ceil_mode, as far as real engines know how to count."""
    sizes = tuple(x.shape[2:])
    kernel = tuple(min(k, max(n, 1)) for k, n in zip(d.pair(2, most), sizes))  # noqa: B905
    stride, padding = d.pair(1, 3), tuple(d.whole(0, k // 2) for k in kernel)
    ceil = d.chance(0.5)
    if d.peer and (
        (d.qnnpack and x.dtype == d.T.quint8)
        # 1.4 counts windows behind the image if strides are long.
        or (d.old and any(s > k for s, k in zip(stride, kernel)))  # noqa: B905
    ):
        ceil = False
    return kernel, stride, padding, ceil


@operation("image", recorded=180)
def max_pool2d(d, x):
    kernel, stride, padding, ceil = window(d, x)
    dilation = 1
    if d.chance(0.3):  # QNNPACK repeats the border
        kernel, padding, dilation = (2, 2), (0, 0), d.pick(2, (1, 2))
        ceil = ceil and not d.old
    if not d.old and d.chance(0.3):  # this one takes pairs alone
        dilation = (dilation, dilation) if dilation in (1, 2) else dilation
        path = "ops.quantized.max_pool2d"
    else:
        path = one_of(d, "max_pool2d")
    return d.call(path, x, kernel, stride, padding, dilation, ceil)


@operation("image", recorded=180)
def avg_pool2d(d, x):
    include, override = d.chance(0.5), d.pick(None, None, 3, 7)
    if d.qnnpack and x.dtype == d.T.quint8:  # which ignores both
        include, override = True, None
    if not d.peer and d.chance(0.2):
        override = d.pick(1, 1000, 2**31, 2**62)
    call = d.call(one_of(d, "avg_pool2d"), x, *window(d, x), include, override)
    if d.old and d.qnnpack:  # whose results are channels-last whatever the image is
        return d.by(
            call.path, lambda *arguments: call.function(*arguments).contiguous(), *call.arguments
        )
    return call


def one_of(d, *names):
    """Draw one of the public functions of these names."""
    if d.old or d.chance(0.5):
        return "nn.functional." + names[0]
    return "nn.quantized.functional." + d.pick(*names)


@operation("image", recorded=280)
def adaptive_avg_pool2d(d, x):
    size = d.pick((1, 1), (x.shape[2], 1), d.pair(1, 7))
    return d.call(one_of(d, "adaptive_avg_pool2d"), x, size)


def along(d, sizes, most=4):
    """Draw kernel, stride and padding for some dimensions."""
    kernel = tuple(d.whole(1, min(most, max(n, 1))) for n in sizes)
    return kernel, d.pair(1, 3, len(sizes)), tuple(d.whole(0, k // 2) for k in kernel)


def sequence(d, x):
    """Take one row of an image, and at random one of its images without batch."""
    x = x[:, :, 0] if x.shape[2] else x[:, :, :, 0]
    if d.peer and (d.qnnpack or d.old):  # which read or write sequences with gaps by wrong strides
        x = x.contiguous()
    whole = d.qnnpack or d.old or not x.shape[0]
    return x if whole or d.chance(0.8) else x[0]


@operation("image", releases=("2.13",), recorded=80)
def max_pool1d(d, x):
    x = sequence(d, x)
    (kernel,), (stride,), (padding,) = along(d, x.shape[-1:])
    ceil, dilation = d.chance(0.5), 1
    if d.chance(0.3):  # QNNPACK repeats the border
        kernel, padding, dilation = min(2, max(x.shape[-1], 1)), 0, d.pick(1, 2)
        dilation = 1 if x.shape[-1] < 3 else dilation
    if d.peer and d.qnnpack and x.dtype == d.T.quint8:
        ceil = False
        if kernel == 1:  # which it rejects
            kernel, padding = (2, 0) if x.shape[-1] > 1 else (x.shape[-1] + 1, 1)
    paths = ("nn.functional.max_pool1d", "nn.quantized.functional.max_pool1d")
    return [
        d.call(d.pick(*paths, "quantized_max_pool1d"), x, kernel, stride, padding, dilation, ceil),
        d.call("ops.quantized.max_pool1d", x, [kernel], [stride], [padding], [dilation], ceil),
    ]


@operation("image", recorded=60)
def avg_pool1d(d, x):
    x = sequence(d, x)
    (kernel,), (stride,), (padding,) = along(d, x.shape[-1:])
    stride, include = min(stride, kernel), d.chance(0.5)
    ceil = d.chance(0.5) and not d.old
    if d.qnnpack and x.dtype == d.T.quint8:
        ceil, include = False, True
        if d.peer and kernel == 1:
            kernel, padding = (2, 0) if x.shape[-1] > 1 else (x.shape[-1] + 1, 1)
    call = d.call("nn.functional.avg_pool1d", x, kernel, stride, padding, ceil, include)
    return d.by(call.path, lambda *a: call.function(*a).contiguous(), *call.arguments)


@operation("image", recorded=60)
def adaptive_avg_pool1d(d, x):
    return d.call("nn.functional.adaptive_avg_pool1d", sequence(d, x), d.whole(1, 7))


def volume(d):
    """Draw a volume, in either memory format or with gaps."""
    channels = d.pick(1, 2, 3, 8, 15, 16, 17, 33)
    shape = (d.whole(1, 2), channels, *d.pair(1, 6, 3))
    if not d.peer and d.chance(0.05):
        shape = (0, *shape[1:])
    if d.peer and channels > 1 and shape[2:] == (1, 1, 1):  # whose channels PyTorch scrambles
        shape = (*shape[:4], 2)
    x = d.quantized(shape, d.pick("quint8", "qint8", "qint32"))
    x = x.contiguous() if 1 in shape else x  # strides of extents of 1 mislead PyTorch
    return x.contiguous(memory_format=d.T.channels_last_3d) if d.chance(0.4) else x


@operation(None, releases=("2.13",), engines=("fbgemm",), recorded=40)
def max_pool3d(d, x):
    x = volume(d)
    window, dilation, ceil = along(d, x.shape[2:]), d.pick(1, 1, 2), d.chance(0.5)
    if dilation == 2 and min(x.shape[2:]) < 3:
        dilation = 1
    if dilation == 2:
        window = (2, 2, 2), window[1], d.pick((0, 0, 0), (1, 1, 1))
    path = d.pick("nn.functional.max_pool3d", "quantized_max_pool3d")
    return d.call(path, x, *window, dilation, ceil)


@operation(None, releases=("2.13",), recorded=40)
def avg_pool3d(d, x):
    x = volume(d)
    options = d.chance(0.5), d.chance(0.5), d.pick(None, None, 3, 7)
    path = d.pick("nn.functional.avg_pool3d", "nn.quantized.functional.avg_pool3d")
    return d.call(path, x, *along(d, x.shape[2:]), *options)


@operation(None, releases=("2.13",), recorded=60)
def adaptive_avg_pool3d(d, x):
    x = volume(d)
    size = d.pick((1, 1, 1), d.pair(1, 4, 3), d.pair(1, 4, 3), (None, 1, d.whole(1, 3)))
    # PyTorch takes volumes without batch for images, and scrambles some.
    whole = d.peer and (x.shape[2] == 1 or tuple(x.shape[3:]) == (1, 1))
    x = x[0] if x.shape[0] and not whole and d.chance(0.2) else x
    path = d.pick(
        "nn.functional.adaptive_avg_pool3d", "nn.quantized.functional.adaptive_avg_pool3d"
    )
    return d.call(path, x, size)


@operation("image", releases=("2.13",), engines=("fbgemm",), recorded=10)
def volume_modules(d, x):
    """Float modules of one and three dimensions take quantized tensors."""
    nn, sequence, x = d.T.nn, x[:, :, 0], volume(d)
    modules = nn.MaxPool1d(2, 1), nn.AvgPool1d(2, 1), nn.AdaptiveAvgPool1d(3)
    of_volumes = nn.MaxPool3d(1, 2), nn.AvgPool3d(1, 2), nn.AdaptiveAvgPool3d(2)
    return [
        d.by("nn." + type(module).__name__, module, operand)
        for operand, some in ((sequence, modules), (x, of_volumes))
        for module in some
    ]


def target(d, x):
    """Draw a size or a factor; 1.4 goes by the sizes, 2.13 by the factors."""
    if d.chance(0.35):
        return None, d.pick(1.5, 2.0, 1.3, 0.75)
    size = d.pair(1, 10)
    # 1.4 scrambles channels-last images of the same size.
    return (size if size != tuple(x.shape[2:]) else (size[0], size[1] + 1)), None


def resizing(name, mode):
    @operation("image", name, recorded=200)
    def call(d, x):
        corners = d.chance(0.5) if mode == "bilinear" else None
        path = one_of(d, "interpolate", "upsample")
        return d.call(path, x, *target(d, x), mode, corners)


resizing("nearest", "nearest")
resizing("bilinear", "bilinear")


def nearest(d, x, mode):
    """Draw a size or factors for every dimension."""
    sizes = tuple(x.shape[2:])
    path = d.pick("nn.functional.interpolate", "nn.quantized.functional.interpolate")
    factors = tuple(d.pick(0.5, 1.0, 1.5, 2.0, 0.7, 3.3, 2.6) for _ in sizes)
    if d.chance(0.4) and all(int(n * f) for n, f in zip(sizes, factors)):  # noqa: B905
        return d.call(path, x, None, factors, mode)
    return d.call(path, x, tuple(d.whole(1, 10) for _ in sizes), None, mode)


@operation("image", releases=("2.13",), recorded=60)
def nearest_exact(d, x):
    if x.shape[2:] == (1, 1):
        x = x.repeat(1, 1, 2, 1)
    return nearest(d, x, "nearest-exact")


@operation(None, releases=("2.13",), recorded=40)
def nearest_of_volumes(d, x):
    return nearest(d, volume(d), d.pick("nearest", "nearest-exact"))


@operation("image", releases=("2.13",), recorded=20)
def area(d, x):
    """Averages, under another name; and places by sizes although a factor is given."""
    again = {} if d.qnnpack else {"recompute_scale_factor": True}
    options = {"scale_factor": d.pick(1.3, 0.7), "mode": "nearest"}
    return [
        d.call("nn.functional.interpolate", x, d.pair(1, 6), None, "area"),
        d.call("nn.functional.interpolate", x, **again, **options),
    ]


@operation(None, releases=("2.13",), recorded=80)
def grid_sample(d, x):
    shape = d.whole(1, 2), d.pick(1, 2, 5), d.whole(1, 6), d.whole(1, 6)
    x = d.quantized(shape, "quint8", image=True)
    size = (shape[0], *d.pair(1, 6), 2)
    # Steps of eighths lie on ties, and on pixels.
    grid = d.rng.randint(-12, 13, size=size) / 8.0
    if d.chance(0.5):
        grid = d.bell(size, 1.3)
    grid = np.array(grid, np.float32)
    if d.chance(0.15):
        grid[0, 0, 0] = d.pick(3e38, -1e30, 1e10, np.inf, -np.inf, np.nan)
    options = d.pick("zeros", "border", "reflection"), d.chance(0.5)
    if d.chance(0.5):
        number = ("zeros", "border", "reflection").index(options[0])
        return d.call("grid_sampler_2d", x, d.tensor(grid), 0, number, options[1])
    return d.call("nn.functional.grid_sample", x, d.tensor(grid), "bilinear", *options)


@operation("image", releases=("2.13",), recorded=10)
def upsample(d, x):
    paths = ("upsample_nearest", "upsample_bilinear")
    return [d.call("nn.quantized.functional." + path, x, d.pair(1, 10)) for path in paths]


# What of an image strides mean, where some dimensions have extent 1.
AMBIGUOUS = ((2, 1, 6, 6), (2, 5, 1, 1), (1, 5, 1, 1), (1, 1, 4, 4), (2, 5, 1, 6), (2, 5, 6, 1))


@operation(None, releases=("2.13",), recorded=20)
def ambiguous_images(d, x):
    x = d.quantized(d.pick(*AMBIGUOUS), "qint8", dense=True)
    if d.chance(0.5):
        x = x.contiguous(memory_format=d.T.channels_last)
    made = d.T.nn.functional.interpolate(x, (3, 4)), d.T.nn.functional.max_pool2d(x, 3, 1, 1)
    # Strides of extents of 1 are compared here alone.
    return [d.by(".stride", lambda q: list(q.stride()), q) for q in made]


@operation("image", releases=("2.13",), recorded=10)
def image_modules(d, x):
    """Float modules take quantized images."""
    nn = d.T.nn
    modules = (
        *(nn.MaxPool2d(3, 2, 1), nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(3)),
        nn.Upsample((4, 15), None, "bilinear", True),
    )
    return [d.by("nn." + type(module).__name__, module, x) for module in modules]
