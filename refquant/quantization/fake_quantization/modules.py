"""`FakeQuantize`, and the kinds whose parameters are fixed or follow from a moving average."""

from typing import Any

import numpy as np

from refquant import arguments, dtypes
from refquant.errors import ArgumentError, ArgumentTypeError, NotSupportedError, OperationError
from refquant.ops import checks
from refquant.ops.quantized.fake_quantization import (
    OTHER_FLOATS,
    rounded_per_channel,
    rounded_per_tensor,
)
from refquant.ops.quantized.fused_fake_quantization import averaged_range, batch_range
from refquant.quantization.fake_quantization.base import FakeQuantizeBase, made_observer
from refquant.quantization.observers.fixed import FixedQParamsObserver
from refquant.quantization.observers.moving_average import (
    MovingAverageMinMaxObserver,
    MovingAveragePerChannelMinMaxObserver,
)
from refquant.reference.qparams import qparams_of_operation
from refquant.tensors import Tensor, differentiable, quantizer

__all__ = ["FakeQuantize", "FixedQParamsFakeQuantize", "FusedMovingAvgObsFakeQuantize"]

# The range of release 1.4.
QUANT_MIN, QUANT_MAX = arguments.NotGiven(0), arguments.NotGiven(255)


class FakeQuantize(FakeQuantizeBase):
    r"""Observe, then quantize and dequantize: round to what the chosen quantizer can represent.

    .. math:: y = s \, (\mathrm{clip}(\mathrm{round}(x / s) + z, q_{min}, q_{max}) - z)

    The gradient passes where nothing was clipped.

    Parameters
    ----------
    observer : type or Factory, default MovingAverageMinMaxObserver
        What chooses scale and zero point.
    quant_min, quant_max : int, optional
        The range that integers are clipped to, inside that of the dtype, and passed on to the
        observer (2 to 8 bits). Not given, that of the observer; only under 1.4 0..255, which the
        signature shows.
    is_dynamic : bool, default False
        Whether the range of each batch is taken anew.
    **observer_kwargs
        Arguments of `observer`.

    Attributes
    ----------
    activation_post_process : ObserverBase
        The observer.
    scale : Tensor of float32, shape (1,) or (channels,)
        Real units of one quantized step; 1 before the first call, under 1.4 None.
    zero_point : Tensor of int32, of the same shape
        The integers that stand for real zero; 0 before the first call, under 1.4 None, and int64.
        Of float32 if the scheme has float parameters.
    fake_quant_enabled, observer_enabled : Tensor of uint8, shape (1,)
        Whether to round, and whether to observe; bool under 1.4.

    Raises
    ------
    ArgumentError
        If the range is empty or not inside that of the dtype.

    Notes
    -----
    With ``reduce_range=True`` and the range 0..255, scale and zero point are chosen for 0..127;
    numbers beyond the observed range are clipped there, under 1.4 at 255 only. An empty tensor is
    returned as it is. Source: the documentation of ``torch.quantization.FakeQuantize``.

    Examples
    --------
    >>> import refquant
    >>> from refquant.quantization import FakeQuantize
    >>> module = FakeQuantize(quant_min=0, quant_max=3)
    >>> module(refquant.tensor([0.0, 0.4, 1.1, 3.0]))
    tensor([0., 0., 1., 3.])
    >>> module.scale, module.zero_point
    (tensor([1.]), tensor([0], dtype=refquant.int32))
    """

    def __init__(
        self,
        observer: Any = MovingAverageMinMaxObserver,
        quant_min: int | None = QUANT_MIN,
        quant_max: int | None = QUANT_MAX,
        is_dynamic: bool = False,
        **observer_kwargs: Any,
    ) -> None:
        super().__init__()
        quant_min, quant_max = arguments.given(quant_min), arguments.given(quant_max)
        if (quant_min is None) is not (quant_max is None):
            raise ArgumentError(
                argument="quant_min, quant_max",
                expected="both or neither",
                got=f"{quant_min}, {quant_max}",
            )
        is_dynamic = arguments.switch("is_dynamic", is_dynamic)
        instance, limits = made_observer(
            observer, quant_min, quant_max, is_dynamic, observer_kwargs
        )
        self.quant_min, self.quant_max = limits
        self.is_dynamic = is_dynamic
        self.activation_post_process = instance
        self.dtype, self.qscheme = instance.dtype, instance.qscheme
        tensors = self._has_tensors()
        self.ch_axis: Any = getattr(instance, "ch_axis", -1 if tensors else None)
        self.is_per_channel = self.qscheme.is_per_channel
        self._start_flags()
        floats = self.qscheme is dtypes.per_channel_affine_float_qparams
        point = np.zeros(1, np.float32 if floats else np.int32)
        self.register_buffer("scale", Tensor(np.ones(1, np.float32)) if tensors else None)
        self.register_buffer("zero_point", Tensor(point) if tensors else None)

    def forward(self, X: Tensor) -> Tensor:
        """Observe `X` and round it, each if it is switched on."""
        tensor = self._input(X)
        if tensor.array.size == 0:
            return X
        if self.observer_enabled:
            self._observe(tensor)
        return self._round(tensor) if self.fake_quant_enabled else X

    def _input(self, X) -> Tensor:
        plain = isinstance(X, Tensor) and not X.is_quantized
        if plain and self._has_tensors() and X.array.dtype.name in OTHER_FLOATS:
            return X
        return checks.float32_tensor("X", X)

    def _observe(self, tensor: Tensor) -> None:
        self.activation_post_process(tensor.detach())
        scale, zero_point = self.calculate_qparams()[:2]
        if self._has_tensors():
            zero_point = Tensor(zero_point.array.astype(self.zero_point.array.dtype))
        self.scale, self.zero_point = scale, zero_point

    def _round(self, tensor: Tensor) -> Tensor:
        if self.scale is None:
            raise OperationError(
                argument="observer_enabled",
                expected="True until something was observed",
                got="False",
                hint="call enable_observer() and run some batches first",
            )
        quantizer.scale_values("scale", self.scale.array)
        scales, points = self.scale.array, self.zero_point.array
        limits, rule = (self.quant_min, self.quant_max), self.workflow.fake_quantize
        if self.is_per_channel:
            axis = checks.dimension("ch_axis", self.ch_axis, tensor.array.ndim)
            if len(scales) != tensor.array.shape[axis]:
                raise OperationError(
                    argument="X",
                    expected=f"of {len(scales)} channels along axis {axis}",
                    got=f"shape {tensor.array.shape}",
                    hint="call enable_observer() and run some batches first",
                )
            return rounded_per_channel(tensor, scales, points, axis, limits, rule)
        return rounded_per_tensor(tensor, float(scales[0]), int(points[0]), *limits, rule)


