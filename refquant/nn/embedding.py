"""Tables of vectors that are looked up by number."""

from typing import Any, Self

from refquant import arguments
from refquant._documentation import document
from refquant.errors import ShapeError
from refquant.nn import functional as F
from refquant.nn import init
from refquant.nn.module import Module
from refquant.nn.parameter import Parameter
from refquant.ops.floating.creation import empty
from refquant.ops.floating.embedding import padding_row
from refquant.ops.floating.operands import float_operand
from refquant.tensors import Tensor

__all__ = ["Embedding", "EmbeddingBag"]


class _Table(Module):
    """What both have: the table, and what happens to its rows."""

    weight: Parameter

    def _start(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None,
        max_norm: float | None,
        norm_type: float,
        scale_grad_by_freq: bool,
        sparse: bool,
        weight: Any,
    ) -> None:
        rows = arguments.integer("num_embeddings", num_embeddings, 0)
        columns = arguments.integer("embedding_dim", embedding_dim, 0)
        arguments.shape("(num_embeddings, embedding_dim)", (rows, columns))
        self.num_embeddings, self.embedding_dim = rows, columns
        self.padding_idx = None if padding_idx is None else padding_row(padding_idx, rows)
        self.max_norm = None if max_norm is None else arguments.real("max_norm", max_norm, 0)
        self.norm_type = arguments.real("norm_type", norm_type)
        self.scale_grad_by_freq = arguments.flag("scale_grad_by_freq", scale_grad_by_freq)
        self.sparse = arguments.flag("sparse", sparse)
        if weight is None:
            self.weight = Parameter(empty(rows, columns))
            self.reset_parameters()
            return
        weight = float_operand("_weight", weight)
        if weight.array.shape != (rows, columns):
            raise ShapeError(
                argument="_weight", expected=f"of shape {(rows, columns)}", got=weight.array.shape
            )
        self.weight = weight if isinstance(weight, Parameter) else Parameter(weight)

    def reset_parameters(self) -> None:
        """Draw a new table from the normal distribution; the row of padding is 0."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            self.weight.array[self.padding_idx] = 0

    # Settings that are shown, and what they are if they are not.
    _usual: dict[str, Any] = {
        "padding_idx": None,
        "max_norm": None,
        "norm_type": 2.0,
        "scale_grad_by_freq": False,
        "sparse": False,
    }

    def extra_repr(self) -> str:
        """Describe the sizes, and settings that are not the usual ones."""
        said = [
            f"{name}={getattr(self, name)!r}"
            for name, usual in self._usual.items()
            if getattr(self, name) != usual
        ]
        return ", ".join([str(self.num_embeddings), str(self.embedding_dim), *said])


class Embedding(_Table):
    """Look up rows of a table.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        Rows and columns of the table.
    %(embedding_settings)s

    Attributes
    ----------
    weight : Parameter, shape (num_embeddings, embedding_dim)

    Examples
    --------
    >>> import refquant
    >>> table = refquant.nn.Embedding(10, 3, padding_idx=0)
    >>> table, table(refquant.tensor([[1, 2], [4, 5]])).shape
    (Embedding(10, 3, padding_idx=0), refquant.Size([2, 2, 3]))
    """

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
    ) -> None:
        super().__init__()
        self._start(
            num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, scale_grad_by_freq,
            sparse, _weight,
        )  # fmt: skip

    def forward(self, input: Tensor) -> Tensor:
        """Look up rows."""
        return F.embedding(
            input, self.weight, self.padding_idx, self.max_norm, self.norm_type,
            self.scale_grad_by_freq, self.sparse,
        )  # fmt: skip

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Self:
        """Make a module from a table.

        Parameters
        ----------
        embeddings : Tensor of 2 dimensions
            The table.
        freeze : bool, default True
            Whether the table stays without gradients.
        padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse
            As of the constructor.
        """
        made = cls(
            *_sizes(embeddings), padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse,
            embeddings,
        )  # fmt: skip
        made.weight.requires_grad = not arguments.flag("freeze", freeze)
        return made


def _sizes(embeddings: Any) -> tuple[int, int]:
    if not isinstance(embeddings, Tensor) or len(embeddings.shape) != 2:
        raise ShapeError(
            argument="embeddings",
            expected="a tensor of 2 dimensions",
            got=arguments.describe(embeddings),
        )
    return embeddings.shape[0], embeddings.shape[1]


class EmbeddingBag(_Table):
    """Add rows of a table, or take their mean or largest elements.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        Rows and columns of the table.
    %(bag_settings)s

    Attributes
    ----------
    weight : Parameter, shape (num_embeddings, embedding_dim)

    Examples
    --------
    >>> import refquant
    >>> bag = refquant.nn.EmbeddingBag(10, 3, mode="sum")
    >>> bag, bag(refquant.tensor([1, 2, 4, 5]), refquant.tensor([0, 3])).shape
    (EmbeddingBag(10, 3, mode='sum'), refquant.Size([2, 3]))
    """

    _usual: dict[str, Any] = {
        "max_norm": None,
        "norm_type": 2.0,
        "scale_grad_by_freq": False,
        "mode": None,
        "padding_idx": None,
    }

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
    ) -> None:
        super().__init__()
        self.mode = arguments.choice("mode", mode, ("mean", "sum", "max"))
        self.include_last_offset = arguments.flag("include_last_offset", include_last_offset)
        self._start(
            num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, scale_grad_by_freq,
            sparse, _weight,
        )  # fmt: skip

    def forward(
        self, input: Tensor, offsets: Tensor | None = None, per_sample_weights: Any = None
    ) -> Tensor:
        """Reduce the rows of each bag."""
        return F.embedding_bag(
            input, self.weight, offsets, self.max_norm, self.norm_type, self.scale_grad_by_freq,
            self.mode, self.sparse, per_sample_weights, self.include_last_offset,
            self.padding_idx,
        )  # fmt: skip

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> Self:
        """Make a module from a table.

        Parameters
        ----------
        embeddings : Tensor of 2 dimensions
            The table.
        freeze : bool, default True
            Whether the table stays without gradients.
        max_norm, norm_type, scale_grad_by_freq, mode, sparse, include_last_offset, padding_idx
            As of the constructor.
        """
        made = cls(
            *_sizes(embeddings), max_norm, norm_type, scale_grad_by_freq, mode, sparse, embeddings,
            include_last_offset, padding_idx,
        )  # fmt: skip
        made.weight.requires_grad = not arguments.flag("freeze", freeze)
        return made


# Documentation of settings, for the modules of quantization-aware training, too.
PARTS = {
    "embedding_settings": """
padding_idx : int, optional
    A row without gradient, 0 at first.
max_norm : float, optional
    Rows that are used and have a larger norm are scaled down to it.
norm_type : float, default 2.0
    Which norm that is.
scale_grad_by_freq : bool, default False
    Whether to divide gradients by how often a row is used.
sparse : bool, default False
    Without effect: gradients are dense.""",
    "bag_settings": """
max_norm : float, optional
    Rows that are used and have a larger norm are scaled down to it.
norm_type : float, default 2.0
    Which norm that is.
scale_grad_by_freq : bool, default False
    Whether to divide gradients by how often a row is used.
mode : {'mean', 'sum', 'max'}
    What becomes of the rows of a bag.
sparse : bool, default False
    Without effect: gradients are dense.
include_last_offset : bool, default False
    Whether the last offset is the end of the last bag.
padding_idx : int, optional
    A row that has no effect.""",
}
document(__name__, **PARTS)
