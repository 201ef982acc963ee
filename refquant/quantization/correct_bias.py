r"""Bias correction: take the mean error of each channel out of the bias.

Rounding a weight shifts the output of a layer: on average over data by
:math:`E[\tilde y_c] - E[y_c]` in channel :math:`c`, where :math:`\tilde y` is the output of the
quantized layer and :math:`y` that of the float layer on the same input. Subtracted from the bias,
the error has mean zero. Layers are corrected in the order of the model, each with all before it
corrected already. Source: Nagel et al., "Data-Free Quantization Through Weight Equalization and
Bias Correction", 2019, section 4.2; PyTorch's path is ``torch.ao.quantization._correct_bias``.
"""

from collections.abc import Iterable
from itertools import islice
from typing import Any

from refquant import arguments
from refquant._environment import enclose
from refquant.nn import quantized as nnq
from refquant.nn.convolution import Conv2d
from refquant.nn.linear import Linear
from refquant.nn.module import Module
from refquant.quantization._checks import checked_model
from refquant.quantization.numeric_suite import Logger, prepare_model_with_stubs

__all__ = ["MeanShadowLogger", "bias_correction", "get_module", "get_param", "parent_child_names"]

_supported_modules = {Linear, Conv2d}
_supported_modules_quantized = {nnq.Linear, nnq.Conv2d}


def get_module(model: Module, name: str) -> Module:
    """Return a submodule by its dotted name."""
    return checked_model("model", model).get_submodule(name)


def parent_child_names(name: str) -> tuple[str, str]:
    """Split a dotted name into that of the parent and the last part.

    Examples
    --------
    >>> from refquant.quantization.correct_bias import parent_child_names
    >>> parent_child_names("features.0.conv")
    ('features.0', 'conv')
    """
    parent, _, child = arguments.text("name", name).rpartition(".")
    return parent, child


def get_param(module: Module, attr: str) -> Any:
    """Return a parameter, which quantized modules return from a method."""
    found = getattr(module, attr, None)
    return found() if callable(found) else found


class MeanShadowLogger(Logger):
    """Keep the mean of the outputs of a quantized module and of its float shadow.

    Examples
    --------
    >>> import refquant
    >>> from refquant.quantization.correct_bias import MeanShadowLogger
    >>> logger = MeanShadowLogger()
    >>> for batch in (1.0, 2.0):
    ...     logger(refquant.tensor([batch]), refquant.tensor([2 * batch]))
    >>> logger.stats
    {'float': tensor([3.]), 'quantized': tensor([1.5000])}
    """

    def __init__(self):
        super().__init__()
        self.clear()

    def forward(self, x, y):  # type: ignore[override]
        """Take in the output `x` of the quantized module, and `y` of the float one."""
        outputs = {"quantized": x.dequantize() if x.is_quantized else x, "float": y}
        self.count += 1
        for kind, output in outputs.items():
            so_far = self._sums.get(kind)
            self._sums[kind] = output if so_far is None else so_far + output
            self.stats[kind] = output if so_far is None else self._sums[kind] / self.count

    def clear(self):
        """Forget everything."""
        self.stats = {"float": None, "quantized": None}
        self.count, self._sums = 0, {}


def bias_correction(
    float_model: Module,
    quantized_model: Module,
    img_data: Iterable[Any],
    target_modules: Iterable[type] = frozenset(_supported_modules_quantized),
    neval_batches: int | None = None,
) -> None:
    """Subtract the mean errors of the layers of a quantized model from their biases.

    Parameters
    ----------
    float_model, quantized_model : Module
        A float model, and the quantized model made of it. It is changed; a
        `refquant.quantization.numeric_suite.Shadow` stays around each layer.
    img_data : iterable of (Tensor, ...)
        Batches of equal shape, the input first; walked once for each layer.
    target_modules : iterable of type, optional
        Types of quantized modules to correct, by default `Linear` and `Conv2d`.
    neval_batches : int, optional
        How many batches to use; all if not given.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn, quantization
    >>> from refquant.quantization.correct_bias import bias_correction
    >>> model = quantization.QuantWrapper(nn.Linear(8, 4)).eval()
    >>> data = [(refquant.randn(16, 8),)]
    >>> prepared = quantization.prepare(model, {"": quantization.default_qconfig})
    >>> _ = prepared(data[0][0])
    >>> quantized = quantization.convert(prepared)
    >>> bias_correction(model, quantized, data)
    >>> type(quantized.module.orig_module).__name__
    'Linear'
    """
    checked_model("float_model", float_model)
    checked_model("quantized_model", quantized_model)
    arguments.iterable("img_data", img_data)
    types = arguments.sequence("target_modules", target_modules)
    prepare_model_with_stubs(float_model, quantized_model, _supported_modules, MeanShadowLogger)
    for name, module in list(quantized_model.named_modules()):
        parent, _ = parent_child_names(name)
        logger = getattr(get_module(quantized_model, parent), "logger", None)
        bias = get_param(module, "bias") if type(module) in types else None
        if bias is None or not isinstance(logger, MeanShadowLogger):
            continue
        for batch in islice(img_data, neval_batches):
            quantized_model(batch[0])
        error = logger.stats["quantized"] - logger.stats["float"]
        dimensions = [dimension for dimension in range(error.ndim) if dimension != 1]
        module.set_weight_bias(module.weight(), bias - error.mean(dimensions).detach())
        for other in quantized_model.modules():
            if isinstance(other, MeanShadowLogger):
                other.clear()


enclose(__name__)
