"""The mixin of all modules for quantization-aware training."""

import functools
from collections.abc import Callable
from typing import Any, Self, TypeVar, cast

from refquant import arguments, engines
from refquant.errors import ArgumentError, ArgumentTypeError
from refquant.nn import functional
from refquant.nn.containers import Sequential
from refquant.nn.module import Module
from refquant.nn.parameter import Parameter
from refquant.nn.quantized.weights import folded
from refquant.tensors import Tensor

__all__ = ["FakeQuantized", "either_order"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


def either_order(place: int, kind: Any, *names: str) -> Callable[[_Function], _Function]:
    """Decorate a function: take positional arguments of PyTorch 2.13, too, told by a type.

    Parameters
    ----------
    place : int
        Number of the first positional argument that differs, counted from 0.
    kind : type
        What 2.13 has there. The order of the signature, which is that of PyTorch 1.4, has another
        type there.
    *names : str
        What 2.13 takes from there on.
    """

    def decorate(function):
        @functools.wraps(function)
        def either(*given, **keywords):
            if len(given) > place and isinstance(given[place], kind):
                keywords.update(zip(names, given[place:], strict=False))
                given = given[:place]
            return function(*given, **keywords)

        return either

    return decorate


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


class FakeQuantized(Module):
    """Mixin: a module with fake quantization of its weight and of its output.

    Attributes
    ----------
    weight_fake_quant : FakeQuantize
        Rounds the weight in `forward`; the weight itself stays as the optimizer leaves it.
    activation_post_process : FakeQuantize
        Rounds the output. The module has it from the start under the engines of PyTorch 1.4, from
        ``prepare_qat`` on under the others.
    qconfig : QConfig
        What made both.
    """

    # Attributes of the float layer that are arguments of the constructor, beside the bias.
    _SETTINGS: tuple[str, ...]
    _FLOAT_MODULE: type
    _WITHOUT_NORM: type | None = None  # the fused pair of what has a normalization between
    _relu = False
    weight: Any
    bias: Any

    def start_fake_quantization(self, qconfig: Any) -> None:
        """Make the modules that round, as the workflow of the engine wants it."""
        self.qconfig = _checked(qconfig)
        self.workflow = engines.current().workflow
        self._rounds_output = self.workflow.observes_pairs == "inside"
        if self._rounds_output:
            self.activation_post_process = qconfig.activation()
        self.weight_fake_quant = qconfig.weight()

    def _rounded(self, input):
        """Compute the output from the rounded weight."""
        raise NotImplementedError

    def forward(self, input: Tensor) -> Tensor:
        """Compute the output of the float module from the rounded weight, and round it."""
        result = self._rounded(input)
        if self._relu:
            result = functional.relu(result)
        return self.activation_post_process(result) if self._rounds_output else result

    @classmethod
    def from_float(
        cls, mod: Module, qconfig: Any = None, use_precomputed_fake_quant: Any = False
    ) -> Self:
        """Make the module for training from a float one, whose parameters it shares.

        Parameters
        ----------
        mod : Module
            Exactly of the float type.
        qconfig : QConfig, optional
            By default the attribute `qconfig` of `mod`.
        use_precomputed_fake_quant : bool, default False
            Has no effect here.

        Raises
        ------
        ArgumentError
            If `mod` is of another type, or there is no QConfig.
        """
        wanted = cls._FLOAT_MODULE
        if type(mod) is not wanted:
            raise ArgumentError(
                argument="mod",
                expected=f"exactly a {wanted.__module__.rsplit('.', 1)[0]}.{wanted.__name__}",
                got=f"{type(mod).__module__.rsplit('.', 1)[0]}.{type(mod).__name__}",
            )
        qconfig = _checked(getattr(mod, "qconfig", None) if qconfig is None else qconfig)
        mod = cast(Any, mod)
        layer, *rest = mod if isinstance(mod, Sequential) else [mod]
        norms = [part for part in rest if hasattr(part, "running_var")]
        settings = {name: getattr(layer, name) for name in cls._SETTINGS}
        settings.update(
            {name: getattr(norm, name) for norm in norms for name in ("eps", "momentum")}
        )
        made = cast(Any, cls)(**settings, bias=layer.bias is not None, qconfig=qconfig)
        made.weight, made.bias = layer.weight, layer.bias
        for norm in norms:
            made._take_normalization(norm)
        return made.train(mod.training)

    def to_float(self) -> Module:
        """Make the float module, a normalization folded into it and followed by its ReLU.

        Returns
        -------
        Module
            With parameters of its own.
        """
        wanted: Any = self._FLOAT_MODULE
        members: tuple[Any, ...] = getattr(wanted, "members", (wanted,))
        weight, bias = folded(self)
        settings = {name: getattr(self, name) for name in self._SETTINGS}
        layer = members[0](**settings, bias=bias is not None)
        layer.weight = Parameter(weight)
        if bias is not None:
            layer.bias = Parameter(bias)
        if self._relu:
            wanted = wanted if self._WITHOUT_NORM is None else self._WITHOUT_NORM
            layer = wanted(layer, members[-1]())
        return layer.train(self.training)
