"""The two libraries between which models travel: how they make tensors, and where names are."""

import math
import sys
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from refquant import kernels
from refquant.errors import MissingExtraError

__all__ = ["REFQUANT", "TORCH", "Library"]


class Library:
    """What the conversion must know of a library: the name of its package.

    Parameters
    ----------
    root : str
        The name.
    """

    def __init__(self, root: str):
        self.root = root

    @property
    def package(self) -> Any:
        """The package; PyTorch is imported to make results, never to read what is given."""
        try:
            return import_module(self.root)
        except ImportError:
            raise MissingExtraError(
                f"{self.root} is not installed", hint="pip install 'refquant[torch]'"
            ) from None

    def owns(self, thing: Any) -> bool:
        """Tell whether a class, function or module is the library's own."""
        return next(self.places(thing), None) is not None

    def made(self, value: Any, *names: str) -> bool:
        """Tell whether a value is of a class of the library that bears one of the names."""
        kinds = type(value).__mro__
        return any(
            kind.__name__ in names and f"{kind.__module__}.".startswith(f"{self.root}.")
            for kind in kinds
        )

    def places(self, thing: Any) -> Iterator[str]:
        """List the paths of the library where a thing is found: where it is defined, and above."""
        name = getattr(thing, "__name__", "")
        defined = name if isinstance(thing, ModuleType) else getattr(thing, "__module__", None)
        path = defined or self.root  # functions written in C do not say
        while path and f"{path}.".startswith(f"{self.root}."):
            if path == defined or getattr(sys.modules.get(path), name, None) is thing:
                yield path
            path = path.rpartition(".")[0]

    def counterpart(self, other: "Library", thing: Any) -> Any:
        """Find the class, function or module in the place of another library's; or None."""
        for path in other.places(thing):
            below = path.partition(".")[2]
            for place in dict.fromkeys((below, f"ao.{below}")):
                try:
                    module = import_module(f"{self.root}.{place}".rstrip("."))
                except ImportError:
                    continue
                if isinstance(thing, ModuleType):
                    return module
                found = getattr(module, thing.__name__, None)
                if found is not None:
                    return found
        return None

    def tensor(self, array: np.ndarray) -> Any:
        """Make a plain tensor; the elements are copied."""
        copied = array.copy(order="K")
        return self.package.from_numpy(copied) if array.ndim else self.package.as_tensor(copied)

    def quantized(self, integers: np.ndarray, scale: Any, zero_point: Any, axis: Any) -> Any:
        """Make a quantized tensor; without an axis, scale and zero point are numbers."""
        package, elements = self.package, self.tensor(integers)
        if axis is None:
            return package._make_per_tensor_quantized_tensor(elements, scale, zero_point)
        return package._make_per_channel_quantized_tensor(
            elements, self.tensor(scale), self.tensor(zero_point), axis
        )

    def few_bits(
        self, packed: np.ndarray, shape: Any, name: str, scale: Any, zero_point: Any, axis: Any
    ) -> Any:
        """Make a quantized tensor of fewer than 8 bits, from several integers a byte."""
        package = self.package
        dtype = getattr(package, name)
        if self.root == "refquant":
            q = kernels.unpack_bits(packed, dtype.bits, math.prod(shape)).reshape(shape)
            return package.QuantizedTensor(q, dtype, scale, zero_point, axis)
        if axis is None:
            made = package._empty_affine_quantized(
                list(shape), scale=scale, zero_point=zero_point, dtype=dtype
            )
        else:
            made = package._empty_per_channel_affine_quantized(
                list(shape), scales=self.tensor(scale), zero_points=self.tensor(zero_point),
                axis=axis, dtype=dtype,
            )  # fmt: skip
        # Nothing public takes the integers: the bytes are put where they lie.
        memory = package.empty(0, dtype=package.uint8).set_(made.untyped_storage())
        memory[: packed.size].copy_(self.tensor(packed))
        return made


REFQUANT, TORCH = Library("refquant"), Library("torch")
