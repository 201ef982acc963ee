"""Changing a model completely or not at all."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager

from refquant import arguments
from refquant.nn.module import Module

__all__ = ["changing"]

# What a module keeps in containers of its own, which hooks' handles refer to.
_TABLES = (
    "_parameters",
    "_buffers",
    "_modules",
    "_forward_hooks",
    "_forward_pre_hooks",
    "_transient",
)


@contextmanager
def changing(asked: str, model: Module, inplace: bool) -> Iterator[Module]:
    """Hand out the model or a copy of it to be changed; after an error the model is as before.

    Restored are modules, parameters, hooks and other attributes; not the numbers inside
    parameters, so that what training has reached is not lost.
    """
    if not arguments.switch(asked, "inplace", inplace):
        yield copy.deepcopy(model)
        return
    before = [
        (module, dict(module.__dict__), {name: copy.copy(vars(module)[name]) for name in _TABLES})
        for module in model.modules()
    ]
    try:
        yield model
    except Exception:
        for module, own, tables in before:
            module.__dict__.clear()
            module.__dict__.update(own)
            for name, content in tables.items():
                own[name].clear()
                own[name].update(content)
        raise
