r"""Adaptive rounding: choose for each weight whether up or down, so that outputs stay.

Rounding to nearest makes the error of each weight least, not that of the output. With :math:`W` of
a layer, the scale :math:`s` and :math:`G = E[x x^T]` over its inputs, the output changes by

.. math:: E\,\lVert (\tilde W - W) x \rVert^2 = \operatorname{tr} (\tilde W - W)\, G\,
    (\tilde W - W)^T , \qquad
    \tilde W = s \operatorname{clip}(\lfloor W / s \rfloor + h(V), q_{min}, q_{max}) ,

where :math:`h(V) = \operatorname{clip}(1.2\,\sigma(V) - 0.1, 0, 1)` is to become 0 or 1.
:math:`V` descends this plus :math:`\lambda \sum (1 - |2h(V) - 1|^\beta)`, while :math:`\beta` falls
from 20 to 2. Source: M. Nagel et al., "Up or Down? Adaptive Rounding for Post-Training
Quantization", 2020.
"""

import copy
from collections.abc import Iterable
from typing import Any

import numpy as np

from refquant import arguments
from refquant.errors import ArgumentError, ShapeError
from refquant.nn import quantized as nnq
from refquant.nn.module import Module
from refquant.ops.from_data import from_numpy
from refquant.ops.quantized.constructors import (
    make_per_channel_quantized_tensor,
    make_per_tensor_quantized_tensor,
)
from refquant.quantization._checks import checked_model
from refquant.quantization.calibration import run_first
from refquant.reporting.calls import recorded
from refquant.tensors import QuantizedTensor, Tensor
from refquant.tensors.autograd import no_grad

__all__ = ["adaround", "rounded_adaptively"]

MOST_STEPS = 100_000
STRETCH = 0.1  # by which the sigmoid is stretched beyond 0 and 1, so that it can reach them
WARM_UP = 0.2  # of all steps, without the penalty
MOMENTS, GUARD = (0.9, 0.999), 1e-8  # of Adam


