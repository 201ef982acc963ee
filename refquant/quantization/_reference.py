"""Reference modules made from float ones: what the recipe says about each weight."""

from typing import Any

from refquant import dtypes
from refquant.nn.module import Module
from refquant.quantization.observers.fixed import PlaceholderObserver
from refquant.tensors import Tensor

__all__ = ["is_reference", "reference_of"]

# Tensors know no symmetric scheme: the zero point says it all.
_STORED = {
    dtypes.per_tensor_symmetric: dtypes.per_tensor_affine,
    dtypes.per_channel_symmetric: dtypes.per_channel_affine,
}


def is_reference(kind: type) -> bool:
    """Return whether modules of a type keep float weights and are given how to round them."""
    return bool(getattr(kind, "_IS_REFERENCE", False))


def reference_of(module: Module, kind: Any) -> Module:
    """Make a module of a reference type; an observer of the recipe sees each weight."""
    names = [name for name in module._parameters if name.startswith("weight")]
    parameters: dict[str, Any] = {name: _observed(module, name) for name in names}
    if names == ["weight"]:
        return kind.from_float(module, parameters["weight"])
    return kind.from_float(module, {**parameters, "is_decomposed": False})


def _observed(module: Any, name: str) -> dict[str, Any]:
    """Return what a fresh observer of the recipe says about a weight."""
    observer = module.qconfig.weight()
    observer(Tensor(getattr(module, name).array))
    scheme = getattr(observer, "qscheme", None)
    if scheme is None or isinstance(observer, PlaceholderObserver):
        return {"qscheme": None, "dtype": observer.dtype}
    scale, zero_point, *_ = observer.calculate_qparams()
    known: dict[str, Any] = {
        "qscheme": _STORED.get(scheme, scheme),
        "dtype": observer.dtype,
        "scale": scale,
        "zero_point": zero_point,
    }
    if scheme.is_per_channel:
        known["axis"] = observer.ch_axis
    for end in ("quant_min", "quant_max"):
        if hasattr(observer, end):
            known[end] = getattr(observer, end)
    return known
