"""Which sequences of modules can be fused, and what each becomes."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

from refquant import arguments, engines, nn
from refquant._documentation import documented
from refquant._environment import enclose
from refquant._operation import operation_name, warn
from refquant.errors import ArgumentError, NotSupportedError
from refquant.nn import intrinsic
from refquant.nn.intrinsic.fused import Fused
from refquant.nn.module import Module
from refquant.nn.parameter import Parameter
from refquant.nn.quantized.weights import fold_normalization
from refquant.quantization._checks import checked_model, checked_settings, checked_types
from refquant.quantization._swapping import move_hooks
from refquant.tensors import Tensor

__all__ = [
    "check_sequence",
    "fuse",
    "fuse_conv_bn",
    "fuse_conv_bn_relu",
    "fuse_convtranspose_bn",
    "fuse_linear_bn",
    "get_fuser_method",
]

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
# Activations for which a ReLU is often put in, since it can be fused.
_LIKE_RELU = (nn.ReLU6, nn.Hardtanh, nn.LeakyReLU, nn.Hardswish)
# Types in the order in which they run, and the module that keeps them; None where the
# normalization can only be folded.
KNOWN: dict[tuple[type, ...], type | None] = {
    kind.members: kind
    for kind in (
        *(getattr(intrinsic, f"ConvReLU{dims}d") for dims in (1, 2, 3)),
        intrinsic.LinearReLU,
        intrinsic.BNReLU2d,
        intrinsic.BNReLU3d,
        *(getattr(intrinsic, f"ConvBn{dims}d") for dims in (1, 2, 3)),
        *(getattr(intrinsic, f"ConvBnReLU{dims}d") for dims in (1, 2, 3)),
        intrinsic.LinearBn1d,
    )
} | {
    (getattr(nn, f"ConvTranspose{dims}d"), norm): None
    for dims, norm in zip((1, 2, 3), _NORMS, strict=True)
    if hasattr(nn, f"ConvTranspose{dims}d")
}


def _is_normalized(modules: Sequence[Module]) -> bool:
    """Return whether a normalization follows a layer."""
    return len(modules) > 1 and type(modules[1]) in _NORMS


def _keeps(modules: Sequence[Module], is_qat: bool | None) -> bool:
    """Return whether to keep the modules for training; None lets the release and mode decide."""
    if is_qat is None:
        return modules[0].training and engines.current().workflow.fuses_in_training
    return is_qat


def fuse(modules: list[Module], is_qat: bool | None) -> Module:
    """Return the fused module of a sequence that `check_sequence` accepts."""
    if _is_normalized(modules) and not _keeps(modules, is_qat):
        return _fold(modules)
    return _keep(modules)


def _method(*sequences: tuple[type, ...]) -> Callable[..., Module]:
    """Make a function that fuses one of some sequences: ``method(is_qat, *modules)``."""

    def method(is_qat, *modules):
        is_qat = arguments.switch("is_qat", is_qat)
        for module in modules:
            checked_model("modules", module)
        names = [str(place) for place in range(len(modules))]
        check_sequence(modules, names, is_qat, sequences)
        return fuse(list(modules), is_qat)

    return method


def get_fuser_method(
    op_list: Any, additional_fuser_method_mapping: Any = None
) -> Callable[..., Any]:
    """Get the function that fuses modules of some types.

    Parameters
    ----------
    op_list : tuple of type
        In the order in which the modules run.
    additional_fuser_method_mapping : mapping, optional
        Entries that win over the known ones.

    Returns
    -------
    callable
        Called as ``method(is_qat, *modules)``; returns the fused module.

    Raises
    ------
    NotSupportedError
        If the sequence is not known.

    Examples
    --------
    >>> from refquant import nn, quantization
    >>> method = quantization.get_fuser_method((nn.Linear, nn.ReLU))
    >>> type(method(False, nn.Linear(2, 2), nn.ReLU())).__name__
    'LinearReLU'
    """
    types = tuple(checked_types("op_list", op_list))
    additional = checked_settings(
        "additional_fuser_method_mapping", additional_fuser_method_mapping
    )
    if types in additional:
        return additional[types]
    if types not in KNOWN:
        raise _unknown(types, [getattr(kind, "__name__", repr(kind)) for kind in types])
    return _method(types)


@documented()
def fuse_conv_bn(is_qat: Any, conv: Any, bn: Any) -> Module:
    """Fuse a convolution and the batch normalization of its output.

    %(fuse_normalized)s

    Examples
    --------
    >>> from refquant import nn, quantization
    >>> quantization.fuse_conv_bn(False, nn.Conv2d(1, 2, 3).eval(), nn.BatchNorm2d(2).eval())
    Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1))
    """
    return _of("Conv", 2)(is_qat, conv, bn)


@documented()
def fuse_conv_bn_relu(is_qat: Any, conv: Any, bn: Any, relu: Any) -> Module:
    """Fuse a convolution, the batch normalization of its output and the ReLU of that.

    %(fuse_normalized)s

    Examples
    --------
    >>> from refquant import nn, quantization
    >>> modules = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU()
    >>> type(quantization.fuse_conv_bn_relu(True, *modules)).__name__
    'ConvBnReLU2d'
    """
    return _of("Conv", 3)(is_qat, conv, bn, relu)


@documented()
def fuse_linear_bn(is_qat: Any, linear: Any, bn: Any) -> Module:
    """Fuse a linear layer and the batch normalization of its output.

    %(fuse_normalized)s

    Examples
    --------
    >>> from refquant import nn, quantization
    >>> quantization.fuse_linear_bn(False, nn.Linear(3, 2).eval(), nn.BatchNorm1d(2).eval())
    Linear(in_features=3, out_features=2, bias=True)
    """
    return _of("Linear", 2)(is_qat, linear, bn)


@documented()
def fuse_convtranspose_bn(is_qat: Any, convt: Any, bn: Any) -> Module:
    """Fuse a transposed convolution and the batch normalization of its output.

    %(fuse_normalized)s

    Examples
    --------
    >>> from refquant import nn, quantization
    >>> layers = nn.ConvTranspose1d(3, 2, 1).eval(), nn.BatchNorm1d(2).eval()
    >>> quantization.fuse_convtranspose_bn(False, *layers)
    ConvTranspose1d(3, 2, kernel_size=(1,), stride=(1,))
    """
    return _of("ConvTranspose", 2)(is_qat, convt, bn)


def _of(first: str, count: int) -> Callable[..., Module]:
    """Make the function for the sequences of a layer and its normalization."""
    wanted = {
        kinds
        for kinds in KNOWN
        if kinds[0].__name__.rstrip("123d") == first and len(kinds) == count and kinds[1] in _NORMS
    }
    return _method(*wanted)


def _unknown(types: Sequence[type], names: Sequence[str], known: Any = None) -> NotSupportedError:
    known = list(KNOWN if known is None else known)
    hint = "leave it out of modules_to_fuse, or pass a fuser_func that knows it"
    fits = next((n for n in range(len(types) - 1, 1, -1) if tuple(types[:n]) in known), 0)
    if fits:
        hint = f"fuse {[*names[:fits]]} without {', '.join(names[fits:])}"
    if types and types[-1] in _LIKE_RELU and (*types[:-1], nn.ReLU) in known:
        hint = f"make {names[-1]} an nn.ReLU, or {hint}"
    for sequence in known:
        if sorted(map(id, types)) == sorted(map(id, sequence)):
            order = sorted(range(len(types)), key=lambda i: sequence.index(types[i]))
            hint = f"list them as they run: {[names[i] for i in order]}"
    done = [n for n, t in zip(names, types, strict=True) if issubclass(t, Fused)]
    if done:
        hint = f"{', '.join(done)} is fused already: {hint}"
    return NotSupportedError(
        f"{operation_name()}: [{', '.join(names)}]",
        argument="modules_to_fuse",
        expected="one of the sequences "
        + "; ".join(", ".join(t.__name__ for t in sequence) for sequence in known),
        got=", ".join(t.__name__ for t in types),
        hint=hint,
    )


def check_sequence(
    modules: Sequence[Module], names: Sequence[str], is_qat: bool | None, known: Any = None
) -> None:
    """Raise unless the modules can be fused; changes nothing."""
    types = tuple(type(module) for module in modules)
    if types not in (KNOWN if known is None else known):
        raise _unknown(types, names, known)
    what = f"{operation_name()}: [{', '.join(names)}]"
    if len({id(module) for module in modules}) < len(modules):
        raise ArgumentError(
            what, argument="modules_to_fuse", expected="different modules", got="one of them twice"
        )
    if not _is_normalized(modules):
        return
    keeps = _keeps(modules, is_qat)
    if keeps and KNOWN[types] is None:
        raise NotSupportedError(
            what,
            argument="modules_to_fuse",
            expected="no transposed convolution for training",
            got=", ".join(t.__name__ for t in types),
            hint="fuse them with fuse_modules() in evaluation mode",
        )
    _check_normalization(what, names, modules, keeps)
    relu = modules[-1]
    in_place = len(modules) == 3 and getattr(relu, "inplace", False)
    if in_place and keeps and engines.current().workflow.fuses_in_training:
        raise ArgumentError(
            what,
            argument=names[-1],
            expected="not in place while training",
            got="ReLU(inplace=True)",
            hint=f"set {names[-1]}.inplace = False",
        )


def _check_normalization(
    what: str, names: Sequence[str], modules: Sequence[Any], keeps: bool
) -> None:
    layer, bn = modules[:2]

    def word(module):
        return "training" if module.training else "evaluation"

    for name, module in zip(names[1:], modules[1:], strict=True):
        if layer.training is not module.training:
            raise ArgumentError(
                what,
                argument=name,
                expected=f"in {word(layer)} mode as {names[0]}",
                got=f"{word(module)} mode",
                hint="call model.eval() before fusing for calibration, model.train() before "
                "fusing for quantization-aware training",
            )
    if layer.training and not keeps:
        raise ArgumentError(
            what,
            argument=names[0],
            expected="in evaluation mode (Fusion only for eval!)",
            got="training mode",
            hint="call model.eval() first, or fuse_modules_qat() for quantization-aware training",
        )
    channels = getattr(layer, "out_channels", getattr(layer, "out_features", None))
    if bn.num_features != channels:
        raise ArgumentError(
            what,
            argument=names[1],
            expected=f"of {channels} features, the channels that {names[0]} returns",
            got=bn.num_features,
        )
    for attribute in ("affine", "track_running_stats"):
        if not getattr(bn, attribute):
            raise ArgumentError(
                what,
                argument=names[1],
                expected=f"a normalization with {attribute}=True",
                got=f"{attribute}=False",
                hint="leave it out of modules_to_fuse; it then runs in float between DeQuantStub "
                "and QuantStub",
            )


def _fold(modules: list[Module]) -> Module:
    """Fuse in evaluation mode: fold the normalization into a copy of the layer."""
    bn: Any = modules[1]
    _warn_of_lost_hooks(modules[0], modules[0]._forward_hooks)
    _warn_of_lost_hooks(bn, bn._forward_pre_hooks)
    layer: Any = copy.deepcopy(modules[0])
    layer._forward_hooks.clear()
    layer._forward_pre_hooks.clear()
    weight, bias = fold_normalization(
        layer, bn.running_mean.array, bn.running_var.array, bn.eps, bn.weight.array, bn.bias.array
    )
    layer.weight = Parameter(Tensor(weight))
    layer.bias = None
    layer.register_parameter("bias", Parameter(Tensor(bias)))
    if len(modules) == 2:
        return layer
    # What the normalization returned is now what the layer returns.
    move_hooks(bn, "_forward_hooks", layer)
    kind: Any = KNOWN[type(layer), type(modules[2])]
    return kind(layer, modules[2]).train(layer.training)


def _keep(modules: list[Module]) -> Module:
    """Keep the modules in a container."""
    layer, second = modules[0], modules[1]
    drops = engines.current().workflow.fuses_in_training
    if drops and _is_normalized(modules) and layer.bias is not None:
        second.running_mean = Tensor(second.running_mean.array - layer.bias.array)
        layer.bias = None
    kind: Any = KNOWN[tuple(type(module) for module in modules)]
    return kind(*modules).train(layer.training)


def _warn_of_lost_hooks(module: Module, hooks: Any) -> None:
    if hooks:
        warn(
            f"{len(hooks)} hook(s) between a layer and its batch "
            f"normalization, registered on {type(module).__name__}, no longer run: folding "
            "makes the two one step.",
        )


enclose(__name__)
