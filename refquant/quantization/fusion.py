"""Fusing convolution, batch normalization and ReLU, which quantization treats as one module."""

import copy
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from refquant import arguments, kernels, nn
from refquant._operation import operation_name
from refquant.errors import (
    ArgumentError,
    ArgumentTypeError,
    NotSupportedError,
)
from refquant.nn import intrinsic
from refquant.nn.intrinsic.fused import Fused
from refquant.nn.module import AnyModule, Module
from refquant.nn.parameter import Parameter
from refquant.quantization._checks import check_unprepared, checked_model
from refquant.quantization._rollback import restored_on_error
from refquant.quantization._swapping import move_hooks
from refquant.tensors import Tensor

__all__ = ["fuse_known_modules", "fuse_modules"]

# Types in the order in which they run, and the module that fuses them.
KNOWN: dict[tuple[type, ...], type] = {
    kind.members: kind
    for kind in (
        intrinsic.ConvReLU2d,
        intrinsic.ConvReLU3d,
        intrinsic.LinearReLU,
        intrinsic.ConvBn2d,
        intrinsic.ConvBn3d,
        intrinsic.ConvBnReLU2d,
        intrinsic.ConvBnReLU3d,
    )
}
_NORMALIZED = {nn.BatchNorm2d: intrinsic.ConvReLU2d, nn.BatchNorm3d: intrinsic.ConvReLU3d}


def fuse_known_modules(mod_list: Sequence[Module]) -> list[Module]:
    r"""Fuse modules that run one after the other.

    Known sequences are a convolution (2d, 3d), optionally followed by batch normalization,
    optionally by ReLU; and a linear layer followed by ReLU. In evaluation mode the normalization
    is folded into the weight and bias of a copy of the convolution,

    .. math::
        W' = W \gamma r, \quad b' = (b - \mu) r \gamma + \beta, \quad
        r = 1 / \sqrt{\sigma^2 + \epsilon}

    In training mode the modules are kept together in a container. A bias of the convolution has no
    effect there, because the normalization subtracts the mean of the batch: it is removed from
    the convolution and subtracted from the running mean.

    Parameters
    ----------
    mod_list : sequence of Module
        In the order in which they run.

    Returns
    -------
    list of Module
        As many modules: the fused one, then an `Identity` for each of the others. Forward
        pre-hooks of the first and forward hooks of the last module move to the fused one.

    Raises
    ------
    NotSupportedError
        If the sequence is not known, or modules are prepared or quantized already.
    ArgumentError
        If the modules do not fit together: other numbers of channels, a normalization without
        parameters or statistics, some in training and some in evaluation mode.

    Warns
    -----
    UserWarning
        If hooks are lost because what they observe is no longer computed.

    Examples
    --------
    >>> from refquant import nn, quantization
    >>> [type(m).__name__ for m in quantization.fuse_known_modules([nn.Linear(2, 2), nn.ReLU()])]
    ['LinearReLU', 'Identity']
    """
    modules = arguments.sequence("mod_list", mod_list, "a list of modules")
    for module in modules:
        checked_model("mod_list", module)
    names = [str(place) for place in range(len(modules))]
    check_unprepared(dict(zip(names, modules, strict=True)))
    _check_sequence(modules, names)
    if len(modules) > 1 and not modules[0].training and type(modules[1]) in _NORMALIZED:
        fused = _fold(modules)
    else:
        fused = _keep(modules)
    move_hooks(modules[0], "_forward_pre_hooks", fused)
    move_hooks(modules[-1], "_forward_hooks", fused)
    rest = [nn.Identity().train(modules[0].training) for _ in modules[1:]]
    return [fused, *rest]


