"""Sums, products and concatenation as modules, so that results can be observed and quantized."""

from typing import Any

import numpy as np

from refquant.errors import (
    ArgumentTypeError,
    NotPreparedError,
    OperationError,
    QuantizationParameterError,
)
from refquant.nn.containers import Identity
from refquant.nn.module import Module
from refquant.nn.quantized._output import OutputQuantizer
from refquant.ops import quantized
from refquant.ops.floating import activation, arithmetic, concat
from refquant.ops.floating import matmul as products
from refquant.tensors import Tensor

__all__ = ["FloatFunctional", "QFunctional"]


class _Methods(Module):
    """Base class of modules whose operations are methods."""

    def forward(self, *inputs: Any) -> Any:
        """Raise an error: it is not clear which operation is meant."""
        raise OperationError(
            f"{'Float' if isinstance(self, FloatFunctional) else 'Q'}Functional cannot be called",
            hint="call one of its methods, such as .add(x, y)",
        )


class FloatFunctional(_Methods):
    """Operations of a float model whose results an observer can see.

    Put one in a model for every sum, product or join, and call its methods instead of ``+``,
    ``*`` or ``cat``: ``prepare`` then finds a place for an observer, and ``convert`` replaces it
    by `QFunctional`.

    Attributes
    ----------
    activation_post_process : Module
        Sees the results of `add`, `mul`, `cat` and `add_relu`: the identity, until ``prepare``
        puts an observer there.

    Examples
    --------
    >>> import refquant
    >>> f = refquant.nn.quantized.FloatFunctional()
    >>> f.add(refquant.tensor(3.0), refquant.tensor(4.0))
    tensor(7.)
    """

    def __init__(self) -> None:
        super().__init__()
        self.activation_post_process = Identity()

    def add(self, x: Any, y: Any) -> Tensor:
        """Add two tensors."""
        return self.activation_post_process(arithmetic.add(x, y))

    def add_scalar(self, x: Any, y: float) -> Tensor:
        """Add a number; the result is not observed, its quantizer follows from the operands."""
        return arithmetic.add(x, y)

    def mul(self, x: Any, y: Any) -> Tensor:
        """Multiply two tensors."""
        return self.activation_post_process(arithmetic.mul(x, y))

    def mul_scalar(self, x: Any, y: float) -> Tensor:
        """Multiply by a number; the result is not observed."""
        return arithmetic.mul(x, y)

    def cat(self, x: Any, dim: int = 0) -> Tensor:
        """Join tensors along a dimension.

        Examples
        --------
        >>> import refquant
        >>> module = refquant.nn.quantized.FloatFunctional()
        >>> module.cat([refquant.ones(1), refquant.zeros(1)])
        tensor([1., 0.])
        """
        return self.activation_post_process(concat.cat(x, dim))

    def add_relu(self, x: Any, y: Any) -> Tensor:
        """Add two tensors; negative sums become 0."""
        return self.activation_post_process(activation.relu(arithmetic.add(x, y)))

    def matmul(self, x: Any, y: Any) -> Tensor:
        """Multiply two matrices.

        Examples
        --------
        >>> import refquant
        >>> module = refquant.nn.quantized.FloatFunctional()
        >>> module.matmul(refquant.ones(1, 2), refquant.ones(2, 1))
        tensor([[2.]])
        """
        return self.activation_post_process(products.matmul(x, y))


