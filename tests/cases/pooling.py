"""Pooling and resizing of images."""

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
