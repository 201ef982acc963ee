"""Linear layers, convolutions and their packed weights; dynamic layers."""

import numpy as np
from cases.operands import integers
from cases.registry import operation


def weight_of(d, shape, per_channel=None, one_zero_point=False):
    """Make a qint8 weight; QNNPACK has one zero point for all channels, 1.4 one scale too."""
    ints = d.tensor(integers(d.rng, shape, "qint8"))
    per_channel = d.chance(0.5) if per_channel is None else per_channel
    zero = d.pick(0, 0, 5, -7, 127, -128)
    if not per_channel or (d.qnnpack and d.old):
        return d.T._make_per_tensor_quantized_tensor(ints, d.pick(2.0**-6, 0.01, 2.0**-7), zero)
    scales = np.array([np.ldexp(1 + d.fraction(), -7) for _ in range(shape[0])])
    if d.wild and d.chance(d.wild):
        scales = np.array([d.scale() for _ in range(shape[0])])
    one = d.qnnpack or one_zero_point or d.chance(0.5)
    zeros = np.full(shape[0], zero) if one else d.rng.randint(-9, 10, size=shape[0])
    zeros = d.tensor(zeros.astype(np.int64))
    return d.T._make_per_channel_quantized_tensor(ints, d.tensor(scales), zeros, 0)


def bias_of(d, count, scale):
    """Half steps of the output, so that sums lie on ties; or no bias."""
    if d.chance(0.25):
        return None
    steps = d.rng.randint(-100, 101, size=count) / 2.0
    with np.errstate(over="ignore"):
        return d.tensor((steps * scale).astype(np.float32))


def rows(d, x):
    """Draw weight, bias, output scale and zero point for rows; the multiplier is less than 1."""
    outputs, depth = d.pick(1, 3, 4, 8, 9, 15, 17, 33, 65), x.shape[-1]
    weight = weight_of(d, (outputs, depth))
    # The most that a weight counts is 2**-6, so QNNPACK of 1.4 finds its multiplier below 1.
    scale = float(np.clip(x.q_scale() * d.pick(1, 2, 3) * np.sqrt(depth + 1.0), 1e-37, 1e37))
    scale = d.scale() if d.wild and d.chance(d.wild) else scale
    return weight, bias_of(d, outputs, scale), scale, d.zero_point("quint8")


def multiplication(name):
    @operation("rows", name, recorded=30)
    def call(d, x):
        x = x.contiguous() if d.peer else x
        weight, bias, *output = rows(d, x)
        # A fresh packed weight for every call: QNNPACK keeps the scales of the first.
        packed = d.T.ops.quantized.linear_prepack(weight, bias)
        return d.call("ops.quantized." + name, x, packed, *output)


multiplication("linear")
multiplication("linear_relu")


@operation("rows", engines=("fbgemm",), recorded=20)
def linear_extremes(d, x):
    """Multipliers so large that int32 overflows, or so small that nothing is left."""
    x = x.contiguous()
    weight, _, _, zero_point = rows(d, x)
    bias = d.pick(None, d.tensor(np.linspace(-9, 9, weight.shape[0]).astype(np.float32)))
    packed = d.T.ops.quantized.linear_prepack(weight, bias)
    scale = d.pick(1e-12, 1e-9, 1e-7, 1.0, 1e20)
    return d.call("ops.quantized.linear", x, packed, scale, zero_point)


@operation("rows", recorded=6)
def linear_unpack(d, x):
    weight, bias, *_ = rows(d, x)
    packed = d.T.ops.quantized.linear_prepack(weight, bias)
    return unpacking(d, "ops.quantized.linear_unpack", packed, bias)


def unpacking(d, path, packed, bias):
    """Name the call that unpacks; instead of no bias PyTorch 1.4 makes an empty tensor."""

    def unpack(packed):
        weight, kept = d.call(path, packed)()
        return [weight.contiguous()] if bias is None else [weight.contiguous(), kept]

    return d.by(path, unpack, packed)