class QFunctional(_Methods, OutputQuantizer):
    """Operations of a quantized model, with one scale and zero point for their results.

    Takes no arguments; scale and zero point are attributes.

    Parameters
    ----------
    *arguments, **keywords : object
        Accepted and ignored.

    Attributes
    ----------
    scale : float
        Real units of one quantized step of the results of `add`, `mul`, `cat` and `add_relu`.
    zero_point : int
        The integer that stands for real zero there.

    Raises
    ------
    ArgumentTypeError
        If arguments are given, as in an example of PyTorch's documentation that never worked.

    Examples
    --------
    >>> import refquant
    >>> f = refquant.nn.quantized.QFunctional()
    >>> f.scale = 0.5
    >>> x = refquant.quantize_per_tensor(refquant.tensor([3.0]), 1.0, 0, refquant.quint8)
    >>> f.add(x, x).int_repr()
    tensor([12], dtype=refquant.uint8)
    """

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        if arguments or keywords:
            shown = ", ".join([*map(repr, arguments), *(f"{k}={v!r}" for k, v in keywords.items())])
            raise ArgumentTypeError(
                expected="no arguments",
                got=shown,
                hint="write QFunctional() and call its methods, such as .add(x, y)",
            )
        super().__init__()
        self.scale = 1.0
        self.zero_point = 0

    def add(self, x: Any, y: Any) -> Tensor:
        """Add two quantized tensors; see `refquant.ops.quantized.add`."""
        return quantized.add(x, y, self.scale, self.zero_point)

    def add_scalar(self, x: Any, y: float) -> Tensor:
        """Add a number, which decides the quantizer; see `refquant.ops.quantized.add_scalar`."""
        return quantized.add_scalar(x, y)

    def mul(self, x: Any, y: Any) -> Tensor:
        """Multiply two quantized tensors; see `refquant.ops.quantized.mul`."""
        return quantized.mul(x, y, self.scale, self.zero_point)

    def mul_scalar(self, x: Any, y: float) -> Tensor:
        """Multiply by a number, which decides the quantizer; see `ops.quantized.mul_scalar`."""
        return quantized.mul_scalar(x, y)

    def cat(self, x: Any, dim: int = 0) -> Tensor:
        """Join quantized tensors along a dimension; see `refquant.ops.quantized.cat`.

        Examples
        --------
        >>> import refquant
        >>> q = refquant.quantize_per_tensor(refquant.ones(1), 0.5, 0, refquant.quint8)
        >>> refquant.nn.quantized.QFunctional().cat([q, q]).int_repr()
        tensor([1, 1], dtype=refquant.uint8)
        """
        return quantized.cat(x, dim, self.scale, self.zero_point)

    def add_relu(self, x: Any, y: Any) -> Tensor:
        """Add two quantized tensors; negative sums become 0."""
        return quantized.add_relu(x, y, self.scale, self.zero_point)

    def matmul(self, x: Any, y: Any) -> Tensor:
        """Multiply two quantized matrices; see `refquant.ops.quantized.matmul`.

        Examples
        --------
        >>> import refquant
        >>> q = refquant.quantize_per_tensor(refquant.ones(2, 2), 0.5, 0, refquant.quint8)
        >>> refquant.nn.quantized.QFunctional().matmul(q, q).int_repr()
        tensor([[2, 2],
                [2, 2]], dtype=refquant.uint8)
        """
        return quantized.matmul(x, y, self.scale, self.zero_point)

    @classmethod
    def from_float(cls, mod: Module) -> "QFunctional":
        """Convert an observed module, with the scale and zero point that its observer chose.

        Parameters
        ----------
        mod : FloatFunctional
            Its ``activation_post_process`` is an observer that has seen data.

        Returns
        -------
        QFunctional

        Raises
        ------
        ArgumentTypeError
            If `mod` is not a FloatFunctional.
        """
        if type(mod) is not FloatFunctional:
            raise ArgumentTypeError(
                argument="mod",
                expected="a FloatFunctional",
                got=type(mod).__name__,
            )
        scale, zero_point = observed(mod)
        converted = cls()
        converted.scale, converted.zero_point = scale, zero_point
        return converted


def observed(mod: Module) -> tuple[float, int]:
    """Return the one scale and zero point that the observer of a module chose, or raise.

    Raises
    ------
    NotPreparedError
        If the module has no observer.
    ArgumentTypeError
        If something that chooses no scale stands in the observer's place.
    QuantizationParameterError
        If the observer chose several, one for each channel.
    """
    observer: Any = getattr(mod, "activation_post_process", None)
    if not hasattr(observer, "calculate_qparams"):
        # A FloatFunctional has an Identity there until it is prepared.
        bare = observer is None or type(mod) is FloatFunctional
        raise (NotPreparedError if bare else ArgumentTypeError)(
            argument="mod.activation_post_process",
            expected="an observer",
            got="none" if bare else type(observer).__name__,
            hint="call refquant.quantization.prepare() on the model "
            "and show it data before convert()",
        )
    scale, zero_point, *_ = observer.calculate_qparams()
    scales, zero_points = np.asarray(scale.array), np.asarray(zero_point.array)
    if scales.size != 1:
        raise QuantizationParameterError(
            argument="mod.activation_post_process",
            expected="an observer with one scale for the whole tensor",
            got=f"{scales.size} scales",
            hint="use a per-tensor observer for activations in the QConfig",
        )
    return float(scales.reshape(-1)[0]), int(zero_points.reshape(-1)[0])
