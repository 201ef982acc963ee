"""Documentation that recurs: written once, and put into the docstrings that name it.

A line of a docstring that holds nothing but ``%(name)s`` stands for the part of that name; what
surrounds it stays, and the part takes over its indentation. Generated stubs show the whole text to
editors, which read sources.
"""

import inspect
import re
import sys
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["PARTS", "document", "documented", "expanded"]

PARTS: dict[str, str] = {
    # Files of models.
    "unreadable_model": """
OSError
    If the file cannot be read.
FileFormatError
    If the file is damaged.
NotSupportedError
    If operators cannot be computed; the message lists all of them, each by name and place.""",
    "model_to_write": """
model : Module or Graph
    See `refquant.oracle.graphs.from_model`.
path : path
    The file, written completely or not at all.
example : Tensor, optional
    An input of the model; a graph needs none.""",
    # Observers.
    "reduce_range": """
reduce_range : bool, default False
    Leave one bit unused: 0..127 or -64..63 instead of 0..255 or -128..127. Some processors add
    products of 8-bit integers in 16 bits, which full ranges overflow.
""",
    "quant_limits": """
quant_min, quant_max : int, optional
    A narrower range of integers, for 2 to 8 bits. It must contain 0.
""",
    "observer_rest": """
factory_kwargs : dict, optional
    Accepted and not used: there is one device.
eps : float, default 2**-23
    The smallest scale. Under 1.4 it cannot be chosen.
is_dynamic : bool, default False
    Whether it is meant for an input that each call quantizes anew; kept as an attribute.
""",
    "range_seen": """
min_val, max_val : Tensor of float32, shape (), or None
    Ends of the range; before anything was seen inf and -inf, under 1.4 None.
""",
    # Modules.
    "convolution_parameters": """
Parameters
----------
in_channels : int
    Channels of the input.
out_channels : int
    Channels of the output.
kernel_size : int or tuple of int
    Size of the filters.
stride : int or tuple of int, default 1
    Step of the window.
padding : int, tuple of int, 'same' or 'valid', default 0
    Width of the border; 'same' keeps the extents, where `stride` is 1, 'valid' is 0.
dilation : int or tuple of int, default 1
    Distance of the elements of a window.
groups : int, default 1
    Parts into which the channels are cut.
bias : bool, default True
    Whether to add a number for each output channel.
padding_mode : str, default 'zeros'
    What stands around the input.""",
    "transposed_parameters": """
Parameters
----------
in_channels, out_channels : int
    Channels of the input and of the output.
kernel_size : int or tuple of int
    Size of the filters.
stride : int or tuple of int, default 1
    Step from filter to filter.
padding : int or tuple of int, default 0
    Elements that are cut off at each border.
output_padding : int or tuple of int, default 0
    Elements that are added behind: fewer than `stride` or `dilation`.
groups : int, default 1
    Parts into which the channels are cut.
bias : bool, default True
    Whether to add a number for each output channel.
dilation : int or tuple of int, default 1
    Distance of the elements of a filter.
padding_mode : str, default 'zeros'
    What stands around the input.""",
    "batch_norm_parameters": """
Parameters
----------
num_features : int
    Channels.
eps : float, default 1e-05
    Added to the variance.
momentum : float, optional
    Weight of a batch in the running statistics; None averages all.
affine : bool, default True
    Whether there are a factor and a shift for each channel.
track_running_stats : bool, default True
    Whether to keep statistics for evaluation.""",
    "filled": """
Parameters
----------
tensor : Tensor
    Filled in place, without a gradient.""",
    "source": """
generator : Generator, optional
    Source of the numbers; by default the one that `refquant.manual_seed` starts.""",
    "itself": """
Returns
-------
Tensor
    `tensor` itself.""",
    "ax": """
ax : matplotlib.axes.Axes, optional
    Where to draw; new ones by default.

Returns
-------
matplotlib.axes.Axes""",
    "shares_storage": """
Returns
-------
Tensor
    Shares storage with `input`.""",
    "plain_or_quantized": """
Parameters
----------
input : Tensor
    Plain or quantized.""",
    "recurrent_layers": """
Parameters
----------
input_size, hidden_size : int
    Features of a step, and of the state.
num_layers : int
    Layers; each reads the states of the one before.
bias : bool
    Whether there are biases.
batch_first : bool
    Whether sequences come as (batch, time, features) instead of (time, batch, features).
dropout : float
    Probability with which training drops what one layer hands to the next.
bidirectional : bool
    Whether each layer also reads from the end; the states are put side by side.""",
    "attention": """
Parameters
----------
embed_dim : int
    Features of queries and results.
num_heads : int
    Heads, which share the features.
dropout : float, default 0.0
    Probability with which training drops a weight.
bias : bool, default True
    Whether linear layers have biases.
add_bias_kv : bool, default False
    Whether one key and one value are parameters.
add_zero_attn : bool, default False
    Whether one key and one value are zero.
kdim, vdim : int, optional
    Features of keys and values; `embed_dim` if not given.
batch_first : bool, default False
    Whether sequences come as (batch, time, features) instead of (time, batch, features).""",
    "recurrent_cell": """
Parameters
----------
input_size, hidden_size : int
    Features of the input, and of the state.
bias : bool, default True
    Whether there are biases.""",
    "any_shape": """
Parameters
----------
input : Tensor
    The operand, of any shape.""",
    "only_inplace": """
Parameters
----------
%(inplace)s""",
    "scheduled": """
optimizer : Optimizer
    Whose step sizes are set.""",
    "reduction": """
reduction : {'mean', 'sum', 'none'}
    What becomes of the elements.""",
    "gain": """
gain : float, default 1.0
    Factor of the spread, see `calculate_gain`.""",
    "example": """
Examples
--------
>>> import refquant""",
    # Operations on quantized tensors.
    "per_tensor": """
Parameters
----------
input : QuantizedTensor
    Quantized per tensor, any shape and layout.""",
    "of_any_scheme": """
Parameters
----------
input : QuantizedTensor
    Of any scheme.""",
    "image_per_tensor": """
Parameters
----------
input : QuantizedTensor, shape (batch, channels, height, width)
    Quantized per tensor; the batch may be left out.""",
    "sequence_per_tensor": """
Parameters
----------
input : QuantizedTensor, shape (batch, channels, length)
    Quantized per tensor; the batch may be left out.""",
    "volume_per_tensor": """
Parameters
----------
input : QuantizedTensor, shape (batch, channels, depth, height, width)
    Quantized per tensor; the batch may be left out.""",
    "real_input": """
Parameters
----------
input : Tensor or ndarray of float32
    Real values, any shape and layout.""",
    "inplace": """
inplace : bool, default False
    Whether to change the operand instead of making a new tensor.""",
    "quantizer_of_result": """
scale : float
    Real units of one quantized step of the result.
zero_point : int
    The integer that stands for real zero in the result, in the range of its dtype.""",
    "output_quantizer": """
output_scale : float
    Real units of one quantized step of the result.
output_zero_point : int
    The integer that stands for real zero in the result, in the range of its dtype.""",
    "like_input": """
Returns
-------
QuantizedTensor
    With the parameters and in the memory format of `input`.""",
    "input_itself": """
Returns
-------
QuantizedTensor
    `input`.""",
    "unless_per_tensor": """
Raises
------
QuantizerError
    If `input` is not quantized per tensor.""",
    "unless_valid_quantizer": """
DtypeError
    If `dtype` is not quantized.
QuantizationParameterError
    If scale or zero point is not valid, or there is not one for each slice.""",
    "packed_linear": """
W_prepack : PackedLinear
    As `linear_prepack` returns it.""",
    "one_to_two": """
Examples
--------
>>> import refquant
>>> x = refquant.quantize_per_tensor(refquant.tensor([1.0, 2.0]), 0.5, 8, refquant.quint8)""",
    "one_and_less": """
Examples
--------
>>> import refquant
>>> x = refquant.quantize_per_tensor(refquant.tensor([1.0, -2.0]), 0.5, 8, refquant.quint8)""",
    "pixels_0_to_15": """
Examples
--------
>>> import refquant
>>> from refquant.nn.quantized import functional as F
>>> x = refquant.arange(16.0).reshape(1, 1, 4, 4)
>>> q = refquant.quantize_per_tensor(x, 1.0, 0, refquant.quint8)""",
    "from_ops": """
Examples
--------
>>> import refquant
>>> from refquant.ops import quantized""",
    "from_functional": """
Examples
--------
>>> import refquant
>>> from refquant.nn.quantized import functional as F""",
    # The workflow: mappings of types, fusion, modules for quantization-aware training.
    "mapping_of_now": """
Returns
-------
dict of type to type
    A copy, for the release of the engine that is chosen now.""",
    "fuse_modules": """
modules_to_fuse : list of str, or list of lists of str
    Dotted names of the modules to fuse, in the order in which they run; one group or several.
inplace : bool, default False
    Whether to change `model` itself instead of a copy.
fuser_func : callable, optional
    Takes the list of modules of a group and returns as many that replace them. One that takes
    three arguments is also given whether it is for training, and the additional methods.
fuse_custom_config_dict : mapping, optional
    Its entry ``"additional_fuser_method_mapping"`` is that of `fuse_known_modules`.

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
    If the modules of a group do not fit together, are in the wrong mode or in several groups, or
    names are not given as lists. Nothing is changed then.""",
    "fuse_normalized": """
Parameters
----------
is_qat : bool
    Whether to keep them for training instead of folding the normalization.
*modules : Module
    In the order in which they run.

Returns
-------
Module
    The fused module.

Raises
------
NotSupportedError, ArgumentError
    If the modules are of other types, or do not fit together.""",
    "qconfig": """
qconfig : QConfig
    What makes the fake quantization of output and weight.

Raises
------
ArgumentError
    If there is no `qconfig`.""",
    "qat_convolution": """
Parameters
----------
in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode
    As of the float convolution.
%(qconfig)s""",
    "qat_linear": """
Parameters
----------
in_features, out_features : int
    Length of the last dimension of input and output.
bias : bool, default True
    Whether there is a bias.
%(qconfig)s""",
    "normalization_settings": """
eps, momentum
    As of the batch normalization.
freeze_bn : bool, default False
    Whether to normalize with the running statistics in training, too.
%(qconfig)s""",
    "qat_normalized": """
Parameters
----------
in_channels, out_channels, kernel_size, stride, padding, dilation, groups, padding_mode, bias
    As of the float convolution; there is no bias by default. PyTorch 2.13 has `bias` before
    `padding_mode`: positional arguments in that order are understood.
%(normalization_settings)s""",
}

