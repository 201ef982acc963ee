"""Products under the engines ``onednn`` and ``x86``, and the operations that oneDNN alone has.

Cases in which PyTorch's kernels have a fault are left aside; tests/deviations shows them.
"""

import numpy as np
from cases.convolutions import shaped, transposed_geometry
from cases.operands import integers
from cases.products import bias_of, geometry, grid, rows, run_module, weight_of
from cases.registry import operation

BOTH = ("onednn", "x86")


def symmetric(d, weight):
    """Make the same weight with zero points of 0, which oneDNN asks for."""
    ints, T = weight.int_repr(), d.T
    if "channel" not in str(weight.qscheme()):
        return T._make_per_tensor_quantized_tensor(ints, weight.q_scale(), 0)
    zeros = d.tensor(np.zeros(weight.shape[0], np.int64))
    return T._make_per_channel_quantized_tensor(ints, weight.q_per_channel_scales(), zeros, 0)


def linear_operands(d, x):
    weight, bias, *output = rows(d, x)
    return x.contiguous() if d.peer else x, symmetric(d, weight), bias, output


def of_qint8(d, x, zero_point):
    """Make a qint8 input of the shape of another, and a zero point for a qint8 output."""
    shape, scale = tuple(x.shape), d.pick(2.0**-5, 0.01, 0.3)
    return d.quantized(shape, "qint8", scale), zero_point - 128


# -- linear layers ---------------------------------------------------------------------------------


def multiplication(name, engines, qint8):
    @operation(
        "rows",
        name + (" of qint8" if qint8 else ""),
        releases=("2.13",),
        engines=engines,
        recorded=20,
    )
    def call(d, x):
        x, weight, bias, (scale, zero_point) = linear_operands(d, x)
        if qint8:
            x, zero_point = of_qint8(d, x, zero_point)
        slope = [d.pick(0.01, 0.1, 0.3)] * (name == "linear_leaky_relu")
        if name == "linear_tanh":
            scale = d.pick(2.0**-7, 2.0**-8, 0.011)
        packed = d.T.ops.quantized.linear_prepack(weight, bias)
        return d.call("ops.quantized." + name, x, packed, scale, zero_point, *slope)


for _name in ("linear_leaky_relu", "linear_tanh"):
    multiplication(_name, ("onednn",), False)
for _name in ("linear", "linear_relu", "linear_leaky_relu", "linear_tanh"):
    multiplication(_name, ("onednn",), True)


def by_both(name):
    @operation("rows", name + " by both", releases=("2.13",), engines=BOTH, recorded=30)
    def call(d, x):
        x, weight, bias, output = linear_operands(d, x)
        packed = d.T.ops.quantized.linear_prepack(weight, bias)
        return d.call("ops.quantized." + name, x, packed, *output)


by_both("linear")
by_both("linear_relu")


def dynamic(name):
    @operation("rows", name + " by both", releases=("2.13",), engines=BOTH, recorded=40)
    def call(d, x):
        weight = symmetric(d, weight_of(d, (d.pick(1, 3, 4, 8, 9, 17, 33), x.shape[1])))
        packed = d.T.ops.quantized.linear_prepack(weight, bias_of(d, weight.shape[0], 1 / 7.0))
        return d.call("ops.quantized." + name, grid(d, x.shape[1]), packed, d.chance(0.3))


dynamic("linear_dynamic")
dynamic("linear_relu_dynamic")


@operation("rows", releases=("2.13",), engines=("onednn",), recorded=10)
def linear_modules_of_onednn(d, x):
    x, weight, bias, output = linear_operands(d, x)
    sizes = tuple(weight.shape)[::-1]
    return [
        by_module(d, "LinearTanh", sizes, run_module, x, weight, bias, *output),
        by_module(d, "LinearLeakyReLU", (*sizes, 0.25), run_module, x, weight, bias, *output),
    ]


def by_module(d, name, arguments, run, *given):
    """Name the call of a module that only PyTorch 2 has."""
    module = getattr(d.module("ao.nn.intrinsic.quantized"), name)(*arguments)
    return d.by("nn.intrinsic.quantized." + name, run, module, *given)


# -- convolutions ----------------------------------------------------------------------------------