@operation("rows", recorded=8)
def functional_linear(d, x):
    x = x.contiguous() if d.peer else x
    weight, bias, *output = rows(d, x)
    calls = [d.call("nn.quantized.functional.linear", x, weight, bias, *output)]
    if not d.qnnpack and not d.old:  # the quantizer of the input
        calls.append(d.call("nn.quantized.functional.linear", x, weight, bias))
    return calls


def run_module(module, x, weight, bias, scale, zero_point):
    module.set_weight_bias(weight, bias)
    module.scale, module.zero_point = scale, zero_point
    return [module(x), module.weight().contiguous()]


def of_module(d, path, arguments, *given):
    """Name the call of a module of a package."""
    package, _, name = path.rpartition(".")
    module = getattr(d.module("nn." + package), name)(*arguments)
    return d.by("nn." + path, run_module, module, *given)


@operation("rows", recorded=5)
def linear_modules(d, x):
    x = x.contiguous() if d.peer else x
    weight, bias, *output = rows(d, x)
    sizes = tuple(weight.shape)[::-1]
    return [
        of_module(d, path, sizes, x, weight, bias, *output)
        for path in ("quantized.Linear", "intrinsic.quantized.LinearReLU")
    ]


# -- dynamic ---------------------------------------------------------------------------------------


def grid(d, depth):
    """Make rows of float32 on a grid, whose quotients lie on ties."""
    shape = (d.pick(1, 3, 5, 9) * (16 if d.most > 4096 else 1), depth)
    steps = d.rng.randint(*d.pick((-20, 30), (0, 30), (-30, 0), (-9000, 9000)), size=shape)
    return d.tensor((steps / 8.0).astype(np.float32))


def dynamic(name):
    @operation("rows", name, recorded=60, without=[("1.4", "qnnpack")])
    def call(d, x):
        outputs = d.pick(1, 3, 4, 8, 9, 17, 33)
        # QNNPACK's kernel reads one scale.
        weight = weight_of(d, (outputs, x.shape[1]), False if d.qnnpack else None)
        packed = d.T.ops.quantized.linear_prepack(weight, bias_of(d, outputs, 1 / 7.0))
        arguments = [] if d.old else [d.chance(0.3) and not d.qnnpack]
        return d.call("ops.quantized." + name, grid(d, x.shape[1]), packed, *arguments)


dynamic("linear_dynamic")
dynamic("linear_relu_dynamic")


def given(name):
    @operation("rows", name, releases=("2.13",), engines=("fbgemm", "x86"), recorded=30)
    def call(d, x):
        outputs = d.pick(1, 3, 4, 8, 9, 17, 33)
        weight = weight_of(d, (outputs, x.shape[1]))
        packed = d.T.ops.quantized.linear_prepack(weight, bias_of(d, outputs, 1 / 7.0))
        scale, zero_point = d.pick(0.125, 0.25, 0.1, d.scale()), d.zero_point("quint8")
        return d.call("ops.quantized." + name, grid(d, x.shape[1]), scale, zero_point, packed)


given("linear_with_input_q_dq_qweight_dq_output_fp32")
given("linear_with_input_q_dq_qweight_dq_relu_output_fp32")


@operation("rows", engines=("fbgemm",), recorded=12)
def dynamic_module(d, x):
    weight = weight_of(d, (4, x.shape[1]), False)
    layer = d.module("nn.quantized.dynamic").Linear(x.shape[1], 4)
    layer.set_weight_bias(weight, bias_of(d, 4, 0.25))
    return d.by("nn.quantized.dynamic.Linear", layer, grid(d, x.shape[1]))


# -- convolutions ----------------------------------------------------------------------------------


