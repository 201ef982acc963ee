"""Fake quantization whose scale and zero point are trained."""

from typing import Any, Self

import numpy as np

from refquant import arguments
from refquant._turns import in_turn
from refquant.errors import ArgumentError
from refquant.nn.parameter import Parameter
from refquant.ops import checks
from refquant.ops.quantized.fused_fake_quantization import learned_per_channel, learned_per_tensor
from refquant.quantization.fake_quantization.base import FakeQuantizeBase, made_observer
from refquant.tensors import Tensor

__all__ = ["_LearnableFakeQuantize"]

# The smallest scale: the distance from 1 to the next float32.
EPS = np.finfo(np.float32).eps


class _LearnableFakeQuantize(FakeQuantizeBase):
    """Round with a scale and a zero point that an optimizer may learn (Esser et al. 2020).

    Parameters
    ----------
    observer : type or Factory
        What gives the parameters while they are not learned.
    quant_min, quant_max : int, default 0 and 255
        The range that integers are clipped to.
    scale, zero_point : float, default 1 and 0
        Where the parameters start.
    channel_len : int, default -1
        How many there are; -1 for one.
    use_grad_scaling : bool, default False
        Whether gradients are divided by the root of the number of elements times `quant_max`.
    **observer_kwargs
        Arguments of `observer`.

    Examples
    --------
    >>> import refquant
    >>> from refquant.quantization import MovingAverageMinMaxObserver
    >>> from refquant.quantization.fake_quantize import _LearnableFakeQuantize
    >>> module = _LearnableFakeQuantize(MovingAverageMinMaxObserver, 0, 255).enable_param_learning()
    >>> module(refquant.tensor([0.25, 3.0])).sum().backward()
    >>> module.scale.grad
    tensor([-0.2500])
    """

    _flags = ("fake_quant_enabled", "static_enabled", "learning_enabled")

    def __init__(
        self,
        observer: Any,
        quant_min: int | None = 0,
        quant_max: int | None = 255,
        scale: float = 1.0,
        zero_point: Any = 0.0,
        channel_len: int = -1,
        use_grad_scaling: bool = False,
        **observer_kwargs: Any,
    ) -> None:
        super().__init__()
        instance, limits = made_observer(observer, quant_min, quant_max, False, observer_kwargs)
        self.quant_min, self.quant_max = limits
        self.use_grad_scaling = arguments.switch("use_grad_scaling", use_grad_scaling)
        count = arguments.integer("channel_len", channel_len)
        if count < 1 and count != -1:
            raise ArgumentError(
                argument="channel_len", expected="a positive integer, or -1 for one", got=count
            )
        self.activation_post_process = instance
        self.dtype, self.qscheme = instance.dtype, instance.qscheme
        self.ch_axis: Any = getattr(instance, "ch_axis", -1)
        for name, value in (("scale", scale), ("zero_point", zero_point)):
            number = arguments.number(name, value)
            self.register_parameter(
                name, Parameter(Tensor(np.full(max(count, 1), number, np.float32)))
            )
        self.register_buffer("fake_quant_enabled", Tensor(np.ones(1, np.uint8)))
        self.register_buffer("static_enabled", Tensor(np.ones(1, np.uint8)))
        self.register_buffer("learning_enabled", Tensor(np.zeros(1, np.uint8)))
        self.bitwidth = int(np.log2(self.quant_max - self.quant_min + 1))
        self.register_buffer("eps", Tensor(np.array([EPS], np.float32)))

    @property
    def observer_enabled(self) -> Any:
        """Whether the observer gives the parameters."""
        return self.static_enabled

    def enable_param_learning(self) -> Self:
        """Learn the parameters and stop observing."""
        return self.toggle_qparam_learning().toggle_fake_quant().toggle_observer_update(False)

    def enable_static_estimate(self) -> Self:
        """Observe, round with what the observer gives, and learn nothing."""
        return self.toggle_qparam_learning(False).toggle_fake_quant().toggle_observer_update()

    def enable_static_observation(self) -> Self:
        """Observe alone."""
        return self.toggle_qparam_learning(False).toggle_fake_quant(False).toggle_observer_update()

    def toggle_observer_update(self, enabled: bool = True) -> Self:
        """Switch observing."""
        self._switch("static_enabled", arguments.switch("enabled", enabled))
        return self

    enable_observer = toggle_observer_update

    def toggle_qparam_learning(self, enabled: bool = True) -> Self:
        """Switch the gradients of the parameters."""
        enabled = arguments.switch("enabled", enabled)
        self._switch("learning_enabled", enabled)
        self.scale.requires_grad = self.zero_point.requires_grad = enabled
        return self

    def toggle_fake_quant(self, enabled: bool = True) -> Self:
        """Switch rounding."""
        self._switch("fake_quant_enabled", arguments.switch("enabled", enabled))
        return self

    def observe_quant_params(self) -> None:
        """Print the parameters."""
        print(f"_LearnableFakeQuantize Scale: {self.scale.detach()}")
        print(f"_LearnableFakeQuantize Zero Point: {self.zero_point.detach()}")

    def _raise_scale(self) -> None:
        np.maximum(self.scale.array, self.eps.array, out=self.scale.array)

    @in_turn
    def calculate_qparams(self, **keywords: Any) -> tuple[Any, ...]:
        """Return the scale, at least eps, and the zero point rounded to an integer."""
        self._raise_scale()
        point = np.clip(np.rint(self.zero_point.array), self.quant_min, self.quant_max)
        return self.scale.detach(), Tensor(point.astype(np.int64))

    @in_turn
    def forward(self, X: Tensor) -> Tensor:
        """Observe or learn, and round, each if it is switched on."""
        tensor = checks.float32_tensor("X", X)
        if self.static_enabled:
            self.activation_post_process(tensor.detach())
            found = self.activation_post_process.calculate_qparams()[:2]
            for parameter, value in zip((self.scale, self.zero_point), found, strict=True):
                parameter.array[...] = value.array
        else:
            self._raise_scale()
        if not self.fake_quant_enabled:
            return X
        if self.qscheme.is_symmetric:
            self.zero_point.array[...] = 0
        factor = 1.0
        if self.use_grad_scaling:
            factor = 1.0 / (tensor.array.size * self.quant_max) ** 0.5
        parts = tensor, self.scale, self.zero_point
        limits = self.quant_min, self.quant_max
        if self.qscheme.is_per_channel:
            return learned_per_channel(*parts, self.ch_axis, limits, factor)
        return learned_per_tensor(*parts, limits, factor)

    @in_turn
    def _save_to_state_dict(self, destination: dict, prefix: str, keep_vars: bool) -> None:
        super(FakeQuantizeBase, self)._save_to_state_dict(destination, prefix, keep_vars)

    def _load_from_state_dict(self, report, prefix: str) -> None:
        super(FakeQuantizeBase, self)._load_from_state_dict(report, prefix)
