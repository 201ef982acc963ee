"""Convolutions of sequences and transposed convolutions; the others stand in `cases.products`."""

import warnings

import numpy as np
from cases.operands import integers
from cases.products import bias_of, geometry, of_module, unpacking, weight_of
from cases.registry import operation


def shaped(d, x, dims):
    """Take the last dimensions of an image away, of which a sequence has none."""
    return x if x.dim() == dims + 2 else d.quantized((*x.shape[:2], x.shape[3]), "quint8", 2.0**-5)


def prepack(d, name, weight, bias, layout):
    return getattr(d.T.ops.quantized, name + "_prepack")(weight, bias, *layout)


# -- sequences -------------------------------------------------------------------------------------


def sequences(name):
    @operation("bytes", name, releases=("2.13",), recorded=40)
    def call(d, x):
        (x, weight, bias), layout, output = geometry(d, shaped(d, x, 1))
        packed = prepack(d, "conv1d", weight, bias, layout)
        return d.call("ops.quantized." + name, x, packed, *output)


sequences("conv1d")
sequences("conv1d_relu")


@operation("bytes", releases=("2.13",), recorded=8)
def conv1d_unpack(d, x):
    (_, weight, bias), layout, _ = geometry(d, shaped(d, x, 1))
    packed = prepack(d, "conv1d", weight, bias, layout)
    return unpacking(d, "ops.quantized.conv1d_unpack", packed, bias)


@operation("bytes", releases=("2.13",), recorded=10)
def functional_conv1d(d, x):
    operands, layout, (scale, zero) = geometry(d, shaped(d, x, 1))
    layout = (*(part[0] for part in layout[:3]), layout[3])
    path = "nn.quantized.functional.conv1d"
    return d.call(path, *operands, *layout, scale=scale, zero_point=zero)


@operation("bytes", releases=("2.13",), recorded=20)
def conv1d_modules(d, x):
    (x, weight, bias), (*layout, groups), output = geometry(d, shaped(d, x, 1))
    shape = x.shape[1], weight.shape[0], tuple(weight.shape[2:])
    arguments = (*shape, *(tuple(part) for part in layout), groups, bias is not None)
    return [
        of_module(d, path, arguments, x, weight, bias, *output)
        for path in ("quantized.Conv1d", "intrinsic.quantized.ConvReLU1d")
    ]


@operation("bytes", recorded=20)
def conv2d_called_as_in_1_4(d, x):
    (x, weight, bias), layout, output = geometry(d, x)
    packed = prepack(d, "conv2d", weight, bias, layout)
    function = d.T.ops.quantized.conv2d
    return d.by("conv2d with its geometry", function, x, packed, *layout, *output)


def getters(name, takes, engines):
    """What packed weights tell of themselves, as tensors."""

    @operation(takes, name + "_getters", releases=("2.13",), engines=engines, recorded=4)
    def call(d, x):
        transposed = "transpose" in name
        drawn = transposed_geometry(d, x) if transposed else geometry(d, x)
        (_, weight, bias), layout, _ = drawn
        packed = prepack(d, name, weight, bias, layout)
        parts = ["stride", "padding", "output_padding", "dilation", "groups", "transpose"]
        parts += ["unpack_sizes"] if name == "conv2d" else []
        return [telling(d, f"ops.quantized.{name}_{part}", packed) for part in parts]


def telling(d, path, packed):
    def tell(packed):
        told = d.call(path, packed)()
        if isinstance(told, tuple):  # shapes of weight and bias, stride, padding, dilation, groups
            told = [*told[0], *told[2], *told[3], *told[4], told[5]]
        return d.tensor(np.array(told, np.int64))

    return d.by(path, tell, packed)


getters("conv2d", "bytes", ("fbgemm", "qnnpack"))
getters("conv3d", "volume", ("fbgemm",))
getters("conv_transpose2d", "bytes", ("fbgemm", "qnnpack"))
getters("conv_transpose3d", "volume", ("fbgemm",))


# -- transposed ------------------------------------------------------------------------------------


def transposed_weight(d, shape, groups):
    """Make a weight; QNNPACK takes scales along axis 1, of one group."""
    if not d.qnnpack or groups > 1 or d.chance(0.5):
        return weight_of(d, shape, False)
    ints = d.tensor(integers(d.rng, shape, "qint8"))
    scales = np.array([np.ldexp(1 + d.fraction(), -7) for _ in range(shape[1])])
    zeros = np.full(shape[1], d.pick(0, 0, 5, -7), np.int64)
    return d.T._make_per_channel_quantized_tensor(ints, d.tensor(scales), d.tensor(zeros), 1)


