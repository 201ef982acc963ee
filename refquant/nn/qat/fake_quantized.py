"""The mixin of all modules for quantization-aware training."""

from typing import Any

from refquant import arguments
from refquant.errors import ArgumentError, ArgumentTypeError
from refquant.nn.module import Module

__all__ = ["FakeQuantized", "checked_qconfig"]


def _checked(qconfig: Any) -> Any:
    if qconfig is None:
        raise ArgumentError(
            argument="qconfig",
            expected="a QConfig of fake quantization",
            got=arguments.describe(qconfig),
            hint="pass qconfig=refquant.quantization.get_default_qat_qconfig(), or set it as "
            "attribute `qconfig` of the float module",
        )
    parts = getattr(qconfig, "activation", None), getattr(qconfig, "weight", None)
    if not all(map(callable, parts)):
        raise ArgumentTypeError(
            argument="qconfig",
            expected="a QConfig with activation and weight",
            got=arguments.describe(qconfig),
            hint="use refquant.quantization.get_default_qat_qconfig()",
        )
    return qconfig


def checked_qconfig(cls: type, mod: Module, qconfig: Any):
    """Check the arguments of ``from_float`` and return the QConfig of the new module.

    Raises
    ------
    ArgumentError
        If `mod` is not exactly of the type that `cls` is made from, or there is no QConfig.
    """
    wanted: type = cls._FLOAT_MODULE  # type: ignore[attr-defined]
    if type(mod) is not wanted:
        raise ArgumentError(
            argument="mod",
            expected=f"exactly a {wanted.__module__.rsplit('.', 1)[0]}.{wanted.__name__}",
            got=f"{type(mod).__module__.rsplit('.', 1)[0]}.{type(mod).__name__}",
        )
    return _checked(getattr(mod, "qconfig", None) if qconfig is None else qconfig)


class FakeQuantized(Module):
    """Mixin: a module with fake quantization of its weight and of its output.

    Attributes
    ----------
    weight_fake_quant : FakeQuantize
        Rounds the weight in `forward`; the weight itself stays as the optimizer leaves it.
    activation_post_process : FakeQuantize
        Rounds the output.
    qconfig : QConfig
        What made both.
    """

    def start_fake_quantization(self, qconfig: Any) -> None:
        """Make the two modules that round."""
        self.qconfig = _checked(qconfig)
        self.activation_post_process = qconfig.activation()
        self.weight_fake_quant = qconfig.weight()