def geometry(d, x):
    """Draw (image, weight, bias), (stride, padding, dilation, groups), (scale, zero point)."""
    channels, sizes = x.shape[1], tuple(x.shape[2:])
    divisors = [n for n in range(1, channels + 1) if channels % n == 0] or [1]
    groups = d.pick(1, 1, d.pick(*divisors), max(channels, 1))
    outputs = groups * (1 if groups == channels > 1 else d.pick(1, 2, *[3, 9, 17] * (groups < 4)))
    rank = len(sizes)
    padding, dilation = d.pair(0, 2, rank), d.pair(1, 2, rank)
    kernel = tuple(
        d.whole(1, max(min((n + 2 * p - 1) // r + 1, 3), 1))
        for n, p, r in zip(sizes, padding, dilation)  # noqa: B905
    )
    if groups == channels and not d.qnnpack:
        # FBGEMM's depthwise kernels saturate beyond seven bits.
        border = d.whole(0, 127) if d.most > 4096 else None  # the zero point lies in the padding
        x = d.quantized(tuple(x.shape), "quint8", x.q_scale(), border, most=127)
    depth = channels // groups * int(np.prod(kernel))
    weight = weight_of(d, (outputs, channels // groups, *kernel))
    scale = float(np.clip(x.q_scale() * d.pick(1, 2, 3) * np.sqrt(depth + 1.0), 1e-37, 1e37))
    scale = d.scale() if d.wild and d.chance(d.wild) else scale
    bias = bias_of(d, outputs, scale)
    layout = ([d.pick(1, 1, 2, 3) for _ in sizes], list(padding), list(dilation), groups)
    return (x, weight, bias), layout, (scale, d.pick(0, 1, 31, 128, 254))


def convolutions(rank):
    kind, conv = ("bytes", "conv2d") if rank == 2 else ("volume", "conv3d")
    # Neither QNNPACK of 1.4 nor its unpacking in 2.13 knows three dimensions.
    engines = ("fbgemm", "qnnpack") if rank == 2 else ("fbgemm",)

    def convolution(name):
        @operation(kind, name, releases=("2.13",), engines=engines, recorded=60)
        def call(d, x):
            (x, weight, bias), layout, output = geometry(d, x)
            packed = getattr(d.T.ops.quantized, conv + "_prepack")(weight, bias, *layout)
            return d.call("ops.quantized." + name, x, packed, *output)

    convolution(conv)
    convolution(conv + "_relu")

    @operation(kind, conv + "_unpack", releases=("2.13",), engines=engines, recorded=10)
    def unpack(d, x):
        (_, weight, bias), layout, _ = geometry(d, x)
        calls = []
        for name in [conv, "conv"] if rank == 2 else [conv]:
            packed = getattr(d.T.ops.quantized, name + "_prepack")(weight, bias, *layout)
            calls.append(unpacking(d, f"ops.quantized.{name}_unpack", packed, bias))
        return calls

    @operation(kind, "functional_" + conv, engines=engines, recorded=180 if rank == 2 else 30)
    def functional(d, x):
        operands, layout, (scale, zero) = geometry(d, x)
        path = "nn.quantized.functional." + conv
        return d.call(path, *operands, *layout, scale=scale, zero_point=zero)

    @operation(kind, conv + "_modules", engines=engines, recorded=30)
    def modules(d, x):
        (x, weight, bias), (*layout, groups), output = geometry(d, x)
        shape = x.shape[1], weight.shape[0], tuple(weight.shape[2:])
        arguments = (*shape, *(tuple(part) for part in layout), groups, bias is not None)
        return [
            of_module(d, path, arguments, x, weight, bias, *output)
            for path in (
                f"quantized.Conv{rank}d",
                f"intrinsic.quantized.ConvReLU{rank}d",
            )
        ]


convolutions(2)
convolutions(3)


@operation(
    None,
    releases=("2.13",),
    also=("x86", "onednn"),
    recorded=60,
    elements=10**5,
    tolerance=1 / 250,
    why="one step: a library adds the float32 products, in an order of its own for some shapes",
)
def matmul(d, x):
    depth, dtype = d.pick(1, 3, 8, 17, 64, 200, 384), d.pick("quint8", "qint8")
    x = d.quantized((5, depth), dtype)
    y = d.quantized((depth, 6), dtype)
    near = x.q_scale() * y.q_scale() * depth * 2.0 ** d.whole(0, 6)
    scale, zero_point = min(max(near, 1e-6), 1e6), d.zero_point(dtype)
    functional = d.T.nn.quantized.QFunctional()
    functional.scale, functional.zero_point = scale, zero_point
    return [
        d.call("ops.quantized.matmul", x, y, scale, zero_point),
        d.by("nn.quantized.QFunctional.matmul", functional.matmul, x, y),
    ]
