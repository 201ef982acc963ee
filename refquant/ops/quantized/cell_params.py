"""Weights of recurrent layers, packed: what drives the gates, from the input and from the state."""

from typing import Any

import numpy as np

from refquant import arguments, engines
from refquant._documentation import document
from refquant._environment import enclose
from refquant.errors import ArgumentTypeError, ShapeError
from refquant.ops.quantized.dynamic import (
    PackedHalf,
    dynamic_product,
    linear_dynamic,
    linear_dynamic_fp16,
)
from refquant.ops.quantized.fbgemm_linear import multiply_by_fbgemm, quantize_and_pack
from refquant.ops.quantized.packing import PackedLinear
from refquant.reference.operands import DynamicProduct
from refquant.tensors import Tensor

__all__ = [
    "CellParams",
    "make_quantized_cell_params",
    "make_quantized_cell_params_dynamic",
    "make_quantized_cell_params_fp16",
    "multiply",
    "reduces_range",
]

Packed = PackedLinear | PackedHalf


def reduces_range() -> bool:
    """Return whether dynamic layers quantize to seven bits, by the recipe of the engine of now."""
    return bool(engines.current().recipe.get("dynamic_reduce_range"))


def multiply(packed: Packed, x: np.ndarray, reduce_range: bool) -> np.ndarray:
    """Multiply rows by a packed weight, of either kind."""
    if isinstance(packed, PackedHalf):
        return linear_dynamic_fp16(Tensor(x), packed).array
    return linear_dynamic(Tensor(x), packed, reduce_range).array


def check_packed_weight(argument: str, value: Any) -> Packed:
    """Return a packed weight of a linear layer, or raise."""
    if isinstance(value, PackedLinear | PackedHalf):
        return value
    raise ArgumentTypeError(
        argument=argument,
        expected="a packed weight",
        got=arguments.describe(value),
        hint="make it with linear_prepack(weight, bias), or linear_prepack_fp16(weight, bias)",
    )


def check_pair(w_ih: Any, w_hh: Any, gates: int | None = None) -> tuple[Packed, Packed]:
    """Return the packed weights of input and state, which fit together, or raise."""
    from_input = check_packed_weight("w_ih", w_ih)
    from_hidden = check_packed_weight("w_hh", w_hh)
    rows, size = from_hidden.kept_weight.shape
    if (gates is None and rows % size) or (gates is not None and rows != gates * size):
        times = "a multiple of its columns" if gates is None else f"{gates} times its columns"
        raise ShapeError(
            argument="w_hh", expected=f"of as many rows as {times}", got=f"shape {(rows, size)}"
        )
    if from_input.kept_weight.shape[0] != rows:
        raise ShapeError(
            argument="w_ih",
            expected=f"of {rows} rows, as `w_hh`",
            got=f"shape {tuple(from_input.kept_weight.shape)}",
        )
    return from_input, from_hidden


class CellParams:
    """Weights and biases of a recurrent layer in one direction.

    Parameters
    ----------
    from_input, from_hidden : PackedLinear or PackedHalf
        What drives the gates: weights of ``gates * size`` rows.
    reduce_range : bool
        Whether input and state are quantized for seven bits.
    of_fbgemm : bool
        Whether FBGEMM multiplies, whatever engine is chosen.

    Attributes
    ----------
    from_input, from_hidden, reduce_range, of_fbgemm
        As given.
    """

    __slots__ = ("from_hidden", "from_input", "of_fbgemm", "reduce_range")

    def __init__(
        self, from_input: Packed, from_hidden: Packed, reduce_range: bool, of_fbgemm: bool = False
    ):
        self.from_input, self.from_hidden = from_input, from_hidden
        self.reduce_range, self.of_fbgemm = reduce_range, of_fbgemm

    def __deepcopy__(self, memo):
        return self

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows of both weights, features of the input, size of the state."""
        rows, size = self.from_hidden.kept_weight.shape
        return rows, self.from_input.kept_weight.shape[1], size

    def drive(self, packed: Packed, x: np.ndarray) -> np.ndarray:
        """Multiply the input or the state by its weight."""
        if self.of_fbgemm and isinstance(packed, PackedLinear):
            return multiply_by_fbgemm("input", x, packed).array
        return multiply(packed, x, self.reduce_range)

    def product_of_hidden(self) -> DynamicProduct | None:
        """Return what multiplies the state by the engine of now, None if `drive` alone does."""
        if self.of_fbgemm or not isinstance(self.from_hidden, PackedLinear):
            return None
        return dynamic_product(self.from_hidden, self.reduce_range)


def make_quantized_cell_params_dynamic(
    w_ih: PackedLinear,
    w_hh: PackedLinear,
    bias_ih: Any,
    bias_hh: Any,
    reduce_range: bool = False,
) -> CellParams:
    """Put the packed weights of a recurrent layer together, for one direction.

    Parameters
    ----------
    w_ih, w_hh : PackedLinear
        Weights of input and state, with their biases, as `linear_prepack` returns them.
    bias_ih, bias_hh : Tensor or None
        Not used, as in PyTorch: the packed weights hold the biases.
    reduce_range : bool, default False
        Whether input and state are quantized for seven of eight bits. QNNPACK ignores it.

    %(cell_params)s
    >>> params = quantized.make_quantized_cell_params_dynamic(packed, packed, None, None)
    >>> params.shape
    (3, 1, 1)
    """
    return CellParams(*check_pair(w_ih, w_hh), arguments.flag("reduce_range", reduce_range))


def make_quantized_cell_params_fp16(w_ih: PackedHalf, w_hh: PackedHalf) -> CellParams:
    """Put the weights of a recurrent layer in float16 together, for one direction.

    Parameters
    ----------
    w_ih, w_hh : PackedHalf
        Weights of input and state, with their biases, as `linear_prepack_fp16` returns them.

    %(cell_params)s
    >>> half = quantized.linear_prepack_fp16(refquant.ones(3, 1))
    >>> quantized.make_quantized_cell_params_fp16(half, half).shape
    (3, 1, 1)
    """
    return CellParams(*check_pair(w_ih, w_hh), False)


def make_quantized_cell_params(w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any) -> CellParams:
    """Quantize and pack the weights of a recurrent layer as FBGEMM does, for one direction.

    Each weight is quantized to qint8 by its own range, as `refquant.fbgemm_linear_quantize_weight`
    does. Input and state are quantized for all eight bits, and FBGEMM multiplies them under every
    engine.

    Parameters
    ----------
    w_ih, w_hh : Tensor, shape (gates * size, features) and (gates * size, size)
        float32.
    b_ih, b_hh : Tensor, shape (gates * size,)
        float32.

    %(cell_params)s
    >>> x, b = refquant.ones(3, 1), refquant.zeros(3)
    >>> quantized.make_quantized_cell_params(x, x, b, b).shape
    (3, 1, 1)
    """
    packed = quantize_and_pack("w_ih", w_ih, b_ih), quantize_and_pack("w_hh", w_hh, b_hh)
    return CellParams(*check_pair(*packed), False, True)


document(
    __name__,
    cell_params="""
Returns
-------
CellParams
    For `refquant.quantized_lstm` and `refquant.quantized_gru`.

Raises
------
ShapeError
    If the weights do not fit together.

%(from_ops)s
>>> w = refquant.quantize_per_tensor(refquant.ones(3, 1), 0.5, 0, refquant.qint8)
>>> packed = quantized.linear_prepack(w)""",
)
enclose(__name__)
