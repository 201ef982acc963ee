"""A million elements of each element-wise operation: kernels answer like their definitions."""

import numpy as np
import pytest

import refquant
from refquant import kernels

ops = refquant.ops.quantized
COUNT = 1_000_003  # odd: there is a tail
STORAGE = {"quint8": np.uint8, "qint8": np.int8, "qint32": np.int32}

OPERATIONS = {
    "add": lambda a, b, s, z: ops.add(a, b, s, z),
    "add_relu": lambda a, b, s, z: ops.add_relu(a, b, s, z),
    "mul": lambda a, b, s, z: ops.mul(a, b, s, z),
    "mul_relu": lambda a, b, s, z: ops.mul_relu(a, b, s, z),
    "add_scalar": lambda a, b, s, z: ops.add_scalar(a, 300.5 * s),
    "add_scalar_relu": lambda a, b, s, z: ops.add_scalar_relu(a, -300.5 * s),
    "mul_scalar": lambda a, b, s, z: ops.mul_scalar(a, -s),
    "mul_scalar_relu": lambda a, b, s, z: ops.mul_scalar_relu(a, s),
    "cat": lambda a, b, s, z: ops.cat([a, b], 0, s, z),
    "cat_relu": lambda a, b, s, z: ops.cat_relu([a, b], 0, s, z),
    "relu": lambda a, b, s, z: refquant.relu(a),
    "relu6": lambda a, b, s, z: ops.relu6(a),
    "elu": lambda a, b, s, z: ops.elu(a, s, z),
    "clamp": lambda a, b, s, z: a.clamp(-20 * s, 30.5 * s),
    "dequantize": lambda a, b, s, z: a.dequantize(),
    "quantize": lambda a, b, s, z: refquant.quantize_per_tensor(
        refquant.tensor(a.array.astype(np.float32) * np.float32(s / 2)), s, z, a.dtype
    ),
}


def drawn(rng, dtype):
    """Two operands and the parameters of the result; sums and halves lie on ties."""
    low, high = (-1000, 1000) if dtype == "qint32" else (-128, 127)
    low, high = (0, 255) if dtype == "quint8" else (low, high)
    scale = float(rng.choice([0.1, 0.5, 1 / 3, 0.02]))
    a, b = (
        refquant._make_per_tensor_quantized_tensor(
            refquant.tensor(rng.integers(low, high + 1, COUNT).astype(STORAGE[dtype])),
            scale * factor,
            int(rng.integers(low, high)),
        )
        for factor in (1, rng.choice([1, 2, 1.37]))
    )
    return a, b, float(scale * rng.choice([0.5, 1, 2, 0.77])), int(rng.integers(low, high))


@pytest.mark.skipif(len(kernels.available()) == 1, reason="there are no kernels")
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("name", OPERATIONS)
def test_kernels_answer_like_definitions(name, seed):
    rng = np.random.default_rng(seed)
    engine = ("fbgemm", "qnnpack", "fbgemm-1.4")[seed % 3]
    arguments = drawn(rng, ("quint8", "qint8", "qint32")[rng.integers(3)])
    with refquant.engines.using(engine):
        with kernels.using("reference"):
            wanted = OPERATIONS[name](*arguments)
        got = OPERATIONS[name](*arguments)
    assert got.array.dtype == wanted.array.dtype
    assert np.array_equal(got.array, wanted.array)
