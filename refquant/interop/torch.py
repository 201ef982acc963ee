"""Models and tensors of PyTorch, brought over and taken back."""

from typing import Any

from refquant.interop.bridge import Bridge
from refquant.interop.libraries import REFQUANT, TORCH

__all__ = ["from_torch", "to_torch"]


def from_torch(obj: Any) -> Any:
    """Make refquant's of a model, state dict or tensor of PyTorch.

    Parameters
    ----------
    obj : torch.nn.Module, torch.Tensor, dict, list or tuple
        A module: float, prepared, in quantization-aware training or converted. A tensor: plain or
        quantized, per tensor or per channel. Or what holds them, such as a state dict, which then
        has the same keys. PyTorch itself is not imported: what counts is what the objects offer.

    Returns
    -------
    object
        The same of refquant. No tensor is shared with `obj`.

    Raises
    ------
    NotSupportedError
        If a module or name has no counterpart; the message lists all of them.

    Notes
    -----
    A class of your own that derives from ``torch.nn.Module`` becomes one that derives from
    `refquant.nn.Module`: the code of its methods is taken over, with refquant's names in the place
    of PyTorch's. Weights of quantized modules are packed for the engine that is chosen; choose the
    engine with which the model was made before. Hooks are taken over like methods.

    Examples
    --------
    >>> import refquant
    >>> refquant.from_torch({"epoch": 3, "shape": (2, 4)})
    {'epoch': 3, 'shape': (2, 4)}
    """
    return Bridge(TORCH, REFQUANT).convert(obj)


def to_torch(obj: Any) -> Any:
    """Make PyTorch's of a model, state dict or tensor of refquant: `from_torch` the other way.

    Parameters
    ----------
    obj : Module, Tensor, dict, list or tuple
        What to convert.

    Returns
    -------
    object
        The same of PyTorch. No tensor is shared with `obj`.

    Raises
    ------
    MissingExtraError
        If PyTorch is not installed.
    NotSupportedError
        If a module or name has no counterpart; the message lists all of them.

    Examples
    --------
    >>> import refquant
    >>> refquant.to_torch(refquant.tensor([1.0]))  # doctest: +SKIP
    tensor([1.])
    """
    return Bridge(REFQUANT, TORCH).convert(obj)
