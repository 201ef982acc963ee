"""Models of ncnn made of the cases of `oracle.runtime_cases`: zero points are 0, scales inverse.

A model is its text, and its weights as bytes.
"""

import numpy as np
from oracle.runtime_cases import Case

INT8 = np.uint32(0x000D4B38).tobytes()  # what stands before weights of int8
REQUANTIZED = 101  # integers in, integers out


def _inverse(scale) -> np.ndarray:
    return np.atleast_1d(np.float32(1) / np.float32(scale))


def _layer(kind: str, top: str, below: str, **parameters) -> str:
    words = (f"{number.removeprefix('p')}={value}" for number, value in parameters.items())
    return f"{kind} {top} 1 1 {below} {top} {' '.join(words)}"


def _weights(c, filters) -> list[bytes]:
    raw = np.ascontiguousarray(filters).tobytes()
    bias = np.float32(c["b"] * (np.float64(c["s_x"]) * np.float64(c["s_w"])))
    floats = (bias, _inverse(np.broadcast_to(c["s_w"], bias.shape)), _inverse(c["s_x"]))
    return [INT8, raw + bytes(-len(raw) % 4), *(part.tobytes() for part in floats)]


def _parts(case: Case) -> tuple[list[str], list[bytes]]:
    c, name = case.operands, case.operation
    if name == "quantize":
        return [_layer("Quantize", "y", "x", p0=1)], [_inverse(c["s_y"]).tobytes()]
    if name == "dequantize":
        return [_layer("Dequantize", "y", "x", p0=1, p1=0)], [np.float32(c["s_x"]).tobytes()]
    if name == "requantize":
        scales = [np.float32(c["s_x"]).tobytes(), _inverse(c["s_y"]).tobytes()]
        return [_layer("Requantize", "y", "x", p0=1, p1=1, p2=0)], scales
    outputs = len(c["b"])
    sizes = {"p0": outputs}
    if name == "linear":
        layers = [
            _layer("InnerProduct", "t", "x", **sizes, p1=1, p2=c["w"].size, p8=1),
            _layer("Quantize", "y", "t", p0=1),
        ]
        return layers, [*_weights(c, c["w"]), _inverse(c["s_y"]).tobytes()]
    deep = name == "depthwise"
    (top, bottom), (left, right) = c.get("pads", ((1, 1), (1, 1)))
    shared = {
        **sizes, "p6": c["w"].size, "p1": 3, "p3": 1 if deep else 2, "p5": 1, "p4": left,
        "p15": right, "p14": top, "p16": bottom, "p8": REQUANTIZED,
    }  # fmt: skip
    if deep:
        layer = _layer("ConvolutionDepthWise", "y", "x", **shared, p7=outputs)
        filters = np.moveaxis(c["w"][0], -1, 0)
    else:
        layer = _layer("Convolution", "y", "x", **shared)
        filters = np.moveaxis(c["w"], -1, 1)
    return [layer], [*_weights(c, filters), _inverse(c["s_y"]).tobytes()]


def model(case: Case) -> tuple[bytes, bytes, np.ndarray]:
    """Write a model; returns its text, its weights, and what it is fed, image by image."""
    layers, weights = _parts(case)
    text = [f"7767517\n{len(layers) + 1} {len(layers) + 1}", "Input x 0 1 x", *layers, ""]
    x = case.operands["x"]
    images = case.operation in ("conv", "depthwise")
    feeds = np.moveaxis(x, -1, 1) if images else x if case.operation == "linear" else x[None]
    return "\n".join(text).encode(), b"".join(weights), np.ascontiguousarray(feeds)


def in_order(case: Case, result: np.ndarray) -> np.ndarray:
    """Lay a result out as the problem does, in the dtype of its codes."""
    if case.operation in ("conv", "depthwise"):
        result = np.moveaxis(result, 1, -1)
    elif case.operation != "linear":
        result = result[0]
    return result if case.operation == "dequantize" else result.astype(np.int8)
