"""Losses as modules."""

from refquant import arguments
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
    _reductions: tuple[str, ...] = ("mean", "sum", "none")

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = arguments.choice("reduction", reduction, self._reductions)


class _WeightedLoss(_Loss):
    def __init__(self, weight: Tensor | None = None, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)


class MSELoss(_Loss):
    r"""Mean squared error, :math:`(x - y)^2`.

    Parameters
    ----------
    reduction : {'mean', 'sum', 'none'}
        What becomes of the elements.

    Examples
    --------
    >>> import refquant
    >>> refquant.nn.MSELoss()(refquant.tensor([1.0, 2.0]), refquant.tensor([1.0, 4.0]))
    tensor(2.)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compare two tensors."""
        return F.mse_loss(input, target, self.reduction)


class L1Loss(_Loss):
    r"""Mean absolute error, :math:`|x - y|`; see `MSELoss`.

    Parameters
    ----------
    reduction : {'mean', 'sum', 'none'}, default 'mean'
        What becomes of the single losses.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> nn.L1Loss()(refquant.tensor([1.0, 4.0]), refquant.tensor([2.0, 2.0]))
    tensor(1.5)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compare two tensors."""
        return F.l1_loss(input, target, self.reduction)


class SmoothL1Loss(_Loss):
    """Squared error near 0, absolute error beyond.

    Parameters
    ----------
    reduction : {'mean', 'sum', 'none'}
        What becomes of the elements.
    beta : float
        Where one goes over into the other.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> nn.SmoothL1Loss()(refquant.tensor([0.5, 4.0]), refquant.tensor([0.0, 0.0]))
    tensor(1.8125)
    """

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        self.beta = arguments.number("beta", beta, 0)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compare two tensors."""
        return F.smooth_l1_loss(input, target, self.reduction, self.beta)


class NLLLoss(_WeightedLoss):
    """Negative log-likelihood of the target class.

    Parameters
    ----------
    weight : Tensor, shape (classes,), optional
        How much each class counts.
    ignore_index : int
        A target that does not count.
    reduction : {'mean', 'sum', 'none'}
        What becomes of the elements.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> nn.NLLLoss()(refquant.log(refquant.tensor([[0.25, 0.75]])), refquant.tensor([1]))
    tensor(0.2877)
    """

    def __init__(
        self, weight: Tensor | None = None, ignore_index: int = -100, reduction: str = "mean"
    ) -> None:
        super().__init__(weight, reduction)
        self.ignore_index = arguments.integer("ignore_index", ignore_index)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compare log-probabilities with the target classes."""
        return F.nll_loss(input, target, self.weight, self.ignore_index, self.reduction)


class CrossEntropyLoss(NLLLoss):
    """Cross-entropy of a classifier: softmax, then the negative log-likelihood; as `NLLLoss`.

    Parameters
    ----------
    weight : Tensor, shape (classes,), optional
        Factor of the loss of each class.
    ignore_index : int, default -100
        Targets of this class do not count.
    reduction : {'mean', 'sum', 'none'}, default 'mean'
        What becomes of the single losses.

    Examples
    --------
    >>> import refquant
    >>> refquant.nn.CrossEntropyLoss()(refquant.tensor([[0.0, 0.0]]), refquant.tensor([1]))
    tensor(0.6931)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compare logits with the target classes."""
        return F.cross_entropy(input, target, self.weight, self.ignore_index, self.reduction)


class BCELoss(_WeightedLoss):
    """Cross-entropy of binary targets; see `refquant.nn.functional.binary_cross_entropy`.

    Parameters
    ----------
    weight : Tensor, optional
        Factor of the loss of each class or element.
    reduction : {'mean', 'sum', 'none'}, default 'mean'
        What becomes of the single losses.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> nn.BCELoss()(refquant.tensor([0.5]), refquant.tensor([1.0]))
    tensor(0.6931)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compare probabilities with targets."""
        return F.binary_cross_entropy(input, target, self.weight, self.reduction)


class BCEWithLogitsLoss(_WeightedLoss):
    """Apply the logistic function, then `BCELoss`, without overflow.

    Parameters
    ----------
    weight : Tensor, optional
        Factor of the loss of each class or element.
    reduction : {'mean', 'sum', 'none'}, default 'mean'
        What becomes of the single losses.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> nn.BCEWithLogitsLoss()(refquant.tensor([0.0]), refquant.tensor([1.0]))
    tensor(0.6931)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compare logits with targets."""
        return F.binary_cross_entropy_with_logits(input, target, self.weight, self.reduction)


class KLDivLoss(_Loss):
    """Kullback-Leibler divergence; see `refquant.nn.functional.kl_div`.

    Parameters
    ----------
    reduction : {'mean', 'sum', 'none'}, default 'mean'
        What becomes of the single losses.
    log_target : bool, default False
        Whether the target holds logarithms.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> x = refquant.log(refquant.tensor([0.5, 0.5]))
    >>> nn.KLDivLoss(reduction='sum')(x, refquant.tensor([1.0, 0.0]))
    tensor(0.6931)
    """

    _reductions = ("mean", "sum", "none", "batchmean")

    def __init__(self, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__(reduction)
        self.log_target = arguments.flag("log_target", log_target)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compare log-probabilities with probabilities."""
        return F.kl_div(input, target, self.reduction, self.log_target)
