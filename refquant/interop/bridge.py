"""Values and modules of one library made of those of the other, by what they offer.

A *container*, and a class of the user's own, is what its submodules are. A *layer* of the library
is built by its constructor, whose parameters bear the names of attributes, and filled with its
state. An *observer* is a layer that is attached to the output of a module.
"""

import functools
import inspect
import operator
from collections.abc import Mapping
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from refquant import dtypes
from refquant.errors import NotSupportedError, RefquantError
from refquant.interop.functions import Functions
from refquant.interop.libraries import REFQUANT, Library
from refquant.nn.module import Module
from refquant.quantization._observing import NAME, observe_input, observe_output

__all__ = ["Bridge"]

_CONTAINERS = ("Sequential", "ModuleList", "ModuleDict", "QuantWrapper")
_FUNCTIONALS = ("FloatFunctional", "QFunctional")
_CODE = (ModuleType, type, FunctionType, MethodType, BuiltinFunctionType)
_PLAIN = (type(None), bool, int, float, complex, str, bytes, slice, type(Ellipsis))
# What the libraries keep in the attributes of a module.
_KEPT = ("_parameters", "_buffers", "_modules", "_transient", "_non_persistent_buffers_set",
         "_is_full_backward_hook")  # fmt: skip
# A parameter of base classes that the class itself gives.
_OWN = "mode"
_NONE = inspect.Parameter.empty
_OBSERVING = ("observe_output", "_observer_forward_hook")
_OBSERVING_INPUT = ("observe_input", "_observer_forward_pre_hook")


