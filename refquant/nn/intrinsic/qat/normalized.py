r"""Layers with batch normalization for quantization-aware training.

What will be quantized is the layer with the normalization folded into it. In training too the
weight that is rounded must therefore be the folded one, :math:`w \gamma / \sigma`, with the
running deviation :math:`\sigma`, which hardly moves from step to step. The normalization of the
batch is restored after the layer: PyTorch 2.13 divides the factor out again and applies the
normalization itself, PyTorch 1.4 rescales. Equal on paper, the two differ in their last bits.

The steps and their order are those of PyTorch, with one difference: the square root here is the
float32 next to the true one. PyTorch takes its root from MKL, which misses that one by a unit in
the last place, 1.4 for one value in five, 2.13 for seven in a thousand on processors with AVX-512.
It matters because the symmetric scale puts the largest weight, if negative, on the edge between
-128 and -127: the last bit decides.
"""

import contextlib
from typing import Any, Self

import numpy as np

from refquant import arguments, nn
from refquant._turns import Turn
from refquant.errors import ShapeError
from refquant.nn.qat.fake_quantized import FakeQuantized
from refquant.tensors import Tensor
from refquant.tensors.autograd import no_grad

__all__ = ["Normalized", "freeze_bn_stats", "update_bn_stats"]

# Names of PyTorch 1.4, which keeps the normalization in the layer itself, by those of `BatchNorm`.
_OLD_NAMES = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "running_mean",
    "running_var": "running_var",
    "num_batches_tracked": "num_batches_tracked",
}


