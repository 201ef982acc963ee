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

Other families of arithmetic add to this bound:

``float32_sums``
    products of real numbers are added in float32, in any order: :math:`\gamma_{K + 8}` of the sum
    of the magnitudes of K products (Higham, section 4.2).
``fixed_point``
    a multiplier :math:`m = f 2^{-k}`, :math:`\frac12 \le f < 1`, of at least 22 bits scales
    integers. They are rounded once before the last shift of k bits, which moves a number by up to
    half a unit, :math:`2^{-k-1}` steps. Places of pixels have 10 bits.
``multipliers_of_15_bits``
    sums of 64 bits, of activations of 16, are scaled by such a multiplier and rounded once. It is
    off by half a unit of its last bit; below a power of two, which 15 bits do not hold, by a whole
    one: by up to :math:`2^{-15}` of itself.
``short_multipliers``
    as ``fixed_point`` with multipliers of 8 or 16 bits, which are off by up to 1/512.

A function whose slope is at most L turns an error of its operand into at most L times as much; sums
of pooling and means have K terms in every family.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from refquant import arguments
from refquant.errors import ArgumentError
from refquant.oracle.problems.base import Problem, fitted
from refquant.oracle.problems.elementwise import Quantization, Sum
from refquant.oracle.problems.meaning import MIDDLE, NARROW, SHORT, first_rounding, gamma
from refquant.oracle.problems.meanings import meaning_of
from refquant.oracle.problems.products import Product
from refquant.oracle.problems.table import problem

__all__ = ["FAMILIES", "Bounds", "Legality", "bounds_of", "error_bound", "legal", "legality"]

UNIT = 2.0**-24
ROUNDINGS = 8
GAMMA = gamma(ROUNDINGS)
FAMILIES = (
    "float32", "float32_sums", "fixed_point", "multipliers_of_15_bits", "short_multipliers",
)  # fmt: skip


def error_bound(
    task: Any, where: np.ndarray, real: np.ndarray, integer_bias: bool, family: str = "float32"
) -> np.ndarray:
    """Bound the error of a family of arithmetic before rounding, in output steps."""
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
    return bound + _more(task, where, family)


def _more(task: Any, where: np.ndarray, family: str) -> Any:
    """Bound what the arithmetic of a family adds to that of float32."""
    if family == "float32" or isinstance(task, Quantization):
        return 0.0
    if family == "float32_sums":
        if not isinstance(task, Product):
            return 0.0
        x, w, y = task.scales()
        terms = task.magnitudes()[where] * (x * w[task.channel[where]] / y)
        return gamma(task.layer.depth + ROUNDINGS) * terms
    size = task.roundings(where)
    if family == "multipliers_of_15_bits":
        return MIDDLE * size
    more = (NARROW if family == "fixed_point" else SHORT) * size
    if isinstance(task, Sum) and task.kind != "multiply":
        # Of 20 bits or more in common steps, each of up to 255 units, or of 20 bits to the left.
        return more + 2.0**-12 * max(task.a.scale, task.b.scale) / task.scale
    if isinstance(task, Sum):
        return more + first_rounding(task.a.scale * task.b.scale / task.scale)
    x, w, y = task.scales()
    return more + first_rounding(x * w[task.channel[where]] / y)


def has_exact_values(task: Problem) -> bool:
    """Return whether the exact values of a problem are known."""
    return isinstance(task, Product | Sum | Quantization)


def legal(
    actual: np.ndarray, real: np.ndarray, bound: np.ndarray, ends: tuple[int, int]
) -> np.ndarray:
    """Return whether integers are legal, given exact values and error bounds."""
    least = np.clip(np.ceil(real - bound - 0.5), *ends)
    most = np.clip(np.floor(real + bound + 0.5), *ends)
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
    actual: Any,
    operation: str | Problem,
    *args: Any,
    integer_bias: bool = True,
    family: str = "float32",
    **kwargs: Any,
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
        Any but ``linear_dynamic``; see `problem`.
    *args, **kwargs
        Its operands.
    integer_bias : bool, default True
        Whether a backend may round the bias to int32 first.
    family : str, default 'float32'
        The arithmetic of the backend, which may be further from exact values: sums of products in
        float32 (``'float32_sums'``), fixed point with two roundings (``'fixed_point'``), sums of 64
        bits (``'multipliers_of_15_bits'``), 8 or 16 bits (``'short_multipliers'``).

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
    family = arguments.choice("family", family, FAMILIES)
    task: Any = problem(operation, *args, **kwargs)
    found = bounds_of(task, integer_bias, family)
    if found is None:
        raise ArgumentError(
            f"oracle.legality of {task.operation}",
            argument="operation",
            expected="an operation whose exact values are known, as of all but linear_dynamic",
            got=repr(task.operation),
            hint="oracle.compare works for it, without legality",
        )
    form = np.zeros(found.shape, np.int64 if found.ends is not None else np.float32)
    answers, _, shape = fitted(task, actual, form)
    parts = (found.allow(answers), found.real, found.bound)
    return Legality(*(part.reshape(shape) for part in parts))


class Bounds(NamedTuple):
    """Exact values of all outputs, and how far a sound implementation may be from them.

    Attributes
    ----------
    real, bound : ndarray of float64
        Flat.
    ends : tuple of int, optional
        To which results are clipped; None if they are real numbers, which are not rounded.
    shape : tuple of int
        Of the output.
    others : tuple of ndarray of float64
        Other exact values that a result may have.
    """

    real: np.ndarray
    bound: np.ndarray
    ends: tuple[int, int] | None
    shape: tuple[int, ...]
    others: tuple[np.ndarray, ...] = ()

    def allow(self, actual: np.ndarray) -> np.ndarray:
        """Return whether answers, flat, are legal."""
        allowed = np.zeros(actual.shape, bool)
        for real in (self.real, *self.others):
            if self.ends is None:
                allowed |= (np.abs(actual - real) <= self.bound) | (actual == real)
            else:
                allowed |= legal(actual, real, self.bound, self.ends)
        return allowed


def bounds_of(task: Any, integer_bias: bool = True, family: str = "float32") -> Bounds | None:
    """Return exact values and error bounds of all outputs; None if they are not known."""
    if has_exact_values(task):
        where = np.arange(task.size)
        real = task.ratio(where).floats()
        bound = error_bound(task, where, real, integer_bias, family)
        shape = task.run("exact").shape if task.output is None else task.shape
        return Bounds(real, bound, (task.lower, task.upper), shape)
    meaning = meaning_of(task)
    if meaning is None:
        return None
    real, bound, *others = np.broadcast_arrays(meaning.real, meaning.bound(family), *meaning.others)
    to = meaning.output
    ends = None if to is None else (int(to.lower or 0), int(to.upper or 0))
    flat = (part.reshape(-1) for part in others)
    return Bounds(real.reshape(-1), bound.reshape(-1), ends, real.shape, tuple(flat))
