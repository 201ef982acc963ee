"""Packed weights: what a linear layer or a convolution needs at every call, computed once.

A packed weight belongs to the engine by which it was packed, because engines differ in what they
can pack. It never changes; `unpack` returns copies.
"""

import math
from typing import Any

import numpy as np

from refquant import dtypes, engines, kernels
from refquant._operation import operation_name
from refquant.engines import Convolution, Operands
from refquant.errors import DtypeError, EngineError, QuantizerError, ShapeError
from refquant.ops import checks
from refquant.reference.operands import ProductRules, Weight
from refquant.tensors import QuantizedTensor, Tensor

__all__ = [
    "PackedLinear",
    "PackedWeight",
    "check_bias",
    "check_weight",
    "copy_bias",
    "copy_weight",
    "prefers_panels",
]

SMALLEST_MULTIPLIER = np.float32(2.0**-32)
# Depth up to which panels of columns are faster than dot products of rows, for filters of several
# taps, which dot products have to gather, and of one; by choice of kernels. Choices that are not
# here have no instructions for dot products of bytes: there panels are always faster.
PANELS_UP_TO = {"avx512vnni": (160, 64), "dotprod": (0, 0), "i8mm": (0, 0), "reference": (0, 0)}
TILE = 16  # columns that are multiplied at once; where there are fewer, panels lose


def check_weight(weight: Any, rank: int, axis: int = 0) -> QuantizedTensor:
    """Return a qint8 weight, quantized per tensor or along the axis of its outputs, or raise."""
    weight = checks.quantized_tensor("weight", weight)
    if weight.dtype is not dtypes.qint8:
        raise DtypeError(
            argument="weight",
            expected="a qint8 tensor",
            got=f"a {weight.dtype} tensor",
            hint="quantize weights with dtype=refquant.qint8",
        )
    if weight.array.ndim != rank:
        raise ShapeError(
            argument="weight",
            expected=f"of {rank} dimensions",
            got=f"shape {weight.array.shape}",
        )
    if weight.qscheme() is dtypes.per_channel_affine_float_qparams:
        raise QuantizerError(
            argument="weight", expected="integer zero points", got="float zero points"
        )
    if weight.axis is not None:
        if weight.axis != axis:
            raise QuantizerError(
                argument="weight",
                expected=f"quantized along axis {axis}, the outputs",
                got=f"axis {weight.axis}",
                hint=f"call quantize_per_channel(..., axis={axis}, dtype=refquant.qint8)",
            )
        engines.require("per_channel_weights", "with a weight quantized per channel")
    found = np.asarray(weight.zero_point).reshape(-1)
    if found.any():
        engines.require("weight_zero_points", f"with {found[found != 0][0]} as zero point")
    return weight


def check_bias(bias: Any, outputs: int) -> Tensor | None:
    """Return a float32 bias with an element for each output, or None, or raise."""
    if bias is None:
        return None
    bias = checks.float32_tensor("bias", bias)
    if bias.array.shape != (outputs,):
        raise ShapeError(
            argument="bias",
            expected=f"of shape ({outputs},), an element for each output of the weight",
            got=f"shape {bias.array.shape}",
        )
    return bias


# What packed weights take from the record of their engine.
_BOUND = ("_fitting", "output_rule", "rules")


