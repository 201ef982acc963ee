"""Catalog of known issues: public reports of mismatches, reproduced and explained.

Each `KnownIssue` holds the operands (as the thread gives them, or the smallest that show the same
mismatch), the backend's answer, and the engine that the reporter expected it to match. Many have
been open for years; `KnownIssue.diagnosis` explains each in one line.
"""

from typing import Any

import numpy as np

from refquant.dtypes import qint8, quint8
from refquant.ops.from_data import tensor
from refquant.oracle.issue_cards import KnownIssue
from refquant.oracle.issue_catalog_neutral import NEUTRAL_ISSUES
from refquant.tensors import QuantizedTensor

__all__ = ["known_issues"]


def _linear(x, w, scales, zero_point, bias=None) -> dict[str, Any]:
    """Build operands of a linear layer with one output."""
    x_scale, w_scale, y_scale = scales
    return {
        "input": QuantizedTensor(np.array([x], np.uint8), quint8, x_scale, 0),
        "weight": QuantizedTensor(np.array([w], np.int8), qint8, w_scale, 0),
        "bias": None if bias is None else tensor([float(bias)]),
        "scale": y_scale,
        "zero_point": zero_point,
    }


def _pair(a, b, dtype, out) -> dict[str, Any]:
    storage = dtype.numpy
    (qa, sa, za), (qb, sb, zb) = a, b
    return {
        "qa": QuantizedTensor(np.array([qa], storage), dtype, sa, za),
        "qb": QuantizedTensor(np.array([qb], storage), dtype, sb, zb),
        "scale": out[0],
        "zero_point": out[1],
    }


def _padded() -> dict[str, Any]:
    x = np.full((1, 1, 3, 3), 60, np.uint8)
    return {
        "input": QuantizedTensor(x, quint8, 1.0, 50),
        "weight": QuantizedTensor(np.ones((1, 1, 3, 3), np.int8), qint8, 1.0, 0),
        "bias": None,
        "padding": 1,
        "scale": 4.0,
        "zero_point": 100,
    }


