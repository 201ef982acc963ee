"""`Embedding` and `EmbeddingBag` for quantization-aware training."""

from typing import Any, Self

from refquant import dtypes, nn
from refquant._documentation import document
from refquant.errors import ArgumentError
from refquant.nn import functional as F
from refquant.nn.embedding import PARTS
from refquant.nn.module import Module
from refquant.nn.parameter import Parameter
from refquant.nn.qat.fake_quantized import FakeQuantized
from refquant.ops.from_data import plain_dtype
from refquant.tensors import Tensor

__all__ = ["Embedding", "EmbeddingBag"]


class _Rounded(FakeQuantized):
    """A table whose rows are rounded when they are used."""

    weight: Any

    def _round(self, qconfig: Any, device: Any, dtype: Any) -> None:
        if device is not None:
            dtypes.device(device)
        if dtype is not None and plain_dtype(dtype) is not dtypes.float32:
            raise ArgumentError(argument="dtype", expected="refquant.float32", got=dtype)
        self.start_fake_quantization(qconfig)
        scheme = getattr(self.weight_fake_quant, "qscheme", None)
        if scheme is not dtypes.per_channel_affine_float_qparams:
            raise ArgumentError(
                argument="qconfig.weight",
                expected="fake quantization with float zero points",
                got=scheme,
                hint="use refquant.quantization.default_embedding_qat_qconfig, or "
                "default_embedding_qat_qconfig_4bit",
            )

    def _finish(self, result: Tensor) -> Tensor:
        return self.activation_post_process(result) if self._rounds_output else result

    @classmethod
    def from_float(
        cls, mod: Module, qconfig: Any = None, use_precomputed_fake_quant: Any = False
    ) -> Self:
        """Make the module for training from a float one, whose table it shares.

        Parameters
        ----------
        mod : Module
            Exactly of the float type.
        qconfig : QConfig, optional
            By default the attribute `qconfig` of `mod`.
        use_precomputed_fake_quant : bool, default False
            Has no effect here.

        Raises
        ------
        ArgumentError
            If `mod` is of another type, or there is no QConfig for embeddings.
        """
        if type(mod) is not cls._FLOAT_MODULE:
            raise ArgumentError(
                argument="mod",
                expected=f"exactly a {cls._FLOAT_MODULE.__name__}",
                got=type(mod).__name__,
            )
        chosen = getattr(mod, "qconfig", None) if qconfig is None else qconfig
        settings = {name: getattr(mod, name) for name in cls._SETTINGS}
        kind: Any = cls
        return kind(**settings, _weight=mod.weight, qconfig=chosen).train(mod.training)

    def to_float(self) -> Module:
        """Make the float module, with a table of its own parameter."""
        settings = {name: getattr(self, name) for name in self._SETTINGS}
        made: Any = self._FLOAT_MODULE
        return made(**settings, _weight=Parameter(self.weight.detach())).train(self.training)


class Embedding(_Rounded, nn.Embedding):
    """An `Embedding` whose table is rounded as quantization will round it.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        Rows and columns of the table.
    %(embedding_settings)s
    _weight : Tensor, optional
        The table.
    device, dtype : optional
        Only 'cpu' and float32.
    qconfig : QConfig
        Required; its weight rounds with float zero points.

    Attributes
    ----------
    weight : Parameter, shape (num_embeddings, embedding_dim)
    weight_fake_quant : FakeQuantize

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn, quantization
    >>> module = nn.qat.Embedding(10, 3, qconfig=quantization.default_embedding_qat_qconfig)
    >>> module(refquant.tensor([1, 2])).shape
    refquant.Size([2, 3])
    """

    _SETTINGS = (
        "num_embeddings", "embedding_dim", "padding_idx", "max_norm", "norm_type",
        "scale_grad_by_freq", "sparse",
    )  # fmt: skip
    _FLOAT_MODULE: type = nn.Embedding

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
        device: Any = None,
        dtype: Any = None,
        qconfig: Any = None,
    ) -> None:
        super().__init__(
            num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, scale_grad_by_freq,
            sparse, _weight,
        )  # fmt: skip
        self._round(qconfig, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        """Look up rows of the rounded table."""
        return self._finish(
            F.embedding(
                input, self.weight_fake_quant(self.weight), self.padding_idx, self.max_norm,
                self.norm_type, self.scale_grad_by_freq, self.sparse,
            )
        )  # fmt: skip


class EmbeddingBag(_Rounded, nn.EmbeddingBag):
    """An `EmbeddingBag` whose table is rounded as quantization will round it.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        Rows and columns of the table.
    %(bag_settings)s
    _weight : Tensor, optional
        The table.
    qconfig : QConfig
        Required; its weight rounds with float zero points.
    device, dtype : optional
        Only 'cpu' and float32.

    Attributes
    ----------
    weight : Parameter, shape (num_embeddings, embedding_dim)
    weight_fake_quant : FakeQuantize

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn, quantization
    >>> module = nn.qat.EmbeddingBag(10, 3, qconfig=quantization.default_embedding_qat_qconfig)
    >>> module(refquant.tensor([[1, 2]])).shape
    refquant.Size([1, 3])
    """

    _SETTINGS = (
        "num_embeddings", "embedding_dim", "max_norm", "norm_type", "scale_grad_by_freq", "mode",
        "sparse", "include_last_offset", "padding_idx",
    )  # fmt: skip
    _FLOAT_MODULE: type = nn.EmbeddingBag

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Any = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        qconfig: Any = None,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            num_embeddings, embedding_dim, max_norm, norm_type, scale_grad_by_freq, mode, sparse,
            _weight, include_last_offset, padding_idx,
        )  # fmt: skip
        self._round(qconfig, device, dtype)

    def forward(
        self, input: Tensor, offsets: Tensor | None = None, per_sample_weights: Any = None
    ) -> Tensor:
        """Reduce the rows of each bag, of the rounded table."""
        return self._finish(
            F.embedding_bag(
                input, self.weight_fake_quant(self.weight), offsets, self.max_norm,
                self.norm_type, self.scale_grad_by_freq, self.mode, self.sparse,
                per_sample_weights, self.include_last_offset, self.padding_idx,
            )
        )  # fmt: skip


document(__name__, **PARTS)
