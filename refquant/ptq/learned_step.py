r"""Learned step size: fake quantization that trains its scale beside the weights.

With :math:`v = x / s`, integers from :math:`q_{min}` to :math:`q_{max}`, and rounding whose
derivative is taken as 1,

.. math:: \hat x = s \operatorname{round}(\operatorname{clip}(v, q_{min}, q_{max})), \qquad
    \frac{\partial \hat x}{\partial s} = \begin{cases}
    \operatorname{round}(v) - v & \text{inside}, \\ q_{min} & \text{below}, \\
    q_{max} & \text{above.} \end{cases}

The gradient is multiplied by :math:`1 / \sqrt{N q_{max}}` for N elements, and the first batch
starts the scale at :math:`2\,E|x| / \sqrt{q_{max}}`. Source: S. K. Esser et al., "Learned Step
Size Quantization", 2020; sections 2.1 and 2.2.
"""

from typing import Any

import numpy as np

from refquant._turns import in_turn
from refquant.errors import ArgumentError
from refquant.ops import checks
from refquant.quantization.fake_quantization.learnable import _LearnableFakeQuantize
from refquant.quantization.observers.minmax import MinMaxObserver
from refquant.tensors import Tensor

__all__ = ["LearnedStepFakeQuantize"]


class LearnedStepFakeQuantize(_LearnableFakeQuantize):
    """Fake quantization whose scale is a parameter, trained by an optimizer; zero point 0.

    Parameters
    ----------
    quant_min, quant_max : int, default -128 and 127
        The range of the integers; above 0 its end.
    observer : type, default MinMaxObserver
        What says dtype and scheme; it observes nothing.
    **observer_kwargs
        Arguments of `observer`, such as ``dtype=refquant.qint8``.

    Attributes
    ----------
    scale : Parameter of float32, shape (1,)
        The step.
    started : Tensor of uint8, shape (1,)
        Whether a first batch has chosen where the scale starts.

    Raises
    ------
    ArgumentError
        If the integers end at 0 or below.

    Examples
    --------
    >>> import refquant
    >>> from refquant.ptq import LearnedStepFakeQuantize
    >>> module = LearnedStepFakeQuantize(-2, 1, dtype=refquant.qint8)
    >>> x = refquant.tensor([-3.0, 0.75, 0.25], requires_grad=True)
    >>> module(x).detach()
    tensor([-2.6667,  0.0000,  0.0000])
    """

    def __init__(
        self,
        quant_min: int = -128,
        quant_max: int = 127,
        observer: Any = MinMaxObserver,
        **observer_kwargs: Any,
    ) -> None:
        super().__init__(observer, quant_min, quant_max, use_grad_scaling=True, **observer_kwargs)
        if self.quant_max <= 0:
            raise ArgumentError(argument="quant_max", expected="above 0", got=quant_max)
        self.register_buffer("started", Tensor(np.zeros(1, np.uint8)))
        self.enable_param_learning()
        self.zero_point.requires_grad = False

    @in_turn
    def forward(self, X: Tensor) -> Tensor:
        """Round; the first time, choose the scale before."""
        tensor = checks.float32_tensor("X", X)
        if not tensor.array.size:
            return X
        if not self.started.array.any():
            mean = float(np.abs(tensor.array.astype(np.float64)).mean())
            most = float(np.finfo(np.float32).max)
            self.scale.array[...] = min(2 * mean / self.quant_max**0.5, most)
            self.started.array[...] = 1
        return super().forward(X)
