"""Programs of recorded answers for the families `pooling` and `resizing`."""

import numpy as np
from golden import programs as p

DTYPES = ("quint8", "qint8", "qint32")
STORAGE = {"quint8": np.uint8, "qint8": np.int8, "qint32": np.int32}
CHANNELS = (1, 7, 8, 9, 17, 33)
LAYOUTS = ("contiguous_format", "channels_last")


def _image(T, rng, dtype, channels, layout):
    """Draw an image; few distinct integers make sums lie on ties."""
    low, high = p.RANGES[dtype] if dtype != "qint32" else (-1000, 1000)
    shape = (2, channels, rng.randint(4, 8), rng.randint(4, 8))
    ints = rng.randint(low, high + 1, size=shape)
    if rng.randint(2):
        ints = np.array([low, 0, 1, 2, high])[rng.randint(0, 5, size=shape)]
    zero_point = min(max(p.zero_point(rng, dtype), low), high)
    made = T._make_per_tensor_quantized_tensor(
        p.tensor(T, ints.astype(STORAGE[dtype])), p.scale(rng), zero_point
    )
    return made.contiguous(memory_format=getattr(T, layout)), shape[2:]


def _answers(T, rng, operation):
    """Collect what `operation(image, sizes, dtype)` makes of images of every kind."""
    answers = {}
    for dtype in DTYPES:
        for layout in LAYOUTS:
            made = []
            for channels in CHANNELS:
                for _ in range(2):
                    image, sizes = _image(T, rng, dtype, channels, layout)
                    made.append(operation(image, sizes, dtype).int_repr())
            answers[dtype + "." + layout] = p.joined(made)
    return answers


def _pair(rng, low, high):
    return tuple(int(v) for v in rng.randint(low, high, size=2))


def _border(rng, kernel):
    return tuple(int(rng.randint(0, k // 2 + 1)) for k in kernel)


def _ceil(T, rng, dtype, kernel, stride):
    """Draw ceil_mode, where both releases know how to count windows.

    1.4 counts windows behind the image if strides are long, and its QNNPACK does not count right
    at all.
    """
    drawn = bool(rng.randint(2))
    if T.backends.quantized.engine.startswith("qnnpack") and dtype == "quint8":
        return False
    return drawn and all(s <= k for s, k in zip(stride, kernel))  # noqa: B905  for Python 3.8


@p.program()
def max_pool2d(T, rng):
    """Windows of every kind. QNNPACK of 2.13 repeats the border: dilation only without one."""

    def pool(image, sizes, dtype):
        kernel, stride = _pair(rng, 2, 4), _pair(rng, 1, 4)
        border, dilation = ((0, 0), (1, 2)) if rng.randint(3) == 0 else (_border(rng, kernel), 1)
        kernel, border = (kernel[0], 2), (border[0], min(border[1], 1))
        ceil = _ceil(T, rng, dtype, kernel, stride)
        return T.nn.functional.max_pool2d(image, kernel, stride, border, dilation, ceil)

    return _answers(T, rng, pool)


@p.program()
def avg_pool2d(T, rng):
    """Averages. QNNPACK ignores two arguments where it has a kernel: they keep their defaults."""
    qnnpack = T.backends.quantized.engine.startswith("qnnpack")

    def pool(image, sizes, dtype):
        kernel, stride = _pair(rng, 2, 5), _pair(rng, 1, 4)
        kernel = tuple(min(k, n) for k, n in zip(kernel, sizes))  # noqa: B905  for Python 3.8
        border, include = _border(rng, kernel), bool(rng.randint(2))
        ceil = _ceil(T, rng, dtype, kernel, stride)
        override = [None, None, 3, 7][rng.randint(4)]
        if qnnpack and dtype == "quint8":
            include, override = True, None
        return T.nn.functional.avg_pool2d(image, kernel, stride, border, ceil, include, override)

    return _answers(T, rng, pool)


@p.program()
def adaptive_avg_pool2d(T, rng):
    """One pixel, and other sizes."""

    def pool(image, sizes, dtype):
        size = [(1, 1), (sizes[0], 1), _pair(rng, 1, 8)][rng.randint(3)]
        return T.nn.functional.adaptive_avg_pool2d(image, size)

    return _answers(T, rng, pool)


def _interpolate(T, rng, mode):
    def resize(image, sizes, dtype):
        corners = bool(rng.randint(2)) if mode == "bilinear" else None
        size, factor = _pair(rng, 1, 11), None
        if size == tuple(sizes):  # 1.4 scrambles such images if they are channels-last
            size = (size[0], size[1] + 1)
        if rng.randint(3) == 0:
            # 1.4 goes by the sizes, 2.13 by the factors.
            size, factor = None, [1.5, 2.0, 1.3, 0.75][rng.randint(4)]
        return T.nn.functional.interpolate(image, size, factor, mode, corners)

    return _answers(T, rng, resize)


@p.program()
def interpolate_nearest(T, rng):
    """Pixels copied."""
    return _interpolate(T, rng, "nearest")


@p.program()
def interpolate_bilinear(T, rng):
    """Pixels mixed."""
    return _interpolate(T, rng, "bilinear")
