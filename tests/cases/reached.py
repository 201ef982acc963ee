"""Which public names the entries of the registry call: what is compared with PyTorch, and where."""

import types

import numpy as np
from cases.operands import Draw
from cases.recordings import SUFFIX
from cases.registry import load

TRIED = 12  # cases of an entry: each chooses among forms of a call


class Namespace:
    """A package or a module of it, which notes the dotted names that are taken from it."""

    def __init__(self, module, path, found):
        self._module, self._path, self._found = module, path, found
        self.__name__ = module.__name__

    def __getattr__(self, name):
        value, path = getattr(self._module, name), self._path + name
        if isinstance(value, types.ModuleType) or path == "ops":
            return Namespace(value, path + ".", self._found)
        self._found.add(path)
        return value


class Noting(Draw):
    """A `Draw` that notes the methods that are called, too, and the modules that are imported."""

    def call(self, path, *arguments, **keywords):
        if path.startswith("."):
            self.T._found.add("Tensor" + path)
        return super().call(path, *arguments, **keywords)

    def module(self, path):
        return Namespace(super().module(path), path + ".", self.T._found)


def reached(package):
    """Map each public name, without the name of the package, to the entries that call it."""
    found = {}
    for operation in load().values():
        names = set()
        for release, engine in operation.peers[-1:] or [("2.13", "fbgemm")]:
            for case in range(TRIED):
                d = Noting(Namespace(package, "", names), [7, case], engine, release, most=64)
                with np.errstate(all="ignore"), package.engines.using(engine + SUFFIX[release]):
                    operation.results(d)
        for name in names:
            found.setdefault(name, []).append(operation)
    return found
