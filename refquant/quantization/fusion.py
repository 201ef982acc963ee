"""Fusing convolution, batch normalization and ReLU, which quantization treats as one module."""

from collections.abc import Callable, Sequence
from typing import Any

from refquant import arguments, engines, nn
from refquant._documentation import documented
from refquant._environment import enclose
from refquant._operation import operation_name
from refquant.errors import ArgumentError, ArgumentTypeError
from refquant.nn.module import AnyModule, Module
from refquant.quantization._checks import check_unprepared, checked_model, checked_settings
from refquant.quantization._rollback import restored_on_error
from refquant.quantization._swapping import move_hooks
from refquant.quantization.fuser_methods import check_sequence, fuse

__all__ = ["fuse_known_modules", "fuse_modules", "fuse_modules_qat"]


def fuse_known_modules(
    mod_list: Sequence[Module], is_qat: Any = None, additional_fuser_method_mapping: Any = None
) -> list[Module]:
    r"""Fuse modules that run one after the other.

    Known sequences are a convolution (1d, 2d, 3d), optionally followed by batch normalization,
    optionally by ReLU; a linear layer followed by batch normalization or by ReLU; a transposed
    convolution followed by batch normalization; and batch normalization (2d, 3d) followed by ReLU.
    In evaluation mode the normalization is folded into the weight and bias of a copy of the layer,

    .. math::
        W' = W \gamma r, \quad b' = (b - \mu) r \gamma + \beta, \quad
        r = 1 / \sqrt{\sigma^2 + \epsilon}

    (a linear layer multiplies by :math:`\gamma r` at once). For training the modules are kept
    together in a container. A bias of the layer has no effect there, because the normalization
    subtracts the mean of the batch. Under the engines of PyTorch 1.4 it is removed from the
    convolution and subtracted from the running mean.

    Parameters
    ----------
    mod_list : sequence of Module
        In the order in which they run.
    is_qat : bool, optional
        Whether to keep normalization for training; by default no, but under the engines of
        PyTorch 1.4 where the modules are in training mode.
    additional_fuser_method_mapping : mapping, optional
        From tuples of types to functions ``method(is_qat, *modules)`` that return the fused
        module; it wins over the known sequences.

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
        statistics, some in training and some in evaluation mode.

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
    additional = checked_settings(
        "additional_fuser_method_mapping", additional_fuser_method_mapping
    )
    for module in modules:
        checked_model("mod_list", module)
    names = [str(place) for place in range(len(modules))]
    check_unprepared(dict(zip(names, modules, strict=True)))
    is_qat = arguments.flag_or_none("is_qat", is_qat)
    types = tuple(type(module) for module in modules)
    if types in additional:
        fused = additional[types](bool(is_qat), *modules)
    else:
        check_sequence(modules, names, is_qat)
        fused = fuse(modules, is_qat)
    move_hooks(modules[0], "_forward_pre_hooks", fused)
    move_hooks(modules[-1], "_forward_hooks", fused)
    rest = [nn.Identity().train(modules[0].training) for _ in modules[1:]]
    return [fused, *rest]


@documented()
def fuse_modules(
    model: AnyModule,
    modules_to_fuse: Sequence[Any],
    inplace: bool = False,
    fuser_func: Callable[..., Any] = fuse_known_modules,
    fuse_custom_config_dict: Any = None,
) -> AnyModule:
    """Fuse modules that run one after the other; see `fuse_known_modules`.

    Parameters
    ----------
    model : Module
        In evaluation mode. Under the engines of PyTorch 1.4 a model in training mode is fused for
        quantization-aware training, as by `fuse_modules_qat`.
    %(fuse_modules)s

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
    is_qat = None if engines.current().workflow.fuses_in_training else False
    return _fuse_groups(
        model, modules_to_fuse, is_qat, inplace, fuser_func, fuse_custom_config_dict
    )


@documented()
def fuse_modules_qat(
    model: AnyModule,
    modules_to_fuse: Sequence[Any],
    inplace: bool = False,
    fuser_func: Callable[..., Any] = fuse_known_modules,
    fuse_custom_config_dict: Any = None,
) -> AnyModule:
    """Fuse modules for quantization-aware training: normalization is kept, not folded.

    Parameters
    ----------
    model : Module
        In training mode, as a rule.
    %(fuse_modules)s

    Examples
    --------
    >>> from refquant import nn, quantization
    >>> model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU())
    >>> type(quantization.fuse_modules_qat(model, [["0", "1", "2"]])[0]).__name__
    'ConvBnReLU2d'
    """
    return _fuse_groups(model, modules_to_fuse, True, inplace, fuser_func, fuse_custom_config_dict)


def _fuse_groups(model, modules_to_fuse, is_qat, inplace, fuser_func, settings):
    checked_model("model", model)
    groups = _checked_groups(modules_to_fuse)
    settings = checked_settings("fuse_custom_config_dict", settings)
    additional = settings.get("additional_fuser_method_mapping", {})
    call = _caller(fuser_func, is_qat, additional)
    named = {name: model.get_submodule(name) for group in groups for name in group}
    check_unprepared(named)
    if fuser_func is fuse_known_modules:
        for group in groups:
            modules = [model.get_submodule(name) for name in group]
            if tuple(type(module) for module in modules) not in additional:
                check_sequence(modules, group, is_qat)
    with restored_on_error(model, inplace) as model:
        members = [[model.get_submodule(name) for name in group] for group in groups]
        results = [
            _checked_result(group, modules, call(modules))
            for group, modules in zip(groups, members, strict=True)
        ]
        for group, result in zip(groups, results, strict=True):
            for path, module in zip(group, result, strict=True):
                above, _, name = path.rpartition(".")
                model.get_submodule(above)._modules[name] = module
        return model


def _caller(fuser_func: Any, is_qat: bool | None, additional: Any) -> Callable[[list], Any]:
    """Return how to call a function that fuses: 2.13 hands three arguments to it, 1.4 one."""
    if callable(fuser_func) and arguments.fits(fuser_func, [], is_qat, additional):
        return lambda modules: fuser_func(modules, is_qat, additional)
    arguments.function("fuser_func", fuser_func, 1, "the modules of a group are given to it")
    return fuser_func


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


enclose(__name__)
