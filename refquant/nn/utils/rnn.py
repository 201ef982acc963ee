"""Batches of sequences of unequal length.

A `PackedSequence` holds the steps of all sequences without the padding behind the shorter ones:
first the first steps of all sequences, then the second steps of those that have one, and so on.
The sequences come in the order of their lengths, the longest first.
"""

from typing import Any, NamedTuple

import numpy as np

from refquant import arguments
from refquant._documentation import document
from refquant.errors import ArgumentError, ArgumentTypeError, ShapeError
from refquant.ops import checks
from refquant.ops.floating.concat import stack
from refquant.tensors import Tensor

__all__ = [
    "PackedSequence",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
]


class PackedSequence(NamedTuple):
    """Sequences of unequal length without padding.

    Parameters
    ----------
    data : Tensor
        All elements, time after time.
    batch_sizes : Tensor of int64
        How many sequences reach each time.
    sorted_indices : Tensor of int64, optional
        Where each sequence came from.
    unsorted_indices : Tensor of int64, optional
        Where each sequence went.

    Attributes
    ----------
    data : Tensor, shape (sum of lengths, ...)
        All steps.
    batch_sizes : Tensor of int64, shape (longest length,)
        How many sequences have each step.
    sorted_indices, unsorted_indices : Tensor of int64, shape (batch,), or None
        How to put the sequences in the order of their lengths, and back.

    %(example)s
    >>> from refquant.nn.utils import rnn
    >>> rnn.pack_sequence([refquant.tensor([1, 2]), refquant.tensor([3])]).batch_sizes
    tensor([2, 1])
    """

    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None = None
    unsorted_indices: Tensor | None = None

    def lengths(self) -> np.ndarray:
        """Count the steps of each sequence, the longest first."""
        sizes = self.batch_sizes.array
        return (sizes[:, None] > np.arange(sizes[0])).sum(axis=0)


def check_packed(argument: str, packed: PackedSequence) -> None:
    """Raise unless the parts of a packed sequence fit together, which anyone can put there.

    Raises
    ------
    ArgumentError
        If the sizes rise, or do not add up to the steps, or indices are no permutation.
    """
    arguments.instance(argument, packed, PackedSequence, "a PackedSequence")
    parts = [packed.data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices]
    arrays: list[Any] = [
        None if part is None else np.asarray(getattr(part, "array", part)) for part in parts
    ]
    data, sizes, *indices = arrays
    fits = sizes is not None and sizes.ndim == 1 and sizes.size > 0 and sizes.dtype.kind in "iu"
    if not fits or sizes[-1] < 1 or (sizes[1:] > sizes[:-1]).any():
        raise ArgumentError(
            argument=f"{argument}.batch_sizes",
            expected="whole numbers of at least 1 that never rise",
            got="None" if sizes is None else sizes.tolist(),
            hint="make it with pack_padded_sequence() or pack_sequence()",
        )
    if data is None or data.shape[:1] != (int(sizes.sum()),):
        raise ArgumentError(
            argument=f"{argument}.data",
            expected=f"of {int(sizes.sum())} steps, the sum of the batch sizes",
            got="None" if data is None else f"shape {data.shape}",
        )
    for name, order in zip(("sorted_indices", "unsorted_indices"), indices, strict=True):
        if order is not None and sorted(order.reshape(-1).tolist()) != list(range(int(sizes[0]))):
            raise ArgumentError(
                argument=f"{argument}.{name}",
                expected=f"each of 0..{int(sizes[0]) - 1} once",
                got=order.tolist(),
            )
    for name, part in packed._asdict().items():
        if part is not None:
            checks.plain_tensor(f"{argument}.{name}", part)


def _filled(shape: tuple[int, ...], value: float, dtype: np.dtype) -> np.ndarray:
    """Make an array of padding."""
    number = arguments.number("padding_value", value)
    if dtype.kind in "iub":
        low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        arguments.real("padding_value", number, low, high)
    with np.errstate(over="ignore"):  # what float32 does not hold is infinite
        return np.full(arguments.shape("the shape", shape), np.asarray(number).astype(dtype))


