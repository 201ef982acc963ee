"""Changing a model completely or not at all."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager

from refquant import arguments
from refquant.nn.module import AnyModule

__all__ = ["restored_on_error"]

# Containers of a module that must stay the same objects: handles of hooks refer to them.
_TABLES = (
    "_parameters",
    "_buffers",
    "_modules",
    "_forward_hooks",
    "_forward_pre_hooks",
    "_transient",
)


@contextmanager
def restored_on_error(model: AnyModule, inplace: bool) -> Iterator[AnyModule]:
    """Yield the model, or a copy of it, to be changed; after an error the model is as before.

    Modules, parameters, hooks and other attributes are restored; the values of parameters are
    not, so that the progress of training is not lost.
    """
    if not arguments.switch("inplace", inplace):
        yield copy.deepcopy(model)
        return
    before = [
        (module, dict(module.__dict__), {name: copy.copy(vars(module)[name]) for name in _TABLES})
        for module in model.modules()
    ]
    try:
        yield model
    except Exception:
        for module, attributes, tables in before:
            module.__dict__.clear()
            module.__dict__.update(attributes)
            for name, content in tables.items():
                attributes[name].clear()
                attributes[name].update(content)
        raise
