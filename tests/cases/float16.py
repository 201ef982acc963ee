"""Linear layers with weights in float16."""

import numpy as np
from cases.registry import operation


def operands(d):
    """Draw input, weight and bias; the first weight is what float16 does not hold."""
    m, k, n = d.whole(1, 5), d.pick(d.whole(1, 69), d.whole(510, 520)), d.whole(1, 40)
    x, weight, bias = (
        d.tensor((d.rng.randint(-4000, 4000, size=shape) / 1024.0).astype(np.float32))
        for shape in ((m, k), (n, k), (n,))
    )
    weight[0, 0] = d.pick(1e5, -1e5, 1e-8)
    return x, weight, d.pick(bias, None)


def half_precision(name):
    @operation("rows", name, releases=("2.13",), engines=("fbgemm",), also=("x86",), recorded=5)
    def call(d, x):
        x, weight, bias = operands(d)
        packed = d.T.ops.quantized.linear_prepack_fp16(weight, bias)
        unpacked = d.by("ops.quantized.linear_unpack_fp16", weight_of, d, packed)
        return [d.call("ops.quantized." + name, x, packed), unpacked]


def weight_of(d, packed):
    return d.T.ops.quantized.linear_unpack_fp16(packed)[0]


half_precision("linear_dynamic_fp16")
half_precision("linear_relu_dynamic_fp16")


@operation("rows", releases=("2.13",), recorded=4)
def linear_dynamic_fp16_unpacked_weight(d, x):
    return d.call("ops.quantized.linear_dynamic_fp16_unpacked_weight", *operands(d))
