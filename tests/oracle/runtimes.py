"""Which operations of which runtimes are judged, and what their files can hold."""

from pathlib import Path

import numpy as np
from oracle.runtime_cases import INT16, PRODUCTS, Case, without_zero_points

RECORDED = Path(__file__).with_name("recorded")
# Operations that kernels of each runtime compute.
_ALL = (
    *PRODUCTS, "sub", "requantize", "quantize", "dequantize", "sigmoid", "tanh", "leaky_relu",
    "max_pool2d", "mean", "cat", "resize_bilinear",
)  # fmt: skip
_TFLITE = (
    *_ALL, "hardswish", "softmax", "avg_pool2d", "resize_nearest", "conv_transposed", *INT16,
    "matmul",
)  # fmt: skip
_LINEAR = ("requantize", "quantize", "dequantize", "max_pool2d")
_INTEGERS = ("dynamic_quantize", "conv_integer", "matmul_integer")
_ONNX = (
    *PRODUCTS, *_LINEAR, "sigmoid", "leaky_relu", "softmax", "avg_pool2d", "global_avg_pool2d",
    "concat", "conv_u8", *_INTEGERS, "matmul",
)  # fmt: skip
_NCNN = ("linear", "conv", "depthwise", "requantize", "quantize", "dequantize")
JUDGED = {
    "litert-2.3-reference": _TFLITE,
    "litert-2.3-optimized-x86": (*_TFLITE, "elu"),
    "tflite-2.14-reference": _TFLITE,
    "tflite-2.14-optimized-x86": (*_TFLITE, "elu"),
    "tflite-micro": (*_TFLITE, "elu"),
    "xnnpack": (*_ALL, "conv_transposed", "matmul"),
    "executorch": (*_ALL, "hardswish", "softmax", "avg_pool2d", "conv_transposed"),
    "onnx": _ONNX,
    "onnx-avx2": _ONNX,
    "onnxruntime-qdq-float": (
        *PRODUCTS, *_LINEAR, "sub", "sigmoid", "tanh", "elu", "hardswish", "leaky_relu", "softmax",
        "avg_pool2d", "global_avg_pool2d", "mean", "cat", "concat", "resize_bilinear", "conv_u8",
        "resize_nearest", "matmul", "conv_transposed",
    ),
    "onnx-reference": (
        "linear", "conv", "depthwise", "conv_u8", *_LINEAR, *_INTEGERS, "matmul",
    ),
    "openvino-u8": ("conv_u8", *_LINEAR),
    "ncnn": _NCNN,
    "ncnn-amd-avx2": _NCNN,
    "tosa-double": (*PRODUCTS, "sub", "requantize"),
    "tosa-single": (*PRODUCTS, "sub", "requantize"),
}  # fmt: skip
# Elements that are known to differ from the engine; the page of runtimes says what is known.
OPEN: dict[tuple[str, str], int] = {}
ONNX = ("onnx", "onnx-avx2", "onnxruntime-qdq-float", "onnx-reference", "openvino-u8")
NCNN = ("ncnn", "ncnn-amd-avx2")
TOSA = ("tosa-double", "tosa-single")
FED_OPERANDS = (*TOSA, "executorch")  # their judges write the programs
PAIRS = [(runtime, operation) for runtime, names in JUDGED.items() for operation in names]


def _of_two_channels(case: Case) -> Case:
    """Double the one channel of an image: ExecuTorch runs no convolution of one."""
    c, deep = case.operands, case.operation == "depthwise"
    if c["x"].shape[-1] > 1:
        return case
    doubled = {n: np.repeat(c[n], 2, -1) for n in ("x", "w", *(("s_w", "b") if deep else ()))}
    return Case(case.operation, {**c, **doubled})


def _of_executorch(case: Case) -> Case:
    """Return a case as a program of PyTorch can hold it, whose borders have two equal sides."""
    c, name = case.operands, case.operation
    if name in ("conv", "depthwise"):
        sides = {} if name == "depthwise" else {"pads": ((1, 1), (1, 1))}
        return _of_two_channels(Case(name, {**c, **sides}))
    if name == "conv_transposed":
        pads = tuple((after, after) for _, after in c["pads"])
        return _of_two_channels(Case(name, {**c, "pads": pads}))
    if name in ("avg_pool2d", "max_pool2d"):
        return Case(name, {**c, "pads": tuple((k // 2, k // 2) for k in c["kernel"])})
    if name == "resize_bilinear":
        if c["align_corners"] or c["half_pixel"]:
            return case
        size = tuple(2 * n - 1 for n in c["x"].shape[1:3])  # steps of one half
        return Case(name, {**c, "align_corners": True, "size": size})
    if name != "mean":
        return case
    x = c["x"]
    if c["axes"] == (3,):  # only images are averaged: channels become lines
        x = np.ascontiguousarray(np.moveaxis(x, 3, 1)).reshape(len(x), x.shape[3], 1, -1)
    return Case(name, {**c, "x": x, "axes": (1, 2), "keepdims": True})


def as_held(runtime: str, case: Case) -> Case:
    """Return a case as the files of a runtime can hold it."""
    if runtime in NCNN:
        return without_zero_points(case)
    if runtime == "executorch":
        return _of_executorch(case)
    if runtime == "xnnpack" and case.operation == "matmul":
        return Case("matmul", {**case.operands, "z_b": 0})  # others are left to LiteRT
    return case.plain(bias=runtime in TOSA) if runtime in (*ONNX, *TOSA) else case
