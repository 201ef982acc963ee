"""Famous mismatches: public threads in which a backend did not agree, reproduced and explained.

Each is a `Mystery`: the operands (as the thread gives them, or the smallest that show the same),
what the backend answered, and the engine that its author expected to agree. Many have been open for
years; `Mystery.diagnosis` says in a line what happened.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

import refquant
from refquant.oracle.diagnosis import Diagnosis, diagnose
from refquant.oracle.tracing import Trace, trace
from refquant.tensors import QuantizedTensor

__all__ = ["Mystery", "famous"]


@dataclass(frozen=True)
class Mystery:
    """A mismatch that somebody asked about in public.

    Attributes
    ----------
    thread : str
        ``owner/repository#number`` on GitHub.
    title : str
        What was asked.
    said : ndarray
        What the backend answered.
    engine : str
        With whom it was expected to agree.
    answer : str
        What happened, in a sentence.
    operands : str
        Where the operands come from: ``'the thread'``, or ``'made'`` if it gives none.

    Examples
    --------
    >>> from refquant import oracle
    >>> oracle.famous()[0].answer
    '11.4991 is lifted to 11.5 by the first of two roundings, and to 12 by the second.'
    """

    thread: str
    title: str
    said: np.ndarray
    engine: str
    answer: str
    operands: str
    operation: str = field(repr=False)
    arguments: dict[str, Any] = field(repr=False)

    def diagnosis(self) -> Diagnosis:
        """Diagnose the backend's answer.

        Examples
        --------
        >>> from refquant import oracle
        >>> mystery = next(m for m in oracle.famous() if m.thread == "pytorch/pytorch#44939")
        >>> mystery.diagnosis().verdict
        'accumulator: wrapped -> saturated_pairs'
        """
        return diagnose(self.said, self.operation, engine=self.engine, **self.arguments)

    def trace(self, engine: str | None = None) -> Trace:
        """Compute the first element step by step, by the expected engine or by another.

        Raises
        ------
        ArgumentError
            If the operation cannot be traced, as an average.
        """
        index = (0,) * self.said.ndim
        name = self.engine if engine is None else engine
        return trace(self.operation, index=index, engine=name, **self.arguments)


def _linear(x, w, scales, zero_point, bias=None) -> dict[str, Any]:
    """Operands of a layer of one output."""
    x_scale, w_scale, y_scale = scales
    return {
        "input": QuantizedTensor(np.array([x], np.uint8), refquant.quint8, x_scale, 0),
        "weight": QuantizedTensor(np.array([w], np.int8), refquant.qint8, w_scale, 0),
        "bias": None if bias is None else refquant.tensor([float(bias)]),
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
        "input": QuantizedTensor(x, refquant.quint8, 1.0, 50),
        "weight": QuantizedTensor(np.ones((1, 1, 3, 3), np.int8), refquant.qint8, 1.0, 0),
        "bias": None,
        "padding": 1,
        "scale": 4.0,
        "zero_point": 100,
    }


def famous() -> tuple[Mystery, ...]:
    """List the famous mismatches.

    Returns
    -------
    tuple of Mystery

    Examples
    --------
    >>> from refquant import oracle
    >>> for mystery in oracle.famous()[:2]:
    ...     print(mystery.thread, "-", mystery.title)
    tensorflow/tensorflow#25087 - single and double rounding of one product differ
    tensorflow/tensorflow#102943 - -120 where both published formulas give -119
    """
    quint8, qint8 = refquant.quint8, refquant.qint8
    return (
        Mystery(
            "tensorflow/tensorflow#25087",
            "single and double rounding of one product differ",
            np.array([[12]]),
            "tflite-single",
            "11.4991 is lifted to 11.5 by the first of two roundings, and to 12 by the second.",
            "the thread",
            "linear",
            _linear([64, 48], [124, 1], (1.0, 1.0, 2.0**40 / 1583594044), 0),
        ),
        Mystery(
            "tensorflow/tensorflow#102943",
            "-120 where both published formulas give -119",
            np.array([[-120 + 128]]),
            "tflite",
            "The multiplier is formed in float32: 585 times it is 6.5 exactly, a tie, which goes "
            "to the even 6. (Integers are shown plus 128, as quint8.)",
            "the thread",
            "linear",
            _linear(
                [117],
                [5],
                (0.05296124517917633, 0.024093778803944588, 0.11484327912330627),
                -126 + 128,
            ),
        ),
        Mystery(
            "microsoft/onnxruntime#25512",
            "QLinearAdd gives -112, by hand it is -113",
            np.array([-112]),
            "fbgemm",
            "All zero points are folded into one float32 constant, which makes -112.50001 a tie.",
            "the thread",
            "add",
            _pair(
                (-114, 0.02534690499305725, -106),
                (-122, 0.035809919238090515, -120),
                qint8,
                (0.0365859717130661, -105),
            ),
        ),
        Mystery(
            "microsoft/onnxruntime#16105",
            "weights of -81 give wrong answers, -80 right ones",
            np.array([[82]]),
            "fbgemm",
            "210 * -81 + 198 * -80 = -32850 leaves 16 bits and becomes -32768.",
            "the thread",
            "linear",
            _linear([210, 198], [-81, -80], (1.0, 1.0, 1.0), 0, bias=32850),
        ),
        Mystery(
            "pytorch/pytorch#44939",
            "a convolution is wrong on processors without VNNI",
            np.array([[64]]),
            "fbgemm",
            "211 * 71 + 171 * 107 = 33278 leaves 16 bits and becomes 32767.",
            "the thread",
            "linear",
            _linear([211, 171], [71, 107], (1.0, 1.0, 8.0), 128, bias=-33278),
        ),
        Mystery(
            "pytorch/pytorch#37343",
            "QNNPACK adds to 155, FBGEMM to 154",
            np.array([155]),
            "fbgemm",
            "The exact sum is 154.4999978 steps; QNNPACK's multipliers of 22 bits lift it over the "
            "tie.",
            "the thread",
            "add",
            _pair(
                (46, 0.040562573820352554, 0),
                (10, 0.08881603181362152, 0),
                quint8,
                (0.09029635787010193, 124),
            ),
        ),
        Mystery(
            "pytorch/pytorch#56331",
            "0 where a sum of -2016 was expected",
            np.array([[0]]),
            "fbgemm",
            "The sum is -2012; -2012 / 32 is -63 to the nearest, which quint8 clips to 0.",
            "the thread",
            "linear",
            _linear(
                [3, 9, 30, 14, 4, 22, 11, 7, 5],
                [17, 21, -59, -4, -10, -31, 2, -3, 59],
                (1.0, 1.0, 32.0),
                0,
            ),
        ),
        Mystery(
            "onnx/onnx#7868",
            "129 or 130 for 2.5 steps and a zero point of 127",
            np.array([[130]]),
            "fbgemm",
            "The zero point is added before rounding, and an odd one turns ties round.",
            "made",
            "linear",
            _linear([5], [1], (1.0, 1.0, 2.0), 127),
        ),
        Mystery(
            "apache/tvm#13364",
            "outputs at the border differ",
            np.array([[[[48, 78, 48], [78, 122, 78], [48, 78, 48]]]]),
            "fbgemm",
            "The image is padded with the integer 0 and not with the zero point.",
            "made",
            "conv2d",
            _padded(),
        ),
        Mystery(
            "tenstorrent/tt-metal#56525",
            "a share of all elements is one step off",
            np.array([1, 3, 3, 5]),
            "fbgemm",
            "Ties are rounded away from zero and not to the even integer.",
            "made",
            "quantize_per_tensor",
            {
                "input": refquant.tensor([0.5, 2.5, 3.4, 4.5]),
                "scale": 1.0,
                "zero_point": 0,
                "dtype": quint8,
            },
        ),
        Mystery(
            "pytorch/pytorch#49779",
            "two kernels of fake quantization differ by a step",
            np.array([5, 7, 7]),
            "fbgemm",
            "One rounds x / s and adds the zero point, the other rounds their sum.",
            "made",
            "quantize_per_tensor",
            {
                "input": refquant.tensor([2.5, 3.5, 4.5]),
                "scale": 1.0,
                "zero_point": 3,
                "dtype": quint8,
            },
        ),
        Mystery(
            "tinygrad/tinygrad#9301",
            "quantized values differ where x / s is nearly a tie",
            np.array([-118, -86, -60]),
            "fbgemm",
            "One divides by the scale, the other multiplies with its reciprocal: -117.5 or "
            "-117.49999.",
            "made",
            "quantize_per_tensor",
            {
                "input": refquant.tensor(
                    [-1.1749999523162842, -0.8549999594688416, -0.5949999690055847]
                ),
                "scale": 0.009999999776482582,
                "zero_point": 0,
                "dtype": qint8,
            },
        ),
        Mystery(
            "apache/tvm#20298",
            "averages are wrong for half of all inputs",
            np.array([[[[11, 12]]]]),
            "fbgemm",
            "The average is cut towards zero instead of being rounded.",
            "made",
            "avg_pool2d",
            {
                "input": QuantizedTensor(
                    np.array([[[[11, 12, 12, 13], [12, 12, 13, 13]]]], np.uint8), quint8, 1.0, 0
                ),
                "kernel_size": 2,
            },
        ),
    )