class PackedWeight:
    """Base class of the packed weights of linear layers and convolutions.

    Parameters
    ----------
    weight : QuantizedTensor
        A qint8 weight; kept, not copied.
    bias : Tensor or None
        In real units, float32; kept, not copied.
    outputs : int
        How many outputs the weight has.

    Attributes
    ----------
    kept_weight, kept_bias : QuantizedTensor, Tensor or None
        What was packed.
    engine : str
        Name of the engine by which the weight was packed.
    scales, zero_points : ndarray of float64 and int32, shape (outputs,)
        Quantizer of each output.
    biases : ndarray of float32, shape (outputs,)
        The bias, zeros where there is none.
    operand : Weight
        What the kernels take.
    rules : ProductRules
        What the engine does with quint8 activations.
    output_rule, relu_rule : Rule
        For the steps ``dynamic_output`` and ``dynamic_relu``.
    """

    __slots__ = (
        "_fitting",
        "biases",
        "engine",
        "kept_bias",
        "kept_weight",
        "operand",
        "output_rule",
        "record",
        "relu_rule",
        "rules",
        "scales",
        "zero_points",
    )

    def __init__(self, weight: QuantizedTensor, bias: Tensor | None, outputs: int):
        # Of its own, because resize_() or .data would give the tensor of the caller another shape.
        self.kept_weight, self.kept_bias = weight.detach(), bias
        # One for all, or one for each output of a group, repeated for each group.
        self.scales = np.resize(np.asarray(weight.scale, np.float64), outputs)
        self.zero_points = np.resize(np.asarray(weight.zero_point, np.int32), outputs)
        self.biases = np.zeros(outputs, np.float32)
        if bias is not None:
            self.biases[:] = bias.array
        self.engine = engines.current().name
        self._bind(engines.current())

    def _bind(self, record: engines.Engine) -> None:
        self.record = record
        self._fitting: tuple[float, float] | None = None
        self.rules = self.rules_for(dtypes.quint8, self.convolution())
        operands = self._operands(dtypes.quint8, None)
        self.output_rule = record.rule("dynamic_output", operands)
        self.relu_rule = record.rule("dynamic_relu", operands)

    def _operands(self, dtype: dtypes.dtype, convolution: Convolution | None) -> Operands:
        per_channel, has_bias = self.kept_weight.axis is not None, self.kept_bias is not None
        return Operands(dtype, per_channel=per_channel, bias=has_bias, convolution=convolution)

    def convolution(self) -> Convolution | None:
        """Describe the convolution for which it is packed; None if it is none."""
        return None

    def rules_for(self, dtype: dtypes.dtype, convolution: Convolution | None) -> ProductRules:
        """Look up what the engine does with activations of a dtype."""
        operands = self._operands(dtype, convolution)
        steps = ("accumulator", "border", "product", "bias", "multiplier", "requantize_sum")
        return ProductRules(*(self.record.rule(step, operands) for step in steps))

    def __deepcopy__(self, memo):
        return self

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the rules, of which a process has its own: kernels know them by identity."""
        slots = {name for kind in type(self).__mro__ for name in getattr(kind, "__slots__", ())}
        return {name: getattr(self, name) for name in sorted(slots) if name not in _BOUND}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Look the rules up in the record of the engine."""
        for name, value in state.items():
            setattr(self, name, value)
        self._bind(self.record)

    def check_engine(self) -> None:
        """Raise unless the engine that is chosen is the one by which the weight was packed."""
        record = engines.current()
        if record is self.record:
            return
        if record.name != self.engine:
            raise EngineError(
                f"{operation_name()}: "
                f"the weight was packed by engine {self.engine!r} and cannot run under "
                f"{record.name!r}",
                hint=f"set refquant.backends.quantized.engine = {self.engine!r}, or pack the "
                "weight again under the engine of now (set_weight_bias of a module does)",
            )
        self._bind(record)  # an engine of the user's, registered anew

    def check_multiplier(self, input_scale: float, output_scale: float) -> None:
        """Raise if the engine has limits for the multiplier and these scales exceed them."""
        if "any_multiplier" not in self.record.unsupported:
            return
        if self._fitting == (input_scale, output_scale):
            return
        with np.errstate(all="ignore"):
            multipliers = self.rules.multiplier(input_scale, self.scales, output_scale)
        outside = ~((multipliers >= SMALLEST_MULTIPLIER) & (multipliers < 1))
        if outside.any():
            engines.require(
                "any_multiplier",
                f"with input scale * weight scale / output scale = {multipliers[outside][0]}",
            )
        self._fitting = (input_scale, output_scale)

    def unpack(self) -> tuple[QuantizedTensor, Tensor | None]:
        """Copy weight and bias out."""
        return copy_weight(self.kept_weight), copy_bias(self.kept_bias)

    def bias(self) -> Tensor | None:
        """Copy the bias out; None if there is none."""
        return copy_bias(self.kept_bias)

    def keep_copies(self) -> None:
        """Keep copies, so that the tensors of the caller can change."""
        self.kept_weight, self.kept_bias = self.unpack()


def copy_weight(weight: QuantizedTensor) -> QuantizedTensor:
    """Copy integers and quantizer."""
    return weight.__deepcopy__({})


def copy_bias(bias: Tensor | None) -> Tensor | None:
    """Copy a bias, without its gradient."""
    return None if bias is None else Tensor(bias.array.copy())


def prefers_panels(depth: int, outputs: int, taps: int = 0) -> bool:
    """Whether the chosen kernels multiply panels faster than rows.

    A filter has the depth of its group, and `taps`; a matrix has none. `outputs` are of a group.
    """
    choice = kernels.current()
    if choice not in PANELS_UP_TO:
        return True
    if taps == 0:
        return False
    several, one = PANELS_UP_TO[choice]
    summed = math.ceil(outputs / TILE) * TILE
    return depth * summed <= (several if taps > 1 else one) * outputs


class PackedLinear(PackedWeight):
    """The packed weight of a linear layer; see `refquant.reference.matmul.pack_rows`."""

    __slots__ = ()

    def __init__(self, weight: QuantizedTensor, bias: Tensor | None):
        super().__init__(weight, bias, weight.array.shape[0])
        array = np.ascontiguousarray(weight.array)
        if prefers_panels(array.shape[1], array.shape[0]):
            packed, sums = kernels.pack_panels(array, 1)
        else:
            packed, sums = kernels.pack_rows(array)
        self.operand = Weight(packed, sums, self.scales, self.zero_points)
