"""Embeddings and bags of them whose tables are quantized, each row by itself."""

import functools
from typing import Any, Self

from refquant import arguments, dtypes, nn
from refquant._documentation import document
from refquant._operation import warn
from refquant.errors import ArgumentError, NotSupportedError, ShapeError, WorkflowWarning
from refquant.nn.module import Module
from refquant.nn.quantized.weights import reference_layer, trained_observer
from refquant.nn.state import quantized_value
from refquant.ops.quantized import embedding as ops
from refquant.ops.quantized.affine import quantize_per_channel
from refquant.quantization.observers.defaults import default_float_qparams_observer
from refquant.tensors import QuantizedTensor, Tensor

__all__ = ["Embedding", "EmbeddingBag"]

_KINDS = (dtypes.quint8, dtypes.quint4x2)


def _checked_dtype(dtype: Any) -> dtypes.dtype:
    if not any(dtype is kind for kind in _KINDS):
        raise NotSupportedError(
            argument="dtype", expected="quint8 or quint4x2", got=arguments.describe(dtype)
        )
    return dtype


class EmbeddingPackedParams(Module):
    """The packed table of an embedding, as a module of its own.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        Rows and columns.
    dtype : refquant.dtype, default quint8
        quint8 or quint4x2.

    Attributes
    ----------
    dtype : refquant.dtype
        That of the table that was set last.
    shape : tuple of int
        Rows and columns.
    """

    _version = 1
    _packed_weight: ops.PackedEmbedding

    def __init__(
        self, num_embeddings: int, embedding_dim: int, dtype: dtypes.dtype = dtypes.quint8
    ) -> None:
        super().__init__()
        rows = arguments.integer("num_embeddings", num_embeddings, 0)
        columns = arguments.integer("embedding_dim", embedding_dim, 0)
        arguments.shape("(num_embeddings, embedding_dim)", (rows, columns))
        self.dtype, self.shape = _checked_dtype(dtype), (rows, columns)
        self._packed_weight = ops.PackedEmbedding.zeros(rows, columns, self.dtype)

    def set_weight(self, weight: Any) -> None:
        """Pack a table, quantized along axis 0 with float zero points; its shape must fit."""
        self._set(self._pack(weight))

    def _pack(self, weight: Any) -> ops.PackedEmbedding:
        packed = ops.embedding_bag_prepack(weight)
        if packed.shape != self.shape:
            raise ShapeError(
                argument="weight", expected=f"of shape {self.shape}", got=f"shape {packed.shape}"
            )
        return packed

    def _set(self, packed: ops.PackedEmbedding) -> None:
        self._packed_weight, self.dtype = packed, packed.dtype

    def _weight(self) -> QuantizedTensor:
        return self._packed_weight.unpack()

    def forward(self, x: Any) -> Any:
        """Return `x`."""
        return x

    def _save_to_state_dict(self, destination: dict, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[prefix + "dtype"] = self.dtype
        destination[prefix + "_packed_weight"] = self._weight()

    def _load_from_state_dict(self, report: Any, prefix: str) -> None:
        report.take(prefix + "dtype", optional=True)  # the table has it
        key = prefix + "_packed_weight"
        weight = quantized_value(report, key, self.shape)
        packed = None if weight is None else report.attempt(key, self._pack, weight)
        if packed is not None:
            report.change(functools.partial(self._set, packed))
        super()._load_from_state_dict(report, prefix)


class Embedding(Module):
    """Look up rows of a quantized table, as real numbers.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        Rows and columns of the table.
    padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse : optional
        As of `refquant.nn.Embedding`; without effect, as there is no training.
    _weight : QuantizedTensor, optional
        The table: quint8 or quint4x2, quantized along axis 0 with float zero points. By default
        integers 0 with scale 1 and zero point 0.
    dtype : refquant.dtype, default quint8
        quint8 or quint4x2, if there is no table.

    Attributes
    ----------
    num_embeddings, embedding_dim : int
    dtype : refquant.dtype

    Examples
    --------
    >>> import refquant
    >>> m = refquant.nn.quantized.Embedding(num_embeddings=10, embedding_dim=12)
    >>> m(refquant.tensor([9, 6, 5, 7, 8, 8, 9, 2, 8])).size()
    refquant.Size([9, 12])
    """

    _version = 1
    _FLOAT_MODULE: type = nn.Embedding
    _NEEDED: tuple[str, ...] = ("num_embeddings", "embedding_dim", "get_quantized_weight")

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Any = None,
        dtype: dtypes.dtype = dtypes.quint8,
    ) -> None:
        super().__init__()
        self._packed_params = EmbeddingPackedParams(num_embeddings, embedding_dim, dtype)
        self.num_embeddings, self.embedding_dim = self._packed_params.shape
        if _weight is not None:
            self.set_weight(_weight)

    @property
    def dtype(self) -> dtypes.dtype:
        """That of the table."""
        return self._packed_params.dtype

    @property
    def _packed(self) -> ops.PackedEmbedding:
        return self._packed_params._packed_weight

    def forward(self, indices: Any) -> Tensor:
        """Look up rows; the result has the shape of `indices` and a dimension of columns."""
        four = self.dtype is dtypes.quint4x2
        return (ops.embedding_4bit if four else ops.embedding_byte)(self._packed, indices)

    def set_weight(self, w: Any) -> None:
        """Replace the table.

        Parameters
        ----------
        w : QuantizedTensor, shape (num_embeddings, embedding_dim)
            quint8 or quint4x2, quantized along axis 0 with float zero points.

        Examples
        --------
        >>> import refquant
        >>> embedding = refquant.nn.quantized.Embedding(2, 3)
        >>> embedding.set_weight(embedding.weight())
        """
        self._packed_params.set_weight(w)

    def weight(self) -> QuantizedTensor:
        """Copy the table."""
        return self._packed_params._weight()

    @classmethod
    def from_float(cls, mod: Module, use_precomputed_fake_quant: bool = False) -> Self:
        """Make the quantized module from a float one, or one of quantization-aware training.

        Parameters
        ----------
        mod : Module
            Exactly of the float type, or its counterpart in `refquant.nn.qat`.
        use_precomputed_fake_quant : bool, default False
            Whether the fake quantization of a trained table stays as it was last.

        Raises
        ------
        ArgumentError
            If it is of another type, or has no QConfig, or one whose weights have no float zero
            points.
        """
        weight = _quantized(cls, mod, use_precomputed_fake_quant)
        module: Any = mod
        return cls(module.num_embeddings, module.embedding_dim, _weight=weight)

    @classmethod
    def from_reference(cls, ref_embedding: Module) -> Self:
        """Make the quantized module from one of `refquant.nn.quantized.reference`.

        Parameters
        ----------
        ref_embedding : Module
            Its quantizer has float zero points, along axis 0.
        """
        table = reference_layer("ref_embedding", ref_embedding, *cls._NEEDED)
        settings = {name: getattr(table, name) for name in cls._NEEDED}
        weight = settings.pop("get_quantized_weight")()
        made: Any = cls
        return made(**settings, _weight=weight)

    def _get_name(self) -> str:
        return "QuantizedEmbedding"

    def extra_repr(self) -> str:
        """Describe the sizes and the quantizer."""
        return (
            f"num_embeddings={self.num_embeddings}, embedding_dim={self.embedding_dim}, "
            f"dtype={self.dtype}, qscheme={dtypes.per_channel_affine_float_qparams}"
        )

    def __repr__(self) -> str:
        return f"{self._get_name()}({self.extra_repr()})"


