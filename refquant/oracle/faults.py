"""Faults of backends other than their arithmetic: ignored zero points, swapped scales, ...

A fault is a name and a function that changes how a problem is computed: it takes the problem and
returns arguments for `answer_for`, or None where the fault would change nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from refquant.oracle.problems.base import Problem
from refquant.oracle.problems.codes import Codes, Output
from refquant.oracle.problems.elementwise import Quantization, Sum
from refquant.oracle.problems.neutral_codes import NeutralCodes
from refquant.oracle.problems.products import Product
from refquant.tensors import QuantizedTensor

__all__ = ["Fault", "faults_of"]


@dataclass(frozen=True)
class Fault:
    """A possible fault of a backend.

    Attributes
    ----------
    name : str
        What is wrong, as the diagnosis reports it.
    changes : callable
        ``changes(problem)`` returns a dict of arguments for ``answer_for``, or None. Of a product,
        ``input_zero`` and ``weight_zero`` change the sums, and ``scales`` is a function of the
        three scales. Of an operation on codes they are other operands.
    """

    name: str
    changes: Callable[[Any], dict[str, Any] | None]


def _input_zero(task: Product):
    return {"input_zero": 0} if task.layer.input_zero else None


def _weight_zero(task: Product):
    return {"weight_zero": 0} if np.any(task.layer.zero_points) else None


def _output_zero(task: Any):
    return {"zero_point": 0} if task.zero_point else None


def _no_bias(task: Product):
    return {"biases": np.zeros_like(task.layer.biases)} if task.layer.has_bias else None


def _subtracted_bias(task: Product):
    return {"biases": -task.layer.biases} if task.layer.has_bias else None


def _swapped_input_output(task: Product):
    x, _, y = task.scales()
    return {"scales": lambda x, w, y: (y, w, x)} if x != y else None


def _swapped_weight_output(task: Product):
    _, w, y = task.scales()
    if not w.size or float(w[0]) == y:
        return None
    return {"scales": lambda x, w, y: (x, np.full_like(w, y), float(w[0]))}


def _output_scale_inverted(task: Product):
    return {"scales": lambda x, w, y: (x, w, 1 / y)} if task.scale != 1 else None


def _one_weight_scale(task: Product):
    if np.unique(task.layer.scales).size < 2:
        return None
    return {"scales": lambda x, w, y: (x, np.full_like(w, w[0]), y)}


def _reversed_weight_scales(task: Product):
    if np.unique(task.layer.scales).size < 2:
        return None
    return {"scales": lambda x, w, y: (x, w[::-1].copy(), y)}


def _along(axis: int) -> Callable[[Product], dict[str, Any] | None]:
    """Make a change that applies weight scales along another axis of the output."""

    def changes(task: Product):
        shape = task.shape
        channels = 1 if task.channels_first else len(shape) - 1
        if axis >= len(shape) or axis == channels or np.unique(task.layer.scales).size < 2:
            return None
        along = np.arange(shape[axis]).reshape([-1 if a == axis else 1 for a in range(len(shape))])
        return {"channels": np.broadcast_to(along % shape[channels], shape).reshape(-1)}

    return changes


def _relu_at_zero(task: Any):
    return {"lower": 0} if task.relu and task.zero_point else None


def _relu_added(task: Any):
    return {"lower": task.zero_point} if not task.relu and task.zero_point else None


def _wraps(task: Any):
    return {"lower": -(2**31), "upper": 2**31 - 1, "keep_bits": 8}


def _unlimited(task: Any):
    return {"lower": -(2**31), "upper": 2**31 - 1}


def _narrow(task: Any):
    low, _ = _ends(task)
    return {"lower": low + 1} if task.lower == low < task.upper else None


def _ends(task: Any) -> tuple[int, int]:
    """Return the range of the dtype of the result."""
    if task.output is not None:
        info = np.iinfo(task.output.dtype)
        return int(info.min), int(info.max)
    return task.dtype.quant_min, task.dtype.quant_max


def _no_activation(task: Any):
    low, high = _ends(task)
    bounded = task.output is not None and (task.lower, task.upper) != (low, high)
    return {"lower": low, "upper": high} if bounded else None


def _bias_at(scale: str) -> Callable[[Product], dict[str, Any] | None]:
    """Make a change that takes a real bias as steps of another scale than that of the sums."""

    def changes(task: Product):
        layer = task.layer
        if not layer.has_bias or layer.integer_bias:
            return None
        x, w, y = task.scales()
        steps = layer.biases if scale == "none" else layer.biases / y
        return {"biases": (steps * (x * w)).astype(np.float32)}

    return changes


_PRODUCT = (
    Fault("input zero point ignored", _input_zero),
    Fault("weight zero point ignored", _weight_zero),
    Fault("output zero point ignored", _output_zero),
    Fault("bias ignored", _no_bias),
    Fault("bias subtracted", _subtracted_bias),
    Fault("bias not divided by the scales", _bias_at("none")),
    Fault("bias divided by the scale of the output", _bias_at("output")),
    Fault("input and output scales swapped", _swapped_input_output),
    Fault("weight and output scales swapped", _swapped_weight_output),
    Fault("multiplied by the output scale", _output_scale_inverted),
    Fault("scale of the first channel used for all channels", _one_weight_scale),
    Fault("channel scales in reverse order", _reversed_weight_scales),
    Fault("channel axis: scales applied along dimension 0", _along(0)),
    Fault("channel axis: scales applied along dimension 2", _along(2)),
    Fault("channel axis: scales applied along dimension 3", _along(3)),
    Fault("ReLU at the integer 0, or missing", _relu_at_zero),
    Fault("ReLU that was not requested", _relu_added),
    Fault("fused activation ignored", _no_activation),
    Fault("narrow range: the lowest code is not used", _narrow),
    Fault("results wrap around instead of saturating", _wraps),
    Fault("results are not limited to the dtype", _unlimited),
)


def _operand_zero(name: str) -> Callable[[Sum], dict[str, Any] | None]:
    def changes(task: Sum):
        q = getattr(task, name)
        return {name: _requantized(q, q.scale, 0)} if q.zero_point else None

    return changes


def _requantized(q, scale, zero_point):
    if isinstance(q, Codes):
        return Codes(q.array, scale, zero_point)
    return QuantizedTensor(q.array, q.dtype, scale, zero_point)


def _swapped_operands(task: Sum):
    a, b = task.a, task.b
    if a.scale == b.scale:
        return None
    return {
        "a": _requantized(a, b.scale, a.zero_point),
        "b": _requantized(b, a.scale, b.zero_point),
    }


def _same_scale(task: Sum):
    a, b = task.a, task.b
    return {"b": _requantized(b, a.scale, b.zero_point)} if a.scale != b.scale else None


def _of_neutral(changes: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Make a change of neutral problems alone: PyTorch's functions have bounds of their own."""
    return lambda task: changes(task) if task.output is not None else None