def _lengthened(part: Tensor, steps: int, value: float) -> Tensor:
    """Put padding behind the steps of a tensor."""
    result = Tensor(_filled((steps, *part.array.shape[1:]), value, part.array.dtype))
    result[: len(part)] = part
    return result


def _sequences(sequences: Any) -> list[Tensor]:
    """Return sequences that differ in length only, or raise."""
    expected = "a sequence of tensors"
    parts = [
        checks.plain_tensor("sequences", s)
        for s in arguments.sequence("sequences", sequences, expected)
    ]
    if not parts or any(p.array.ndim == 0 for p in parts):
        raise ShapeError(
            argument="sequences",
            expected="at least one tensor, each of at least one dimension",
            got=f"shapes {[p.array.shape for p in parts]}",
        )
    for part in parts:
        if part.array.shape[1:] != parts[0].array.shape[1:]:
            raise ShapeError(
                argument="sequences",
                expected=f"steps of shape {parts[0].array.shape[1:]}, as the first",
                got=f"steps of shape {part.array.shape[1:]}",
            )
    return parts


def _counts(lengths: Any) -> np.ndarray:
    """Return one integer for each sequence, or raise."""
    array = checks.plain_numbers("lengths", lengths)
    if array.size and array.dtype.kind not in "iu":
        raise ArgumentTypeError(
            argument="lengths", expected="integers", got=arguments.describe(lengths)
        )
    return array.astype(np.int64)


