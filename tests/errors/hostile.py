"""Values that no argument expects: wrong types, dtypes, shapes and sizes, each created anew."""

import math

import numpy as np

import refquant


def quantized(shape=(2, 3), dtype=refquant.quint8):
    codes = np.arange(math.prod(shape)).reshape(shape).astype(dtype.numpy)
    return refquant.QuantizedTensor(codes, dtype, 0.5, 1)


def quantized_per_channel():
    codes = np.arange(6, dtype=np.int8).reshape(2, 3)
    return refquant.QuantizedTensor(
        codes, refquant.qint8, np.array([0.5, 2.0]), np.array([0, 1]), 0
    )


def ragged():
    return [[1.0], [2.0, 3.0]]


VALUES = {
    "None": lambda: None,
    "True": lambda: True,
    "0": lambda: 0,
    "-1": lambda: -1,
    "7": lambda: 7,
    "2**31": lambda: 2**31,
    "2**63": lambda: 2**63,
    "-(2**63)": lambda: -(2**63),
    "10**30": lambda: 10**30,
    "1.5": lambda: 1.5,
    "1e300": lambda: 1e300,
    "nan": lambda: math.nan,
    "inf": lambda: math.inf,
    "-inf": lambda: -math.inf,
    "complex": lambda: 1j,
    "text": lambda: "text",
    "empty text": lambda: "",
    "bytes": lambda: b"\x00\xff",
    "[]": list,
    "()": lambda: (),
    "(0, 1)": lambda: (0, 1),
    "(-1, 2**62)": lambda: (-1, 2**62),
    "(nan, None)": lambda: (math.nan, None),
    "ragged": ragged,
    "{}": dict,
    "{1: object}": lambda: {1: object()},
    "object": object,
    "function": lambda: lambda: None,
    "class": lambda: int,
    "float64 array": lambda: np.ones((2, 3)),
    "float32 array": lambda: np.ones((2, 3), np.float32),
    "complex array": lambda: np.ones(2, complex),
    "object array": lambda: np.array([None, "a"], object),
    "text array": lambda: np.array(["a", "b"]),
    "empty tensor": lambda: refquant.zeros(0),
    "empty image": lambda: refquant.zeros(0, 3, 4, 4),
    "image without rows": lambda: refquant.zeros(2, 3, 0, 4),
    "0-d tensor": lambda: refquant.tensor(1.5),
    "5-d tensor": lambda: refquant.ones(1, 2, 1, 2, 1),
    "nan tensor": lambda: refquant.full((2, 3), math.nan),
    "infinite tensor": lambda: refquant.tensor([[math.inf, -math.inf, 1.0]] * 2),
    "largest tensor": lambda: refquant.full((2, 3), 3.4028234e38),
    "float64 tensor": lambda: refquant.ones(2, 3, dtype=refquant.float64),
    "int64 tensor": lambda: refquant.tensor([[-1, 2**62, 7]] * 2),
    "bool tensor": lambda: refquant.tensor([True, False]),
    "quint8 tensor": quantized,
    "qint32 tensor": lambda: quantized(dtype=refquant.qint32),
    "empty quint8 tensor": lambda: quantized((0, 3)),
    "0-d qint8 tensor": lambda: quantized((), refquant.qint8),
    "per-channel tensor": quantized_per_channel,
    "list of tensors": lambda: [refquant.ones(2), None],
    "refquant.float16": lambda: refquant.float16,
    "refquant.qint8": lambda: refquant.qint8,
    "np.uint8": lambda: np.uint8,
    "scheme": lambda: refquant.per_channel_affine,
    "module": lambda: refquant.nn.ReLU(),
    "class of modules": lambda: refquant.nn.Linear,
}
