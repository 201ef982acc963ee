"""All parameters of a model as one vector, and back."""

import math
from collections.abc import Iterable

from refquant import arguments
from refquant.errors import ArgumentError, ShapeError
from refquant.ops.floating.concat import cat
from refquant.tensors import Tensor

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def _listed(parameters: Iterable[Tensor]) -> list[Tensor]:
    found = arguments.sequence("parameters", parameters, "an iterable of tensors")
    for number, tensor in enumerate(found):
        arguments.instance(f"parameters[{number}]", tensor, Tensor, "a tensor")
    return found


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """Join the elements of parameters to one vector.

    Parameters
    ----------
    parameters : iterable of Tensor
        As the method ``parameters()`` of modules returns them.

    Returns
    -------
    Tensor
        Of one dimension; with a gradient.

    Examples
    --------
    >>> import refquant
    >>> layer = refquant.nn.Linear(2, 1)
    >>> refquant.nn.utils.parameters_to_vector(layer.parameters()).shape
    refquant.Size([3])
    """
    found = _listed(parameters)
    if not found:
        raise ArgumentError(argument="parameters", expected="at least one tensor", got="none")
    return cat([tensor.view(-1) for tensor in found])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Give parameters the elements of a vector, one after the other.

    Parameters
    ----------
    vec : Tensor, one dimension
        The elements; those behind the last parameter are not used.
    parameters : iterable of Tensor
        They see the elements of the vector, which are not copied.

    Examples
    --------
    >>> import refquant
    >>> layer = refquant.nn.Linear(2, 1)
    >>> refquant.nn.utils.vector_to_parameters(refquant.tensor([1.0, 2.0, 3.0]), layer.parameters())
    >>> layer.weight.tolist(), layer.bias.tolist()
    ([[1.0, 2.0]], [3.0])
    """
    vector = arguments.instance("vec", vec, Tensor, "a tensor")
    found = _listed(parameters)
    count = sum(math.prod(tensor.shape) for tensor in found)
    if vector.dim() != 1 or vector.shape[0] < count:
        raise ShapeError(
            argument="vec",
            expected=f"of one dimension with {count} elements",
            got=f"shape {tuple(vector.shape)}",
        )
    start = 0
    for tensor in found:
        end = start + math.prod(tensor.shape)
        tensor.data = vector[start:end].reshape(tensor.shape).data
        start = end
