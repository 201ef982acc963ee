"""Loss functions: one number for the difference between an output and its target."""

import math
from typing import Any

import numpy as np

from refquant.arguments import describe, flag, integer, real
from refquant.errors import (
    ArgumentError,
    DtypeError,
    IndexRangeError,
    OperationError,
    ShapeError,
)
from refquant.ops.floating.operands import float_operand, operand
from refquant.ops.floating.selection import where
from refquant.ops.floating.softmax import log_softmax
from refquant.ops.rows import row
from refquant.tensors import Tensor, differentiable


def _reduced(loss: Tensor, reduction: str) -> Tensor:
    _check_reduction(reduction)
    if reduction == "mean":
        return loss.mean()
    return loss.sum() if reduction == "sum" else loss


def _check_reduction(reduction: Any) -> None:
    if not isinstance(reduction, str) or reduction not in ("mean", "sum", "none"):
        raise ArgumentError(
            argument="reduction",
            expected="'mean', 'sum' or 'none'",
            got=describe(reduction),
        )


def _class_weight(weight: Any, classes: int) -> Tensor:
    """Return the weight of each class, or raise."""
    w = float_operand("weight", weight)
    if w.array.shape != (classes,):
        raise ShapeError(
            argument="weight",
            expected=f"of shape ({classes},), one for each class",
            got=f"shape {w.array.shape}",
        )
    return w


