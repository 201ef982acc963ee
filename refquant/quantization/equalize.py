r"""Cross-layer equalization: give the channels between two layers equal ranges of weights.

Between two layers there is often nothing but a function for which :math:`f(s x) = s f(x)`, such as
a ReLU. Then channel :math:`i` may be divided by any :math:`s_i > 0` where it leaves the first layer
and multiplied by it where it enters the second: the network computes the same. With one scale for a
whole weight, the widest channel decides how coarsely all are rounded, so the ranges
:math:`r^{(1)}_i` and :math:`r^{(2)}_i` of the two weights are made equal:

.. math:: s_i = \sqrt{r^{(1)}_i / r^{(2)}_i}, \qquad
    \hat r_i = r^{(1)}_i / s_i = r^{(2)}_i \, s_i = \sqrt{r^{(1)}_i \, r^{(2)}_i}

A chain of layers is equalized pair by pair until the weights stay. Source: Nagel et al.,
"Data-Free Quantization Through Weight Equalization and Bias Correction", 2019, section 4.1;
PyTorch's path is ``torch.ao.quantization._equalize``.
"""

import copy
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from refquant import arguments
from refquant._environment import enclose
from refquant.errors import ArgumentError, ArgumentTypeError, OperationError
from refquant.nn.convolution import Conv1d, Conv2d
from refquant.nn.intrinsic.fused import ConvReLU2d, LinearReLU
from refquant.nn.linear import Linear
from refquant.nn.module import Module
from refquant.nn.parameter import Parameter
from refquant.ops.floating.elementwise import reciprocal, sqrt
from refquant.ops.floating.extremes import max as max_
from refquant.ops.floating.extremes import min as min_
from refquant.ops.floating.reductions import norm
from refquant.quantization._checks import checked_model
from refquant.tensors import Tensor

__all__ = [
    "channel_range",
    "converged",
    "cross_layer_equalization",
    "equalize",
    "expand_groups_in_paired_modules_list",
    "get_module_bias",
    "get_module_weight",
    "get_name_by_module",
    "has_bias",
    "max_over_ndim",
    "min_over_ndim",
    "process_paired_modules_list_to_name",
    "set_module_bias",
    "set_module_weight",
]

MOST_ROUNDS = 1000
_LAYERS = (Linear, Conv1d, Conv2d)
_PAIRS = (ConvReLU2d, LinearReLU)


def _layer(argument: str, module: Any) -> Any:
    """Return a layer, or the first member of a fused pair."""
    if type(module) in _LAYERS:
        return module
    if type(module) in _PAIRS:
        return module[0]
    raise ArgumentError(
        argument=argument,
        expected="one of " + ", ".join(kind.__name__ for kind in (*_LAYERS, *_PAIRS)),
        got=type(module).__name__,
    )


def get_module_weight(module: Module) -> Tensor:
    """Return the weight of a layer or of the layer in a fused pair."""
    return _layer("module", module).weight


def set_module_weight(module: Module, weight: Tensor) -> None:
    """Replace the weight of a layer or of the layer in a fused pair."""
    _layer("module", module).weight = Parameter(weight)


def get_module_bias(module: Module) -> Tensor | None:
    """Return the bias of a layer or of the layer in a fused pair."""
    return _layer("module", module).bias


def set_module_bias(module: Module, bias: Tensor) -> None:
    """Replace the bias of a layer or of the layer in a fused pair."""
    _layer("module", module).bias = Parameter(bias)


def has_bias(module: Module) -> bool:
    """Tell whether a layer, or the layer in a fused pair, has a bias."""
    return get_module_bias(module) is not None


def max_over_ndim(input: Tensor, axis_list: list[int], keepdim: bool = False) -> Tensor:
    """Return the largest elements over several dimensions."""
    for axis in sorted(axis_list, reverse=True):
        input = max_(input, axis, keepdim)[0]
    return input


