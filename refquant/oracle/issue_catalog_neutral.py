"""Known issues of runtimes whose operands PyTorch's operations cannot hold."""

from typing import Any

import numpy as np

from refquant.oracle.issue_cards import KnownIssue
from refquant.oracle.problems.codes import Codes, Output

__all__ = ["NEUTRAL_ISSUES"]


def _number(x: int, scale: float, zero_point: int = 0) -> dict[str, Any]:
    """Build a linear layer of one weight, 1, whose multiplier is the inverse of a scale."""
    return {
        "x": Codes(np.array([[x]], np.int8), 1.0),
        "weight": Codes(np.array([[1]], np.int8), 1.0),
        "output": Output(scale, zero_point),
    }


def _quantize(values: list[float], scale: float, zero_point: int = 0) -> dict[str, Any]:
    return {"x": np.array(values, np.float32), "output": Output(scale, zero_point)}


NEUTRAL_ISSUES = (
    KnownIssue(
        "tensorflow/tensorflow#104605",
        "-30 where both published formulas give -31",
        np.array([[0]]),
        "tflite",
        "Optimized kernels take ties of the second rounding up: half of -1 is 0, not -1.",
        "constructed",
        "linear",
        _number(-2, 4.0),
    ),
    KnownIssue(
        "tensorflow/tensorflow#99072",
        "80 of 51,200 outputs of a convolution differ between reference and optimized kernels",
        np.array([0, -2, -3]).reshape(1, 1, 3, 1),
        "tflite-micro",
        "Both round twice; reference kernels the second time away from zero, the others up.",
        "constructed",
        "conv2d",
        {
            "x": Codes(np.array([-2, -10, -14], np.int8).reshape(1, 1, 3, 1), 1.0),
            "weight": Codes(np.ones((1, 1, 1, 1), np.int8), 1.0),
            "output": Output(4.0),
        },
    ),
    KnownIssue(
        "google/ruy#227",
        "a quarter becomes 1",
        np.array([[1]]),
        "tflite-single",
        "The first of two roundings takes 1/2 to 1, and the second 1/2 of it to 1 again.",
        "thread",
        "linear",
        _number(1, 4.0),
    ),
    KnownIssue(
        "google-ai-edge/LiteRT#7441",
        "products are rounded once, means twice",
        np.array([7]),
        "tflite",
        "XNNPACK multiplies in float32 and rounds once; 7.4994 is 7.5 after the first of two "
        "roundings.",
        "constructed",
        "mul",
        {
            "a": Codes(np.array([14], np.int8), 0.02, 3),
            "b": Codes(np.array([78], np.int8), 0.21, -5),
            "output": Output(0.59, 1),
        },
    ),
    KnownIssue(
        "apache/tvm#4828",
        "-1.5 is -1 or -2",
        np.array([[-1]]),
        "litert-2.3-reference",
        "Ties are rounded up instead of away from zero.",
        "thread",
        "linear",
        _number(-3, 2.0),
    ),
    KnownIssue(
        "sonos/tract#2850",
        "QuantizeLinear gives 1, 2, 3, 4 for 0.5 to 3.5 steps",
        np.array([1, 2, 3, 4]),
        "onnx",
        "Ties are rounded away from zero instead of to even.",
        "thread",
        "quantize",
        _quantize([0.25, 0.75, 1.25, 1.75], 0.5),
    ),
    KnownIssue(
        "microsoft/onnxruntime#32452",
        "values of float16 are quantized to 0 where 1 and -1 were expected",
        np.array([0, 0]),
        "onnx",
        "The quotient is converted, which truncates, instead of being rounded.",
        "thread",
        "quantize",
        _quantize([0.050018310546875, -0.050018310546875], 0.0999755859375),
    ),
    KnownIssue(
        "microsoft/onnxruntime#25045",
        "100 where 99 was expected",
        np.array([100]),
        "onnx",
        "Ties are rounded away from zero instead of to even, before the zero point is added.",
        "constructed",
        "quantize",
        _quantize([2.5], 1.0, 97),
    ),
    KnownIssue(
        "ARM-software/ComputeLibrary#834",
        "values are quantized otherwise on ARMv7",
        np.array([-1, 0, 1, 2]),
        "onnx",
        "Its processors convert toward zero; those of ARMv8 round to even.",
        "constructed",
        "quantize",
        _quantize([-1.7, 0.7, 1.6, 2.4], 1.0),
    ),
    KnownIssue(
        "uxlfoundation/oneDNN#560",
        "averages of int8 differ by one from a loop in C",
        np.array([[[[2]]]]),
        "tflite-micro",
        "The average is rounded to even, the loop rounds away from zero.",
        "constructed",
        "avg_pool2d",
        {"x": Codes(np.array([2, 3, 2, 3], np.int8).reshape(1, 1, 2, 2), 1.0), "kernel": 2},
    ),
    KnownIssue(
        "tensorflow/tensorflow#54333",
        "averages differ from those of the operator that they are lowered to",
        np.array([[[[-2]]]]),
        "tflite-micro",
        "TensorFlow Lite rounds the average of the integers, -2.5, away from zero; the other takes "
        "off the zero point first, and rounds 97.5.",
        "constructed",
        "avg_pool2d",
        {
            "x": Codes(np.array([-3, -2, -3, -2], np.int8).reshape(1, 1, 2, 2), 1.0, -100),
            "kernel": 2,
        },
    ),
    KnownIssue(
        "tensorflow/tensorflow#40781",
        "hardswish of 3.06 gives 45, 46 was expected",
        np.array([45], np.uint8),
        "tflite-micro",
        "The exact value is 45.503 steps; the kernel multiplies in 16 bits and loses the rest.",
        "thread",
        "hardswish",
        {
            "x": Codes(np.array([128], np.uint8), 0.13308307528495789, 105),
            "output": Output(0.075572937726974487, 5, "uint8"),
        },
    ),
)