def transposed_geometry(d, x):
    """Draw as `geometry`; the layout has the output padding, too."""
    channels, sizes = x.shape[1], tuple(x.shape[2:])
    divisors = [n for n in range(1, channels + 1) if channels % n == 0] or [1]
    groups = d.pick(1, 1, d.pick(*divisors), max(channels, 1))
    outputs = d.pick(1, 2, *[3, 5] * (groups < 4))
    rank = len(sizes)
    stride, padding, dilation = d.pair(1, 3, rank), d.pair(0, 2, rank), d.pair(1, 2, rank)
    kernel = d.pair(1, 3, rank)
    # One pixel is left at least.
    padding = tuple(
        min(p, ((n - 1) * s + r * (k - 1)) // 2)
        for n, s, p, r, k in zip(sizes, stride, padding, dilation, kernel)  # noqa: B905
    )
    behind = d.chance(0.5)
    more = tuple(d.whole(0, max(s, r) - 1) * behind for s, r in zip(stride, dilation))  # noqa: B905
    depth = channels // groups * int(np.prod(kernel))
    weight = transposed_weight(d, (channels, outputs, *kernel), groups)
    scale = float(np.clip(x.q_scale() * d.pick(1, 2, 3) * np.sqrt(depth + 1.0), 1e-37, 1e37))
    scale = d.scale() if d.wild and d.chance(d.wild) else scale
    bias = bias_of(d, outputs * groups, scale)
    layout = (list(stride), list(padding), list(more), list(dilation), groups)
    return (x, weight, bias), layout, (scale, d.pick(0, 1, 31, 128, 254))


def transposed(dims):
    kind, name = ("volume" if dims == 3 else "bytes"), f"conv_transpose{dims}d"
    engines = ("fbgemm", "qnnpack") if dims < 3 else ("fbgemm",)

    @operation(kind, name, releases=("2.13",), engines=engines, recorded=40)
    def call(d, x):
        (x, weight, bias), layout, output = transposed_geometry(d, shaped(d, x, dims))
        packed = prepack(d, name, weight, bias, layout)
        return d.call("ops.quantized." + name, x, packed, *output)

    @operation(kind, name + "_unpack", releases=("2.13",), engines=engines, recorded=6)
    def unpack(d, x):
        (_, weight, bias), layout, _ = transposed_geometry(d, shaped(d, x, dims))
        packed = prepack(d, name, weight, bias, layout)
        return unpacking(d, "ops.quantized." + name + "_unpack", packed, bias)

    @operation(kind, name + "_module", releases=("2.13",), engines=engines, recorded=15)
    def module(d, x):
        operands, (*layout, dilation, groups), output = transposed_geometry(d, shaped(d, x, dims))
        x, weight, bias = operands
        shape = x.shape[1], weight.shape[1] * groups, tuple(weight.shape[2:])
        layout = [tuple(part) for part in layout]
        arguments = (*shape, *layout, groups, bias is not None, tuple(dilation))
        return of_module(d, f"quantized.ConvTranspose{dims}d", arguments, x, weight, bias, *output)


transposed(1)
transposed(2)
transposed(3)


# -- dynamic ---------------------------------------------------------------------------------------


def dynamic(dims, kind):
    transposes = kind == "conv_transpose"
    takes, name = ("volume" if dims == 3 else "bytes"), f"{kind}{dims}d"
    engines = ("fbgemm",) if transposes and dims == 3 else ("fbgemm", "qnnpack")
    drawn = transposed_geometry if transposes else geometry

    def operands(d, x):
        (x, weight, bias), layout, _ = drawn(d, shaped(d, x, dims))
        factor = np.float32(d.pick(0.125, 1.0, 3.7, 1e-4))  # quotients lie on ties
        steps = np.asarray(x.int_repr().numpy()).astype(np.float32) - d.pick(0, 20, 255)
        return d.tensor(steps * factor), weight, bias, layout

    @operation(takes, name + "_dynamic", releases=("2.13",), engines=engines, recorded=15)
    def call(d, x):
        x, weight, bias, layout = operands(d, x)
        packed = prepack(d, name, weight, bias, layout)
        reduced = d.chance(0.5) and not d.qnnpack
        return d.call(f"ops.quantized.{name}_dynamic", x, packed, reduced)

    @operation(takes, name + "_dynamic_module", releases=("2.13",), engines=engines, recorded=5)
    def module(d, x):
        x, weight, bias, (*layout, groups) = operands(d, x)
        layout = [tuple(part) for part in layout]
        made = "ConvTranspose" if transposes else "Conv"
        path = f"quantized.dynamic.{made}{dims}d"
        if transposes:
            shape = x.shape[1], weight.shape[1] * groups, tuple(weight.shape[2:])
            *layout, dilation = layout
            arguments = (*shape, *layout, groups, bias is not None, dilation)
        else:
            shape = x.shape[1], weight.shape[0], tuple(weight.shape[2:])
            arguments = (*shape, *layout, groups, bias is not None)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the accuracy
            layer = getattr(d.module("nn.quantized.dynamic"), f"{made}{dims}d")(*arguments)
        layer.set_weight_bias(weight, bias)
        return d.by("nn." + path, layer, x)


for rank in (1, 2, 3):
    dynamic(rank, "conv")
    dynamic(rank, "conv_transpose")
