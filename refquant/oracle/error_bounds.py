r"""Error bounds: whether a differing answer is wrong, or one that a sound implementation may give.

Let :math:`r` be the exact real value of an output, in steps of the output quantizer and including
its zero point, before it is rounded and clipped. A sound implementation does not have :math:`r`; it
combines scales, sums and bias in float32, and each operation adds a relative error of at most
:math:`u = 2^{-24}`.

On the way from integers to the number that is rounded lie at most eight such operations: three
scales become float32, two operations form the multiplier, the sum becomes float32, the bias is
scaled and added (as one), and the product is formed. With :math:`A` a bound on the magnitudes that
are rounded on the way, in steps of the output -- for a product
:math:`A = (|acc|\, s_x s_w + |b|) / s_y` -- the error is at most

.. math:: \varepsilon = 8 u A (1 + 8u) + u (|r| + |z|) ,

the last term where the zero point is added before rounding (Higham, *Accuracy and Stability of
Numerical Algorithms*, section 3.1: :math:`\gamma_8 = 8u / (1 - 8u)`). A bias that is first rounded
to int32, as QNNPACK, TensorFlow Lite and ONNX do, moves the sum by up to half a unit of
:math:`s_x s_w`, and adds :math:`s_x s_w / 2 s_y`.

An answer :math:`q` is *legal* if rounding to nearest, ties to either side, takes some number of
:math:`[r - \varepsilon, r + \varepsilon]` to it:

.. math:: \mathrm{clip}(\lceil r - \varepsilon - \tfrac12 \rceil) \le q \le
    \mathrm{clip}(\lfloor r + \varepsilon + \tfrac12 \rfloor) .
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from refquant import arguments
from refquant.errors import ArgumentError
from refquant.oracle.problems.base import Problem
from refquant.oracle.problems.elementwise import Quantization, Sum
from refquant.oracle.problems.products import Product
from refquant.oracle.problems.table import problem

__all__ = ["Legality", "error_bound", "legal", "legality"]

UNIT = 2.0**-24
ROUNDINGS = 8
GAMMA = ROUNDINGS * UNIT / (1 - ROUNDINGS * UNIT)


def error_bound(task: Any, where: np.ndarray, real: np.ndarray, integer_bias: bool) -> np.ndarray:
    """Bound the error of float32 arithmetic before rounding, in output steps."""
    zero = abs(task.zeros[where] if isinstance(task, Quantization) else task.zero_point)
    bound = GAMMA * task.roundings(where) + UNIT * (np.abs(real) + zero)
    if (
        integer_bias
        and isinstance(task, Product)
        and task.layer.has_bias
        and not task.layer.integer_bias
    ):
        x, w, y = task.scales()
        bound = bound + x * w[task.channel[where]] / (2 * y)
    return bound


def has_exact_values(task: Problem) -> bool:
    """Return whether the exact values of a problem are known."""
    return isinstance(task, Product | Sum | Quantization)


def legal(task: Any, actual: np.ndarray, real: np.ndarray, bound: np.ndarray) -> np.ndarray:
    """Return whether answers are legal, given exact values and error bounds."""
    least = np.clip(np.ceil(real - bound - 0.5), task.lower, task.upper)
    most = np.clip(np.floor(real + bound + 0.5), task.lower, task.upper)
    return (least <= actual) & (actual <= most)


@dataclass(frozen=True)
class Legality:
    """Legality of every element of an output, as `legality` returns it.

    Attributes
    ----------
    legal : ndarray of bool
        Whether a sound implementation may return this answer.
    real : ndarray of float64
        The exact value of each output, in steps and including the zero point.
    bound : ndarray of float64
        How far float32 arithmetic may be from the exact value.

    Examples
    --------
    >>> import numpy as np, refquant
    >>> from refquant import oracle
    >>> x = refquant.tensor([0.25, 0.26, 0.5])
    >>> theirs = np.array([3, 3, 9])
    >>> result = oracle.legality(theirs, "quantize_per_tensor", x, 0.1, 0, refquant.quint8)
    >>> result.legal, isinstance(result, oracle.Legality)
    (array([ True,  True, False]), True)
    """

    legal: np.ndarray
    real: np.ndarray
    bound: np.ndarray

    def __repr__(self) -> str:
        count = int((~self.legal).sum())
        return f"<Legality: {count} of {self.legal.size} answers are not legal>"


def legality(
    actual: Any, operation: str | Problem, *args: Any, integer_bias: bool = True, **kwargs: Any
) -> Legality:
    """Return for every element whether a sound implementation may give this answer.

    The documentation derives the bound. Sound means rounded once, to the nearest integer, with ties
    in either direction. Some real engines are not sound in this sense: QNNPACK of PyTorch 1.4 and
    TensorFlow Lite round twice.

    Parameters
    ----------
    actual : QuantizedTensor or ndarray
        The backend's answer.
    operation : str
        A linear layer, a convolution, ``add``, ``mul`` or a quantizing operation; see `problem`.
    *args, **kwargs
        Its operands.
    integer_bias : bool, default True
        Whether a backend may round the bias to int32 first.

    Returns
    -------
    Legality
        With arrays of the output's shape.

    Raises
    ------
    ArgumentError
        If the exact values of the operation are not known.

    Examples
    --------
    >>> import numpy as np, refquant
    >>> from refquant import oracle
    >>> x = refquant.tensor([0.25, 0.26])  # 2.5 and 2.6 steps
    >>> oracle.legality(np.array([3, 2]), "quantize_per_tensor", x, 0.1, 0, refquant.quint8).legal
    array([ True, False])
    """
    integer_bias = arguments.flag("integer_bias", integer_bias)
    task: Any = problem(operation, *args, **kwargs)
    if not has_exact_values(task):
        raise ArgumentError(
            f"oracle.legality of {operation}",
            argument="operation",
            expected="a linear layer, a convolution, add, mul or a quantizing operation",
            got=repr(operation),
            hint="oracle.compare works for it, without legality",
        )
    answers, _, shape = task.check(actual, "exact")
    where = np.arange(answers.size)
    real = task.ratio(where).floats()
    bound = error_bound(task, where, real, integer_bias)
    allowed = legal(task, answers, real, bound)
    return Legality(*(part.reshape(shape) for part in (allowed, real, bound)))
