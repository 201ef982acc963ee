"""Scale and zero point from the tensor that is to be quantized."""

from typing import Any

import numpy as np

from refquant import dtypes, engines, kernels
from refquant._documentation import document
from refquant._environment import enclose
from refquant._operation import warn
from refquant.arguments import describe, integer, real, switch
from refquant.errors import ArgumentError, DtypeError, OperationError, ShapeError
from refquant.ops import checks
from refquant.ops.inplace import check_writable
from refquant.ops.quantized.affine import quantize_array
from refquant.ops.quantized.dynamic import LARGEST_HALF
from refquant.tensors import QuantizedTensor, Tensor


def chosen_qparams(
    array: np.ndarray, quant_min: int, quant_max: int, reduce_range: bool
) -> tuple[float, int]:
    """Choose scale and zero point by the range of an array, as the engine's operations do."""
    if array.size == 0:
        raise OperationError(
            argument="input", expected="a tensor with elements", got=f"shape {array.shape}"
        )
    lower, upper = kernels.min_max(np.ascontiguousarray(array).reshape(-1))
    if not (np.isfinite(lower) and np.isfinite(upper)):
        raise OperationError(
            argument="input",
            expected="finite numbers, because their range is the quantizer's",
            got=f"a range of {lower} to {upper}",
        )
    if reduce_range and "dynamic_reduce_range" not in engines.current().unsupported:
        quant_min, quant_max = int(quant_min / 2), int(quant_max / 2)
    rule = engines.current().rule("dynamic_qparams")
    return kernels.dynamic_qparams(float(lower), float(upper), quant_min, quant_max, rule)


def _choose_qparams_per_tensor(input: Any, reduce_range: bool = False) -> tuple[float, int]:
    """Choose scale and zero point of quint8 for the range of a tensor.

    The formula is that of dynamic quantization (step ``dynamic_qparams`` of the engine's record).

    Parameters
    ----------
    input : Tensor of float32
        Finite numbers, at least one.
    reduce_range : bool, default False
        Whether to use 7 bits; QNNPACK always uses 8.

    Returns
    -------
    scale : float
        Not rounded to float32 under PyTorch 2.13.
    zero_point : int

    Raises
    ------
    OperationError
        If there are no elements, or not only finite ones.

    Examples
    --------
    >>> import refquant
    >>> refquant._choose_qparams_per_tensor(refquant.tensor([-1.0, 1.55]))[1]
    100
    """
    array = checks.plain_tensor("input", input).array
    with np.errstate(over="ignore"):
        array = array.astype(np.float32, copy=False)
    return chosen_qparams(array, 0, 255, switch("reduce_range", reduce_range))


def quantize_per_tensor_dynamic(input: Any, dtype: dtypes.dtype, reduce_range: bool) -> Tensor:
    """Quantize by the range of the tensor itself; see `refquant.quantize_per_tensor`.

    %(real_input)s
    dtype : dtype
        quint8 or qint8; float16 converts instead.
    reduce_range : bool
        Whether to choose for 7 bits; QNNPACK always chooses for 8.

    Returns
    -------
    QuantizedTensor
        Of the shape and memory format of `input`.

    Raises
    ------
    DtypeError
        If `dtype` is another, or `input` is not float32.
    OperationError
        If there are no elements, or not only finite ones.

    Examples
    --------
    >>> import refquant
    >>> x = refquant.tensor([-1.0, 0.0, 1.55])
    >>> refquant.quantize_per_tensor_dynamic(x, refquant.quint8, False).int_repr()
    tensor([  0, 100, 255], dtype=refquant.uint8)
    """
    tensor = checks.float32_tensor("input", input)
    if dtype is dtypes.float16:
        return tensor.to(dtypes.float16)
    if dtype is not dtypes.quint8 and dtype is not dtypes.qint8:
        raise DtypeError(argument="dtype", expected="quint8, qint8 or float16", got=describe(dtype))
    reduce_range = switch("reduce_range", reduce_range)
    scale, zero_point = chosen_qparams(tensor.array, dtype.quant_min, dtype.quant_max, reduce_range)
    q = quantize_array(tensor.array, scale, zero_point, dtype)
    return QuantizedTensor._unchecked(q, dtype, scale, zero_point)


def choose_qparams_optimized(
    input: Any, numel: int, n_bins: int, ratio: float, bit_width: int
) -> tuple[Tensor, Tensor]:
    """Search the range of numbers that loses least when they are quantized to few bits.

    The range is narrowed bin by bin from the end where that costs less, until `ratio` of it is
    left out; see `refquant.reference.observation.range_of_least_loss`.

    Parameters
    ----------
    input : Tensor of float32
        The numbers, in row-major order.
    numel : int
        How many of them count, from the first.
    n_bins : int
        Bins of the whole range.
    ratio : float
        Share of the range that may be left out at most, 0 to 1.
    bit_width : int
        Bits of a code.

    Returns
    -------
    max, min : Tensor of float32, shape (1,)
        The ends of the range.

    Raises
    ------
    ArgumentError
        If a number is out of range.

    Examples
    --------
    >>> import refquant
    >>> x = refquant.tensor([0.0, 1.0, 2.0, 3.0])
    >>> refquant.choose_qparams_optimized(x, 4, 20, 0.16, 2)
    (tensor([3.]), tensor([0.]))
    """
    array = checks.float32_tensor("input", input).array
    numel = integer("numel", numel, 1, array.size)
    n_bins = integer("n_bins", n_bins, 1, 2**31 - 1)
    bit_width = integer("bit_width", bit_width, 1, 24)
    ratio = real("ratio", ratio)
    if not 0 <= ratio <= 1:
        raise ArgumentError(argument="ratio", expected="in 0..1", got=ratio)
    values = np.ascontiguousarray(array).reshape(-1)[:numel]
    cut = 1.0 - float(np.float32(ratio))
    ends = kernels.range_of_least_loss(values, n_bins, cut, float(2**bit_width - 1))
    low, high = (Tensor(np.full(1, end, np.float32)) for end in ends)
    return high, low


def _saturate_weight_to_fp16(weight: Any) -> Tensor:
    """Bring numbers that float16 cannot hold to the largest that it can, in place.

    Parameters
    ----------
    weight : Tensor of float32, 2 dimensions
        The weight of a linear layer.

    Returns
    -------
    Tensor
        `weight` itself. NaN stays.

    Examples
    --------
    >>> import refquant
    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     refquant._saturate_weight_to_fp16(refquant.tensor([[1e9, 1.0]]))
    tensor([[6.5504e+04, 1.0000e+00]])
    """
    tensor = checks.float32_tensor("weight", weight)
    if tensor.array.ndim != 2:
        raise ShapeError(
            argument="weight", expected="of 2 dimensions", got=f"shape {tensor.array.shape}"
        )
    if (np.abs(tensor.array) > LARGEST_HALF).any():
        check_writable(tensor.array)
        warn("numbers beyond 65504 are brought to what float16 holds")
        np.clip(tensor.array, -LARGEST_HALF, LARGEST_HALF, out=tensor.array)
    return tensor


document(__name__)
enclose(__name__)