def _places(lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return step and sequence of every packed step."""
    present = np.arange(lengths[0])[:, None] < lengths
    step, sequence = np.nonzero(present)
    return step, sequence


def pack_padded_sequence(
    input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Pack padded sequences, leaving out their padding.

    Parameters
    ----------
    input : Tensor, shape (time, batch, ...)
        Padded sequences.
    lengths : Tensor or sequence of int
        Steps of each.
    batch_first : bool
        Whether the first two dimensions are exchanged.
    enforce_sorted : bool
        Whether the sequences must come with the longest first; else they are sorted.

    Returns
    -------
    PackedSequence

    Raises
    ------
    ArgumentError
        If a length does not fit, or the order is wrong.

    %(example)s
    >>> x = refquant.tensor([[1, 2, 3], [4, 0, 0]])
    >>> packed = refquant.nn.utils.rnn.pack_padded_sequence(x, [3, 1], batch_first=True)
    >>> packed.data, packed.batch_sizes
    (tensor([1, 4, 2, 3]), tensor([2, 1, 1]))
    """
    input = checks.plain_tensor("input", input)
    if input.array.ndim < 2:
        raise ShapeError(
            argument="input",
            expected="of at least 2 dimensions, time and batch",
            got=f"shape {input.array.shape}",
        )
    enforce_sorted = arguments.flag("enforce_sorted", enforce_sorted)
    if arguments.flag("batch_first", batch_first):
        input = input.transpose(0, 1)
    counts = _counts(lengths)
    if counts.shape != input.array.shape[1:2]:
        raise ShapeError(
            argument="lengths",
            got=f"shape {counts.shape}",
            expected=f"one for each of {input.array.shape[1]} sequences",
        )
    if counts.size == 0 or counts.min() < 1 or counts.max() > input.array.shape[0]:
        raise ArgumentError(
            argument="lengths", expected=f"in 1..{input.array.shape[0]}", got=counts.tolist()
        )
    order = back = None
    if enforce_sorted:
        if (np.diff(counts) > 0).any():
            raise ArgumentError(
                argument="lengths",
                expected="the longest first",
                got=counts.tolist(),
                hint="pass enforce_sorted=False",
            )
    else:
        sorting = np.argsort(-counts, kind="stable")
        counts, input = counts[sorting], input[:, Tensor(sorting)]
        order, back = Tensor(sorting), Tensor(np.argsort(sorting))
    steps, sequences = _places(counts)
    sizes = (np.arange(counts[0])[:, None] < counts).sum(axis=1)
    return PackedSequence(input[Tensor(steps), Tensor(sequences)], Tensor(sizes), order, back)


def padded(sequence: PackedSequence, padding_value: float = 0.0) -> Tensor:
    """Restore padding, time first, the longest sequence first."""
    counts = sequence.lengths()
    steps, sequences = _places(counts)
    data = sequence.data
    shape = (len(sequence.batch_sizes.array), len(counts), *data.array.shape[1:])
    result = Tensor(_filled(shape, padding_value, data.array.dtype))
    result[Tensor(steps), Tensor(sequences)] = data
    return result


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Restore the padding of packed sequences.

    Parameters
    ----------
    sequence : PackedSequence
        What to undo.
    batch_first : bool
        Whether the first two dimensions of the result are exchanged.
    padding_value : float
        What stands behind the sequences.
    total_length : int, optional
        Steps of the result; those of the longest sequence if not given.

    Returns
    -------
    output : Tensor, shape (time, batch, ...)
        The sequences in their first order.
    lengths : Tensor of int64
        Steps of each.

    %(example)s
    >>> from refquant.nn.utils import rnn
    >>> packed = rnn.pack_sequence([refquant.tensor([1, 2]), refquant.tensor([3])])
    >>> rnn.pad_packed_sequence(packed, batch_first=True)
    (tensor([[1, 2],
            [3, 0]]), tensor([2, 1]))
    """
    check_packed("sequence", sequence)
    batch_first = arguments.flag("batch_first", batch_first)
    result, counts = padded(sequence, padding_value), sequence.lengths()
    if total_length is not None:
        total_length = arguments.integer("total_length", total_length)
        if total_length < result.array.shape[0]:
            raise ArgumentError(
                argument="total_length",
                expected=f"at least {result.array.shape[0]}",
                got=total_length,
            )
        result = _lengthened(result, total_length, padding_value)
    if sequence.unsorted_indices is not None:
        result = result[:, sequence.unsorted_indices]
        counts = counts[sequence.unsorted_indices.array]
    return (result.transpose(0, 1) if batch_first else result), Tensor(counts)


def pad_sequence(sequences: Any, batch_first: bool = False, padding_value: float = 0.0) -> Tensor:
    """Pad sequences to one length and stack them.

    Parameters
    ----------
    sequences : sequence of Tensor, shape (length, ...)
        Their lengths may differ.
    batch_first : bool, default False
        Whether the batch comes before the time.
    padding_value : float, default 0.0
        What stands behind shorter ones.

    Returns
    -------
    Tensor
        Shape (longest, batch, ...), or with `batch_first` (batch, longest, ...).

    %(example)s
    >>> refquant.nn.utils.rnn.pad_sequence([refquant.tensor([1, 2]), refquant.tensor([3])])
    tensor([[1, 3],
            [2, 0]])
    """
    batch_first = arguments.flag("batch_first", batch_first)
    sequences = _sequences(sequences)
    longest = max(len(s) for s in sequences)
    parts = [_lengthened(sequence, longest, padding_value) for sequence in sequences]
    return stack(parts, 0 if batch_first else 1)


def pack_sequence(sequences: Any, enforce_sorted: bool = True) -> PackedSequence:
    """Pack sequences of unequal length; see `pack_padded_sequence`.

    Parameters
    ----------
    sequences : sequence of Tensor, shape (length, ...)
        Their lengths may differ.
    enforce_sorted : bool, default True
        Whether they come from the longest to the shortest.

    Returns
    -------
    PackedSequence

    %(example)s
    >>> from refquant.nn.utils import rnn
    >>> packed = rnn.pack_sequence([refquant.tensor([1, 2]), refquant.tensor([3])])
    >>> packed.data, packed.batch_sizes
    (tensor([1, 3, 2]), tensor([2, 1]))
    """
    sequences = _sequences(sequences)
    return pack_padded_sequence(
        pad_sequence(sequences), [len(s) for s in sequences], enforce_sorted=enforce_sorted
    )


document(__name__)