@row("nn.functional")
def mse_loss(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """Squared error, :math:`(x - y)^2`.

    Parameters
    ----------
    input, target : Tensor of floats
        Plain; shapes broadcast.
    reduction : {'mean', 'sum', 'none'}
        What becomes of the elements.

    >>> F.mse_loss(refquant.tensor([1.0, 2.0]), refquant.tensor([1.0, 4.0]))
    tensor(2.)
    """
    x, y = float_operand("input", input), float_operand("target", target)
    return _reduced((x - y).square(), reduction)


@row("nn.functional")
def l1_loss(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """Absolute error, :math:`|x - y|`; see `mse_loss`.

    >>> F.l1_loss(refquant.tensor([1.0, 4.0]), refquant.tensor([2.0, 2.0]))
    tensor(1.5000)
    """
    x, y = float_operand("input", input), float_operand("target", target)
    return _reduced((x - y).abs(), reduction)


@row("nn.functional", beta="Where the square ends.")
def smooth_l1_loss(input: Any, target: Any, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    r"""Squared error :math:`d^2 / 2\beta` up to :math:`\beta`, beyond :math:`d - \beta / 2`.

    >>> F.smooth_l1_loss(refquant.tensor([0.5, 4.0]), refquant.tensor([0.0, 0.0]))
    tensor(1.8125)
    """
    x = float_operand("input", input)
    y = float_operand("target", target)
    beta = real("beta", beta, 0)
    distance = (x - y).abs()
    far = distance - 0.5 * beta
    loss = where(distance < beta, distance.square() * (0.5 / beta), far) if beta else far
    return _reduced(loss, reduction)


@row("nn.functional")
def nll_loss(
    input: Any, target: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """Negative log-likelihood of the target class, :math:`-w_c x_c`.

    Parameters
    ----------
    input : Tensor of floats, shape (batch, classes, ...) or (classes,)
        Logarithms of probabilities.
    target : Tensor of int64, shape (batch, ...) or ()
        The right classes.
    weight : Tensor, shape (classes,), optional
        How much each class counts.
    reduction : {'mean', 'sum', 'none'}
        The mean is weighted, too.

    Raises
    ------
    IndexRangeError
        If a target is no class.

    >>> F.nll_loss(refquant.log(refquant.tensor([[0.25, 0.75]])), refquant.tensor([1]))
    tensor(0.2877)
    """
    t, classes = float_operand("input", input), operand("target", target).array
    ignore_index = integer("ignore_index", ignore_index)
    _check_reduction(reduction)
    if t.array.ndim == 0:
        raise ShapeError(argument="input", expected="of at least 1 dimension", got="shape ()")
    x = t.array if t.array.ndim > 1 else t.array[None]
    c = classes if t.array.ndim > 1 else classes[None]
    if classes.dtype not in (np.int64, np.uint8):
        raise DtypeError(
            argument="target",
            expected="a tensor of int64 or uint8",
            got=classes.dtype,
            hint="convert it with .long()",
        )
    if c.shape != (x.shape[0], *x.shape[2:]):
        raise ShapeError(
            argument="target",
            got=f"shape {classes.shape}",
            expected=f"of shape {(x.shape[0], *x.shape[2:])} for an input of shape {x.shape}",
        )
    counts = c != ignore_index
    outside = counts & ((c < 0) | (c >= x.shape[1]))
    if outside.any():
        raise IndexRangeError(
            argument="target", expected=f"in 0..{x.shape[1] - 1}", got=int(c[outside][0])
        )
    c = np.where(counts, c, 0)
    if weight is None:
        w = counts.astype(x.dtype)
    else:
        factors = _class_weight(weight, x.shape[1])
        if factors.array.dtype != x.dtype:
            raise DtypeError(
                argument="weight",
                expected=f"of the dtype {t.dtype} of `input`",
                got=factors.dtype,
                hint="convert it with .to()",
            )
        w = factors.array[c] * counts
    picked = np.take_along_axis(x, np.expand_dims(c, 1), 1).squeeze(1)
    with np.errstate(all="ignore"):
        losses = np.where(counts, -picked * w, x.dtype.type(0))
        if reduction == "none":
            factor, result = w, losses if t.array.ndim > 1 else losses[0]
        else:
            total = w.sum() if reduction == "mean" else x.dtype.type(1)
            factor, result = w / total, losses.sum() / total

    def backward(g):
        gradient = np.zeros(x.shape, x.dtype)
        slope = np.where(counts, -factor * g, x.dtype.type(0)).astype(x.dtype)
        np.put_along_axis(gradient, np.expand_dims(c, 1), np.expand_dims(slope, 1), 1)
        return (gradient.reshape(t.array.shape),)

    return differentiable(result, (t,), backward)


@row("nn.functional")
def cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    r"""Loss of a classifier, :math:`-\log(e^{x_c} / \sum_j e^{x_j})` for the right class c.

    Parameters
    ----------
    input : Tensor of floats, shape (batch, classes, ...) or (classes,)
        Scores of any size.
    target : Tensor
        The right classes (int64, without the dimension of the classes), or the probability of
        each class (floats, of the shape of `input`).
    weight : Tensor, shape (classes,), optional
        How much each class counts.
    reduction : {'mean', 'sum', 'none'}
        What becomes of the elements.
    label_smoothing : float, default 0.0
        Share of the target, 0 to 1, that all classes have in equal parts.

    >>> F.cross_entropy(refquant.tensor([[0.0, 0.0]]), refquant.tensor([1]))
    tensor(0.6931)
    """
    x = float_operand("input", input)
    dim = 1 if x.array.ndim > 1 else 0
    logs = log_softmax(x, dim)
    smoothing = real("label_smoothing", label_smoothing)
    if not 0 <= smoothing <= 1:
        raise OperationError(argument="label_smoothing", expected="from 0 to 1", got=smoothing)
    t = operand("target", target)
    if t.array.dtype.kind == "f":
        return _of_shares(logs, dim, t, weight, ignore_index, reduction, smoothing)
    loss = nll_loss(logs, t, weight, ignore_index, reduction)
    if not smoothing:
        return loss
    counts = t.array != ignore_index
    counted = Tensor(counts)
    weighted = logs if weight is None else logs * _over_classes(weight, x, dim)
    even = where(counted, -weighted.sum(dim), 0.0)
    if reduction != "none":
        even = even.sum()
    if reduction == "mean":
        total = counts.sum() if weight is None else operand("weight", weight).array[t.array[counts]]
        even = even / Tensor(np.asarray(total.sum()).astype(x.array.dtype))
    return (1 - smoothing) * loss + even * _part(smoothing, x.array.shape[dim])


def _part(smoothing: float, classes: int) -> float:
    """Return the part that each class has of what is given to all."""
    return smoothing / classes if classes else math.inf


def _over_classes(weight: Any, x: Tensor, dim: int) -> Tensor:
    """Return the weight of each class, along the dimension of the classes."""
    w = _class_weight(weight, x.array.shape[dim])
    return w.reshape([-1 if d == dim else 1 for d in range(x.array.ndim)])


def _of_shares(logs, dim, target, weight, ignore_index, reduction, smoothing) -> Tensor:
    """Cross-entropy of targets that are probabilities."""
    shape = logs.array.shape
    if target.array.shape != shape:
        raise ShapeError(
            argument="target",
            got=f"shape {target.array.shape}",
            expected=f"of the shape {shape} of `input`, if it holds probabilities",
        )
    if integer("ignore_index", ignore_index) >= 0:
        raise OperationError(
            argument="ignore_index",
            expected="negative for a target of probabilities, which name no class",
            got=ignore_index,
        )
    _check_reduction(reduction)
    if smoothing:
        target = target * (1 - smoothing) + _part(smoothing, shape[dim])
    losses = logs * target
    if weight is not None:
        losses = losses * _over_classes(weight, logs, dim)
    if reduction == "none":
        return -losses.sum(dim)
    total = -losses.sum()
    if reduction == "sum":
        return total
    count = losses.array.size // max(shape[dim], 1)
    return total / count if count else total * float("nan")


def _log_sigmoid(x: Tensor) -> Tensor:
    """Logarithm of the logistic function, without overflow."""
    array = x.array
    below = array < 0
    with np.errstate(all="ignore"):
        z = np.exp(-np.abs(array))
        y = np.minimum(array, array.dtype.type(0)) - np.log1p(z)

    def backward(g):
        return (g * np.where(below, 1 / (1 + z), z / (1 + z)),)

    return differentiable(y, (x,), backward)


def _check_target(x: Tensor, y: Tensor) -> None:
    if x.array.shape != y.array.shape:
        raise ShapeError(
            argument="target",
            expected=f"of the shape {x.array.shape} of `input`",
            got=f"shape {y.array.shape}",
        )


def _check_broadcast(argument: str, factor: Tensor, losses: Tensor) -> None:
    shape = losses.array.shape
    padded = (1,) * (len(shape) - factor.array.ndim) + factor.array.shape
    if len(padded) != len(shape) or any(
        n not in (1, m) for n, m in zip(padded, shape, strict=True)
    ):
        raise ShapeError(
            argument=argument,
            expected=f"of a shape that broadcasts to {shape}",
            got=f"shape {factor.array.shape}",
        )


def _weighted(losses: Tensor, weight: Any) -> Tensor:
    """Multiply losses by the factors that are given; their dtype and shape stay."""
    factor = operand("weight", weight)
    _check_broadcast("weight", factor, losses)
    return (losses * factor).to(losses.dtype)


@row("nn.functional")
def binary_cross_entropy(
    input: Any, target: Any, weight: Any = None, reduction: str = "mean"
) -> Tensor:
    r"""Compute :math:`-y \log x - (1 - y) \log (1 - x)`; logarithms stop at -100.

    >>> F.binary_cross_entropy(refquant.tensor([0.5]), refquant.tensor([1.0]))
    tensor(0.6931)
    """
    x = float_operand("input", input)
    y = float_operand("target", target)
    _check_target(x, y)
    if x.array.dtype != y.array.dtype:
        raise DtypeError(
            argument="target",
            expected=f"of the dtype {x.dtype} of `input`",
            got=y.dtype,
            hint="convert it with .to()",
        )
    if not ((x.array >= 0) & (x.array <= 1)).all():
        raise OperationError(
            argument="input",
            expected="probabilities from 0 to 1",
            got="others",
            hint="apply sigmoid() first, or use binary_cross_entropy_with_logits()",
        )
    losses = -(y * x.log().clamp(min=-100) + (1 - y) * (1 - x).log().clamp(min=-100))
    if weight is not None:
        losses = _weighted(losses, weight)
    return _reduced(losses, reduction)


@row("nn.functional")
def binary_cross_entropy_with_logits(
    input: Any,
    target: Any,
    weight: Any = None,
    reduction: str = "mean",
    pos_weight: Any = None,
) -> Tensor:
    """Apply the logistic function, then `binary_cross_entropy`, without overflow.

    Parameters
    ----------
    pos_weight : Tensor, optional
        Factor of the losses of targets that are 1; broadcasts to `target`.

    >>> F.binary_cross_entropy_with_logits(refquant.tensor([0.0]), refquant.tensor([1.0]))
    tensor(0.6931)
    """
    x = float_operand("input", input)
    y = float_operand("target", target)
    _check_target(x, y)
    logs = _log_sigmoid(x)
    if pos_weight is not None:
        factor = operand("pos_weight", pos_weight)
        _check_broadcast("pos_weight", factor, y)
        logs = (logs * ((factor - 1) * y + 1)).to(x.dtype)
    losses = ((1 - y) * x - logs).to(y.dtype)
    if weight is not None:
        losses = _weighted(losses, weight)
    return _reduced(losses, reduction)


@row("nn.functional")
def kl_div(input: Any, target: Any, reduction: str = "mean", log_target: bool = False) -> Tensor:
    r"""Compute :math:`y (\log y - x)`, where x are logarithms of probabilities.

    The reduction ``'batchmean'`` divides the sum by the size of the batch.

    >>> x = refquant.log(refquant.tensor([0.5, 0.5]))
    >>> F.kl_div(x, refquant.tensor([1.0, 0.0]), reduction='sum')
    tensor(0.6931)
    """
    x, y = float_operand("input", input), float_operand("target", target)
    if flag("log_target", log_target):
        losses = y.exp() * (y - x)
    else:
        losses = y * (y.clamp(min=float(np.finfo(y.array.dtype).tiny)).log() - x)
    if isinstance(reduction, str) and reduction == "batchmean":
        return losses.sum() / (x.array.shape[0] if x.array.ndim else 1)
    return _reduced(losses, reduction)