_SUM = (
    Fault("zero point of the first operand ignored", _operand_zero("a")),
    Fault("zero point of the second operand ignored", _operand_zero("b")),
    Fault("output zero point ignored", _output_zero),
    Fault("operand scales swapped", _swapped_operands),
    Fault("scale of the first operand used for both operands", _same_scale),
    Fault("ReLU that was not requested", _relu_added),
    Fault("fused activation ignored", _of_neutral(_no_activation)),
    Fault("narrow range: the lowest code is not used", _narrow),
    Fault("results wrap around instead of saturating", _of_neutral(_wraps)),
    Fault("results are not limited to the dtype", _of_neutral(_unlimited)),
)


def _no_zeros(task: Quantization):
    return {"zeros": np.zeros_like(task.zeros)} if np.any(task.zeros) else None


def _first_scale(task: Quantization):
    if np.unique(task.scales).size < 2:
        return None
    return {"scales": np.full_like(task.scales, task.scales[0])}


def _inverted(task: Quantization):
    return {"scales": 1 / task.scales} if np.any(task.scales != 1) else None


_QUANTIZATION = (
    Fault("zero point ignored", _no_zeros),
    Fault("scale of the first channel used for all channels", _first_scale),
    Fault("multiplied by the scale", _inverted),
    Fault("narrow range: the lowest code is not used", _narrow),
    Fault("results wrap around instead of saturating", _wraps),
    Fault("results are not limited to the dtype", _unlimited),
)


def _to(task: NeutralCodes, **changes: Any) -> dict[str, Any] | None:
    """Change the quantizer or the bounds of a result; None if the operation takes none."""
    if "output" not in task.arguments or task.output is None:
        return None
    kept = {name: getattr(task.output, name) for name in ("scale", "zero_point", "dtype")}
    bounds = {} if "dtype" in changes else {"lower": task.lower, "upper": task.upper}
    return {"output": Output(**{**kept, **bounds, **changes})}


def _of_operands(change: Callable[[Codes], Codes]) -> Callable[[Any], dict[str, Any] | None]:
    """Make a change of the integers that an operation takes, one or several."""

    def changes(task: NeutralCodes) -> dict[str, Any] | None:
        x = task.arguments["x"]
        if isinstance(x, list | tuple):
            return {"x": [change(piece) for piece in x]}
        return {"x": change(x)} if isinstance(x, Codes) else None

    return changes


def _swapped_scales(task: NeutralCodes) -> dict[str, Any] | None:
    x = task.arguments["x"]
    if not isinstance(x, Codes) or task.output is None or x.scale == task.output.scale:
        return None
    to = _to(task, scale=x.scale)
    return None if to is None else {**to, "x": Codes(x.array, task.output.scale, x.zero_point)}


def _wide(**more: Any) -> Callable[[Any], dict[str, Any] | None]:
    """Make a change after which results are not limited."""

    def changes(task: NeutralCodes) -> dict[str, Any] | None:
        to = _to(task, dtype="int32")
        return None if to is None else {**to, **more}

    return changes


def _bounds(task: NeutralCodes, make: Callable[[Any], dict[str, Any] | None]) -> Any:
    changes = make(task)
    return None if changes is None else _to(task, **changes)


_CODES = (
    Fault(
        "input zero point ignored", _of_operands(lambda codes: Codes(codes.array, codes.scale, 0))
    ),
    Fault("output zero point ignored", lambda task: _to(task, zero_point=0)),
    Fault("input and output scales swapped", _swapped_scales),
    Fault("multiplied by the output scale", lambda task: _to(task, scale=1 / task.output.scale)),
    Fault("ReLU that was not requested", lambda task: _to(task, lower=task.output.zero_point)),
    Fault("fused activation ignored", lambda task: _bounds(task, _no_activation)),
    Fault("narrow range: the lowest code is not used", lambda task: _bounds(task, _narrow)),
    Fault("results wrap around instead of saturating", _wide(keep_bits=8)),
    Fault("results are not limited to the dtype", _wide()),
)


def faults_of(task: Problem) -> tuple[Fault, ...]:
    """List the faults that the answer to a problem can be searched for."""
    for kind, faults in (
        (Product, _PRODUCT), (Sum, _SUM), (Quantization, _QUANTIZATION), (NeutralCodes, _CODES),
    ):  # fmt: skip
        if isinstance(task, kind):
            # Results that are real numbers have no quantizer that could be wrong.
            real = isinstance(task, NeutralCodes) and task.output is None
            return faults[:1] if real else faults
    return ()