def min_over_ndim(input: Tensor, axis_list: list[int], keepdim: bool = False) -> Tensor:
    """Return the smallest elements over several dimensions."""
    for axis in sorted(axis_list, reverse=True):
        input = min_(input, axis, keepdim)[0]
    return input


def channel_range(input: Tensor, axis: int = 0) -> Tensor:
    """Return the largest minus the smallest element of each channel.

    Parameters
    ----------
    input : Tensor
        A weight.
    axis : int, default 0
        Dimension of the channels.

    Returns
    -------
    Tensor
        One number for each channel.

    Examples
    --------
    >>> import refquant
    >>> from refquant.quantization.equalize import channel_range
    >>> channel_range(refquant.tensor([[1.0, -2.0], [0.5, 0.25]]))
    tensor([3.0000, 0.2500])
    """
    arguments.instance("input", input, Tensor, "a tensor")
    axis = arguments.integer("axis", axis)
    others = [dimension for dimension in range(input.ndim) if dimension != axis]
    return max_over_ndim(input, others) - min_over_ndim(input, others)


def get_name_by_module(model: Module, module: Module) -> str:
    """Return the dotted name of a module in a model."""
    for name, found in checked_model("model", model).named_modules():
        if found is module:
            return name
    raise ArgumentError(
        argument="module",
        expected="a module of the model",
        got=f"another {type(module).__name__}",
    )


def cross_layer_equalization(
    module1: Module, module2: Module, output_axis: int = 0, input_axis: int = 1
) -> None:
    """Make the ranges of the channels between two layers equal.

    Parameters
    ----------
    module1, module2 : Module
        `Linear`, `Conv1d`, `Conv2d`, or one of them fused with a ReLU; both are changed.
    output_axis, input_axis : int
        Dimensions of these channels in the weight of the first and of the second.

    Raises
    ------
    ArgumentError
        If a module is of another type.
    ArgumentTypeError
        If the first has other channels than the second takes.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> from refquant.quantization.equalize import channel_range, cross_layer_equalization
    >>> first, second = nn.Linear(4, 3), nn.Linear(3, 2)
    >>> cross_layer_equalization(first, second)
    >>> ranges = channel_range(first.weight, 0), channel_range(second.weight, 1)
    >>> refquant.allclose(*ranges)
    True
    """
    weight1, bias = _layer("module1", module1).weight.detach(), get_module_bias(module1)
    weight2 = _layer("module2", module2).weight.detach()
    if weight1.size(output_axis) != weight2.size(input_axis):
        raise ArgumentTypeError(
            argument="module2",
            expected=f"a layer of {weight1.size(output_axis)} inputs",
            got=f"one of {weight2.size(input_axis)}",
        )
    scale = sqrt(channel_range(weight1, output_axis) / (channel_range(weight2, input_axis) + 1e-9))
    inverse = reciprocal(scale)
    along_output, along_input = [1] * weight1.ndim, [1] * weight2.ndim
    along_output[output_axis] = along_input[input_axis] = -1
    set_module_weight(module1, weight1 * inverse.reshape(along_output))
    if bias is not None:
        set_module_bias(module1, bias.detach() * inverse)
    set_module_weight(module2, weight2 * scale.reshape(along_input))


def process_paired_modules_list_to_name(model: Module, paired_modules_list: Any) -> Any:
    """Replace the modules in groups by their names, in place."""
    for group in paired_modules_list:
        for i, item in enumerate(group):
            if isinstance(item, Module):
                group[i] = get_name_by_module(model, item)
            else:
                arguments.instance("paired_modules_list", item, str, "lists of modules or names")
    return paired_modules_list


def expand_groups_in_paired_modules_list(paired_modules_list: Any) -> list[list[str]]:
    """Write each group as the pairs of its neighbors.

    Examples
    --------
    >>> from refquant.quantization.equalize import expand_groups_in_paired_modules_list
    >>> expand_groups_in_paired_modules_list([["a", "b", "c"]])
    [['a', 'b'], ['b', 'c']]
    """
    for group in paired_modules_list:
        if len(group) < 2:
            raise ArgumentError(
                argument="paired_modules_list",
                expected="groups of at least two modules",
                got=f"{group}",
            )
    return [list(pair) for group in paired_modules_list for pair in pairwise(group)]


