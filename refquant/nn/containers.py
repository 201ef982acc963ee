"""Modules that hold other modules."""

import sys
from collections import OrderedDict
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from itertools import groupby
from typing import Any, Self

from refquant import arguments
from refquant.errors import IndexRangeError, ModuleNameError
from refquant.nn.module import Module

__all__ = ["Identity", "ModuleDict", "ModuleList", "Sequential"]


class Identity(Module):
    """Return the input as it is; arguments are accepted and ignored.

    Parameters
    ----------
    *args, **kwargs : object
        Accepted and ignored.

    Examples
    --------
    >>> import refquant
    >>> refquant.nn.Identity()(refquant.tensor([1.0]))
    tensor([1.])
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        """Return the input."""
        return input


class _Numbered(Module):
    """A container whose submodules have the names '0', '1', ..."""

    def _name_at(self, index: int) -> str:
        index, count = arguments.integer("index", index), len(self._modules)
        if not -count <= index < count:
            raise IndexRangeError(argument="index", expected=f"in {-count}..{count - 1}", got=index)
        return list(self._modules)[index]

    def __getitem__(self, index: int | slice) -> Any:
        """Get one submodule, or a container of a slice of them."""
        if isinstance(index, slice):
            return self._of(list(self._modules.items())[index])
        return self._modules[self._name_at(index)]

    def __setitem__(self, index: int, module: Module) -> None:
        setattr(self, self._name_at(index), module)

    def __delitem__(self, index: int | slice) -> None:
        if isinstance(index, slice):
            for name in list(self._modules)[index]:
                del self._modules[name]
        else:
            del self._modules[self._name_at(index)]
        kept = list(self._modules.values())
        self._modules.clear()
        for position, module in enumerate(kept):
            self._modules[str(position)] = module

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def append(self, module: Module) -> Self:
        """Add a module at the end; returns the container."""
        self.add_module(str(len(self)), module)
        return self


class Sequential(_Numbered):
    """Modules that run one after the other.

    Parameters
    ----------
    *modules : Module or mapping of str to Module
        The modules in order, or one mapping that names them.

    Examples
    --------
    >>> from refquant import nn
    >>> nn.Sequential(nn.Identity(), nn.Identity())
    Sequential(
      (0): Identity()
      (1): Identity()
    )
    """

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        super().__init__()
        items: Iterable[tuple[str, Any]]
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            items = modules[0].items()
        else:
            items = ((str(i), module) for i, module in enumerate(modules))
        for name, module in items:
            self.add_module(name, module)

    @staticmethod
    def _of(items):
        return Sequential(OrderedDict(items))

    def forward(self, input: Any) -> Any:
        """Run the modules one after the other."""
        for module in self._modules.values():
            input = module(input)
        return input


class ModuleList(_Numbered):
    """Modules in a list; each is registered, none is called.

    Parameters
    ----------
    modules : iterable of Module, optional
        The modules in order.

    Examples
    --------
    >>> import refquant
    >>> len(refquant.nn.ModuleList([refquant.nn.ReLU(), refquant.nn.ReLU()]))
    2
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        self.extend(() if modules is None else modules)

    def __repr__(self) -> str:
        lines, first = [], 0
        # Neighbors that print alike share a line, as a list of equal blocks is long otherwise.
        for text, alike in groupby(map(repr, self)):
            count = len(list(alike))
            key = f"({first}): " if count == 1 else f"({first}-{first + count - 1}): {count} x "
            lines.append((key + text).replace("\n", "\n  "))
            first += count
        inner = "\n  " + "\n  ".join(lines) + "\n" if lines else ""
        return f"{self._get_name()}({inner})"

    @staticmethod
    def _of(items):
        return ModuleList(module for _, module in items)

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add modules at the end; returns the list."""
        several = arguments.sequence("modules", modules, "an iterable of modules")
        for module in several:  # all, before the first is added
            arguments.instance("modules", module, Module, "an iterable of modules")
        for module in several:
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> None:
        """Put a module before the one at `index`."""
        modules = list(self._modules.values())
        arguments.instance("module", module, Module, "a Module")
        most = sys.maxsize  # a list takes no larger index
        modules.insert(arguments.integer("index", index, -most, most), module)
        self._modules.clear()
        self.extend(modules)


class ModuleDict(Module):
    """Modules under names; each is registered, none is called.

    Parameters
    ----------
    modules : mapping of str to Module, optional
        The modules and their names.

    Examples
    --------
    >>> import refquant
    >>> list(refquant.nn.ModuleDict({'first': refquant.nn.ReLU()}).keys())
    ['first']
    """

    def __init__(self, modules: Mapping[str, Module] | None = None) -> None:
        super().__init__()
        named = {} if modules is None else modules
        arguments.mapping("modules", named, "a dict of modules")
        for name, module in named.items():
            self.add_module(name, module)

    def __getitem__(self, name: str) -> Module:
        """Get the module of a name.

        Raises
        ------
        ModuleNameError
            If there is none; it is a KeyError, too.
        """
        return self._modules[self._known(name)]

    def __setitem__(self, name: str, module: Module) -> None:
        self.add_module(name, module)

    def __delitem__(self, name: str) -> None:
        del self._modules[self._known(name)]

    def _known(self, name: str) -> str:
        if name not in self:
            raise ModuleNameError(
                argument="name",
                expected=f"one of {', '.join(self._modules) or 'none'}",
                got=arguments.describe(name),
                hint=arguments.did_you_mean(name, self._modules),
            )
        return name

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, name: str) -> bool:
        return isinstance(name, str) and name in self._modules

    def keys(self) -> KeysView[str]:
        """Names of the modules."""
        return self._modules.keys()

    def items(self) -> ItemsView[str, Module]:
        """Pairs of name and module."""
        return self._modules.items()

    def values(self) -> ValuesView[Module]:
        """List the modules."""
        return self._modules.values()
