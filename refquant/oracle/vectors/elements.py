"""Cases of elementwise operations and of operations on windows."""

import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np

from refquant import dtypes
from refquant.ops.from_data import tensor
from refquant.ops.registered import OPERATIONS
from refquant.oracle.vectors.case import Case, floats, quantized

__all__ = ["element_cases"]

# (s_a, z_a, s_b, z_b, s, z): ties of sums, decimal fractions, extreme zero points.
PAIRS = (
    (0.25, 128, 0.5, 120, 1.0, 100),
    (0.1, 0, 0.3, 255, 0.2, 0),
    (0.7, 255, 0.7, 0, 1.4, 255),
    (0.0254, 100, 0.0358, 120, 0.0366, 105),
)
ALL = np.arange(256)


def _pair_cases(operation: str, seed: int) -> Iterator[Case]:
    """Make all pairs of codes for some quantizers, and sizes around vector widths."""
    left, right = (codes.reshape(-1) for codes in np.meshgrid(ALL, ALL, indexing="ij"))
    for index, (sa, za, sb, zb, s, z) in enumerate(PAIRS):
        s = s * sa if operation.startswith("mul") else s
        arguments: dict[str, Any] = {"qa": quantized(left, sa, za), "qb": quantized(right, sb, zb)}
        yield Case(f"all-pairs-{index}", operation, {**arguments, "scale": s, "zero_point": z})
    for size in (1, 7, 31, 32, 33, 63, 64, 65):
        arguments = {
            "qa": quantized(left[-size:], 0.25, 3),
            "qb": quantized(right[:size], 0.5, 7),
        }
        yield Case(f"size-{size}", operation, {**arguments, "scale": 1.0, "zero_point": 9})


def _scalar_cases(operation: str, seed: int) -> Iterator[Case]:
    for index, number in enumerate((0.0, 0.5, -3.0, 1.25, 100.0, -100.0, 0.1)):
        for scale, zero in ((0.25, 10), (0.1, 255)):
            name = f"number-{index}-z{zero}"
            yield Case(name, operation, {"qa": quantized(ALL, scale, zero), "number": number})


def _quantization_cases(operation: str, seed: int) -> Iterator[Case]:
    halves = np.arange(-300, 301, dtype=np.float32) / np.float32(2)
    ends = np.array([0.0, -0.0, 1e-40, 1e30, -1e30, np.inf, -np.inf, 3e9, -3e9], np.float32)
    for scale in (0.5, 1.0, 0.1, 0.3, 0.0078431, 3.7):
        ties = (halves * np.float64(scale)).astype(np.float32)
        around = [np.nextafter(ties, np.float32(way)) for way in (np.inf, -np.inf)]
        x = np.concatenate([ties, *around, ends])
        for name, dtype, zeros in (
            ("quint8", dtypes.quint8, (0, 128, 255)),
            ("qint8", dtypes.qint8, (-128, 0, 127)),
        ):
            for zero in zeros:
                if operation == "quantize_per_tensor":
                    arguments: dict[str, Any] = {
                        "input": floats(x),
                        "scale": scale,
                        "zero_point": zero,
                    }
                else:
                    scales = np.array([scale, scale / 2, scale * 3])
                    arguments = {
                        "input": floats(np.stack([x, x[::-1], x])),
                        "scales": tensor(scales),
                        "zero_points": tensor(np.full(3, zero, np.int64)),
                        "axis": 0,
                    }
                yield Case(f"{name}-{scale}-z{zero}", operation, {**arguments, "dtype": dtype})


def _image(rng, shape, zero=100):
    return quantized(rng.integers(0, 256, shape), 0.25, zero)


def _window_cases(operation: str, seed: int) -> Iterator[Case]:
    rng = np.random.default_rng(seed)
    for zero in (0, 100, 255):
        for kernel, stride, padding in ((2, 2, 0), (3, 1, 1), (3, 2, 1), (2, 3, 0), (1, 1, 0)):
            sizes = {"kernel_size": kernel, "stride": stride, "padding": padding}
            for channels in (1, 3, 17):
                name = f"k{kernel}-s{stride}-p{padding}-c{channels}-z{zero}"
                yield Case(
                    name, operation, {"input": _image(rng, (2, channels, 7, 6), zero), **sizes}
                )


def _resizing_cases(operation: str, seed: int) -> Iterator[Case]:
    rng = np.random.default_rng(seed)
    for size in ((1, 1), (2, 3), (7, 9), (14, 12), (5, 4)):
        for channels in (1, 17):
            argument = "output_size" if operation == "adaptive_avg_pool2d" else "size"
            image = _image(rng, (1, channels, 7, 6))
            yield Case(
                f"to-{size[0]}x{size[1]}-c{channels}", operation, {"input": image, argument: size}
            )
            if operation == "interpolate":
                for corners in (False, True):
                    extra = {"size": size, "mode": "bilinear", "align_corners": corners}
                    name = f"bilinear-{corners}-{size[0]}x{size[1]}-c{channels}".lower()
                    yield Case(name, operation, {"input": image, **extra})


def _pieces_cases(operation: str, seed: int) -> Iterator[Case]:
    rng = np.random.default_rng(seed)
    for dim in (0, 1):
        parts = [
            _image(rng, (2, 4, 3, 3), 10),
            quantized(rng.integers(0, 256, (2, 4, 3, 3)), 0.3, 99),
        ]
        arguments: dict[str, Any] = {"qx": parts, "dim": dim, "scale": 0.4, "zero_point": 60}
        yield Case(f"dim-{dim}", operation, arguments)


def _dimensions_cases(operation: str, seed: int) -> Iterator[Case]:
    rng = np.random.default_rng(seed)
    for zero in (0, 100, 255):
        for shape, over in (((2, 17, 7, 6), [2, 3]), ((5, 33), [1]), ((5, 33), [0, 1])):
            name = f"{len(shape)}d-{'-'.join(map(str, over))}-z{zero}"
            yield Case(name, operation, {"input": _image(rng, shape, zero), "dim": over})


def _code_cases(operation: str, seed: int) -> Iterator[Case]:
    entry = OPERATIONS[operation]
    first = next(iter(inspect.signature(entry.function).parameters))
    for zero in (0, 100, 255):
        arguments = {first: quantized(ALL, 0.05, zero), **entry.settings}
        yield Case(f"all-codes-z{zero}", operation, arguments)


# By what `refquant.ops.registered` says of the operands.
_CASES = {
    "codes": _code_cases,
    "dimensions": _dimensions_cases,
    "number": _scalar_cases,
    "pair": _pair_cases,
    "pieces": _pieces_cases,
    "reals": _quantization_cases,
    "sizes": _resizing_cases,
    "windows": _window_cases,
}


def element_cases(operation: str, seed: int) -> Iterator[Case]:
    """Make the cases of an operation on single elements or on windows."""
    return _CASES[OPERATIONS[operation].operands](operation, seed)
