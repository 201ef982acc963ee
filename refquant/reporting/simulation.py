"""A float model, some of whose weights and outputs are rounded to integers and back."""

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from refquant.nn.module import Module
from refquant.nn.parameter import Parameter
from refquant.ops.quantized.fake_quantization import fake_quantize_per_tensor_affine
from refquant.quantization.calibration import run_first
from refquant.reporting.calls import first_tensor
from refquant.reporting.measures import difference, energy, real_values
from refquant.tensors import QuantizedTensor, Tensor
from refquant.tensors.autograd import no_grad

__all__ = ["Rounding", "Simulation", "owner"]


class Rounding(NamedTuple):
    """What is rounded at a layer: its weight, to these numbers, and its output, by a quantizer.

    The quantizer is (scale, zero point, smallest and largest integer); None leaves it as it is.
    """

    weight: Any = None
    output: tuple[float, int, int, int] | None = None


def owner(module: Any) -> Any:
    """Return the module that holds the weight of a layer: itself, or the first of a fused pair."""
    if isinstance(getattr(module, "weight", None), Tensor):
        return module
    fused = type(module).__module__.startswith("refquant.nn.intrinsic") and len(module)
    first = module[0] if fused else None
    return first if isinstance(getattr(first, "weight", None), Tensor) else None


class Simulation:
    """A copy of a float model that runs with different roundings on the same data.

    Parameters
    ----------
    model : Module
        Stays as it is.
    batches : list
        Inputs, or pairs of input and target.
    run : callable, optional
        Runs the model on a batch and returns the output.
    """

    def __init__(
        self, model: Module, batches: Iterable[Any], run: Callable[[Any, Any], Any] | None
    ):
        self.model = copy.deepcopy(model).eval()
        self.batches, self.run = batches, run or run_first
        self.modules = dict(self.model.named_modules())
        self.reference = self._outputs()
        self.signal = sum(energy(output) for output in self.reference)

    def _outputs(self) -> list[np.ndarray]:
        with no_grad():
            found = [first_tensor(self.run(self.model, batch)) for batch in self.batches]
        return [real_values(output).astype(np.float64) for output in found if output is not None]

    def noise(self, roundings: Mapping[str, Rounding]) -> float:
        """Return the energy of what roundings change of the output."""
        handles, kept = [], []
        try:
            for name, rounding in roundings.items():
                module = self.modules[name]
                if rounding.weight is not None:
                    holder = owner(module)
                    kept.append((holder, holder.weight))
                    holder.weight = Parameter(rounding.weight)
                if rounding.output is not None:
                    handles.append(module.register_forward_hook(_rounder(rounding.output)))
            outputs = self._outputs()
        finally:
            for handle in handles:
                handle.remove()
            for holder, weight in kept:
                holder.weight = weight
        pairs = zip(self.reference, outputs, strict=True)
        return sum(energy(difference(one, other)) for one, other in pairs)


def _rounder(quantizer: tuple[float, int, int, int]) -> Callable[..., Any]:
    def rounded(module: Module, given: Any, output: Any) -> Any:
        plain = isinstance(output, Tensor) and not isinstance(output, QuantizedTensor)
        return fake_quantize_per_tensor_affine(output, *quantizer) if plain else output

    return rounded
