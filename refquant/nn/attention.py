"""Attention: weighted means of values, by how keys fit queries."""

from typing import Any

from refquant import arguments
from refquant._documentation import document
from refquant.errors import ArgumentError, ShapeError
from refquant.nn import functional as F
from refquant.nn import init
from refquant.nn.linear import NonDynamicallyQuantizableLinear
from refquant.nn.module import Module
from refquant.nn.parameter import Parameter
from refquant.ops.floating.concat import cat
from refquant.ops.floating.creation import empty, zeros
from refquant.ops.floating.operands import operand
from refquant.ops.quantized.affine import quantize_per_tensor
from refquant.tensors import QuantizedTensor, Tensor

__all__ = ["MultiheadAttention"]


def zeros_like_part(part: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Make zeros of another shape: of the dtype and quantizer of a tensor."""
    if isinstance(part, QuantizedTensor):
        made = zeros(*shape)
        return quantize_per_tensor(made, part.q_scale(), part.q_zero_point(), part.dtype)
    return zeros(*shape, dtype=part.dtype)


def repeated(bias: Any, batch: int) -> Tensor:
    """Repeat one step, plain or quantized, for every sequence."""
    return bias if batch == 1 else cat([bias] * batch, 1)


class MultiheadAttention(Module):
    r"""Attention of several heads.

    .. math::
        y = [a_1, \dots, a_h]\, W_o^T,\quad
        a_i = \mathrm{softmax}(q_i k_i^T / \sqrt{d})\, v_i

    Each head sees `d` features of the projected queries, keys and values.

    %(attention)s

    Attributes
    ----------
    in_proj_weight : Parameter or None
        Weights of queries, keys and values, one below the other; or, where `kdim` or `vdim` differ,
        ``q_proj_weight``, ``k_proj_weight`` and ``v_proj_weight``.
    in_proj_bias : Parameter or None
        Their biases.
    out_proj : Module
        The last linear layer.

    Examples
    --------
    >>> import refquant
    >>> attention = refquant.nn.MultiheadAttention(8, 2)
    >>> x = refquant.randn(5, 3, 8)
    >>> output, weights = attention(x, x, x)
    >>> output.shape, weights.shape
    (refquant.Size([5, 3, 8]), refquant.Size([3, 5, 5]))
    """

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
        super().__init__()
        self.embed_dim = size = arguments.integer("embed_dim", embed_dim, 1)
        self.kdim = size if kdim is None else arguments.integer("kdim", kdim, 1)
        self.vdim = size if vdim is None else arguments.integer("vdim", vdim, 1)
        arguments.shape("embed_dim", (3 * size, max(size, self.kdim, self.vdim)))
        self.num_heads = arguments.integer("num_heads", num_heads, 1)
        if size % self.num_heads:
            raise ArgumentError(
                argument="embed_dim", expected="divisible by `num_heads`", got=(size, num_heads)
            )
        self.head_dim = size // self.num_heads
        self.dropout = arguments.real("dropout", dropout, 0, 1)
        self.add_zero_attn = arguments.flag("add_zero_attn", add_zero_attn)
        self.batch_first = arguments.flag("batch_first", batch_first)
        self._qkv_same_embed_dim = self.kdim == size and self.vdim == size
        bias = arguments.flag("bias", bias)
        whole = Parameter(empty(3 * size, size)) if self._qkv_same_embed_dim else None
        for name, width in (("q", size), ("k", self.kdim), ("v", self.vdim)):
            part = None if self._qkv_same_embed_dim else Parameter(empty(size, width))
            self.register_parameter(f"{name}_proj_weight", part)
        self.register_parameter("in_proj_weight", whole)
        self.register_parameter("in_proj_bias", Parameter(empty(3 * size)) if bias else None)
        self.out_proj: Any = NonDynamicallyQuantizableLinear(size, size, bias=bias)
        added = arguments.flag("add_bias_kv", add_bias_kv)
        for name in ("bias_k", "bias_v"):
            self.register_parameter(name, Parameter(empty(1, 1, size)) if added else None)
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        for name in ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"):
            weight = self._parameters.get(name)
            if weight is not None:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            init.constant_(self.in_proj_bias, 0.0)
            init.constant_(self.out_proj.bias, 0.0)
        for name in ("bias_k", "bias_v"):
            bias = self._parameters.get(name)
            if bias is not None:
                init.xavier_normal_(bias)

    def in_projections(self) -> list[tuple[Tensor, Tensor | None]]:
        """List weight and bias (or None) of queries, keys and values."""
        size, whole = self.embed_dim, self.in_proj_weight
        if whole is not None:
            weights = [whole[k * size : (k + 1) * size] for k in range(3)]
        else:
            weights = [self.q_proj_weight, self.k_proj_weight, self.v_proj_weight]
        biases: list[Any] = [None] * 3
        if self.in_proj_bias is not None:
            biases = [self.in_proj_bias[k * size : (k + 1) * size] for k in range(3)]
        return list(zip(weights, biases, strict=True))

    # What modules with observers do in another way.

    def _project(self, query: Tensor, key: Tensor, value: Tensor) -> list[Tensor]:
        """Compute queries, divided by the root of the features of a head, keys and values."""
        given = zip((query, key, value), self.in_projections(), strict=True)
        q, k, v = (F.linear(x, weight, bias) for x, (weight, bias) in given)
        return [q * self.head_dim**-0.5, k, v]

    def _real(self, parts: list[Tensor]) -> list[Tensor]:
        """Leave the integers, if there are any."""
        return parts

    def _finish(self, output: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the last linear layer."""
        return self.out_proj(output), weights

    # -- running ---------------------------------------------------------------------------------

    def _check(self, query: Tensor, key: Tensor, value: Tensor) -> None:
        """Raise unless (time, batch, features) of the three fit together."""
        for name, part, width in (
            ("query", query, self.embed_dim),
            ("key", key, self.kdim),
            ("value", value, self.vdim),
        ):
            shape = tuple(part.shape)
            # What comes before has three dimensions by then.
            if (
                len(shape) != 3
                or shape[1:] != (query.shape[1], width)
                or (name == "value" and shape[0] != key.shape[0])
            ):
                raise ShapeError(
                    argument=name,
                    expected=f"of {width} features, with as many sequences as `query` and as many "
                    "steps as `key`",
                    got=f"shape {shape} of (time, batch, features)",
                )

    def _mask(self, attn_mask: Any, key_padding_mask: Any, sizes: tuple[int, int, int]):
        """Put both masks together: what is added to the weights, or None."""
        batch, steps, source = sizes
        total: Any = None
        if attn_mask is not None:
            mask = operand("attn_mask", attn_mask)
            shape = tuple(mask.shape)
            if shape not in ((steps, source), (batch * self.num_heads, steps, source)):
                raise ShapeError(
                    argument="attn_mask",
                    expected=f"of shape {(steps, source)} or "
                    f"{(batch * self.num_heads, steps, source)}",
                    got=f"shape {shape}",
                )
            total = _added(mask)
            total = total.unsqueeze(0) if mask.dim() == 2 else total
        if key_padding_mask is not None:
            mask = operand("key_padding_mask", key_padding_mask)
            if tuple(mask.shape) != (batch, source):
                raise ShapeError(
                    argument="key_padding_mask",
                    expected=f"of shape {(batch, source)}",
                    got=f"shape {tuple(mask.shape)}",
                )
            wide = _added(mask).reshape(batch, 1, 1, source) + zeros(1, self.num_heads, 1, 1)
            wide = wide.reshape(batch * self.num_heads, 1, source)
            total = wide if total is None else total + wide
        return total

    def forward(
        self,
        query: Any,
        key: Any,
        value: Any,
        key_padding_mask: Any = None,
        need_weights: bool = True,
        attn_mask: Any = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Compute the weighted means of values.

        Parameters
        ----------
        query, key, value : Tensor
            Shape (time, batch, features), or with `batch_first` (batch, time, features).
        key_padding_mask : Tensor, shape (batch, keys), optional
            What to add to the weights of a key, before softmax; of bool, where to leave it out.
        need_weights : bool, default True
            Whether to return the weights.
        attn_mask : Tensor, shape (queries, keys) or (batch * heads, queries, keys), optional
            As `key_padding_mask`, for each query.
        average_attn_weights : bool, default True
            Whether the weights that are returned are the mean of the heads.
        is_causal : bool, default False
            A hint that `attn_mask` is causal, which has to be given then.

        Returns
        -------
        output : Tensor
            Shape as that of `query`.
        weights : Tensor or None
            Shape (batch, queries, keys), or (batch, heads, queries, keys).

        Raises
        ------
        ShapeError, ArgumentError
            If the arguments do not fit together.
        """
        if arguments.flag("is_causal", is_causal) and attn_mask is None:
            raise ArgumentError(
                argument="attn_mask", expected="given with is_causal=True", got="None"
            )
        parts = [_part(n, x) for n, x in (("query", query), ("key", key), ("value", value))]
        if self.batch_first:
            parts = [part.transpose(0, 1) for part in parts]
        self._check(*parts)
        steps, batch = parts[0].shape[:2]
        mask = self._mask(attn_mask, key_padding_mask, (batch, steps, parts[1].shape[0]))
        q, k, v = self._project(*parts)
        if self.bias_k is not None:
            k = cat([k, repeated(self.bias_k, batch)])
            v = cat([v, repeated(self.bias_v, batch)])
        rows = batch * self.num_heads
        q, k, v = (
            part.contiguous().reshape(part.shape[0], rows, self.head_dim).transpose(0, 1)
            for part in (q, k, v)
        )
        if self.add_zero_attn:
            shape = (rows, 1, self.head_dim)
            k = cat([k, zeros_like_part(k, shape)], 1)
            v = cat([v, zeros_like_part(v, shape)], 1)
        q, k, v = self._real([q, k, v])
        weights = q.matmul(k.transpose(1, 2))
        if mask is not None:
            more = k.shape[1] - mask.shape[-1]  # keys that were added
            weights = weights + (F.pad(mask, (0, more)) if more else mask)
        weights = F.softmax(weights, -1)
        weights = F.dropout(weights, self.dropout, self.training)
        output = weights.matmul(v).transpose(0, 1).contiguous()
        output, weights = self._finish(output.reshape(steps, batch, self.embed_dim), weights)
        output = output.transpose(0, 1) if self.batch_first else output
        if not arguments.flag("need_weights", need_weights):
            return output, None
        weights = weights.reshape(batch, self.num_heads, steps, weights.shape[-1])
        average = arguments.flag("average_attn_weights", average_attn_weights)
        return output, (weights.mean(1) if average else weights)


def _part(name: str, value: Any) -> Tensor:
    """Return a tensor, plain or quantized."""
    return value if isinstance(value, QuantizedTensor) else operand(name, value)


def _added(mask: Tensor) -> Tensor:
    """Return what a mask adds to weights; True leaves a weight out."""
    if mask.dtype.is_floating_point:
        return mask
    return zeros(*mask.shape).masked_fill(mask.bool(), float("-inf"))


document(__name__)