class Normalized(FakeQuantized):
    """Base class of layers with batch normalization.

    Under the workflow of PyTorch 2.13 the normalization is the submodule ``bn``; under that of 1.4
    its parameters and statistics are those of the layer.
    """

    _NORM: type
    # PyTorch 2.13's name of the form that applies the layer twice, and divides by no gamma.
    _enable_slow_path_for_better_numerical_stability = False
    gamma: Any
    beta: Any
    eps: Any
    momentum: Any
    running_mean: Any
    running_var: Any
    num_batches_tracked: Any
    bn: Any

    def _layer(self, input, weight):
        """Apply the layer without its bias."""
        raise NotImplementedError

    def _start_normalization(
        self, channels: int, eps: float, momentum: float | None, freeze_bn: bool, qconfig: Any
    ) -> None:
        """Make the normalization, gamma uniform in 0..1, and the modules that round."""
        self.freeze_bn = arguments.switch("freeze_bn", freeze_bn)
        # Threads move the statistics one after the other.
        self._turn = Turn()
        self.start_fake_quantization(qconfig)
        self._rescales = self.workflow.normalization == "rescaled"
        norm = self._NORM(channels, eps, momentum)
        nn.init.uniform_(norm.weight)
        if not self._rescales:
            self.bn = norm
            # PyTorch's order of the submodules, and so of the keys of a state.
            self._modules["weight_fake_quant"] = self._modules.pop("weight_fake_quant")
        self._take_normalization(norm)
        self.train(self.training)

    def _part(self, name: str) -> tuple[Any, str]:
        """Return which module has a part of the normalization, and under which name."""
        return (self, _OLD_NAMES.get(name, name)) if self._rescales else (self.bn, name)

    def _get(self, name: str) -> Any:
        return getattr(*self._part(name))

    def _take_normalization(self, norm: Any) -> None:
        """Share the parameters and the statistics of a normalization."""
        for name in ("eps", "momentum", *_OLD_NAMES):
            holder, own = self._part(name)
            value = getattr(norm, name)
            if name in norm._buffers:
                holder.register_buffer(own, value)
            else:
                setattr(holder, own, value)
        if self._rescales and self.bias is not None:
            # In training the mean of the batch takes a bias away again.
            self.running_mean = Tensor(norm.running_mean.array - self.bias.array)
            self.bias = None

    def normalization(self) -> tuple[Any, ...]:
        """Return what is folded: running mean and variance, eps, gamma and beta."""
        names = ("running_mean", "running_var", "eps", "weight", "bias")
        return tuple(getattr(part, "array", part) for part in map(self._get, names))

    def reset_running_stats(self) -> None:
        """Forget the statistics of the batches."""
        for name, start in (("running_mean", 0), ("running_var", 1), ("num_batches_tracked", 0)):
            self._get(name).array[...] = start

    def reset_bn_parameters(self) -> None:
        """Start the normalization anew: gamma uniform in 0..1, beta 0."""
        self.reset_running_stats()
        nn.init.uniform_(self._get("weight"))
        nn.init.zeros_(self._get("bias"))

    def update_bn_stats(self) -> Self:
        """Normalize with the statistics of each batch, and average them; returns the module."""
        return self._freeze(False)

    def freeze_bn_stats(self) -> Self:
        """Normalize with the running statistics and leave them as they are; returns the module.

        Late in training this makes the module compute exactly what it will when quantized.
        """
        return self._freeze(True)

    def _freeze(self, frozen: bool):
        self.freeze_bn = frozen
        if "bn" in self._modules:
            self.bn.training = not frozen
        return self

    def train(self, mode: bool = True) -> Self:
        """Switch to training (or evaluation); frozen statistics stay so. Returns the module."""
        super().train(mode)
        if self.freeze_bn:
            self._freeze(True)
        return self

    def _per_channel(self, vector):
        """Shape a vector of channels so that it meets the channels of an activation."""
        return vector.reshape([1, -1] + [1] * (self.weight.dim() - 2))

    def _rounded(self, input):
        with self._turn if self.training else contextlib.nullcontext():
            return self._normalized(input)

    def _normalized(self, input):
        if self._enable_slow_path_for_better_numerical_stability and not self._rescales:
            return self._in_two_passes(input)
        deviation = (self._get("running_var") + self._get("eps")).sqrt()
        factor = self._get("weight") / deviation
        folded = self.weight * factor.reshape([-1] + [1] * (self.weight.dim() - 1))
        scaled = self._layer(input, self.weight_fake_quant(folded))
        if self._rescales:
            return self._rescaled(scaled, deviation, factor)
        if self.bn.training:
            self._count(scaled)
        plain = scaled / self._per_channel(factor)
        if self.bias is not None:
            plain = plain + self._per_channel(self.bias)
        return self.bn(plain)

    def _count(self, output) -> int:
        """Return how many values a channel has, or raise if they have no variance."""
        count = output.numel() // max(output.size(1), 1)
        if count < 2:
            raise ShapeError(
                argument="input",
                expected="more than one value a channel in training, as their variance is needed",
                got=f"{count} after the layer",
                hint="use a larger batch, or call freeze_bn_stats()",
            )
        return count

    def _in_two_passes(self, input):
        """Measure the batch on the layer itself, then round what is folded with that."""
        norm, training = self.bn, self.bn.training
        bias = 0 if self.bias is None else self.bias
        if training:
            plain = self._layer(input, self.weight)
            self._count(plain)
            with no_grad():  # moves the running statistics
                norm(plain if self.bias is None else plain + self._per_channel(bias))
            reduced = [0, *range(2, plain.dim())]
            mean = plain.mean(reduced)
            centered = plain - self._per_channel(mean)
            deviation = ((centered * centered).mean(reduced) + norm.eps).sqrt()
        running = (norm.running_var + norm.eps).sqrt()
        if not training:
            mean, deviation = norm.running_mean - bias, running
        factor = (norm.weight / running).reshape([-1] + [1] * (self.weight.dim() - 1))
        scaled = self._layer(input, self.weight_fake_quant(self.weight * factor))
        shift = norm.bias - norm.weight * mean / deviation
        return scaled * self._per_channel(running / deviation) + self._per_channel(shift)

    def _rescaled(self, scaled, deviation, factor):
        """Restore the normalization of the batch as PyTorch 1.4 does."""
        if not self.training or self.freeze_bn:
            return scaled + self._per_channel(
                self.beta - self.gamma * self.running_mean / deviation
            )
        count = self._count(scaled)
        plain = scaled / self._per_channel(factor)
        reduced = [0, *range(2, plain.dim())]
        mean = plain.mean(reduced)
        centered = plain - self._per_channel(mean)
        variance = (centered * centered).mean(reduced)
        inverse = 1 / (variance + self.eps).sqrt()
        self._average(mean.array, variance.array, count)
        restored = scaled * self._per_channel(deviation * inverse)
        return restored + self._per_channel(self.beta - self.gamma * mean * inverse)

    def _average(self, mean, variance, count: int) -> None:
        """Move the running statistics towards those of a batch of `count` values a channel."""
        # New tensors, because the old ones are still needed for the gradient.
        self.num_batches_tracked = Tensor(np.asarray(self.num_batches_tracked.array + 1))
        part = self.momentum
        if part is None:  # the plain average of all batches
            part = 1.0 / int(self.num_batches_tracked.array)
        unbiased = variance * np.float32(count / (count - 1))
        for name, now in (("running_mean", mean), ("running_var", unbiased)):
            moved = np.float32(part) * now + np.float32(1 - part) * getattr(self, name).array
            setattr(self, name, Tensor(moved))

    def _load_from_state_dict(self, report, prefix: str) -> None:
        """Compare with a state; one with the names of the other release is loaded, too."""
        renamed = {}
        for name, old in _OLD_NAMES.items():
            theirs, ours = old, f"bn.{name}"
            if self._rescales:
                theirs, ours = ours, theirs
            if prefix + theirs in report.state and prefix + ours not in report.state:
                renamed[prefix + theirs] = prefix + ours
        if renamed:
            report.used.update(renamed)
            report.state = {renamed.get(key, key): value for key, value in report.state.items()}
        super()._load_from_state_dict(report, prefix)

    def extra_repr(self) -> str:
        """Show the settings of the layer, and that statistics are frozen if they are."""
        return super().extra_repr() + (", freeze_bn=True" if self.freeze_bn else "")


def update_bn_stats(mod: Any) -> None:
    """Use batch statistics in a layer with batch normalization; for ``model.apply``.

    Parameters
    ----------
    mod : Module
        Any module; others are left alone.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> from refquant.quantization import default_qat_qconfig
    >>> m = nn.intrinsic.qat.ConvBn2d(1, 2, 3, qconfig=default_qat_qconfig)
    >>> _ = m.apply(nn.intrinsic.qat.update_bn_stats)
    >>> m.freeze_bn
    False
    """
    if isinstance(mod, Normalized):
        mod.update_bn_stats()


def freeze_bn_stats(mod: Any) -> None:
    """Use running statistics in a layer with batch normalization; for ``model.apply``.

    Parameters
    ----------
    mod : Module
        Any module; others are left alone.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> from refquant.quantization import default_qat_qconfig
    >>> m = nn.intrinsic.qat.ConvBn2d(1, 2, 3, qconfig=default_qat_qconfig)
    >>> _ = m.apply(nn.intrinsic.qat.freeze_bn_stats)
    >>> m.freeze_bn
    True
    """
    if isinstance(mod, Normalized):
        mod.freeze_bn_stats()