def equalize(
    model: Module, paired_modules_list: Any, threshold: float = 1e-4, inplace: bool = True
) -> Module:
    """Equalize layers that follow one another until their weights stay.

    Parameters
    ----------
    model : Module
        A float model.
    paired_modules_list : list of list of str or Module
        Groups of layers, by name or themselves, with nothing between them but functions such as
        ReLU, for which :math:`f(s x) = s f(x)` if :math:`s > 0`.
    threshold : float, default 1e-4
        Stop when the norms of all changes of weights sum up to less; above 0.
    inplace : bool, default True
        Whether to change `model` itself instead of a copy.

    Returns
    -------
    Module
        The model, which computes the same as before.

    Raises
    ------
    ArgumentError
        If a layer or threshold cannot be used.
    OperationError
        If weights do not settle within 1000 rounds; weights that are not finite never do.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> from refquant.quantization.equalize import equalize
    >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> equalized = equalize(model, [["0", "2"]], inplace=False)
    >>> x = refquant.randn(5, 4)
    >>> refquant.allclose(model(x), equalized(x), atol=1e-5)
    True
    """
    checked_model("model", model)
    threshold = arguments.real("threshold", threshold, 1e-30)
    groups = [
        arguments.sequence("paired_modules_list", group)
        for group in arguments.sequence("paired_modules_list", paired_modules_list)
    ]
    pairs = expand_groups_in_paired_modules_list(process_paired_modules_list_to_name(model, groups))
    model = model if arguments.flag("inplace", inplace) else copy.deepcopy(model)
    layers = {name: model.get_submodule(name) for pair in pairs for name in pair}
    before: dict[str, Any] = dict.fromkeys(layers)
    for _ in range(MOST_ROUNDS):
        if not pairs or converged(layers, before, threshold):
            return model
        for first, second in pairs:
            before[first] = copy.deepcopy(layers[first])
            before[second] = copy.deepcopy(layers[second])
            cross_layer_equalization(layers[first], layers[second])
    raise OperationError(
        argument="model",
        expected=f"weights that settle within {MOST_ROUNDS} rounds",
        got=f"changes of more than {threshold} in the last",
        hint="pass finite weights, or a larger threshold",
    )


def converged(
    curr_modules: Mapping[str, Module], prev_modules: Mapping[str, Any], threshold: float = 1e-4
) -> bool:
    """Tell whether the norms of all changes of weights sum up to less than a threshold.

    Parameters
    ----------
    curr_modules, prev_modules : dict of str to Module
        The layers now and before; None stands for one that was not changed yet.
    threshold : float, default 1e-4
        The sum that counts as no change.

    Examples
    --------
    >>> from refquant import nn
    >>> from refquant.quantization.equalize import converged
    >>> layer = nn.Linear(2, 2)
    >>> converged({"fc": layer}, {"fc": layer}), converged({"fc": layer}, {"fc": None})
    (True, False)
    """
    arguments.mapping("curr_modules", curr_modules)
    arguments.mapping("prev_modules", prev_modules)
    threshold = arguments.real("threshold", threshold)
    if curr_modules.keys() != prev_modules.keys():
        raise ArgumentError(
            argument="prev_modules",
            expected=f"modules for {', '.join(curr_modules)}",
            got=", ".join(prev_modules) or "none",
        )
    if None in prev_modules.values():
        return False
    total = Tensor(norm(get_module_weight(prev_modules[next(iter(prev_modules))])).array * 0)
    for name, module in curr_modules.items():
        total = total + norm(get_module_weight(module) - get_module_weight(prev_modules[name]))
    return bool(total.item() < threshold)


enclose(__name__)