class Bridge:
    """One conversion: what was converted, and what cannot be.

    Parameters
    ----------
    source, target : Library
        Between which to convert.
    """

    def __init__(self, source: Library, target: Library):
        self.source, self.target = source, target
        self.functions = Functions(source, target, self.value)
        self.unsupported: dict[str, str] = {}
        self._known: dict[int, tuple[Any, Any]] = {}
        self._path = ""

    def convert(self, thing: Any) -> Any:
        """Convert a value, or raise one error that lists all that cannot be converted."""
        made = self.value(thing)
        faults = [f"{path or 'the value'}: {fault}" for path, fault in self.unsupported.items()]
        faults += sorted(self.functions.missing)
        if faults:
            listed = "\n  ".join(faults)
            raise NotSupportedError(
                f"{self.target.root} has nothing in the place of\n  {listed}\n  ",
                hint="replace these modules and names, or convert the parts that are supported",
            )
        return made

    def value(self, value: Any) -> Any:
        """Convert a value of any kind; what belongs to neither library is kept."""
        if isinstance(value, _PLAIN) and type(value) in _PLAIN:
            return value
        if id(value) in self._known:
            return self._known[id(value)][1]
        made = self._value(value)
        self._known[id(value)] = value, made
        return made

    def _value(self, value: Any) -> Any:
        source, package = self.source, self.target.package
        if isinstance(value, _CODE):
            return self.functions.convert(value)
        if source.made(value, "Tensor"):
            return self._tensor(value)
        if source.made(value, "Module"):
            return self._module(value)
        if source.made(value, "dtype", "qscheme", "memory_format"):
            name = repr(value).rpartition(".")[2]
            found = getattr(package, name, None)
            return self._unsupported(f"{source.root}.{name}") if found is None else found
        if source.made(value, "device"):
            return package.device(str(value))
        if source.made(value, "Size"):
            return package.Size(value)
        if source.made(value, "_PartialWrapper"):
            return self._factory(value.p.func, value.p.keywords)
        if source.made(value, "Factory"):
            return self._factory(value.cls, value.keywords)
        if isinstance(value, functools.partial):
            parts = self.value((value.func, value.args, value.keywords))
            return functools.partial(parts[0], *parts[1], **parts[2])
        if isinstance(value, Mapping):
            items = [self._at(str(key), item) for key, item in value.items()]
            if all(map(operator.is_, items, value.values())):
                return value
            pairs = zip(map(self.value, value), items, strict=True)
            return type(value)(pairs) if isinstance(value, dict) else dict(pairs)
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            kind, parts = self.functions.convert(type(value)), [*map(self.value, value)]
            # What is missing was noted, and None may not stand in its place.
            lost = any(a is None and b is not None for a, b in zip(parts, value, strict=True))
            return None if lost or kind is None else kind(*parts)
        if isinstance(value, list | tuple | set | frozenset):
            items = [*map(self.value, value)]
            return value if all(map(operator.is_, items, value)) else type(value)(items)
        if source.owns(type(value)):
            kind = type(value)
            return self._unsupported(f"an object of {kind.__module__}.{kind.__name__}")
        return value

    def _unsupported(self, fault: str) -> None:
        self.unsupported[self._path] = fault

    def _at(self, name: str, value: Any) -> Any:
        before, self._path = self._path, f"{self._path}.{name}" if self._path else name
        try:
            return self.value(value)
        finally:
            self._path = before

    def _factory(self, cls: Any, keywords: Any) -> Any:
        made = self.functions.convert(cls)
        return made and made.with_args(**self.value(keywords))

    # -- tensors -------------------------------------------------------------------------------

    def _tensor(self, tensor: Any) -> Any:
        if tensor.is_quantized:
            if "per_tensor" in str(tensor.qscheme()):
                quantizer = tensor.q_scale(), tensor.q_zero_point(), None
            else:
                scales = tensor.q_per_channel_scales().numpy()
                zeros = tensor.q_per_channel_zero_points().numpy()
                quantizer = scales, zeros, tensor.q_per_channel_axis()
            integers = tensor.int_repr().numpy()
            name = str(tensor.dtype).rpartition(".")[2]
            if dtypes.BY_NAME[name].bits < 8:
                return self.target.few_bits(integers, tuple(tensor.shape), name, *quantizer)
            return self.target.quantized(integers, *quantizer)
        try:
            array = tensor.detach().cpu().numpy()
        except TypeError:  # NumPy has no such dtype
            return self._unsupported(f"a tensor of {tensor.dtype}")
        made = self.target.tensor(array)
        if self.source.made(tensor, "Parameter"):
            return self.target.package.nn.Parameter(made, tensor.requires_grad)
        return made.requires_grad_() if tensor.requires_grad and tensor.is_leaf else made

    # -- modules -------------------------------------------------------------------------------

    def _module(self, module: Any) -> Any:
        kind = type(module)
        own = not self.source.owns(kind)
        cls = self.functions.convert(kind) if own else self.target.counterpart(self.source, kind)
        container = own or self._is_container(module)
        if container or cls is None:
            children = {name: self._at(name, child) for name, child in module._modules.items()}
        if cls is None:
            return self._unsupported(f"{kind.__module__}.{kind.__name__}")
        try:
            if container:
                made = self._bare(module, cls, children)
            else:
                made = self._layer(module, cls)
        except RefquantError as error:
            return self._unsupported(f"{kind.__name__}: {error}")
        parts = dict(made.named_modules())
        for name, part in module.named_modules():
            if name in parts:
                parts[name].training = part.training
        if "qconfig" in vars(module):
            made.qconfig = self.value(module.qconfig)
        self._known[id(module)] = module, made  # hooks may name it
        self._attach(module, made)
        return made

    def _is_container(self, module: Any) -> bool:
        kind = type(module)
        # What derives from a container and is a layer as well is built as a layer.
        return kind.__name__ in _CONTAINERS or (
            self.source.made(module, "Sequential") and not hasattr(module, "weight")
        )

    def _bare(self, module: Any, cls: Any, children: dict[str, Any]) -> Any:
        """Make an object without its constructor, and give it what the module holds."""
        made = cls.__new__(cls)
        self.target.package.nn.Module.__init__(made)
        for name, value in vars(module).items():
            if name not in _KEPT and not name.endswith(("_hooks", "_hooks_with_kwargs", "_called")):
                vars(made)[name] = self._at(name, value)
        held = vars(module)
        transient = held.get("_transient") or held.get("_non_persistent_buffers_set") or ()
        for name, parameter in module._parameters.items():
            made.register_parameter(name, self._at(name, parameter))
        for name, buffer in module._buffers.items():
            made.register_buffer(name, self._at(name, buffer), persistent=name not in transient)
        for name, child in children.items():
            made._modules[name] = child
        return made

    def _layer(self, module: Any, cls: type) -> Any:
        made = cls(**self._arguments(module, cls))
        if callable(getattr(module, "set_weight_bias", None)):
            if callable(getattr(module, "get_weight", None)):  # of several layers
                made.set_weight_bias(self.value({**module.get_weight(), **module.get_bias()}))
                return made
            made.set_weight_bias(self.value(module.weight()), self.value(module.bias()))
            made.scale, made.zero_point = float(module.scale), int(module.zero_point)
            return made
        inner = hasattr(module, "calculate_qparams")  # then the observer is a part of the layer
        state = {
            name: self.value(value)
            for name, value in module.state_dict().items()
            if inner or not name.startswith(f"{NAME}.")
        }
        made.load_state_dict(state)
        return made

    def _arguments(self, module: Any, cls: type) -> dict[str, Any]:
        """Choose arguments of a constructor by the attributes of the same names."""
        given = {}
        known = _parameters(cls)
        for name in known:
            value = self._attribute(module, name)
            if value is not _NONE:
                given[name] = value
        if given.get("reduce_range") and given.get("quant_max") is not None:
            given["reduce_range"] = False  # the range that is given is reduced already
        inner = module._modules.get(NAME)
        if "observer" in known and inner is not None:
            kind = self.target.counterpart(self.source, type(inner))
            given = {**self._arguments(inner, kind), **given, "observer": kind}
        for name, default in _parameters(type(module)).items():
            kept = getattr(module, name, default)
            if name not in known and isinstance(kept, _PLAIN) and default not in (_NONE, kept):
                raise NotSupportedError(argument=name, expected=f"{default!r}", got=repr(kept))
        return given

    def _attribute(self, module: Any, name: str) -> Any:
        if name in ("bias", "bias_"):
            value = getattr(module, "bias", _NONE)
            value = value() if callable(value) and value is not _NONE else value
            return value if value is _NONE or isinstance(value, bool) else value is not None
        chosen = getattr(module, "has_customized_qrange", True)
        if name in ("quant_min", "quant_max") and not chosen:
            return _NONE
        for part in ("", "bn", "_packed_params"):
            value = getattr(getattr(module, part, None) if part else module, name, _NONE)
            if value is not _NONE and not callable(value):
                one = self.source.made(value, "Tensor") and value.numel() == 1
                return value.item() if one else self.value(value)
        return _NONE

    def _attach(self, module: Any, made: Any) -> None:
        """Convert observers of input and output, and hooks of the user's."""
        observer = module._modules.get(NAME)
        if observer is not None and not hasattr(module, "calculate_qparams"):
            made._modules[NAME] = self._at(NAME, observer)
        for hooks, watching in (
            ("_forward_pre_hooks", _OBSERVING_INPUT),
            ("_forward_hooks", _OBSERVING),
        ):
            register = f"register{hooks.removesuffix('s')}"
            for hook in getattr(module, hooks).values():
                if getattr(hook, "__name__", "") in watching:
                    self._observe(made, hooks == "_forward_pre_hooks")
                else:
                    getattr(made, register)(self.value(hook))

    def _observe(self, made: Any, before: bool) -> None:
        if self.target is REFQUANT and isinstance(made, Module):
            if before:
                made.register_forward_pre_hook(observe_input)
            else:
                made.register_forward_hook(observe_output)
            return
        quantize = self.target.package.ao.quantization.quantize
        quantize._register_activation_post_process_hook(made, pre_hook=before)


def _parameters(cls: type) -> dict[str, Any]:
    """Collect the parameters of a constructor, and of those above that it hands others on to."""
    found: dict[str, Any] = {}
    for kind in cls.__mro__:
        if "__init__" not in vars(kind):
            continue
        parameters = inspect.signature(vars(kind)["__init__"]).parameters.values()
        named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        left_out = ("self",) if kind is cls else ("self", _OWN)
        found = {**{p.name: p.default for p in named if p.name not in left_out}, **found}
        if all(p.kind != p.VAR_KEYWORD for p in parameters):
            break
    return found