def convolution_operands(d, x):
    (x, weight, bias), (stride, *layout), output = geometry(d, x)
    if weight.shape[1] == 1 and weight.shape[0] > layout[-1]:
        stride = [1] * len(stride)  # oneDNN computes some rows of narrow images wrongly
    # Where a window lies in the padding alone, oneDNN returns what it never wrote.
    padding, dilation, groups = layout
    reach = [r * (k - 1) for r, k in zip(dilation, weight.shape[2:])]  # noqa: B905
    padding = [min(p, r) for p, r in zip(padding, reach)]  # noqa: B905
    return (x, symmetric(d, weight), bias), (stride, padding, dilation, groups), output


def prepack(d, name, weight, bias, layout):
    return getattr(d.T.ops.quantized, name + "_prepack")(weight, bias, *layout)


def convolution(dims, name):
    kind = "volume" if dims == 3 else "bytes"

    @operation(kind, name + " by both", releases=("2.13",), engines=BOTH, recorded=30)
    def call(d, x):
        (x, weight, bias), layout, output = convolution_operands(d, shaped(d, x, dims))
        packed = prepack(d, f"conv{dims}d", weight, bias, layout)
        return d.call("ops.quantized." + name, x, packed, *output)


for _dims in (1, 2, 3):
    convolution(_dims, f"conv{_dims}d")
    convolution(_dims, f"conv{_dims}d_relu")


def added(d, x, weight, layout):
    """Make a tensor of the shape of the result."""
    stride, padding, dilation, _ = layout
    sizes = [
        (n + 2 * p - r * (k - 1) - 1) // s + 1
        for n, k, s, p, r in zip(x.shape[2:], weight.shape[2:], stride, padding, dilation)  # noqa: B905
    ]
    return d.quantized((x.shape[0], weight.shape[0], *sizes), "quint8", d.pick(0.01, 0.25, 1.0))


def addition(name):
    @operation("bytes", name, releases=("2.13",), engines=("onednn",), recorded=30)
    def call(d, x):
        (x, weight, bias), layout, output = convolution_operands(d, x)
        packed = prepack(d, "conv2d", weight, bias, layout)
        addend = added(d, x, weight, layout)
        return d.call("ops.quantized." + name, x, addend, packed, *output)


addition("conv2d_add")
addition("conv2d_add_relu")


def run_adding_module(module, x, addend, weight, bias, scale, zero_point):
    module.set_weight_bias(weight, bias)
    module.scale, module.zero_point = scale, zero_point
    return [module(x, addend.clone()).contiguous(), module.weight().contiguous()]


@operation("bytes", releases=("2.13",), engines=("onednn",), recorded=15)
def convolution_modules_of_onednn(d, x):
    (x, weight, bias), layout, output = convolution_operands(d, x)
    *parts, groups = layout
    shape = x.shape[1], weight.shape[0], tuple(weight.shape[2:])
    arguments = (*shape, *(tuple(part) for part in parts), groups, bias is not None)
    addend = added(d, x, weight, layout)
    given = x, addend, weight, bias, *output
    return [
        by_module(d, name, arguments, run_adding_module, *given)
        for name in ("ConvAdd2d", "ConvAddReLU2d")
    ]


def transposed(dims):
    kind, name = ("volume" if dims == 3 else "bytes"), f"conv_transpose{dims}d"

    @operation(kind, name + " by both", releases=("2.13",), engines=BOTH, recorded=30)
    def call(d, x):
        (x, weight, _), (stride, padding, more, dilation, groups), output = transposed_geometry(
            d, shaped(d, x, dims)
        )
        # oneDNN scrambles weights of other shapes, and leaves gaps between far filters open.
        outputs, kernel = x.shape[1] // groups, tuple(weight.shape[2:])
        ints = d.tensor(integers(d.rng, (x.shape[1], outputs, *kernel), "qint8"))
        weight = d.T._make_per_tensor_quantized_tensor(ints, d.pick(2.0**-6, 0.01), 0)
        stride = [min(s, k + 1) for s, k in zip(stride, kernel)]  # noqa: B905
        padding = [0] * len(stride)
        if not d.peer or d.onednn == "onednn" or d.chance(0.7):
            more = [0] * len(stride)
        else:
            more = [min(m, max(s, r) - 1) for m, s, r in zip(more, stride, dilation)]  # noqa: B905
        bias = bias_of(d, x.shape[1], output[0])
        packed = prepack(d, name, weight, bias, (stride, padding, more, dilation, groups))
        return d.call("ops.quantized." + name, x, packed, *output)


for _dims in (1, 2, 3):
    transposed(_dims)