class FixedQParamsFakeQuantize(FakeQuantize):
    """Round with a scale and zero point that were chosen beforehand.

    Parameters
    ----------
    observer : Factory
        Of a `FixedQParamsObserver`.

    Raises
    ------
    ArgumentTypeError
        If it makes another observer.

    Examples
    --------
    >>> import refquant
    >>> from refquant.quantization import default_fixed_qparams_range_0to1_fake_quant
    >>> default_fixed_qparams_range_0to1_fake_quant()(refquant.tensor([0.3, 2.0]))
    tensor([0.3008, 0.9961])
    """

    _shown = (
        "fake_quant_enabled", "observer_enabled", "scale", "zero_point", "dtype", "quant_min",
        "quant_max", "qscheme",
    )  # fmt: skip

    def __init__(self, observer: Any) -> None:
        super().__init__(observer=observer)
        inner = self.activation_post_process
        if type(inner) is not FixedQParamsObserver:
            raise ArgumentTypeError(
                argument="observer",
                expected="a factory of FixedQParamsObserver",
                got=arguments.describe(inner),
            )
        self.quant_min, self.quant_max = inner.quant_min, inner.quant_max
        self.scale, self.zero_point = inner.scale, inner.zero_point

    def calculate_qparams(self, **keywords: Any) -> tuple[Any, ...]:
        """Return the scale and the zero point."""
        return self.scale, self.zero_point

    def _observe(self, tensor: Tensor) -> None:
        pass


