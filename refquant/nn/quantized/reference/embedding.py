"""Tables whose rows are quantized and dequantized."""

from typing import Any, Self

from refquant import arguments, nn
from refquant._documentation import document
from refquant.nn import functional as F
from refquant.nn.embedding import PARTS as SETTINGS
from refquant.nn.module import Module
from refquant.nn.quantized.reference.rounding import PARTS, OneWeight, check_place
from refquant.tensors import Tensor

__all__ = ["Embedding", "EmbeddingBag"]


class _Rounded(OneWeight):
    _float: type
    _order: tuple[str, ...]

    def _get_name(self) -> str:
        return "QuantizedEmbedding(Reference)"

    @classmethod
    def from_float(cls, mod: Module, weight_qparams: Any) -> Self:
        """Make a module from a float one, whose table it shares.

        Parameters
        ----------
        mod : Module
            Of the float type.
        weight_qparams : mapping
            As of the constructor.
        """
        name = f"an {cls._float.__name__}"
        given: Any = arguments.instance("mod", mod, cls._float, name)
        settings = {part: getattr(given, part) for part in cls._order}
        made: Any = cls
        return made(**settings, _weight=given.weight, weight_qparams=weight_qparams)


class Embedding(_Rounded, nn.Embedding):
    """Look up rows of a table that stands for integers, in float.

    The table is quantized and dequantized at every call.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        Rows and columns of the table.
    %(embedding_settings)s
    _weight : Tensor, optional
        The table.
    %(reference_settings)s

    Attributes
    ----------
    weight : Parameter, shape (num_embeddings, embedding_dim)
        Not rounded.
    %(reference_attributes)s

    Examples
    --------
    >>> import refquant
    >>> table = refquant.nn.quantized.reference.Embedding(10, 3)
    >>> table(refquant.tensor([1, 2])).shape
    refquant.Size([2, 3])
    """

    _float = nn.Embedding
    _order = (
        "num_embeddings", "embedding_dim", "padding_idx", "max_norm", "norm_type",
        "scale_grad_by_freq", "sparse",
    )  # fmt: skip

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
        weight_qparams: Any = None,
    ) -> None:
        check_place(device, dtype)
        super().__init__(
            num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, scale_grad_by_freq,
            sparse, _weight,
        )  # fmt: skip
        self._keep(weight_qparams)

    def forward(self, input: Tensor) -> Tensor:
        """Look up rows."""
        return F.embedding(
            input, self.get_weight(), self.padding_idx, self.max_norm, self.norm_type,
            self.scale_grad_by_freq, self.sparse,
        )  # fmt: skip


class EmbeddingBag(_Rounded, nn.EmbeddingBag):
    """Reduce rows of a table that stands for integers, in float.

    The table is quantized and dequantized at every call.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        Rows and columns of the table.
    %(bag_settings)s
    _weight : Tensor, optional
        The table.
    %(reference_settings)s

    Attributes
    ----------
    weight : Parameter, shape (num_embeddings, embedding_dim)
        Not rounded.
    %(reference_attributes)s

    Examples
    --------
    >>> import refquant
    >>> bag = refquant.nn.quantized.reference.EmbeddingBag(10, 3, mode="sum")
    >>> bag(refquant.tensor([1, 2, 4, 5]), refquant.tensor([0, 3])).shape
    refquant.Size([2, 3])
    """

    _float = nn.EmbeddingBag
    _order = (
        "num_embeddings", "embedding_dim", "max_norm", "norm_type", "scale_grad_by_freq", "mode",
        "sparse", "include_last_offset", "padding_idx",
    )  # fmt: skip

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
        device: Any = None,
        dtype: Any = None,
        weight_qparams: Any = None,
    ) -> None:
        check_place(device, dtype)
        super().__init__(
            num_embeddings, embedding_dim, max_norm, norm_type, scale_grad_by_freq, mode, sparse,
            _weight, include_last_offset, padding_idx,
        )  # fmt: skip
        self._keep(weight_qparams)

    def forward(
        self, input: Tensor, offsets: Tensor | None = None, per_sample_weights: Any = None
    ) -> Tensor:
        """Reduce the rows of each bag."""
        return F.embedding_bag(
            input, self.get_weight(), offsets, self.max_norm, self.norm_type,
            self.scale_grad_by_freq, self.mode, self.sparse, per_sample_weights,
            self.include_last_offset, self.padding_idx,
        )  # fmt: skip


document(__name__, **SETTINGS, **PARTS)