class EmbeddingBag(Embedding):
    """Add rows of a quantized table.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        Rows and columns of the table.
    max_norm, norm_type, scale_grad_by_freq, sparse : optional
        As of `refquant.nn.EmbeddingBag`; without effect, as there is no training.
    mode : str, default 'sum'
        Kept as an attribute; rows are always added, as in PyTorch.
    _weight : QuantizedTensor, optional
        The table: quint8 or quint4x2, quantized along axis 0 with float zero points. By default
        integers 0 with scale 1 and zero point 0.
    include_last_offset : bool, default False
        Whether the last offset is the end of the last bag.
    dtype : refquant.dtype, default quint8
        quint8 or quint4x2, if there is no table.

    Attributes
    ----------
    num_embeddings, embedding_dim : int
    mode : str
    include_last_offset : bool
    pruned_weights : bool
        False; set it if rows were left out of the table.

    Examples
    --------
    >>> import refquant
    >>> m = refquant.nn.quantized.EmbeddingBag(10, 12, include_last_offset=True, mode="sum")
    >>> m(refquant.tensor([9, 6, 5, 7, 8, 8]), refquant.tensor([0, 2, 6])).size()
    refquant.Size([2, 12])
    """

    _FLOAT_MODULE: type = nn.EmbeddingBag
    _NEEDED = (*Embedding._NEEDED, "mode", "include_last_offset")

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "sum",
        sparse: bool = False,
        _weight: Any = None,
        include_last_offset: bool = False,
        dtype: dtypes.dtype = dtypes.quint8,
    ) -> None:
        super().__init__(num_embeddings, embedding_dim, _weight=_weight, dtype=dtype)
        self.mode = arguments.choice("mode", mode, ("sum", "mean", "max"))
        self.pruned_weights = False
        self.include_last_offset = arguments.flag("include_last_offset", include_last_offset)

    def forward(
        self,
        indices: Any,
        offsets: Any = None,
        per_sample_weights: Any = None,
        compressed_indices_mapping: Any = None,
    ) -> Tensor:
        """Add the rows of each bag, shape (bags, embedding_dim)."""
        four = self.dtype is dtypes.quint4x2
        return (ops.embedding_bag_4bit if four else ops.embedding_bag_byte)(
            self._packed, indices, offsets, False, 0, self.pruned_weights, per_sample_weights,
            compressed_indices_mapping, self.include_last_offset,
        )  # fmt: skip

    @classmethod
    def from_float(cls, mod: Module, use_precomputed_fake_quant: bool = False) -> Self:
        """Make the quantized module from a float one, or one of quantization-aware training.

        Parameters
        ----------
        mod : Module
            Exactly of the float type, or its counterpart in `refquant.nn.qat`.
        use_precomputed_fake_quant : bool, default False
            Whether the fake quantization of a trained table stays as it was last.

        Raises
        ------
        ArgumentError
            If it is of another type, or has no QConfig, or one whose weights have no float zero
            points.

        Warns
        -----
        WorkflowWarning
            If `mod` computes something else than sums.
        """
        weight = _quantized(cls, mod, use_precomputed_fake_quant)
        module: Any = mod
        if module.mode != "sum":
            warn(
                f"a quantized EmbeddingBag adds rows, and this one has mode={module.mode!r}: its "
                "results will be sums. Train with mode='sum', or set its qconfig to None",
                WorkflowWarning,
            )
        return cls(
            module.num_embeddings, module.embedding_dim, mode=module.mode, _weight=weight,
            include_last_offset=module.include_last_offset,
        )  # fmt: skip

    def _get_name(self) -> str:
        return "QuantizedEmbeddingBag"