class FusedMovingAvgObsFakeQuantize(FakeQuantize):
    """Observe a moving average of the range and round, as one operation of PyTorch 2.13 does.

    Scale and zero point in training are those of
    `refquant.reference.qparams.qparams_of_operation`, chosen at each call whether or not the range
    is observed. `calculate_qparams`, and so ``convert``, has the formula of the observer.

    Parameters
    ----------
    observer : type or Factory, default MovingAverageMinMaxObserver
        A moving average, per tensor or per channel along the first dimension.
    quant_min, quant_max : int, default 0 and 255
        The range that integers are clipped to.
    **observer_kwargs
        Arguments of `observer`.

    Raises
    ------
    ArgumentTypeError
        If the observer is not a moving average.

    Examples
    --------
    >>> import refquant
    >>> from refquant.quantization import FusedMovingAvgObsFakeQuantize
    >>> module = FusedMovingAvgObsFakeQuantize(quant_min=0, quant_max=3)
    >>> module(refquant.tensor([0.0, 0.4, 1.1, 3.0]))
    tensor([0., 0., 1., 3.])
    """

    _flag_type = np.int64
    _shown = (
        "fake_quant_enabled", "observer_enabled", "scale", "zero_point", "dtype", "quant_min",
        "quant_max", "qscheme", "reduce_range",
    )  # fmt: skip

    def __init__(
        self,
        observer: Any = MovingAverageMinMaxObserver,
        quant_min: int | None = 0,
        quant_max: int | None = 255,
        **observer_kwargs: Any,
    ) -> None:
        super().__init__(observer, quant_min, quant_max, **observer_kwargs)
        kinds = MovingAverageMinMaxObserver, MovingAveragePerChannelMinMaxObserver
        if not isinstance(self.activation_post_process, kinds):
            raise ArgumentTypeError(
                argument="observer",
                expected="MovingAverageMinMaxObserver or MovingAveragePerChannelMinMaxObserver",
                got=type(self.activation_post_process).__name__,
            )
        if self.is_per_channel and self.ch_axis != 0:
            raise NotSupportedError(argument="ch_axis", expected="0", got=self.ch_axis)
        self.is_symmetric_quant = self.qscheme.is_symmetric
        self.reduce_range = self.activation_post_process.reduce_range

    def forward(self, X: Tensor) -> Tensor:
        """Observe `X` and round it, each if it is switched on."""
        tensor = checks.float32_tensor("X", X)
        array, observer = tensor.array, self.activation_post_process
        if array.size == 0:
            return X
        if self.observer_enabled:
            current = batch_range(array, self.is_per_channel)
            observer._check_finite(current)
            seen = observer._seen()
            ends = averaged_range(
                current, None if seen is None else seen.reshape(2, -1), observer.averaging_constant
            )
            observer._set(ends if self.is_per_channel else ends[:, 0])
        if not self.fake_quant_enabled:
            return differentiable(array.copy(order="K"), (tensor,), lambda g: (g,))
        ends = observer._range()
        if ends is None:
            count = array.shape[0] if self.is_per_channel else 1
            ends = np.full((2, count), [[np.inf], [-np.inf]], np.float32)
        scales, points = qparams_of_operation(
            ends[0], ends[1], self.quant_min, self.quant_max, self.is_symmetric_quant
        )
        self.scale, self.zero_point = Tensor(scales), Tensor(points)
        return self._round(tensor)

    def _round(self, tensor: Tensor) -> Tensor:
        scales, points = self.scale.array, self.zero_point.array
        limits, rule = (self.quant_min, self.quant_max), "round_then_add"
        if self.is_per_channel:
            return rounded_per_channel(tensor, scales, points, 0, limits, rule)
        return rounded_per_tensor(tensor, float(scales[0]), int(points[0]), *limits, rule)
