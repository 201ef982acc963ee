"""Losses as modules."""

from collections.abc import Callable
from typing import Any

from refquant import arguments
from refquant._documentation import document
from refquant.nn import functional as F
from refquant.nn.module import Module
from refquant.tensors import Tensor

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "KLDivLoss",
    "L1Loss",
    "MSELoss",
    "NLLLoss",
    "SmoothL1Loss",
]


class _Loss(Module):
    """Base class of modules that compare by a function, with some of their attributes."""

    _function: Callable[..., Any]
    _arguments: tuple[str, ...] = ("reduction",)
    _reductions: tuple[str, ...] = ("mean", "sum", "none")

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = arguments.choice("reduction", reduction, self._reductions)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compare `input` with `target`."""
        settings = [getattr(self, name) for name in self._arguments]
        return type(self)._function(input, target, *settings)


class _WeightedLoss(_Loss):
    _arguments: tuple[str, ...] = ("weight", "reduction")

    def __init__(self, weight: Tensor | None = None, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)


class MSELoss(_Loss):
    r"""Mean squared error, :math:`(x - y)^2`.

    Parameters
    ----------
    %(reduction)s

    %(example)s
    >>> refquant.nn.MSELoss()(refquant.tensor([1.0, 2.0]), refquant.tensor([1.0, 4.0]))
    tensor(2.)
    """

    _function = staticmethod(F.mse_loss)


class L1Loss(_Loss):
    r"""Mean absolute error, :math:`|x - y|`; see `MSELoss`.

    Parameters
    ----------
    %(reduction)s

    %(example)s
    >>> refquant.nn.L1Loss()(refquant.tensor([1.0, 4.0]), refquant.tensor([2.0, 2.0]))
    tensor(1.5000)
    """

    _function = staticmethod(F.l1_loss)


class SmoothL1Loss(_Loss):
    """Squared error near 0, absolute error beyond.

    Parameters
    ----------
    %(reduction)s
    beta : float
        Where one goes over into the other.

    %(example)s
    >>> refquant.nn.SmoothL1Loss()(refquant.tensor([0.5, 4.0]), refquant.tensor([0.0, 0.0]))
    tensor(1.8125)
    """

    _function = staticmethod(F.smooth_l1_loss)
    _arguments = ("reduction", "beta")

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        self.beta = arguments.number("beta", beta, 0)


class NLLLoss(_WeightedLoss):
    """Negative log-likelihood of the target class.

    Parameters
    ----------
    weight : Tensor, shape (classes,), optional
        How much each class counts.
    ignore_index : int
        A target that does not count.
    %(reduction)s

    %(example)s
    >>> refquant.nn.NLLLoss()(refquant.log(refquant.tensor([[0.25, 0.75]])), refquant.tensor([1]))
    tensor(0.2877)
    """

    _function = staticmethod(F.nll_loss)
    _arguments: tuple[str, ...] = ("weight", "ignore_index", "reduction")

    def __init__(
        self, weight: Tensor | None = None, ignore_index: int = -100, reduction: str = "mean"
    ) -> None:
        super().__init__(weight, reduction)
        self.ignore_index = arguments.integer("ignore_index", ignore_index)


class CrossEntropyLoss(NLLLoss):
    """Cross-entropy of a classifier: softmax, then the negative log-likelihood; as `NLLLoss`.

    Parameters
    ----------
    weight : Tensor, shape (classes,), optional
        Factor of the loss of each class.
    ignore_index : int, default -100
        Targets of this class do not count.
    %(reduction)s
    label_smoothing : float, default 0.0
        Share of the target, 0 to 1, that all classes have in equal parts.

    %(example)s
    >>> refquant.nn.CrossEntropyLoss()(refquant.tensor([[0.0, 0.0]]), refquant.tensor([1]))
    tensor(0.6931)
    """

    _function = staticmethod(F.cross_entropy)
    _arguments = ("weight", "ignore_index", "reduction", "label_smoothing")

    def __init__(
        self,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, ignore_index, reduction)
        self.label_smoothing = arguments.number("label_smoothing", label_smoothing)


class BCELoss(_WeightedLoss):
    """Cross-entropy of binary targets; see `refquant.nn.functional.binary_cross_entropy`.

    Parameters
    ----------
    weight : Tensor, optional
        Factor of the loss of each class or element.
    %(reduction)s

    %(example)s
    >>> refquant.nn.BCELoss()(refquant.tensor([0.5]), refquant.tensor([1.0]))
    tensor(0.6931)
    """

    _function = staticmethod(F.binary_cross_entropy)


class BCEWithLogitsLoss(_WeightedLoss):
    """Apply the logistic function, then `BCELoss`, without overflow.

    Parameters
    ----------
    weight : Tensor, optional
        Factor of the loss of each class or element.
    %(reduction)s
    pos_weight : Tensor, optional
        Factor of the losses of targets that are 1; broadcasts to the target.

    %(example)s
    >>> refquant.nn.BCEWithLogitsLoss()(refquant.tensor([0.0]), refquant.tensor([1.0]))
    tensor(0.6931)
    """

    _function = staticmethod(F.binary_cross_entropy_with_logits)
    _arguments = ("weight", "reduction", "pos_weight")

    def __init__(
        self,
        weight: Tensor | None = None,
        reduction: str = "mean",
        pos_weight: Tensor | None = None,
    ) -> None:
        super().__init__(weight, reduction)
        self.register_buffer("pos_weight", pos_weight)


class KLDivLoss(_Loss):
    """Kullback-Leibler divergence; see `refquant.nn.functional.kl_div`.

    Parameters
    ----------
    %(reduction)s
    log_target : bool, default False
        Whether the target holds logarithms.

    %(example)s
    >>> x = refquant.log(refquant.tensor([0.5, 0.5]))
    >>> refquant.nn.KLDivLoss(reduction='sum')(x, refquant.tensor([1.0, 0.0]))
    tensor(0.6931)
    """

    _function = staticmethod(F.kl_div)
    _arguments = ("reduction", "log_target")
    _reductions = ("mean", "sum", "none", "batchmean")

    def __init__(self, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__(reduction)
        self.log_target = arguments.flag("log_target", log_target)


document(__name__)