def known_issues() -> tuple[KnownIssue, ...]:
    """List the known issues.

    Returns
    -------
    tuple of KnownIssue

    Examples
    --------
    >>> from refquant import oracle
    >>> for issue in oracle.known_issues()[:2]:
    ...     print(issue.thread, "-", issue.title)
    tensorflow/tensorflow#25087 - single and double rounding of one product differ
    tensorflow/tensorflow#102943 - -120 where both published formulas give -119
    """
    return (
        KnownIssue(
            "tensorflow/tensorflow#25087",
            "single and double rounding of one product differ",
            np.array([[12]]),
            "tflite-single",
            "The first of two roundings takes 11.4991 to 11.5, and the second to 12.",
            "thread",
            "linear",
            _linear([64, 48], [124, 1], (1.0, 1.0, 2.0**40 / 1583594044), 0),
        ),
        KnownIssue(
            "tensorflow/tensorflow#102943",
            "-120 where both published formulas give -119",
            np.array([[-120 + 128]]),
            "tflite",
            "The multiplier is formed in float32: 585 times it is 6.5 exactly, a tie, which "
            "rounds to the even 6. (Integers are shown plus 128, as quint8.)",
            "thread",
            "linear",
            _linear(
                [117],
                [5],
                (0.05296124517917633, 0.024093778803944588, 0.11484327912330627),
                -126 + 128,
            ),
        ),
        KnownIssue(
            "microsoft/onnxruntime#25512",
            "QLinearAdd gives -112, the formula -113",
            np.array([-112]),
            "fbgemm",
            "All zero points are folded into one float32 constant, which makes -112.50001 a tie.",
            "thread",
            "add",
            _pair(
                (-114, 0.02534690499305725, -106),
                (-122, 0.035809919238090515, -120),
                qint8,
                (0.0365859717130661, -105),
            ),
        ),
        KnownIssue(
            "microsoft/onnxruntime#16105",
            "weights of -81 give wrong answers, -80 right ones",
            np.array([[82]]),
            "fbgemm",
            "210 * -81 + 198 * -80 = -32850 saturates to -32768 in int16.",
            "thread",
            "linear",
            _linear([210, 198], [-81, -80], (1.0, 1.0, 1.0), 0, bias=32850),
        ),
        KnownIssue(
            "pytorch/pytorch#44939",
            "a convolution is wrong on processors without VNNI",
            np.array([[64]]),
            "fbgemm",
            "211 * 71 + 171 * 107 = 33278 saturates to 32767 in int16.",
            "thread",
            "linear",
            _linear([211, 171], [71, 107], (1.0, 1.0, 8.0), 128, bias=-33278),
        ),
        KnownIssue(
            "pytorch/pytorch#37343",
            "QNNPACK adds to 155, FBGEMM to 154",
            np.array([155]),
            "fbgemm",
            "The exact sum is 154.4999978 steps; QNNPACK's 22-bit multipliers round it above the "
            "tie.",
            "thread",
            "add",
            _pair(
                (46, 0.040562573820352554, 0),
                (10, 0.08881603181362152, 0),
                quint8,
                (0.09029635787010193, 124),
            ),
        ),
        KnownIssue(
            "pytorch/pytorch#56331",
            "0 where a sum of -2016 was expected",
            np.array([[0]]),
            "fbgemm",
            "The sum is -2012; -2012 / 32 rounds to -63, which quint8 clips to 0.",
            "thread",
            "linear",
            _linear(
                [3, 9, 30, 14, 4, 22, 11, 7, 5],
                [17, 21, -59, -4, -10, -31, 2, -3, 59],
                (1.0, 1.0, 32.0),
                0,
            ),
        ),
        KnownIssue(
            "onnx/onnx#7868",
            "129 or 130 for 2.5 steps and a zero point of 127",
            np.array([[130]]),
            "fbgemm",
            "The zero point is added before rounding; an odd one reverses the direction of ties.",
            "constructed",
            "linear",
            _linear([5], [1], (1.0, 1.0, 2.0), 127),
        ),
        KnownIssue(
            "apache/tvm#13364",
            "outputs at the border differ",
            np.array([[[[48, 78, 48], [78, 122, 78], [48, 78, 48]]]]),
            "fbgemm",
            "The image is padded with the integer 0 instead of the zero point.",
            "constructed",
            "conv2d",
            _padded(),
        ),
        KnownIssue(
            "tenstorrent/tt-metal#56525",
            "some elements are off by one",
            np.array([1, 3, 3, 5]),
            "fbgemm",
            "Ties are rounded away from zero instead of to even.",
            "constructed",
            "quantize_per_tensor",
            {
                "input": tensor([0.5, 2.5, 3.4, 4.5]),
                "scale": 1.0,
                "zero_point": 0,
                "dtype": quint8,
            },
        ),
        KnownIssue(
            "pytorch/pytorch#49779",
            "two fake-quantization kernels differ by one step",
            np.array([5, 7, 7]),
            "fbgemm",
            "One rounds x / s and adds the zero point, the other rounds their sum.",
            "constructed",
            "quantize_per_tensor",
            {
                "input": tensor([2.5, 3.5, 4.5]),
                "scale": 1.0,
                "zero_point": 3,
                "dtype": quint8,
            },
        ),
        KnownIssue(
            "tinygrad/tinygrad#9301",
            "quantized values differ where x / s is nearly a tie",
            np.array([-118, -86, -60]),
            "fbgemm",
            "One divides by the scale, the other multiplies by its reciprocal: -117.5 or "
            "-117.49999.",
            "constructed",
            "quantize_per_tensor",
            {
                "input": tensor([-1.1749999523162842, -0.8549999594688416, -0.5949999690055847]),
                "scale": 0.009999999776482582,
                "zero_point": 0,
                "dtype": qint8,
            },
        ),
        KnownIssue(
            "apache/tvm#20298",
            "averages are wrong for half of all inputs",
            np.array([[[[11, 12]]]]),
            "fbgemm",
            "The average is truncated toward zero instead of being rounded.",
            "constructed",
            "avg_pool2d",
            {
                "input": QuantizedTensor(
                    np.array([[[[11, 12, 12, 13], [12, 12, 13, 13]]]], np.uint8), quint8, 1.0, 0
                ),
                "kernel_size": 2,
            },
        ),
        *NEUTRAL_ISSUES,
    )
