"""Markers of the places where a model switches to integers and back to floats."""

from typing import Any

from refquant import arguments
from refquant.nn.module import Module
from refquant.quantization.qconfig import QConfig, QConfigDynamic
from refquant.tensors import Tensor

__all__ = ["DeQuantStub", "QuantStub", "QuantWrapper", "add_quant_dequant"]


def _keep_recipe(stub: Module, qconfig: Any) -> None:
    if qconfig is not None:
        expected = "a QConfig or None"
        stub.qconfig = arguments.instance("qconfig", qconfig, QConfig | QConfigDynamic, expected)


class QuantStub(Module):
    """Mark where float activations are to become quantized ones.

    In a float model it returns its input; ``prepare`` attaches an observer, and ``convert``
    replaces it by a `refquant.nn.quantized.Quantize`.

    Parameters
    ----------
    qconfig : QConfig, optional
        How to quantize here; by default inherited from the modules above.

    Examples
    --------
    >>> import refquant
    >>> refquant.quantization.QuantStub()(refquant.tensor([1.5]))
    tensor([1.5000])
    """

    def __init__(self, qconfig: Any = None) -> None:
        super().__init__()
        _keep_recipe(self, qconfig)

    def forward(self, x: Tensor) -> Tensor:
        """Return the input."""
        return x


class DeQuantStub(Module):
    """Mark where quantized activations are to become float ones.

    In a float model it returns its input and is never observed; ``convert`` replaces it by a
    `refquant.nn.quantized.DeQuantize`.

    Parameters
    ----------
    qconfig : QConfig, optional
        Has no effect but to be there, as in PyTorch 2.13.

    Examples
    --------
    >>> import refquant
    >>> from refquant import quantization
    >>> quantization.DeQuantStub()(refquant.tensor([1.0]))
    tensor([1.])
    """

    def __init__(self, qconfig: Any = None) -> None:
        super().__init__()
        _keep_recipe(self, qconfig)

    def forward(self, x: Tensor) -> Tensor:
        """Return the input."""
        return x

    def _load_from_state_dict(self, report, prefix: str) -> None:
        # States of PyTorch 1.4 hold an observer here, whose numbers nothing uses.
        for key in report.state:
            if key.startswith(f"{prefix}activation_post_process."):
                report.take(key, optional=True)
        super()._load_from_state_dict(report, prefix)


class QuantWrapper(Module):
    """A module with a `QuantStub` before and a `DeQuantStub` after it.

    Parameters
    ----------
    module : Module
        What is wrapped. Its attribute `qconfig`, if any, applies to the stub as well.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> refquant.quantization.QuantWrapper(nn.Identity())
    QuantWrapper(
      (quant): QuantStub()
      (dequant): DeQuantStub()
      (module): Identity()
    )
    """

    def __init__(self, module: Module) -> None:
        super().__init__()
        arguments.instance("module", module, Module, "a Module")
        self.quant = QuantStub(getattr(module, "qconfig", None))
        self.dequant = DeQuantStub()
        self.module: Any = module  # whatever `convert` puts there
        self.train(module.training)

    def forward(self, x: Any) -> Any:
        """Run the module between the stubs."""
        return self.dequant(self.module(self.quant(x)))


def add_quant_dequant(module: Module) -> Module:
    """Wrap every module without submodules that has a QConfig in a `QuantWrapper`.

    Parameters
    ----------
    module : Module
        Changed in place, unless it is itself such a module.

    Returns
    -------
    Module
        `module`, or the wrapper around it.

    Examples
    --------
    >>> from refquant import nn, quantization
    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    >>> model[1].qconfig = quantization.default_qconfig
    >>> quantization.add_quant_dequant(model)
    Sequential(
      (0): Flatten(start_dim=1, end_dim=-1)
      (1): QuantWrapper(
        (quant): QuantStub()
        (dequant): DeQuantStub()
        (module): Linear(in_features=4, out_features=2, bias=True)
      )
    )
    """
    arguments.instance("module", module, Module, "a Module")
    return _wrap(module, {})


def _wrap(module: Module, wrapped: dict[int, Module]) -> Module:
    """Wrap `module` or what is below it; a module that occurs twice is wrapped once."""
    known = wrapped.get(id(module))
    if known is not None:
        return known
    wrapper = module
    if isinstance(module, QuantWrapper | QuantStub | DeQuantStub):
        pass  # what is inside gets quantized activations already
    elif not module._modules and getattr(module, "qconfig", None):
        wrapper = QuantWrapper(module)
    else:
        for name, child in module._modules.items():
            if child is not None:
                module._modules[name] = _wrap(child, wrapped)
    wrapped[id(module)] = wrapper
    return wrapper
