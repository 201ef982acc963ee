"""What all modules for quantization-aware training share."""

from typing import Any

from refquant import arguments
from refquant.errors import ArgumentError, ArgumentTypeError
from refquant.nn.module import Module

__all__ = ["FakeQuantized", "recipe_of"]


def _checked(asked: str, qconfig: Any) -> Any:
    if qconfig is None:
        raise ArgumentError(
            asked,
            argument="qconfig",
            expected="a QConfig of fake quantization",
            got=arguments.describe(qconfig),
            mend="pass qconfig=refquant.quantization.get_default_qat_qconfig(), or set it as "
            "attribute `qconfig` of the float module",
        )
    parts = getattr(qconfig, "activation", None), getattr(qconfig, "weight", None)
    if not all(map(callable, parts)):
        raise ArgumentTypeError(
            asked,
            argument="qconfig",
            expected="a QConfig with activation and weight",
            got=arguments.describe(qconfig),
            mend="use refquant.quantization.get_default_qat_qconfig()",
        )
    return qconfig


def recipe_of(cls: type, mod: Module, qconfig: Any):
    """Check what ``from_float`` was given and choose the QConfig of the new module.

    Raises
    ------
    ArgumentError
        If `mod` is not exactly of the type that `cls` is made from, or there is no QConfig.
    """
    asked = f"{cls.__module__.rsplit('.', 1)[0]}.{cls.__name__}.from_float".removeprefix(
        "refquant."
    )
    wanted: type = cls._FLOAT_MODULE  # type: ignore[attr-defined]
    if type(mod) is not wanted:
        raise ArgumentError(
            asked,
            argument="mod",
            expected=f"exactly a {wanted.__module__.rsplit('.', 1)[0]}.{wanted.__name__}",
            got=f"{type(mod).__module__.rsplit('.', 1)[0]}.{type(mod).__name__}",
        )
    return _checked(asked, getattr(mod, "qconfig", None) if qconfig is None else qconfig)


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
        self.qconfig = _checked(type(self).__name__, qconfig)
        self.activation_post_process = qconfig.activation()
        self.weight_fake_quant = qconfig.weight()