@np.errstate(all="ignore")
def adaround(
    weight: Any,
    scale: Any,
    gram: Any,
    quant_min: int = -128,
    quant_max: int = 127,
    *,
    steps: int = 1000,
    rate: float = 0.01,
    penalty: float = 0.1,
) -> np.ndarray:
    r"""Round each weight up or down so that the outputs change least.

    Parameters
    ----------
    weight : array_like, shape (outputs, depth)
        Finite; with a zero point z, the weight plus z times the scale.
    scale : array_like, shape () or (outputs,)
        Real units of one step, positive.
    gram : array_like, shape (depth, depth)
        :math:`E[x x^T]` of the inputs.
    quant_min, quant_max : int, default -128 and 127
        The range of the integers.
    steps : int, default 1000
        Of Adam, at most 100000.
    rate : float, default 0.01
        Of Adam.
    penalty : float, default 0.1
        :math:`\lambda`, beside an error in steps and a Gram matrix whose diagonal has mean 1.

    Returns
    -------
    ndarray of int64, shape (outputs, depth)
        The integers; of a row for which rounding to nearest is better, those.

    Raises
    ------
    ShapeError
        If the shapes do not fit.
    ArgumentError
        If a scale is not positive, or there is no range.

    Examples
    --------
    >>> import numpy as np
    >>> from refquant.ptq import adaround
    >>> gram = np.ones((4, 4)) + 0.01 * np.eye(4)  # four inputs that are nearly the same
    >>> codes = adaround([[0.2, 0.3, 0.4, 0.3]], 1.0, gram, -8, 7)
    >>> int(codes.sum()), set(codes.ravel().tolist())
    (1, {0, 1})
    """
    w = arguments.numbers("weight", weight, np.float64)
    s = arguments.numbers("scale", scale, np.float64)
    g = arguments.numbers("gram", gram, np.float64)
    if w.ndim != 2 or s.shape not in ((), w.shape[:1]) or g.shape != 2 * w.shape[1:]:
        raise ShapeError(
            argument="weight, scale, gram",
            expected="(outputs, depth), () or (outputs,), (depth, depth)",
            got=f"{w.shape}, {s.shape}, {g.shape}",
        )
    for name, values, fits in (("scale", s, s > 0), ("weight", w, True), ("gram", g, True)):
        if not (np.isfinite(values) & fits).all():
            raise ArgumentError(
                argument=name, expected="finite numbers, scales above 0", got=values
            )
    low = arguments.integer("quant_min", quant_min)
    high = arguments.integer("quant_max", quant_max, low + 1)
    steps, rate = arguments.integer("steps", steps, 1, MOST_STEPS), arguments.real("rate", rate)
    penalty = arguments.real("penalty", penalty)
    w = w / (s if s.ndim == 0 else s[:, None])  # in steps
    g = g / max(float(np.mean(np.diag(g))), np.finfo(np.float64).tiny) if g.size else g
    down = np.floor(w)
    fraction = np.clip(w - down, 1e-6, 1 - 1e-6)
    v = -np.log((1 + 2 * STRETCH) / (fraction + STRETCH) - 1)  # h(v) is the fraction
    mean, square = np.zeros_like(v), np.zeros_like(v)
    for step in range(1, steps + 1):
        sigmoid = 1 / (1 + np.exp(-v))
        h = (1 + 2 * STRETCH) * sigmoid - STRETCH
        inside = (h > 0) & (h < 1)
        code = down + np.clip(h, 0, 1)
        slope = 2 * (np.clip(code, low, high) - w) @ g * ((code >= low) & (code <= high))
        done = (step / steps - WARM_UP) / (1 - WARM_UP)
        if done > 0:
            beta, side = 20 - 18 * done, 2 * np.clip(h, 0, 1) - 1
            slope -= penalty * 2 * beta * np.sign(side) * np.abs(side) ** (beta - 1)
        slope *= inside * (1 + 2 * STRETCH) * sigmoid * (1 - sigmoid)
        mean = MOMENTS[0] * mean + (1 - MOMENTS[0]) * slope
        square = MOMENTS[1] * square + (1 - MOMENTS[1]) * slope**2
        unbiased = np.sqrt(square / (1 - MOMENTS[1] ** step)) + GUARD
        v = v - rate * mean / (1 - MOMENTS[0] ** step) / unbiased
    found = [np.clip(code, low, high) for code in (np.rint(w), down + (v >= 0))]
    nearest, adapted = ((((code - w) @ g) * (code - w)).sum(axis=1) for code in found)
    return np.where((adapted < nearest)[:, None], found[1], found[0]).astype(np.int64)