def _check_sequence(modules: Sequence[Module], names: Sequence[str]) -> None:
    """Raise unless the modules can be fused; changes nothing."""
    what = f"fuse_modules: [{', '.join(names)}]"
    types = tuple(type(module) for module in modules)
    if types not in KNOWN:
        known = "; ".join(", ".join(t.__name__ for t in sequence) for sequence in KNOWN)
        hint = "leave it out of modules_to_fuse, or pass a fuser_func that knows it"
        for sequence in KNOWN:
            if sorted(map(id, types)) == sorted(map(id, sequence)):
                order = sorted(range(len(types)), key=lambda i: sequence.index(types[i]))
                hint = f"list them as they run: {[names[i] for i in order]}"
        done = [n for n, t in zip(names, types, strict=True) if issubclass(t, Fused)]
        if done:
            hint = f"{', '.join(done)} is fused already: {hint}"
        raise NotSupportedError(
            what,
            argument="modules_to_fuse",
            expected=f"one of the sequences {known}",
            got=", ".join(t.__name__ for t in types),
            hint=hint,
        )
    if len({id(module) for module in modules}) < len(modules):
        raise ArgumentError(
            what, argument="modules_to_fuse", expected="different modules", got="one of them twice"
        )
    for name, module in zip(names, modules, strict=True):
        if type(module) in _NORMALIZED:
            _check_normalization(what, names[0], modules[0], name, module)
    if modules[0].training and len(modules) == 3 and getattr(modules[-1], "inplace", False):
        raise ArgumentError(
            what,
            argument=names[-1],
            expected="not in place while training",
            got="ReLU(inplace=True)",
            hint=f"set {names[-1]}.inplace = False",
        )


def _check_normalization(what: str, first: str, conv: Any, name: str, bn: Any) -> None:
    def word(module):
        return "training" if module.training else "evaluation"

    if conv.training is not bn.training:
        raise ArgumentError(
            what,
            argument=name,
            expected=f"in {word(conv)} mode as {first}",
            got=f"{word(bn)} mode",
            hint="call model.eval() before fusing for calibration, model.train() before fusing "
            "for quantization-aware training",
        )
    if bn.num_features != conv.out_channels:
        raise ArgumentError(
            what,
            argument=name,
            expected=f"of {conv.out_channels} features, the channels that {first} returns",
            got=bn.num_features,
        )
    for attribute in ("affine", "track_running_stats"):
        if not getattr(bn, attribute):
            raise ArgumentError(
                what,
                argument=name,
                expected=f"a normalization with {attribute}=True",
                got=f"{attribute}=False",
                hint="leave it out of modules_to_fuse; it then runs in float between DeQuantStub "
                "and QuantStub",
            )


def _fold(modules: list[Module]) -> Module:
    """Fuse in evaluation mode: fold the normalization into a copy of the convolution."""
    bn: Any = modules[1]
    _warn_of_lost_hooks(modules[0], modules[0]._forward_hooks)
    _warn_of_lost_hooks(bn, bn._forward_pre_hooks)
    conv: Any = copy.deepcopy(modules[0])
    conv._forward_hooks.clear()
    conv._forward_pre_hooks.clear()
    channels = conv.out_channels
    bias = np.zeros(channels, np.float32) if conv.bias is None else conv.bias.array
    weight, bias = kernels.fold_batch_norm(
        np.ascontiguousarray(conv.weight.array).reshape(channels, -1),
        bias,
        bn.running_mean.array,
        bn.running_var.array,
        bn.eps,
        bn.weight.array,
        bn.bias.array,
    )
    conv.weight = Parameter(Tensor(weight.reshape(conv.weight.shape)))
    conv.bias = None
    conv.register_parameter("bias", Parameter(Tensor(bias)))
    if len(modules) == 2:
        return conv
    # What the normalization returned is now what the convolution returns.
    move_hooks(bn, "_forward_hooks", conv)
    return _NORMALIZED[type(bn)](conv, modules[2]).train(conv.training)


def _keep(modules: list[Module]) -> Module:
    """Fuse in training mode: keep the modules in a container."""
    conv, second = modules[0], modules[1]
    if type(second) in _NORMALIZED and conv.bias is not None:
        second.running_mean = Tensor(second.running_mean.array - conv.bias.array)
        conv.bias = None
    kind = KNOWN[tuple(type(module) for module in modules)]
    return kind(*modules).train(conv.training)


def _warn_of_lost_hooks(module: Module, hooks: Any) -> None:
    if hooks:
        warnings.warn(
            f"fuse_modules: {len(hooks)} hook(s) between a convolution and its batch "
            f"normalization, registered on {type(module).__name__}, no longer run: folding "
            "makes the two one step.",
            UserWarning,
            stacklevel=5,
        )


