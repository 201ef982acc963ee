"""Arguments that belong together: small records that definitions and kernels take alike.

A record is a tuple with names. Definitions unpack it, so that a plain tuple of the same order does
too: operations on few elements make those, because a named one takes ten times as long to make.
"""

from typing import Any, NamedTuple

import numpy as np

__all__ = [
    "DynamicProduct",
    "EluFactors",
    "Geometry",
    "Neighbors",
    "Output",
    "PostOps",
    "ProductRules",
    "Quantizer",
    "Runs",
    "Weight",
    "Windows",
    "parts",
    "rows",
    "split_at",
]


class Quantizer(NamedTuple):
    """The affine map of integers to real numbers.

    Attributes
    ----------
    scale : float
        Real units of one quantized step.
    zero_point : int
        The integer that stands for real zero.
    """

    scale: float
    zero_point: int


class Output(NamedTuple):
    """The affine map of a result, and the range of its integers.

    Attributes
    ----------
    scale : float
        Real units of one quantized step.
    zero_point : int
        The integer that stands for real zero.
    output_min, output_max : int
        Range of the integers: that of the dtype, or from `zero_point` on to apply ReLU.
    """

    scale: float
    zero_point: int
    output_min: int
    output_max: int


class Runs(NamedTuple):
    """How an engine walks over elements: in runs, each of vectors and a tail.

    Attributes
    ----------
    run_length : int
        Length of a run; the number of elements is a multiple of it.
    vector_length : int
        How many leading elements of each run are rounded like vectors.
    """

    run_length: int
    vector_length: int


class EluFactors(NamedTuple):
    r"""Factors of the exponential linear unit, which become float32.

    Attributes
    ----------
    alpha : float
        :math:`\alpha`, the limit far below zero.
    output_factor, input_factor : float
        :math:`f` of the result and :math:`g` of the exponent.
    """

    alpha: float
    output_factor: float
    input_factor: float


class Weight(NamedTuple):
    """A packed weight and its quantizers.

    Attributes
    ----------
    packed : ndarray
        The packed weight of `refquant.reference.matmul.pack_rows` or
        `refquant.reference.convolution.pack_filters`, or the packed taps of
        `refquant.reference.convolution.pack_depthwise`.
    sums : ndarray of int32, shape (outputs,)
        Weight sums, as the same function returns them.
    scales : ndarray of float64, shape (outputs,)
        Real units of one step, for each output.
    zero_points : ndarray of int32, shape (outputs,)
        Zero point, for each output.
    """

    packed: np.ndarray
    sums: np.ndarray
    scales: np.ndarray
    zero_points: np.ndarray


class Geometry(NamedTuple):
    """Where windows lie in an image: one number a dimension, the slowest in memory first.

    Attributes
    ----------
    kernel : tuple of int
        Extents of the window.
    stride : tuple of int
        From one window to the next.
    padding : tuple of int
        Width of the border.
    dilation : tuple of int
        From one element of the window to the next.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]

    def extents(self, image: tuple[int, ...]) -> tuple[int, ...]:
        """Count the positions of the window along each dimension of an image."""
        return tuple(
            (n + 2 * p - d * (k - 1) - 1) // s + 1
            for n, k, s, p, d in zip(image, *self, strict=True)
        )


class Windows(NamedTuple):
    """Which elements the windows of a pooling see, along each dimension.

    Attributes
    ----------
    planes, rows, columns : ndarray of int64, shape (count, 2)
        First plane (row, column) of every window inside the volume, and the one after the last.
    """

    planes: np.ndarray
    rows: np.ndarray
    columns: np.ndarray


class Neighbors(NamedTuple):
    """Which two pixels along one dimension a pixel of a resized image lies between.

    Attributes
    ----------
    indices : ndarray of int64, shape (count, 2)
        The two neighbors of every pixel of the output.
    shares : ndarray of float32, shape (count, 2)
        How much of each.
    """

    indices: np.ndarray
    shares: np.ndarray


class ProductRules(NamedTuple):
    """What an engine does in a linear layer or a convolution.

    Attributes
    ----------
    accumulate, border : Rule
        For the steps ``accumulator`` and ``border``.
    product : Rule or Form
        For the step ``product``: a rule that does all that follows, or that the next three do it.
    bias, multiplier, requantize : Rule
        For the steps ``bias``, ``multiplier`` and ``requantize_sum``.
    """

    accumulate: Any
    border: Any
    product: Any
    bias: Any
    multiplier: Any
    requantize: Any


class DynamicProduct(NamedTuple):
    """A weight of a linear layer whose input is quantized by its own range.

    Attributes
    ----------
    weight : Weight
    biases : ndarray of float32, shape (outputs,)
    accumulate, output : Rule
        For the steps ``accumulator`` and ``dynamic_output``.
    choose : Rule
        For the step ``dynamic_qparams``.
    quantize : Split
        How one element of the input is rounded.
    quant_max : int
        The largest integer that the quantizer is chosen for, 127 or 255; the smallest is 0.
    """

    weight: Weight
    biases: np.ndarray
    accumulate: Any
    output: Any
    choose: Any
    quantize: Any
    quant_max: int


# What is applied to real results; the first is nothing.
FUNCTIONS = ("", "relu", "leaky_relu", "tanh")


class PostOps(NamedTuple):
    """What is done with the real results of a product before they are quantized.

    Engines that go in steps have none but ReLU, which the range of the output says already.

    Attributes
    ----------
    function : str
        What is applied last, one of `FUNCTIONS`.
    slope : float
        Factor of negative results for ``'leaky_relu'``.
    addend : ndarray of uint8 or None
        What is added first, of the shape of the result.
    scale : float
        Scale of the addend.
    zero_point : int
        Zero point of the addend.
    """

    function: str = ""
    slope: float = 0.0
    addend: np.ndarray | None = None
    scale: float = 1.0
    zero_point: int = 0


def rows(runs: tuple[int, int], *operands: np.ndarray) -> list[np.ndarray]:
    """View operands as matrices, a run in each row."""
    run_length, _ = runs
    return [q.reshape(-1, max(run_length, 1)) for q in operands]


def parts(runs: tuple[int, int], *splits: Any):
    """List what is rounded like vectors and the rules for it, then the tails and theirs."""
    _, vector_length = runs
    return split_at(vector_length, *splits)


def split_at(vector_length: int, *splits: Any):
    """As `parts`, where there is one run."""
    return (
        (slice(0, vector_length), [split.vector for split in splits]),
        (slice(vector_length, None), [split.tail for split in splits]),
    )
