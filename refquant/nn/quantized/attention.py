"""Attention with integer projections: what ``convert`` makes of a `quantizable` one."""

from typing import Any

from refquant import arguments, dtypes
from refquant.errors import ArgumentError, NotSupportedError
from refquant.nn import MultiheadAttention as FloatAttention
from refquant.nn.quantizable import attention
from refquant.nn.quantizable.workflow import step
from refquant.ops.quantized.affine import quantize_per_tensor
from refquant.ops.quantized.dynamic import input_quantizer

__all__ = ["MultiheadAttention"]


class MultiheadAttention(attention.MultiheadAttention):
    """Attention of several heads whose projections are computed by integers.

    Parameters
    ----------
    embed_dim, num_heads, dropout, bias, add_bias_kv, add_zero_attn, kdim, vdim, batch_first
        As of `refquant.nn.quantizable.MultiheadAttention`, from which ``convert`` makes it.

    Notes
    -----
    Source: the documentation of ``torch.ao.nn.quantized.MultiheadAttention``, PyTorch 2.13.

    Examples
    --------
    >>> import refquant
    >>> issubclass(
    ...     refquant.nn.quantized.MultiheadAttention, refquant.nn.quantizable.MultiheadAttention
    ... )
    True
    """

    _FLOAT_MODULE: type[FloatAttention] = attention.MultiheadAttention

    def _get_name(self) -> str:
        return "QuantizedMultiheadAttention"

    @classmethod
    def from_float(cls, other: Any) -> "MultiheadAttention":
        """Raise an error: a float module is observed first.

        Raises
        ------
        NotSupportedError
            Always.
        """
        raise NotSupportedError(
            argument="other",
            expected="a module with observers, for from_observed",
            got=arguments.describe(other),
            hint="call prepare(), run some batches, then convert()",
        )

    @classmethod
    def from_observed(cls, other: Any) -> "MultiheadAttention":
        """Convert the parts of a module with observers.

        Parameters
        ----------
        other : Module
            A `refquant.nn.quantizable.MultiheadAttention` that has seen data. A key and a value
            that are parameters are quantized by their range.

        Raises
        ------
        ArgumentError
            If it is of another type.
        """
        if not isinstance(other, cls._FLOAT_MODULE):
            raise ArgumentError(
                argument="other",
                expected="a refquant.nn.quantizable.MultiheadAttention",
                got=arguments.describe(other),
            )
        converted: Any = step("convert")(other, convert_custom_config_dict={})
        converted.__class__ = cls
        for name in ("bias_k", "bias_v"):
            value = converted._parameters.pop(name)
            if value is not None:
                quantizer = input_quantizer(name, value.array.reshape(1, -1), False)
                value = quantize_per_tensor(value.detach(), *quantizer, dtypes.quint8)
            setattr(converted, name, value)
        converted.in_proj_weight = converted.in_proj_bias = None
        return converted
