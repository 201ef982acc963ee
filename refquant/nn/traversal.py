"""Walking over a module and everything below it: submodules, parameters and buffers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from refquant import arguments
from refquant.errors import ModuleNameError
from refquant.nn.parameter import Parameter
from refquant.tensors import Tensor

if TYPE_CHECKING:
    from refquant.nn.module import Module

__all__ = ["ModuleTree"]


class ModuleTree:
    """A node in a tree of modules; `Module` builds on it."""

    # What is registered, by name: ordered dicts, whose values may be None.
    _modules: Any
    _parameters: Any
    _buffers: Any

    def named_modules(
        self, memo: set | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """Walk over the module and all below it, with dotted names; the root's name is empty."""
        if memo is None:
            memo = set()
        arguments.instance("memo", memo, set, "a set or None")
        prefix = arguments.text("prefix", prefix)
        remove_duplicate = arguments.switch("remove_duplicate", remove_duplicate)
        if id(self) in memo:
            return
        if remove_duplicate:
            memo.add(id(self))
        yield prefix, self  # type: ignore[misc]  # every node is a Module
        for name, child in self._modules.items():
            if child is not None:
                below = f"{prefix}.{name}" if prefix else name
                yield from child.named_modules(memo, below, remove_duplicate)

    def modules(self) -> Iterator[Module]:
        """Walk over the module and all below it, each once."""
        return (module for _, module in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Walk over the direct submodules, each once, with their names."""
        seen: set[int] = set()
        for name, child in self._modules.items():
            if child is not None and id(child) not in seen:
                seen.add(id(child))
                yield name, child

    def children(self) -> Iterator[Module]:
        """Walk over the direct submodules."""
        return (child for _, child in self.named_children())

    def _named_tensors(self, place: str, prefix: str, recurse: bool):
        prefix = arguments.text("prefix", prefix)
        recurse = arguments.switch("recurse", recurse)
        return self._walk_tensors(place, prefix, recurse)  # checked before the walk begins

    def _walk_tensors(self, place: str, prefix: str, recurse: bool):
        seen: set[int] = set()
        parts = self.named_modules(prefix=prefix) if recurse else [(prefix, self)]
        for path, module in parts:
            for name, tensor in getattr(module, place).items():
                if tensor is not None and id(tensor) not in seen:
                    seen.add(id(tensor))
                    yield (f"{path}.{name}" if path else name), tensor

    def named_parameters(
        self, prefix: str = "", recurse: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Walk over the parameters, each once, with dotted names."""
        return self._named_tensors("_parameters", prefix, recurse)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Walk over the parameters, each once."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Tensor]]:
        """Walk over the buffers, each once, with dotted names."""
        return self._named_tensors("_buffers", prefix, recurse)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Walk over the buffers, each once."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def get_submodule(self, target: str) -> Module:
        """Look up a submodule by its dotted name.

        Raises
        ------
        ModuleNameError
            If there is none; the message lists the names at the place where the path ends.
        """
        arguments.text("target", target)
        return _descend(self, target)


def _descend(root: ModuleTree, target: str) -> Module:
    module: Any = root
    walked: list[str] = []
    for part in target.split(".") if target else ():
        child = module._modules.get(part)
        if child is None:
            place = ".".join(walked) or "the model"
            raise ModuleNameError(
                f"{type(root).__name__} has no submodule {target!r}",
                expected=f"one of {', '.join(module._modules) or 'none'} in {place}",
                got=part,
                hint=arguments.did_you_mean(part, module._modules),
            )
        module = child
        walked.append(part)
    return module