def fuse_modules(
    model: AnyModule,
    modules_to_fuse: Sequence[Any],
    inplace: bool = False,
    fuser_func: Callable[[list[Module]], Sequence[Module]] = fuse_known_modules,
) -> AnyModule:
    """Fuse modules that run one after the other; see `fuse_known_modules`.

    Parameters
    ----------
    model : Module
        In evaluation mode for calibration, in training mode for quantization-aware
        training.
    modules_to_fuse : list of str, or list of lists of str
        Dotted names of the modules to fuse, in the order in which they run; one group or several.
    inplace : bool, default False
        Whether to change `model` itself instead of a copy.
    fuser_func : callable, optional
        Takes the list of modules of a group and returns as many that replace them.

    Returns
    -------
    Module
        The model: the fused module replaces the first of each group, an `Identity` each of the
        others.

    Raises
    ------
    ModuleNameError
        If there is no module of a name; the message lists the names there.
    NotSupportedError
        If a sequence is not known, or modules are prepared or quantized already: fusing comes
        first.
    ArgumentError, ArgumentTypeError
        If the modules of a group do not fit together, are in several groups, or names are not
        given as lists. Nothing is changed then.

    Examples
    --------
    >>> from refquant import nn, quantization
    >>> model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU()).eval()
    >>> quantization.fuse_modules(model, [["0", "1", "2"]])
    Sequential(
      (0): ConvReLU2d(
        (0): Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1))
        (1): ReLU()
      )
      (1): Identity()
      (2): Identity()
    )
    """
    checked_model("model", model)
    groups = _checked_groups(modules_to_fuse)
    arguments.function("fuser_func", fuser_func, 1, "the modules of a group are given to it")
    named = {name: model.get_submodule(name) for group in groups for name in group}
    check_unprepared(named)
    if fuser_func is fuse_known_modules:
        for group in groups:
            _check_sequence([model.get_submodule(name) for name in group], group)
    with restored_on_error(model, inplace) as model:
        members = [[model.get_submodule(name) for name in group] for group in groups]
        results = [
            _checked_result(group, modules, fuser_func(modules))
            for group, modules in zip(groups, members, strict=True)
        ]
        for group, result in zip(groups, results, strict=True):
            for path, module in zip(group, result, strict=True):
                above, _, name = path.rpartition(".")
                model.get_submodule(above)._modules[name] = module
        return model


def _checked_groups(groups: Any) -> list[list[str]]:
    """Return the groups as a list of lists; one list of names is one group."""
    hint = "pass a list of names, such as ['conv', 'bn', 'relu'], or a list of such lists"
    if isinstance(groups, str) or not arguments.walks(groups):
        raise ArgumentTypeError(
            argument="modules_to_fuse",
            expected="a list of names or of lists of names",
            got=repr(groups),
            hint=hint,
        )
    groups = list(groups)
    if groups and all(isinstance(name, str) for name in groups):
        groups = [groups]
    seen: set[str] = set()
    checked = []
    for group in groups:
        names = list(group) if isinstance(group, list | tuple) else None
        if not names or not all(isinstance(name, str) for name in names):
            raise ArgumentTypeError(
                argument="modules_to_fuse",
                expected="a list of names or of lists of names",
                got=f"{group!r} in it",
                hint=hint,
            )
        for name in names:
            if name in seen:
                raise ArgumentError(
                    f"{operation_name()}: {name!r}",
                    argument="modules_to_fuse",
                    expected="every name once",
                    got="it twice",
                    hint="give each group a module of its own in the model",
                )
            seen.add(name)
        checked.append(names)
    return checked


def _checked_result(names: list[str], modules: list[Module], result: Any) -> list[Module]:
    if (
        not isinstance(result, list | tuple)
        or len(result) != len(modules)
        or not all(isinstance(module, Module) for module in result)
    ):
        raise ArgumentTypeError(
            f"fuse_modules: [{', '.join(names)}]",
            argument="what fuser_func returned",
            expected=f"a list of {len(modules)} modules",
            got=repr(result),
            hint="return the joined module, then refquant.nn.Identity() for each of the others",
        )
    return list(result)
