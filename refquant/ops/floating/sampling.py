"""Random choices: of ones and zeros, of categories, and of elements to drop."""

from typing import Any

import numpy as np

from refquant import arguments
from refquant.errors import ArgumentError, OperationError, ShapeError
from refquant.ops.floating import distributions
from refquant.ops.floating.creation import empty_like
from refquant.ops.floating.generator import default_generator, source
from refquant.ops.floating.operands import cast, float_operand, operand
from refquant.ops.floating.random import placed
from refquant.ops.inplace import assign
from refquant.ops.rows import row
from refquant.reference import random_numbers
from refquant.tensors import Tensor, differentiable


def _probabilities(argument: str, value: Any) -> np.ndarray:
    array = float_operand(argument, value).array
    if not ((array >= 0) & (array <= 1)).all():
        raise ArgumentError(
            argument=argument, expected="probabilities, in 0..1", got="others", hint="use sigmoid()"
        )
    return array


def _chosen(p: np.ndarray, generator: Any) -> np.ndarray:
    """Draw for each probability whether it comes true, row-major."""
    return distributions.uniforms(source(generator), p.size, p.dtype).reshape(p.shape) < p


@row(input="Probabilities, from 0 to 1.", p="One probability for all instead.")
def bernoulli(input: Any, p: Any = None, *, generator=None) -> Tensor:
    """Draw 1 with the probability that each element gives, else 0.

    >>> _ = refquant.manual_seed(0)
    >>> refquant.bernoulli(refquant.tensor([0.0, 0.5, 1.0]))
    tensor([0., 0., 1.])
    """
    if p is not None:
        x = operand("input", input).array
        return bernoulli_(Tensor(np.empty(x.shape, x.dtype)), p, generator=generator)
    probabilities = _probabilities("input", input)
    return Tensor(_chosen(probabilities, generator).astype(probabilities.dtype))


@row("Tensor", p="The probability of 1; of each element if it is a tensor.")
def bernoulli_(input: Tensor, p: Any = 0.5, *, generator=None) -> Tensor:
    """Overwrite with draws of 1 and 0."""
    x = operand("input", input).array
    if isinstance(p, Tensor):
        probabilities = _probabilities("p", p)
        try:
            probabilities = np.broadcast_to(probabilities, x.shape)
        except ValueError as error:
            raise ShapeError(
                argument="p", expected=f"a shape that {x.shape} can be cut from", got=p.array.shape
            ) from error
        return assign(input, Tensor(_chosen(probabilities, generator).astype(x.dtype)))
    p = arguments.real("p", p, 0, 1)
    drawn = distributions.doubles(source(generator), x.size) < p
    return assign(input, placed(drawn.astype(x.dtype), x))


@row(
    returns="int64: positions along the last dimension of `input`.",
    input="Weights of one or two dimensions, at least 0.",
    num_samples="How many are chosen of each row.",
    replacement="Whether one can be chosen more than once.",
)
def multinomial(
    input: Tensor, num_samples: int, replacement: bool = False, *, generator=None
) -> Tensor:
    """Choose positions at random, with probabilities in the ratio of weights.

    >>> _ = refquant.manual_seed(0)
    >>> refquant.multinomial(refquant.tensor([0.0, 10.0, 3.0, 0.0]), 2)
    tensor([1, 2])
    """
    weights = float_operand("input", input).array
    if weights.ndim not in (1, 2):
        raise ShapeError(
            argument="input", expected="1 or 2 dimensions", got=f"shape {weights.shape}"
        )
    replacement = arguments.flag("replacement", replacement)
    count = arguments.integer("num_samples", num_samples)
    most = None if replacement else weights.shape[-1]
    if count < 1 or (most is not None and count > most):
        raise OperationError(
            argument="num_samples",
            expected="at least 1" if most is None else arguments.between(1, most),
            got=count,
            hint=None if most is None else "or choose with replacement=True",
        )
    if not np.isfinite(weights).all() or (weights < 0).any() or not weights.any(-1).all():
        raise OperationError(
            argument="input",
            expected="finite weights of at least 0, one of each row above it",
            got="others",
        )
    if not replacement or count == 1:
        # The smallest of exponential times, each with its weight as rate, comes first.
        times = cast(distributions.exponential(source(generator), weights.size, 1.0), weights.dtype)
        with np.errstate(all="ignore"):
            speed = weights / times.reshape(weights.shape)
        return Tensor(np.argsort(-speed, axis=-1, kind="stable")[..., :count].copy())
    rows = weights.reshape(-1, weights.shape[-1])
    drawn = distributions.doubles(source(generator), len(rows) * count).reshape(-1, count)
    chosen = [random_numbers.categories(w, u) for w, u in zip(rows, drawn, strict=True)]
    return Tensor(np.reshape(chosen, (*weights.shape[:-1], count)))


@row(
    "nn.functional",
    returns="Of the expected value of the input.",
    input="Plain.",
    p="Probability, in 0..1.",
    training="Whether to do so at all; else `input` is returned.",
)
def dropout(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Set elements to 0 with probability p, and multiply the others by :math:`1 / (1 - p)`.

    Notes
    -----
    Source: Srivastava et al., "Dropout", 2014.

    >>> F.dropout(refquant.ones(3), training=False)
    tensor([1., 1., 1.])
    """
    inplace = arguments.switch("inplace", inplace)
    p = arguments.real("p", p, 0, 1)
    if not arguments.flag("training", training) or p == 0:
        return input
    x = float_operand("input", input)
    kind = x.array.dtype
    if p == 1:
        factor = np.zeros_like(x.array)
    else:
        kept = distributions.doubles(default_generator, x.array.size) < 1 - p
        value = kind.type(1) / kind.type(1 - p)
        factor = placed(kept.astype(kind) * value, empty_like(x).array).array
    with np.errstate(all="ignore"):
        result = differentiable(x.array * factor, (x,), lambda g: (g * factor,))
    return assign(input, result) if inplace else result
