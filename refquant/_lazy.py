"""Packages whose names are imported on first use, because their modules import the package.

The stub ``__init__.pyi`` beside the package lists the names with static imports, which type
checkers, editors and readers follow; the package takes its list from there.
"""

import ast
import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from refquant._environment import in_usual_environment
from refquant._paths import no_attribute

__all__ = ["attach"]


def attach(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Derive ``__getattr__``, ``__dir__`` and ``__all__`` of a package from its stub.

    Parameters
    ----------
    package : str
        Its ``__name__``.

    Returns
    -------
    __getattr__, __dir__ : callable
    __all__ : list of str
        The names that the stub imports, in its order, without the modules of the package.

    Examples
    --------
    >>> from refquant import quantization
    >>> from refquant._lazy import attach
    >>> "MinMaxObserver" in attach(quantization.__name__)[2]
    True
    """
    module = sys.modules[package]
    # By the loader, which also reads packages in archives.
    loader: Any = module.__spec__ and module.__spec__.loader
    source = loader.get_data(os.path.join(module.__path__[0], "__init__.pyi"))
    homes = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            homes.update({a.asname or a.name: (node.module, a.name) for a in node.names})
    namespace = vars(module)

    @in_usual_environment  # modules compute constants when they are imported
    def __getattr__(name: str) -> Any:
        if name not in homes:
            raise no_attribute(package, name)
        home, defined = homes[name]
        if home == package:
            return import_module(f"{package}.{defined}")
        value = namespace[name] = getattr(import_module(home), defined)
        return value

    def __dir__() -> list[str]:
        return sorted({*namespace, *homes})

    return __getattr__, __dir__, [name for name, home in homes.items() if home[0] != package]