_Documented = TypeVar("_Documented", bound=Callable[..., Any])
_NAMED = re.compile(r"^(?P<indent> *)%\((?P<name>\w+)\)s$", re.MULTILINE)


def expanded(text: str, parts: dict[str, str]) -> str:
    r"""Replace the lines that name a part.

    Parameters
    ----------
    text : str
        A docstring.
    parts : dict of str
        Parts of this docstring alone; `PARTS` has the others.

    Returns
    -------
    str

    Raises
    ------
    KeyError
        If there is no part of a name.

    Examples
    --------
    >>> from refquant._documentation import expanded
    >>> print(expanded("Sum.\n\n%(result)s", {"result": "Returns a tensor."}))
    Sum.
    <BLANKLINE>
    Returns a tensor.
    """

    def part(found: re.Match[str]) -> str:
        name, indent = found["name"], found["indent"]
        text = expanded(parts[name] if name in parts else PARTS[name], parts)
        lines = text.strip("\n").split("\n")
        return "\n".join(indent + line if line else line for line in lines)

    return _NAMED.sub(part, text)


def documented(**parts: str) -> Callable[[_Documented], _Documented]:
    """Decorate a function or class: expand its docstring.

    Parameters
    ----------
    **parts : str
        Parts of this docstring alone.

    Returns
    -------
    callable
        Takes the function or class and returns it.

    Examples
    --------
    >>> from refquant._documentation import documented
    >>> @documented(formula="Twice the operand.")
    ... def twice(x):
    ...     '''Compute.
    ...
    ...     %(formula)s
    ...     '''
    >>> "Twice the operand." in twice.__doc__
    True
    """

    def decorate(target: _Documented) -> _Documented:
        if target.__doc__ is not None:  # python -OO removes docstrings
            target.__doc__ = expanded(target.__doc__, parts)
        return target

    return decorate


def document(module: str, **parts: str) -> None:
    """Expand the docstrings of all functions, classes and methods that a module defines.

    Parameters
    ----------
    module : str
        The ``__name__`` of the module, which calls this at its end.
    **parts : str
        Parts of this module alone.

    Examples
    --------
    >>> from refquant._documentation import document
    >>> document(__name__)
    """
    found = [value for value in vars(sys.modules[module]).values() if _is_of(module, value)]
    for value in found:
        documented(**parts)(value)
        if isinstance(value, type):
            for member in vars(value).values():
                member = getattr(member, "__func__", member)  # of a classmethod
                if inspect.isfunction(member):
                    documented(**parts)(member)


def _is_of(module: str, value: Any) -> bool:
    return (inspect.isfunction(value) or isinstance(value, type)) and value.__module__ == module
