"""How sensitive a network is to the rounding of each of its layers, and how to spend bits."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from refquant import arguments, dtypes
from refquant.errors import ArgumentError
from refquant.ops.quantized.fake_quantization import fake_quantize_per_channel_affine
from refquant.progress import track
from refquant.quantization._checks import checked_model
from refquant.quantization.observers.minmax import MinMaxObserver
from refquant.quantization.observers.per_channel import PerChannelMinMaxObserver
from refquant.reporting.calls import recorded
from refquant.reporting.measures import decibel_text, decibels
from refquant.reporting.simulation import Rounding, Simulation, owner
from refquant.reporting.tables import Table
from refquant.tensors import Tensor

__all__ = ["Sensitivity", "sensitivity"]


@dataclass(frozen=True, repr=False)
class Sensitivity:
    """The error of a network when one layer at a time is rounded; shown as a table.

    Attributes
    ----------
    layers : tuple of str
        Names of the layers that have a weight.
    bits : tuple of int
        Numbers of bits that were tried, the largest first.
    weights : tuple of int
        How many weights each layer has.
    signal : float
        Energy of the outputs of the network.
    noise : ndarray of float64, shape (layers, bits)
        Energy of their change.

    Examples
    --------
    >>> import numpy as np
    >>> from refquant.reporting import Sensitivity
    >>> noise = np.array([[1.0, 16.0], [2.0, 32.0]])
    >>> found = Sensitivity(("a", "b"), (8, 6), (100, 50), 1000.0, noise)
    >>> choice = found.within(125)
    >>> choice, found.bytes_of(choice), round(found.predicted(choice), 1)
    ({'a': 6, 'b': 8}, 125, 17.4)
    >>> print(found.table().text())
    SQNR of the output in dB, one layer rounded at a time
    layer  weights  8 bits  6 bits
    -----  -------  ------  ------
    a          100    30.0    18.0
    b           50    27.0    14.9
    """

    layers: tuple[str, ...]
    bits: tuple[int, ...]
    weights: tuple[int, ...]
    signal: float
    noise: np.ndarray

    @property
    def decibels(self) -> np.ndarray:
        """Signal-to-quantization-noise ratios in dB, shape (layers, bits)."""
        rows = [[decibels(self.signal, float(noise)) for noise in row] for row in self.noise]
        return np.array(rows).reshape(len(self.layers), len(self.bits))

    def bytes_of(self, choice: Mapping[str, int]) -> int:
        """Return the bytes of all weights for a number of bits of each layer, rounded up."""
        chosen = self._columns(choice)
        total = sum(n * self.bits[c] for n, c in zip(self.weights, chosen, strict=True))
        return -(-total // 8)

    def predicted(self, choice: Mapping[str, int]) -> float:
        """Predict the ratio in dB for a number of bits of each layer: energies of errors add up."""
        rows = zip(self.noise, self._columns(choice), strict=True)
        return decibels(self.signal, float(sum(row[c] for row, c in rows)))

    def _columns(self, choice: Mapping[str, int]) -> list[int]:
        arguments.mapping("choice", choice, "a dict of names of layers to bits")
        if set(choice) != set(self.layers) or not set(choice.values()) <= set(self.bits):
            raise ArgumentError(
                argument="choice",
                expected=f"one of {self.bits} for each of {', '.join(self.layers)}",
                got=dict(choice),
            )
        return [self.bits.index(choice[name]) for name in self.layers]

    def within(self, budget: int) -> dict[str, int]:
        """Choose the bits of each layer so that all weights fit, at little error.

        From most bits for all, the change that adds least error for each bit that it saves is
        made until they fit; then changes back, as far as they still do. Errors of layers are taken
        to add up. The result is near the best, not always the best.

        Parameters
        ----------
        budget : int
            Bytes for all weights, without scales.

        Returns
        -------
        dict of str to int

        Raises
        ------
        ArgumentError
            If they do not fit with the fewest bits.
        """
        sizes = np.outer(self.weights, self.bits)
        room = 8 * arguments.integer("budget", budget, 0)
        room = min(room, int(sizes.max(axis=1).sum()))
        if sizes.min(axis=1).sum() > room:
            raise ArgumentError(
                argument="budget",
                expected=f"at least {-(-int(sizes.min(axis=1).sum()) // 8)} bytes",
                got=budget,
            )
        rows = np.arange(len(self.layers))
        chosen = sizes.argmax(axis=1)
        while sizes[rows, chosen].sum() > room:
            saved = sizes[rows, chosen][:, None] - sizes
            added = self.noise - self.noise[rows, chosen][:, None]
            price = np.where(saved > 0, added / np.maximum(saved, 1), np.inf)
            layer, column = np.unravel_index(int(price.argmin()), price.shape)
            chosen[layer] = column
        while True:
            fits = sizes - sizes[rows, chosen][:, None] <= room - sizes[rows, chosen].sum()
            gain = np.where(fits, self.noise[rows, chosen][:, None] - self.noise, 0.0)
            if not gain.size or gain.max() <= 0:
                break
            layer, column = np.unravel_index(int(gain.argmax()), gain.shape)
            chosen[layer] = column
        return {name: self.bits[c] for name, c in zip(self.layers, chosen, strict=True)}

    def table(self) -> Table:
        """Make a table with a row for each layer.

        Returns
        -------
        Table
        """
        rows = [
            (name or "(model)", f"{count:,}", *map(decibel_text, row))
            for name, count, row in zip(self.layers, self.weights, self.decibels, strict=True)
        ]
        return Table(
            "SQNR of the output in dB, one layer rounded at a time",
            ("layer", "weights", *(f"{bits} bits" for bits in self.bits)),
            rows,
        )

    def __repr__(self) -> str:
        return self.table().text()

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def sensitivity(
    model: Any,
    batches: Iterable[Any],
    bits: Iterable[int] = (8, 6, 4, 3, 2),
    *,
    activations: bool = False,
    run: Callable[[Any, Any], Any] | None = None,
    show: bool | None = False,
) -> Sensitivity:
    """Round one layer at a time to different numbers of bits, and measure the model's output.

    Weights are rounded per output channel, symmetric, by their largest magnitude.

    Parameters
    ----------
    model : Module
        A float model, fused or not; it stays as it is.
    batches : iterable
        Each is an input of the model, or a pair of input and target.
    bits : iterable of int, default (8, 6, 4, 3, 2)
        Each from 2 to 8.
    activations : bool, default False
        Whether the output of the layer is rounded as well, to the range it has on these batches.
    run : callable, optional
        Called as ``run(model, batch)`` to run a batch of another form and return the output.
    show : bool, optional
        Whether to draw a progress bar; None draws one on a terminal.

    Returns
    -------
    Sensitivity

    Raises
    ------
    ArgumentTypeError
        If the model is not a Module.
    ArgumentError
        If there is no batch or no layer with a weight, or bits are out of range.

    Examples
    --------
    >>> from refquant import nn, randn, manual_seed
    >>> from refquant.reporting import sensitivity
    >>> _ = manual_seed(0)
    >>> model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4)).eval()
    >>> found = sensitivity(model, [randn(64, 8)], (8, 4))
    >>> found.layers, found.weights
    (('0', '2'), (128, 64))
    >>> bool((found.decibels[:, 0] > found.decibels[:, 1] + 15).all())
    True
    """
    checked_model("model", model)
    data = list(arguments.iterable("batches", batches))
    tried = arguments.sequence("bits", bits, "numbers of bits")
    tried = sorted({arguments.integer("bits", b, 2, 8) for b in tried}, reverse=True)
    arguments.flag("activations", activations)
    if run is not None:
        arguments.function("run", run, 2, "a model and a batch are handed to it")
    show = arguments.flag_or_none("show", show)
    with recorded(model, inputs=False):
        pass  # A model that cannot be watched is rejected before it runs.
    simulation = Simulation(model, data, run)
    layers = _layers(simulation)
    if not data or not layers or not tried:
        raise ArgumentError(
            argument="model, batches, bits",
            expected="a layer with a weight, a batch, a number of bits, at least one of each",
            got=f"{len(layers)} layers, {len(data)} batches, {len(tried)} numbers of bits",
        )
    ends = _ends(simulation) if activations else {}
    noise = [
        [
            simulation.noise({name: Rounding(_rounded(weight, b), _output(ends.get(name), b))})
            for b in tried
        ]
        for name, weight in track(layers.items(), "rounding layers", show=show)
    ]
    counts = tuple(weight.array.size for weight in layers.values())
    return Sensitivity(tuple(layers), tuple(tried), counts, simulation.signal, np.array(noise))


def _layers(simulation: Simulation) -> dict[str, Tensor]:
    """Weights of at least two dimensions, by the outermost module that holds one."""
    found: dict[str, Tensor] = {}
    held = set()
    for name, module in simulation.modules.items():
        holder = owner(module)
        if holder is not None and holder.weight.ndim > 1 and id(holder) not in held:
            held.add(id(holder))
            found[name] = holder.weight.detach()
    return found


def _rounded(weight: Tensor, bits: int) -> Tensor:
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    observer = PerChannelMinMaxObserver(
        0, dtypes.qint8, dtypes.per_channel_symmetric, quant_min=low, quant_max=high
    )
    observer(weight)
    scales, points = observer.calculate_qparams()
    return fake_quantize_per_channel_affine(weight, scales, points, 0, low, high)


def _output(ends: Any, bits: int) -> tuple[float, int, int, int] | None:
    if ends is None:
        return None
    observer = MinMaxObserver(dtypes.quint8, quant_min=0, quant_max=2**bits - 1)
    observer(Tensor(ends))
    scale, point = observer.calculate_qparams()
    return scale.item(), point.item(), 0, 2**bits - 1


def _ends(simulation: Simulation) -> dict[str, np.ndarray]:
    """Smallest and largest output of each module."""
    with recorded(simulation.model, inputs=False) as calls:
        simulation.noise({})
    return {
        name: np.array(
            [min(c.output.array.min() for c in made), max(c.output.array.max() for c in made)],
            np.float32,
        )
        for name, made in calls.items()
        if made[0].output.dtype is dtypes.float32 and all(c.output.array.size for c in made)
    }