def _quantized(cls: Any, mod: Any, precomputed: bool) -> QuantizedTensor:
    """Quantize the table of a float module as its QConfig, or its fake quantization, says."""
    table: Any = mod.weight.detach() if isinstance(mod, cls._FLOAT_MODULE) else None
    if table is not None and hasattr(mod, "weight_fake_quant"):
        observer = trained_observer(mod, table, precomputed)
    else:
        if type(mod) is not cls._FLOAT_MODULE:
            raise ArgumentError(
                argument="mod",
                expected=f"exactly a {cls._FLOAT_MODULE.__name__}, or one of quantization-aware "
                "training",
                got=type(mod).__name__,
            )
        if not hasattr(mod, "qconfig"):
            raise ArgumentError(
                argument="mod.qconfig",
                expected="a QConfig",
                got="none",
                hint="set it to refquant.quantization.float_qparams_weight_only_qconfig",
            )
        chosen = getattr(mod.qconfig, "weight", None)
        observer = (default_float_qparams_observer if chosen is None else chosen)()
        observer(table)
    scheme = getattr(observer, "qscheme", None)
    if scheme is not dtypes.per_channel_affine_float_qparams or observer.dtype not in _KINDS:
        raise ArgumentError(
            argument="mod.qconfig.weight",
            expected="an observer for quint8 or quint4x2 with float zero points",
            got=f"{getattr(observer, 'dtype', None)} with {scheme}",
            hint="use refquant.quantization.float_qparams_weight_only_qconfig or "
            "float_qparams_weight_only_qconfig_4bit for embeddings",
        )
    scales, zero_points, *_ = observer.calculate_qparams()
    return quantize_per_channel(
        table.to(dtypes.float32), scales, zero_points, observer.ch_axis, observer.dtype
    )


document(__name__)
