r"""Where sums of two products overflow int16 on processors that multiply bytes in pairs.

x86 processors without VNNI multiply uint8 activations by int8 weights with ``vpmaddubsw``: two
neighboring products are added and the sum is *saturated* to int16,

.. math:: t_j = \mathrm{clip}(x_{2j} w_{2j} + x_{2j+1} w_{2j+1}, -2^{15}, 2^{15} - 1),

before it is widened and accumulated in int32. With :math:`x \le 255` and :math:`|w| \le 128` a
pair reaches 65280, twice what int16 can hold; with :math:`x \le 127` it reaches 32512, which fits.
That is why ``reduce_range=True`` gives activations 7 bits for the engine ``fbgemm``: codes 0..127
make every pair safe on every processor. PyTorch's engines in refquant accumulate exactly;
`saturation` finds the output channels of a weight for which the two can differ.

Which products form a pair (FBGEMM's packing): matrix products pair them in the order of the input
features; convolutions in the order (kernel row, kernel column, channel within the group), so that
pairs are mostly neighboring channels; the kernels for depthwise convolutions pair the taps in
raster order, and saturate on every x86 processor.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from refquant import arguments, dtypes, html
from refquant.errors import ArgumentError, DtypeError, IndexRangeError
from refquant.ops import checks

__all__ = ["SaturationReport", "saturation"]

INT16 = np.iinfo(np.int16)


@dataclass(frozen=True)
class SaturationReport:
    """Saturation by output channel, as `saturation` returns it.

    Attributes
    ----------
    saturates : ndarray of bool, shape (channels,)
        Whether some input within the range makes the sum of a pair overflow int16.
    largest, smallest : ndarray of int64, shape (channels,)
        The extreme pair sums that inputs within the range can reach.
    pair : ndarray of int64, shape (channels, 2)
        Positions, in the order of the products, of the pair that exceeds int16 most (or comes
        closest to it).
    order : str
        ``'product'`` or ``'depthwise'``: which products form a pair.
    input_range : tuple of int
        Lowest and highest input code.

    Examples
    --------
    >>> import refquant
    >>> from refquant import oracle
    >>> w = refquant.quantize_per_tensor(refquant.tensor([[1.27, 1.27]]), 0.01, 0, refquant.qint8)
    >>> report = oracle.saturation(w)
    >>> report.witness(0)
    array([255, 255], dtype=uint8)
    """

    saturates: np.ndarray
    largest: np.ndarray
    smallest: np.ndarray
    pair: np.ndarray
    order: str
    input_range: tuple[int, int]
    _rows: np.ndarray
    _layout: tuple[int, ...]

    def witness(self, channel: int) -> np.ndarray:
        """Build an input that shows the worst pair of an output channel.

        Returns
        -------
        ndarray of uint8
            Codes in the shape of the channel's weight: the highest or lowest for the worst pair,
            the lowest for all others.
        """
        low, high = self.input_range
        channel = self._channel("witness", channel)
        row = self._rows[channel]
        codes = np.full(row.shape, low, np.int64)
        positive = self.largest[channel] - INT16.max >= INT16.min - self.smallest[channel]
        for position in self.pair[channel]:
            if position < row.size:
                codes[position] = high if (row[position] > 0) == positive else low
        return _from_order(codes, self._layout).astype(np.uint8)

    def _channel(self, method: str, channel: Any) -> int:
        number = arguments.integer("channel", channel)
        if not 0 <= number < len(self._rows):
            raise IndexRangeError(
                argument="channel",
                expected=f"in 0..{len(self._rows) - 1}",
                got=number,
            )
        return number

    def accumulators(self, channel: int, codes: Any) -> tuple[int, int]:
        """Accumulate one output exactly, and with pairs that saturate to int16.

        Parameters
        ----------
        channel : int
            The output channel.
        codes : array_like of uint8
            Raw input codes in the shape of the channel's weight.

        Returns
        -------
        exact, saturated : int
        """
        channel = self._channel("accumulators", channel)
        raw = arguments.numbers("codes", codes)
        if raw.dtype.kind not in "iu" or raw.shape != self._layout:
            raise ArgumentError(
                argument="codes",
                expected=f"integers of shape {self._layout}, that of the channel's weight",
                got=arguments.describe(raw),
            )
        if raw.size and not 0 <= raw.min() <= raw.max() <= 255:
            raise ArgumentError(
                argument="codes", expected="in 0..255", got=f"{raw.min()}..{raw.max()}"
            )
        products = _to_order(raw.astype(np.int64), self._layout) * self._rows[channel]
        sums = _pairs(products[None])[0]
        return int(sums.sum()), int(np.clip(sums, INT16.min, INT16.max).sum())

    def __str__(self) -> str:
        count, low, high = int(self.saturates.sum()), *self.input_range
        lines = [
            f"{count} of {self.saturates.size} output channels can saturate int16 with input "
            f"codes {low}..{high} ({self.order} order)"
        ]
        for channel in np.flatnonzero(self.saturates)[:5]:
            exact, saturated = self.accumulators(channel, self.witness(channel))
            lines.append(
                f"  channel {channel}: pair sums reach {self.smallest[channel]}.."
                f"{self.largest[channel]}; its witness accumulates {exact}, saturated {saturated}"
            )
        if count:
            lines.append("  fix: quantize activations to 7 bits (reduce_range=True)")
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        low, high = self.input_range
        rows = [
            (
                channel,
                f"{self.smallest[channel]} .. {self.largest[channel]}",
                "yes" if self.saturates[channel] else "no",
                ", ".join(map(str, self.pair[channel])),
            )
            # Those that saturate come first.
            for channel in np.argsort(~self.saturates, kind="stable")
        ]
        return html.table(
            ("channel", "sums of a pair", "can saturate int16", "worst pair"),
            rows,
            f"{int(self.saturates.sum())} of {len(rows)} output channels can saturate, "
            f"input codes {low}..{high} ({self.order} order)",
        )


def _to_order(values: np.ndarray, layout: tuple[int, ...]) -> np.ndarray:
    """Flatten the weight (or input) of one output channel in the order of the products."""
    if len(layout) == 1:
        return values.reshape(-1)
    return np.moveaxis(values.reshape(layout), 0, -1).reshape(-1)


def _from_order(flat: np.ndarray, layout: tuple[int, ...]) -> np.ndarray:
    if len(layout) == 1:
        return flat
    return np.moveaxis(flat.reshape(*layout[1:], layout[0]), -1, 0)


def _pairs(rows: np.ndarray) -> np.ndarray:
    """Add the products of each pair; an odd last product has no partner."""
    odd = rows.shape[1] % 2
    return np.pad(rows, ((0, 0), (0, odd))).reshape(rows.shape[0], -1, 2).sum(axis=2)


def saturation(
    weight: Any, input_range: tuple[int, int] = (0, 255), order: str | None = None
) -> SaturationReport:
    """Find the output channels whose sums of two products can overflow int16.

    Parameters
    ----------
    weight : QuantizedTensor of qint8
        Of shape (out, in) for a matrix product, or (out, in / groups, height, width) or
        (out, in / groups, depth, height, width) for a convolution.
    input_range : tuple of int, default (0, 255)
        Lowest and highest input code, zero point not subtracted; (0, 127) with ``reduce_range``.
    order : {'product', 'depthwise'}, optional
        Which products form a pair; by default depthwise for a weight with one channel in each
        group, a multiple of 8 outputs and a 3x3, 5x5, 7x7 or 3x3x3 kernel, for which FBGEMM has
        special kernels (if the padding is also half the kernel and there is no dilation).

    Returns
    -------
    SaturationReport
        Printable; `SaturationReport.witness` builds an input that shows it.

    Raises
    ------
    DtypeError
        If the weight is not qint8.
    ArgumentError
        If the range or the order is not valid.

    Notes
    -----
    Source: FBGEMM's ``PackAMatrix`` kernels with 32-bit accumulation and its depthwise kernels.

    Examples
    --------
    >>> import refquant
    >>> from refquant import oracle
    >>> w = refquant.quantize_per_tensor(refquant.tensor([[1.27, 1.27], [0.1, -0.1]]), 0.01, 0,
    ...                                  refquant.qint8)
    >>> print(oracle.saturation(w))
    1 of 2 output channels can saturate int16 with input codes 0..255 (product order)
      channel 0: pair sums reach 0..64770; its witness accumulates 64770, saturated 32767
      fix: quantize activations to 7 bits (reduce_range=True)
    >>> bool(oracle.saturation(w, (0, 127)).saturates.any())
    False
    """
    tensor = checks.quantized_tensor("weight", weight)
    if tensor.dtype is not dtypes.qint8 or tensor.ndim not in (2, 4, 5):
        raise DtypeError(
            argument="weight",
            expected="a qint8 weight of a matrix product (2 dimensions) or a convolution (4 or 5)",
            got=f"{tensor.dtype} with {tensor.ndim} dimensions",
        )
    ends = arguments.sequence("input_range", input_range, "two integers")
    if len(ends) != 2:
        raise ArgumentError(
            argument="input_range", expected="two integers", got=f"{len(ends)} of them"
        )
    low, high = (arguments.integer("input_range", end) for end in ends)
    if not 0 <= low <= high <= 255:
        raise ArgumentError(
            argument="input_range", expected="0 <= low <= high <= 255", got=(low, high)
        )
    if order is not None:
        order = arguments.choice("order", order, ("product", "depthwise"))
    if order is None:
        kernels = ((3, 3), (5, 5), (7, 7), (3, 3, 3))
        is_depthwise = tensor.ndim > 2 and tensor.shape[1] == 1 and tensor.shape[0] % 8 == 0
        order = "depthwise" if is_depthwise and tuple(tensor.shape[2:]) in kernels else "product"
    layout = tuple(tensor.shape[1:])
    integers = tensor.array.astype(np.int64)
    rows = (
        np.stack([_to_order(w, layout) for w in integers])
        if integers.size
        else (integers.reshape(integers.shape[0], -1))
    )
    highest = _pairs(np.where(rows > 0, rows * high, rows * low))
    lowest = _pairs(np.where(rows < 0, rows * high, rows * low))
    excess = np.maximum(highest - INT16.max, INT16.min - lowest)
    worst = excess.argmax(axis=1) if excess.shape[1] else np.zeros(len(rows), np.int64)
    take = (np.arange(len(rows)), worst)
    return SaturationReport(
        saturates=(excess > 0).any(axis=1),
        largest=highest[take] if excess.size else np.zeros(len(rows), np.int64),
        smallest=lowest[take] if excess.size else np.zeros(len(rows), np.int64),
        pair=np.stack([2 * worst, 2 * worst + 1], axis=1),
        order=order,
        input_range=(low, high),
        _rows=rows,
        _layout=layout,
    )
