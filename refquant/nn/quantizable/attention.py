"""Attention made of parts that can be observed, and converted one by one."""

from typing import Any

from refquant import arguments, nn
from refquant._documentation import document
from refquant.errors import ArgumentError, NotSupportedError
from refquant.nn.parameter import Parameter
from refquant.nn.quantizable.workflow import step
from refquant.nn.quantized.functional_modules import FloatFunctional
from refquant.ops.floating.concat import cat
from refquant.tensors import Tensor

__all__ = ["MultiheadAttention"]


def _parameter(value: Any) -> Any:
    return None if value is None else Parameter(Tensor(value.array.copy()))


class MultiheadAttention(nn.MultiheadAttention):
    r"""Attention of several heads, made of parts that can be observed.

    ``prepare`` puts one in place of every `refquant.nn.MultiheadAttention`; ``convert`` makes a
    `refquant.nn.quantized.MultiheadAttention` of it. Projections are computed by integers; scalar
    products, softmax and means by real numbers, which are then quantized.

    %(attention)s

    Attributes
    ----------
    linear_Q, linear_K, linear_V, out_proj : Linear
        Projections.
    q_scaling_product : FloatFunctional
        Divides queries by the root of the features of a head.
    quant_attn_output, quant_attn_output_weights : QuantStub
        Quantize what the real numbers give.

    Notes
    -----
    With `batch_first` the heads stay in their places; PyTorch 2.13 mixes them up then.

    Examples
    --------
    >>> import refquant
    >>> attention = refquant.nn.quantizable.MultiheadAttention(8, 2)
    >>> x = refquant.randn(5, 3, 8)
    >>> output, weights = attention(x, x, x)
    >>> output.shape, weights.shape
    (refquant.Size([5, 3, 8]), refquant.Size([3, 5, 5]))
    """

    _FLOAT_MODULE: type[nn.MultiheadAttention] = nn.MultiheadAttention

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
    ) -> None:
        super().__init__(
            embed_dim, num_heads, dropout, bias, add_bias_kv, add_zero_attn, kdim, vdim,
            batch_first,
        )  # fmt: skip
        size = self.embed_dim
        self.linear_Q: Any = nn.Linear(size, size, bias)
        self.linear_K: Any = nn.Linear(self.kdim, size, bias)
        self.linear_V: Any = nn.Linear(self.vdim, size, bias)
        self.out_proj: Any = nn.Linear(size, size, bias)
        self.q_scaling_product: Any = FloatFunctional()
        self.quant_attn_output: Any = step("QuantStub")()
        self.quant_attn_output_weights: Any = step("QuantStub")()
        for name in ("dequant_q", "dequant_k", "dequant_v"):
            self.add_module(name, step("DeQuantStub")())

    def _get_name(self) -> str:
        return "QuantizableMultiheadAttention"

    @classmethod
    def from_float(cls, other: Any) -> "MultiheadAttention":
        """Make a module from a float one, and prepare it.

        Parameters
        ----------
        other : Module
            Exactly a `refquant.nn.MultiheadAttention`, with a QConfig.

        Raises
        ------
        ArgumentError
            If it is of another type, or has no QConfig.
        """
        if type(other) is not cls._FLOAT_MODULE:
            raise ArgumentError(
                argument="other",
                expected=f"exactly a {cls._FLOAT_MODULE.__name__}",
                got=arguments.describe(other),
            )
        if getattr(other, "qconfig", None) is None:
            raise ArgumentError(
                argument="other.qconfig",
                expected="a QConfig",
                got="None",
                hint="set other.qconfig = refquant.quantization.get_default_qconfig()",
            )
        made = cls(
            other.embed_dim, other.num_heads, other.dropout, other.in_proj_bias is not None,
            other.bias_k is not None, other.add_zero_attn, other.kdim, other.vdim,
            other.batch_first,
        )  # fmt: skip
        made.bias_k, made.bias_v = _parameter(other.bias_k), _parameter(other.bias_v)
        made.qconfig = other.qconfig
        layers = (made.linear_Q, made.linear_K, made.linear_V, made.out_proj)
        projections = [*other.in_projections(), (other.out_proj.weight, other.out_proj.bias)]
        for layer, (weight, bias) in zip(layers, projections, strict=True):
            layer.weight, layer.bias = _parameter(weight), _parameter(bias)
        return step("prepare")(made.eval(), inplace=True)

    @classmethod
    def from_observed(cls, other: Any) -> "MultiheadAttention":
        """Raise an error: ``nn.quantized`` has what can be made of a module with observers.

        Raises
        ------
        NotSupportedError
            Always.
        """
        raise NotSupportedError(
            argument="other",
            expected="refquant.nn.quantized.MultiheadAttention.from_observed for modules with "
            "observers",
            got=f"{cls.__name__} of {arguments.describe(other)}",
            hint="call convert() of the model",
        )

    def dequantize(self) -> nn.MultiheadAttention:
        """Make a float module of the weights that ``convert`` quantized.

        Returns
        -------
        MultiheadAttention
        """
        layers = (self.linear_Q, self.linear_K, self.linear_V, self.out_proj)
        given = [_unpacked(layer) for layer in layers]
        made = nn.MultiheadAttention(
            self.embed_dim, self.num_heads, self.dropout, given[0][1] is not None,
            self.bias_k is not None, self.add_zero_attn, self.kdim, self.vdim, self.batch_first,
        )  # fmt: skip
        for name in ("bias_k", "bias_v"):
            value = getattr(self, name)
            if value is not None:
                real = value.dequantize() if value.is_quantized else value
                setattr(made, name, _parameter(real))
        weights, biases = zip(*given, strict=True)
        if made.in_proj_weight is not None:
            made.in_proj_weight = _parameter(cat(list(weights[:3])))
        else:
            for name, weight in zip("qkv", weights[:3], strict=True):
                setattr(made, f"{name}_proj_weight", _parameter(weight))
        if made.in_proj_bias is not None:
            made.in_proj_bias = _parameter(cat(list(biases[:3])))
        made.out_proj.weight, made.out_proj.bias = _parameter(weights[3]), _parameter(biases[3])
        return made.train(self.training)

    # What the float module does in another way.

    def _project(self, query: Tensor, key: Tensor, value: Tensor) -> list[Tensor]:
        q, k, v = self.linear_Q(query), self.linear_K(key), self.linear_V(value)
        return [self.q_scaling_product.mul_scalar(q, self.head_dim**-0.5), k, v]

    def _real(self, parts: list[Tensor]) -> list[Tensor]:
        stubs: Any = (self.dequant_q, self.dequant_k, self.dequant_v)
        return [stub(part) for stub, part in zip(stubs, parts, strict=True)]

    def _finish(self, output: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        output = self.out_proj(self.quant_attn_output(output))
        return output, self.quant_attn_output_weights(weights)


def _unpacked(layer: Any) -> tuple[Tensor, Tensor | None]:
    """Return weight and bias of a linear layer, quantized or float, as real numbers."""
    if isinstance(layer, nn.Linear):
        return layer.weight, layer.bias
    return layer.weight().dequantize(), layer.bias()


document(__name__)
