"""A tensor that a module learns."""

import copy
from typing import Any

from refquant import arguments
from refquant.errors import QuantizerError
from refquant.tensors import Tensor

__all__ = ["Parameter"]


class Parameter(Tensor):
    """A tensor that is registered when it is assigned to an attribute of a `Module`.

    Parameters
    ----------
    data : Tensor
        Initial value; its elements are shared.
    requires_grad : bool, default True
        Whether operations on the parameter are recorded.

    Examples
    --------
    >>> import refquant
    >>> refquant.nn.Parameter(refquant.tensor([1.0]))
    Parameter containing:
    tensor([1.], requires_grad=True)
    """

    __slots__ = ()

    def __init__(self, data: Tensor, requires_grad: bool = True) -> None:
        arguments.instance("data", data, Tensor, "a tensor", "make it with tensor()")
        if data.is_quantized:
            raise QuantizerError(
                argument="data",
                expected="a plain tensor",
                got=arguments.describe(data),
                hint="call .dequantize() first",
            )
        super().__init__(data.array, arguments.flag("requires_grad", requires_grad))

    def __deepcopy__(self, memo: dict[int, Any]) -> "Parameter":
        copied = Parameter(Tensor(self.array.copy(order="K")), self.requires_grad)
        memo[id(self)] = copied
        copied.grad = copy.deepcopy(self.grad, memo)
        return copied

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()
