"""`Module`: the base class of everything that has parameters, buffers or submodules."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

from refquant import arguments, dtypes, html
from refquant._paths import absent
from refquant.errors import (
    ArgumentError,
    ArgumentTypeError,
    MissingNameError,
    NotSupportedError,
)
from refquant.nn import state
from refquant.nn.hooks import Hooked
from refquant.nn.parameter import Parameter
from refquant.nn.traversal import ModuleTree
from refquant.ops import layout
from refquant.tensors import Tensor
from refquant.tensors.hooks import RemovableHandle

__all__ = ["Module", "RemovableHandle"]

# A function that takes a model and returns one of the same type.
AnyModule = TypeVar("AnyModule", bound="Module")


class Module(Hooked, ModuleTree):
    """A piece of a network: parameters, buffers, submodules and a ``forward``.

    Assigning a `Parameter` or a `Module` to an attribute registers it; `register_buffer` keeps
    a tensor that is not learned.

    Examples
    --------
    >>> import refquant
    >>> class Net(refquant.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.fc = refquant.nn.Identity()
    ...     def forward(self, x):
    ...         return self.fc(x)
    >>> Net()
    Net(
      (fc): Identity()
    )
    """

    _version = 1
    training: bool

    def __init__(self) -> None:
        set_plain = super().__setattr__
        set_plain("training", True)
        for name in ("_parameters", "_buffers", "_modules", "_forward_hooks", "_forward_pre_hooks"):
            set_plain(name, OrderedDict())
        set_plain("_transient", set())

    if not TYPE_CHECKING:  # where it is declared to accept anything, as subclasses differ

        def forward(self, *inputs):
            """Compute the output; every subclass defines its own."""
            raise NotSupportedError(
                f"{type(self).__name__} has no forward", hint="define forward(self, ...)"
            )

    # -- attributes ----------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        attributes = self.__dict__
        if "_parameters" not in attributes:
            if isinstance(value, Parameter | Module):
                raise ArgumentTypeError(
                    f"cannot assign {name!r}", hint="call super().__init__() first"
                )
            super().__setattr__(name, value)
            return
        if isinstance(value, Parameter):
            self._forget(name)
            self._parameters[name] = value
        elif isinstance(value, Module):
            self._forget(name, keep=self._modules)
            self._modules[name] = value
        elif name in self._parameters:
            if value is not None:
                raise ArgumentTypeError(
                    f"cannot assign parameter {name!r}",
                    expected="a Parameter or None",
                    got=type(value).__name__,
                    hint="wrap it in refquant.nn.Parameter()",
                )
            self._parameters[name] = None
        elif name in self._modules:
            if value is not None:
                raise ArgumentTypeError(
                    f"cannot assign submodule {name!r}",
                    expected="a Module or None",
                    got=type(value).__name__,
                )
            self._modules[name] = None
        elif name in self._buffers and (value is None or isinstance(value, Tensor)):
            self._buffers[name] = value
        else:
            super().__setattr__(name, value)

    def _forget(self, name: str, keep: dict | None = None) -> None:
        for place in (self.__dict__, self._parameters, self._buffers, self._modules):
            if place is not keep:
                place.pop(name, None)

    def __getattr__(self, name: str) -> Any:
        for place in ("_modules", "_parameters", "_buffers"):
            registered = self.__dict__.get(place)
            if registered is not None and name in registered:
                return registered[name]
        missing = absent(f"Module.{name}", MissingNameError, "refquant.nn")
        raise missing or AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __delattr__(self, name: str) -> None:
        for place in (self._modules, self._parameters, self._buffers):
            if name in place:
                del place[name]
                return
        super().__delattr__(name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._parameters, *self._buffers, *self._modules})

    def _check_name(self, name: str) -> None:
        if not isinstance(name, str) or not name or "." in name:
            raise ArgumentError(
                argument="name",
                expected="a non-empty string without dots",
                got=arguments.describe(name),
            )
        places = self._parameters, self._buffers, self._modules
        if hasattr(self, name) and not any(name in place for place in places):
            raise ArgumentError(
                argument="name", expected="a name that no other attribute has", got=repr(name)
            )

    def register_parameter(self, name: str, parameter: Parameter | None) -> None:
        """Add a parameter; None keeps the name without one."""
        self._check_name(name)
        if parameter is not None:
            arguments.instance(
                "parameter",
                parameter,
                Parameter,
                "a Parameter or None",
                "wrap it in refquant.nn.Parameter()",
            )
        self._forget(name)
        self._parameters[name] = parameter

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that is kept in the state (if `persistent`) but not learned."""
        self._check_name(name)
        if tensor is not None:
            arguments.instance("tensor", tensor, Tensor, "a tensor or None")
        persistent = arguments.switch("persistent", persistent)
        self._forget(name)
        self._buffers[name] = tensor
        self._transient.discard(name)
        if not persistent:
            self._transient.add(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a submodule under a name."""
        self._check_name(name)
        if module is not None:
            arguments.instance("module", module, Module, "a Module or None")
        self._forget(name, keep=self._modules)
        self._modules[name] = module

    def apply(self, function: Callable[[Module], Any]) -> Self:
        """Call ``function(module)`` for every submodule and then for the module itself.

        Raises
        ------
        ArgumentTypeError
            If `function` cannot be called with one argument; then it is never called.
        """
        arguments.function("function", function, given=1)
        self._apply_each(function)
        return self

    def _apply_each(self, function: Callable[[Module], Any]) -> None:
        for child in self.children():
            child._apply_each(function)
        function(self)

    # -- mode and type -------------------------------------------------------------------------

    def train(self, mode: bool = True) -> Self:
        """Switch the module and all below it to training (or evaluation); returns it."""
        self.training = mode = arguments.flag("mode", mode)
        for child in self.children():
            child.train(mode)
        return self

    def eval(self) -> Self:
        """Switch the module and all below it to evaluation; returns it."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set for every parameter whether operations on it are recorded; returns the module."""
        requires_grad = arguments.flag("requires_grad", requires_grad)
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.grad = None

    def _convert(self, dtype: dtypes.dtype) -> Self:
        for module in self.modules():
            for tensor in (*module._parameters.values(), *module._buffers.values()):
                if tensor is not None and not tensor.is_quantized and tensor.is_floating_point():
                    tensor.array = tensor.array.astype(dtype.numpy)
                    if tensor.grad is not None:
                        tensor.grad = Tensor(tensor.grad.array.astype(dtype.numpy))
        return self

    def to(
        self,
        *target: Any,
        dtype: dtypes.dtype | None = None,
        device: Any = None,
        non_blocking: Any = False,
        memory_format: Any = None,
    ):
        """Convert all floating-point parameters and buffers to a dtype; returns the module.

        Parameters
        ----------
        *target : dtype, 'cpu', device or Tensor
            A floating-point dtype; a tensor stands for its dtype, and a device, of which there is
            one, changes nothing.
        dtype : dtype, optional
            The same by keyword.
        device : 'cpu' or device, optional
            The same by keyword.
        non_blocking : bool
            Accepted.
        memory_format : memory_format, optional
            Order in memory of parameters and buffers of four dimensions, or of five.

        Raises
        ------
        ArgumentTypeError
            If `target` or `dtype` is not floating point; then nothing is converted.

        Examples
        --------
        >>> import refquant
        >>> refquant.nn.Linear(1, 1).to(refquant.device("cpu"), refquant.float64).weight.dtype
        refquant.float64
        """
        for item in target:
            if isinstance(item, str):
                device = item
            elif not isinstance(item, bool):  # non_blocking
                dtype = item.dtype if isinstance(item, Tensor) else item
        if device is not None:
            dtypes.device(device)
        if dtype is not None and not getattr(dtype, "is_floating_point", False):
            raise ArgumentTypeError(
                argument="dtype",
                expected="a floating-point dtype",
                got=dtype if isinstance(dtype, dtypes.dtype) else arguments.describe(dtype),
            )
        if memory_format is not None:
            arguments.instance(
                "memory_format", memory_format, dtypes.memory_format, "a memory format"
            )
            self._lay_out(memory_format)
        return self if dtype is None else self._convert(dtype)

    def _lay_out(self, memory_format: dtypes.memory_format) -> None:
        dimensions = {dtypes.channels_last: 4, dtypes.channels_last_3d: 5}.get(memory_format)
        for tensor in (*self.parameters(), *self.buffers()):
            if dimensions in (None, tensor.array.ndim):
                tensor.array = layout.to_format(tensor.array, memory_format)

    def float(self) -> Self:
        """Convert to float32, as `to` does."""
        return self._convert(dtypes.float32)

    def double(self) -> Self:
        """Convert to float64, as `to` does."""
        return self._convert(dtypes.float64)

    def half(self) -> Self:
        """Convert to float16, as `to` does."""
        return self._convert(dtypes.float16)

    def cpu(self) -> Self:
        """Return the module; there is no other device."""
        return self

    # -- state ---------------------------------------------------------------------------------

    def _save_to_state_dict(self, destination: dict, prefix: str, keep_vars: bool) -> None:
        """Write the module's own entries (not those of its submodules)."""
        for name, tensor in (*self._parameters.items(), *self._buffers.items()):
            if tensor is not None and name not in self._transient:
                destination[prefix + name] = tensor if keep_vars else tensor.detach()

    def state_dict(
        self, destination: Any = None, prefix: str = "", keep_vars: bool = False
    ) -> OrderedDict[str, Any]:
        """Collect all parameters and persistent buffers under dotted names.

        Returns
        -------
        OrderedDict of str to Tensor
            The tensors share memory with the module.
        """
        if destination is None:
            destination = OrderedDict()
        arguments.instance("destination", destination, MutableMapping, "a dict")
        prefix = arguments.text("prefix", prefix)
        keep_vars = arguments.switch("keep_vars", keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, child in self._modules.items():
            if child is not None:
                child.state_dict(destination, f"{prefix}{name}.", keep_vars)
        return destination

    def _load_from_state_dict(self, report: state.LoadReport, prefix: str) -> None:
        """Compare the module's own entries with a state and note what to change."""
        for name, tensor in (*self._parameters.items(), *self._buffers.items()):
            if tensor is not None and name not in self._transient:
                report.copy_into(prefix + name, tensor)

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True
    ) -> state.IncompatibleKeys:
        """Copy values into the parameters and buffers, or change nothing.

        Parameters
        ----------
        state_dict : mapping of str to Tensor or ndarray
            As `state_dict` makes it.
        strict : bool, default True
            Whether missing and unexpected keys are errors.

        Returns
        -------
        missing_keys, unexpected_keys : list of str

        Raises
        ------
        StateError
            If the state does not fit; the message lists every fault.

        Examples
        --------
        >>> import refquant
        >>> layer = refquant.nn.Linear(1, 1)
        >>> layer.load_state_dict({"weight": refquant.ones(1, 1), "bias": refquant.zeros(1)})
        <All keys matched successfully>
        >>> layer.weight.item()
        1.0
        """
        return state.load(self, state_dict, strict)

    # -- printing ------------------------------------------------------------------------------

    def _get_name(self) -> str:
        return type(self).__name__

    _shown: tuple[str, ...] = ()  # the attributes that are settings
    _hidden: tuple[str, ...] = ()  # submodules that hold a part of the state and print nothing

    def extra_repr(self) -> str:
        """Describe the module's settings for printing."""
        return ", ".join(f"{name}={getattr(self, name)}" for name in self._shown)

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [
            f"({name}): " + repr(child).replace("\n", "\n  ")
            for name, child in self._modules.items()
            if name not in self._hidden
        ]
        if not children and len(lines) <= 1:
            return f"{self._get_name()}({extra})"
        return f"{self._get_name()}(\n  " + "\n  ".join(lines + children) + "\n)"

    def _repr_html_(self) -> str:
        rows = [
            (path or "(model)", type(module).__name__, module.extra_repr(), _count(module))
            for path, module in self.named_modules()
        ]
        header = ("module", "type", "settings", "parameters")
        return html.table(header, rows, f"{type(self).__name__}, {len(rows)} modules")


def _count(module: Module) -> str:
    """Write how many numbers the parameters of a module itself hold."""
    sizes = [p.array.size for p in module._parameters.values() if p is not None]
    return f"{sum(sizes):,}" if sizes else ""