def rounded_adaptively(
    float_model: Module,
    quantized_model: Module,
    batches: Iterable[Any],
    quant_min: int = -128,
    quant_max: int = 127,
    *,
    steps: int = 1000,
) -> Module:
    """Round the weights of a quantized model anew, by `adaround` with the inputs of each layer.

    Parameters
    ----------
    float_model : Module
        As it was prepared, after fusing.
    quantized_model : Module
        What was made of it by static quantization; it stays as it is.
    batches : iterable
        Inputs of the model, or pairs of input and target; read once.
    quant_min, quant_max : int, default -128 and 127
        The range of the integers that the weights were quantized to.
    steps : int, default 1000
        Of `adaround`.

    Returns
    -------
    Module
        A copy whose linear layers and convolutions of two dimensions are rounded anew, with the
        scales that they had.

    Raises
    ------
    ArgumentError
        If there are no such layers.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn, quantization
    >>> from refquant.ptq import rounded_adaptively
    >>> model = quantization.QuantWrapper(nn.Linear(8, 4)).eval()
    >>> model.qconfig, x = quantization.default_qconfig, refquant.randn(64, 8)
    >>> quantized = quantization.quantize(model, lambda model, data: model(data), [x])
    >>> rounded = rounded_adaptively(model, quantized, [x])
    >>> moved = rounded.module.weight().int_repr() - quantized.module.weight().int_repr()
    >>> int(moved.abs().max().item()) <= 1
    True
    """
    checked_model("float_model", float_model)
    made = copy.deepcopy(checked_model("quantized_model", quantized_model))
    arguments.iterable("batches", batches)
    quant_min = arguments.integer("quant_min", quant_min, -128, 126)
    quant_max = arguments.integer("quant_max", quant_max, quant_min + 1, 127)
    originals = dict(float_model.named_modules())
    layers = {
        name: module
        for name, module in made.named_modules()
        if isinstance(module, nnq.Linear | nnq.Conv2d) and name in originals
    }
    grams: dict[str, Any] = {}
    with no_grad(), recorded(float_model, inputs=True) as calls:
        for batch in batches:
            run_first(float_model, batch)
            for name, module in layers.items():
                for call in calls.pop(name, ()):
                    added = [rows.T @ rows for rows in _groups(module, call.inputs[0].array)]
                    before = grams.get(name, [0.0] * len(added))
                    grams[name] = [one + other for one, other in zip(before, added, strict=True)]
    if not grams:
        raise ArgumentError(
            argument="quantized_model",
            expected="linear layers or convolutions that were made of those of the float model",
            got="none that ran",
            hint="pass the float model as it was prepared, and what convert() made of it",
        )
    for name, group_grams in grams.items():
        module, original = layers[name], originals[name]
        weight: Any = getattr(original, "weight", None)
        if weight is None:  # of a fused pair
            weight = next(original.children()).weight
        old = module.weight()
        scale, point = _along_rows(old)
        rows = weight.array.reshape(len(weight.array), -1).astype(np.float64) + scale * point
        parts = len(group_grams)
        codes = [
            adaround(part, part_scale[:, 0], gram, quant_min, quant_max, steps=steps)
            for part, part_scale, gram in zip(
                np.split(rows, parts), np.split(scale, parts), group_grams, strict=True
            )
        ]
        integers = np.concatenate(codes).reshape(weight.shape).astype(np.int8)
        module.set_weight_bias(_with_integers(old, integers), module.bias())
    return made


def _along_rows(weight: QuantizedTensor) -> tuple[np.ndarray, np.ndarray]:
    """Scales and zero points of a weight, a column for its rows."""
    shape = weight.array.shape[:1]
    scale, point = (np.asarray(v, np.float64) for v in (weight.scale, weight.zero_point))
    return np.broadcast_to(scale, shape)[:, None], np.broadcast_to(point, shape)[:, None]


def _with_integers(weight: QuantizedTensor, integers: np.ndarray) -> QuantizedTensor:
    codes = from_numpy(integers)
    if weight.axis is None:
        return make_per_tensor_quantized_tensor(codes, weight.scale, weight.zero_point)
    scales, points = Tensor(weight.scale.copy()), Tensor(weight.zero_point.copy())
    return make_per_channel_quantized_tensor(codes, scales, points, weight.axis)


def _groups(module: Any, x: np.ndarray) -> list[np.ndarray]:
    """Write inputs of a layer as rows that its weights are multiplied with, for each group."""
    if isinstance(module, nnq.Linear):
        return [x.reshape(-1, x.shape[-1]).astype(np.float64)]
    padding = [(0, 0), (0, 0), *((p, p) for p in module.padding)]
    spans = [1 + d * (k - 1) for k, d in zip(module.kernel_size, module.dilation, strict=True)]
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, padding), spans, axis=(2, 3))
    (high, wide), (down, right) = module.stride, module.dilation
    kept = windows[:, :, ::high, ::wide, ::down, ::right].transpose(1, 0, 2, 3, 4, 5)
    return [
        part.transpose(1, 2, 3, 0, 4, 5).reshape(-1, part[:, 0, 0, 0].size).astype(np.float64)
        for part in np.split(kept, module.groups)
    ]
