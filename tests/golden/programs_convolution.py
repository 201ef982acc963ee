"""Programs of recorded answers for the family `convolution`."""

import importlib

import numpy as np
from golden import programs as p
from golden.programs_matmul import input_tensor, integers, weight_scales, weight_tensor

# channels of a group, outputs of a group, groups, kernel, stride, padding, dilation
GEOMETRIES = (
    (3, 4, 1, (3, 3), (1, 1), (1, 1), (1, 1)),
    (1, 5, 1, (1, 1), (1, 1), (0, 0), (1, 1)),
    (6, 3, 1, (3, 2), (2, 1), (1, 0), (1, 1)),
    (2, 3, 3, (3, 3), (1, 2), (0, 2), (1, 1)),
    (4, 9, 2, (2, 3), (1, 1), (1, 1), (2, 1)),
    (64, 8, 1, (1, 1), (2, 2), (0, 0), (1, 1)),
    (5, 66, 1, (3, 3), (1, 1), (2, 2), (2, 2)),
)
DEPTHWISE = ((8, 3, 1, 1), (16, 5, 2, 2), (12, 3, 1, 1), (9, 3, 2, 0))


def convolutions(T, rng, geometries, largest, per_channel):
    """Draw the arguments of functional convolutions."""
    for cg, og, groups, kernel, stride, padding, dilation in geometries:
        n = og * groups
        sx, zx = float([0.02, 0.03125][rng.randint(2)]), int([0, 3, 100, largest][rng.randint(4)])
        sw, zw = weight_scales(rng, n, per_channel)
        image = (2, cg * groups, *(6, 5, 4)[: len(kernel)])
        q, _ = input_tensor(T, integers(rng, image, 0, largest), sx, zx)
        w, _ = weight_tensor(T, integers(rng, (n, cg, *kernel), -128, 127), sw, zw)
        factor = sx * (sw if per_channel else np.full(n, sw))
        so = float(np.max(factor)) * 50.0 * np.sqrt(cg * np.prod(kernel))
        steps = rng.randint(-100, 101, size=n) / 2.0
        bias = p.tensor(T, (steps * so + rng.randint(-9, 10, size=n) * factor).astype(np.float32))
        zo = int([0, 1, 77, 128, 255][rng.randint(5)])
        settings = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        for b in (bias, None):
            yield q, w, b, dict(settings, scale=float(so), zero_point=zo)


def answers(T, rng, function, geometries, largest=255, per_channel=False):
    convolve, made = getattr(T.nn.quantized.functional, function), []
    for q, w, bias, settings in convolutions(T, rng, geometries * 2, largest, per_channel):
        made.append(convolve(q, w, bias, **settings).int_repr().contiguous())
    return {"int": p.joined(made)}


def depthwise():
    return tuple((1, 1, c, (k, k), (s, s), (pad, pad), (1, 1)) for c, k, s, pad in DEPTHWISE)


@p.program()
def conv2d_per_tensor(T, rng):
    """Groups, stride, padding with the zero point, dilation; activations of the whole range."""
    return answers(T, rng, "conv2d", GEOMETRIES)


@p.program(engines=("fbgemm",))
def conv2d_per_channel(T, rng):
    """A scale for each output."""
    return answers(T, rng, "conv2d", GEOMETRIES, per_channel=True)


@p.program(releases=("2.13",), engines=("qnnpack",))
def conv2d_per_channel_qnnpack(T, rng):
    """A scale for each output, which QNNPACK has not had from the start."""
    return answers(T, rng, "conv2d", GEOMETRIES, per_channel=True)


@p.program()
def conv2d_depthwise(T, rng):
    """A filter for each channel; activations of seven bits, with which FBGEMM never saturates."""
    return answers(T, rng, "conv2d", depthwise(), largest=127)


VOLUMES = (
    (2, 3, 1, (1, 2, 2), (1, 1, 1), (0, 1, 1), (1, 1, 1)),
    (3, 4, 2, (3, 2, 1), (2, 1, 1), (1, 0, 2), (1, 2, 1)),
)


@p.program(engines=("fbgemm",))
def conv3d(T, rng):
    """Three dimensions."""
    return answers(T, rng, "conv3d", VOLUMES)


@p.program()
def conv2d_relu_module(T, rng):
    """A module with ReLU; strides of the output."""
    modules = importlib.import_module(T.__name__ + ".nn.intrinsic.quantized")
    module = modules.ConvReLU2d(3, 5, 3, padding=1)
    q, _ = input_tensor(T, integers(rng, (2, 3, 6, 7), 0, 255), 0.02, 100)
    w, _ = weight_tensor(T, integers(rng, (5, 3, 3, 3), -128, 127), 0.003, 0)
    module.set_weight_bias(w, p.tensor(T, np.linspace(-2, 2, 5).astype(np.float32)))
    module.scale, module.zero_point = 0.0625, 31
    return p.pack(module(q))
