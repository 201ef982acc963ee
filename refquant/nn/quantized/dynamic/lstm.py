"""Long short-term memory with quantized weights and float input and output."""

import functools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from refquant import arguments, dtypes, engines, nn
from refquant._documentation import document
from refquant.errors import ArgumentError, ShapeError
from refquant.nn import functional as F
from refquant.nn.module import Module
from refquant.nn.quantized.linear import stored_dtype
from refquant.nn.quantized.weights import dynamic_weight_observer, quantize_weight
from refquant.nn.recurrent import Layers, check_state, keep_settings
from refquant.nn.utils.rnn import PackedSequence, check_packed
from refquant.ops import checks
from refquant.ops.quantized.dynamic import (
    PackedHalf,
    linear_dynamic,
    linear_dynamic_fp16,
    linear_prepack_fp16,
    linear_unpack_fp16,
)
from refquant.ops.quantized.matmul import linear_prepack
from refquant.ops.quantized.packing import PackedLinear
from refquant.ops.quantized.recurrence import lstm_direction
from refquant.tensors import QuantizedTensor, Tensor

__all__ = ["LSTM"]


def _multiply(packed: PackedLinear | PackedHalf, x: Tensor) -> Tensor:
    if isinstance(packed, PackedHalf):
        return linear_dynamic_fp16(x, packed)
    seven_bits = bool(engines.current().recipe.get("dynamic_reduce_range"))
    return linear_dynamic(x, packed, seven_bits)


class LSTM(Layers):
    r"""Layers of long short-term memory that quantize input and state by their range at each call.

    .. math::
        i, f, g, o &= W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh} \\
        c_t &= \sigma(f)\, c_{t-1} + \sigma(i) \tanh(g) \\
        h_t &= \sigma(o) \tanh(c_t)

    %(lstm)s
    dtype : dtype, default qint8
        What the weights are stored in: qint8, or float16, which leaves input and state as they are.

    Notes
    -----
    The input of a layer is quantized by the range of all its steps, the hidden state by its range
    at each step, both for seven of the eight bits (``reduce_range``) where the engine's recipe
    says so, as that of FBGEMM in PyTorch 2.13. A fresh
    layer has weights of zeros with scale 1.0 and biases of zeros. A state dict has the names of
    `refquant.nn.LSTM`, with quantized weights. Source: the documentation of
    ``torch.nn.quantized.dynamic.LSTM``, PyTorch 1.4 and 2.13.

    Examples
    --------
    >>> import refquant
    >>> lstm = refquant.nn.quantized.dynamic.LSTM(10, 20, 2)
    >>> x, h0, c0 = refquant.randn(5, 3, 10), refquant.randn(2, 3, 20), refquant.randn(2, 3, 20)
    >>> output, (hn, cn) = lstm(x, (h0, c0))
    >>> output.shape, hn.shape
    (refquant.Size([5, 3, 20]), refquant.Size([2, 3, 20]))
    """

    _FLOAT_MODULE = nn.LSTM
    _usual = (*Layers._usual, ("dtype", dtypes.qint8))

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        dtype: dtypes.dtype = dtypes.qint8,
    ) -> None:
        super().__init__()
        keep_settings(
            self,
            dropout,
            {"input_size": input_size, "hidden_size": hidden_size, "num_layers": num_layers},
            {"bias": bias, "batch_first": batch_first, "bidirectional": bidirectional},
        )
        self.dtype = stored_dtype(dtype)
        self._packed: dict[str, PackedLinear | PackedHalf] = {}
        self.set_weight_bias(self._zeros())

    # -- weights ---------------------------------------------------------------------------------

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    def _matrices(self) -> Iterator[tuple[str, tuple[int, int]]]:
        """List the endings of the names of weight and bias, and the shapes of the weights."""
        for layer in range(self.num_layers):
            width = self.hidden_size * self._directions if layer else self.input_size
            for ending in ("", "_reverse")[: self._directions]:
                for kind, depth in (("ih", width), ("hh", self.hidden_size)):
                    yield f"{kind}_l{layer}{ending}", (4 * self.hidden_size, depth)

    def _zeros(self) -> dict[str, Tensor]:
        zeros: dict[str, Tensor] = {}
        for ending, shape in self._matrices():
            weight = Tensor(np.zeros(shape, np.float32))
            if self.dtype is dtypes.qint8:
                weight = QuantizedTensor(np.zeros(shape, np.int8), dtypes.qint8, 1.0, 0)
            zeros[f"weight_{ending}"] = weight
            if self.bias:
                zeros[f"bias_{ending}"] = Tensor(np.zeros(shape[0], np.float32))
        return zeros

    def get_weight(self) -> dict[str, Tensor]:
        """Copy the weights: ``weight_ih_l0``, ``weight_hh_l0``, ..., each with its quantizer."""
        return {f"weight_{ending}": weight for ending, (weight, _) in self._unpacked()}

    def get_bias(self) -> dict[str, Tensor]:
        """Copy the biases: ``bias_ih_l0``, ``bias_hh_l0``, ..., float32."""
        biases = {f"bias_{ending}": bias for ending, (_, bias) in self._unpacked()}
        return {name: bias for name, bias in biases.items() if bias is not None}

    def _unpacked(self) -> Iterator[tuple[str, tuple[Tensor, Tensor | None]]]:
        for ending, packed in self._packed.items():
            yield (
                ending,
                packed.unpack() if isinstance(packed, PackedLinear) else linear_unpack_fp16(packed),
            )

    def set_weight_bias(self, weight_bias_dict: Mapping[str, Any]) -> None:
        """Replace all weights and biases, packed for the engine that is chosen now.

        Parameters
        ----------
        weight_bias_dict : mapping of str to Tensor
            As `get_weight` and `get_bias` return them, together.

        Raises
        ------
        ArgumentError
            If a name is missing.
        ShapeError, DtypeError, QuantizerError
            If a weight or bias does not fit.
        """
        arguments.mapping("weight_bias_dict", weight_bias_dict, "a dict of tensors")
        packed = {}
        for ending, shape in self._matrices():
            names = [f"weight_{ending}", *([f"bias_{ending}"] if self.bias else [])]
            for name in names:
                if name not in weight_bias_dict:
                    raise ArgumentError(
                        argument="weight_bias_dict",
                        expected=f"with the key {name!r}",
                        got=f"keys {sorted(map(str, weight_bias_dict))}",
                    )
            weight, *bias = (weight_bias_dict[name] for name in names)
            packed[ending] = self._pack(f"weight_{ending}", shape, weight, *bias)
        self._packed = packed

    def _pack(self, name: str, shape, weight: Any, bias: Any = None):
        arguments.instance(name, weight, Tensor, "a tensor")
        if tuple(weight.shape) != shape:
            raise ShapeError(
                argument=name, expected=f"of shape {shape}",
                got=f"shape {tuple(weight.shape)}",
            )  # fmt: skip
        prepack = linear_prepack if self.dtype is dtypes.qint8 else linear_prepack_fp16
        return prepack(weight, bias)

    def _save_to_state_dict(self, destination: dict, prefix: str, keep_vars: bool) -> None:
        parts = list(self._unpacked())
        # As in a state of nn.LSTM: both weights of a layer and direction, then both biases.
        for first, second in zip(parts[::2], parts[1::2], strict=True):
            for kind in (0, 1) if self.bias else (0,):
                for ending, values in (first, second):
                    name = f"{prefix}{('weight', 'bias')[kind]}_{ending}"
                    destination[name] = values[kind]

    def _load_from_state_dict(self, report, prefix: str) -> None:
        kind = QuantizedTensor if self.dtype is dtypes.qint8 else Tensor
        packed = dict(self._packed)
        for ending, shape in self._matrices():
            name = f"{prefix}weight_{ending}"
            weight = report.take(name)
            bias = report.take(f"{prefix}bias_{ending}") if self.bias else None
            if weight is None or (bias is None and self.bias):
                continue
            if type(weight) is not kind or tuple(weight.shape) != shape:
                report.error(
                    name,
                    f"a {self.dtype} weight of shape {shape}",
                    arguments.describe(weight),
                )
                continue
            packed[ending] = report.attempt(name, self._pack, name, shape, weight, bias)
        report.change(functools.partial(setattr, self, "_packed", packed))

    @classmethod
    def from_float(cls, mod: Module) -> "LSTM":
        """Make a module from a float one; no data is needed.

        Parameters
        ----------
        mod : Module
            Exactly a `refquant.nn.LSTM`. Each weight is seen by a weight observer of its own, made
            by the module's QConfig; without one it is the default. An observer for float16 makes
            weights in float16.

        Raises
        ------
        ArgumentError
            If it is of another type, or the observer's dtype is another.
        """
        observe = dynamic_weight_observer(mod, cls._FLOAT_MODULE)
        half = getattr(observe(), "dtype", None) is dtypes.float16
        converted = cls(
            mod.input_size, mod.hidden_size, mod.num_layers, mod.bias, mod.batch_first,
            mod.dropout, mod.bidirectional, dtypes.float16 if half else dtypes.qint8,
        )  # fmt: skip
        values: dict[str, Tensor] = {}
        for name, parameter in mod.named_parameters():
            value = Tensor(parameter.array)
            if name.startswith("weight") and not half:
                observer = observe()
                observer(value)
                value = quantize_weight(value, observer)
            values[name] = value
        converted.set_weight_bias(values)
        converted.training = mod.training
        return converted

    # -- running ---------------------------------------------------------------------------------

    def _state(self, hx: Any, batch: int) -> tuple[np.ndarray, np.ndarray]:
        shape = (self.num_layers * self._directions, batch, self.hidden_size)
        if hx is None:
            return np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        parts = []
        for name, part in zip(("h_0", "c_0"), hx, strict=True):
            array = checks.float32_tensor(name, part).array
            if array.shape != shape:
                raise ShapeError(
                    "LSTM", argument=name, expected=f"of shape {shape}", got=f"shape {array.shape}"
                )
            parts.append(array)
        return parts[0], parts[1]

    def _run(self, data: np.ndarray, batch_sizes: list[int], state):
        """Run all layers over packed steps."""
        hiddens, cells = [], []
        for layer in range(self.num_layers):
            outputs = []
            for direction, ending in enumerate(("", "_reverse")[: self._directions]):
                place = layer * self._directions + direction
                input_layer, hidden_layer = (
                    functools.partial(_multiply, self._packed[f"{kind}_l{layer}{ending}"])
                    for kind in ("ih", "hh")
                )
                output, hidden, cell = lstm_direction(
                    data, batch_sizes, state[0][place], state[1][place], input_layer,
                    hidden_layer, direction == 1,
                )  # fmt: skip
                outputs.append(output)
                hiddens.append(hidden)
                cells.append(cell)
            data = outputs[0] if len(outputs) == 1 else np.concatenate(outputs, axis=1)
            if self.dropout and self.training and layer < self.num_layers - 1:
                data = F.dropout(Tensor(data), self.dropout).array
        return data, np.stack(hiddens), np.stack(cells)

    def _check_input(self, x: np.ndarray, ndim: int) -> None:
        if x.ndim != ndim or x.shape[-1] != self.input_size:
            raise ShapeError(
                "LSTM",
                argument="input",
                expected=f"of {ndim} dimensions, the last {self.input_size}",
                got=f"shape {x.shape}",
            )

    def forward(self, input: Any, hx: Any = None) -> Any:
        """Read sequences.

        Parameters
        ----------
        input : Tensor or PackedSequence
            float32, shape (time, batch, input_size).
        hx : pair of Tensor, optional
            Hidden and cell state to begin with, shape (layers * directions, batch, hidden_size);
            zeros if not given.

        Returns
        -------
        output : Tensor or PackedSequence
            Hidden state of the last layer for every step.
        (hidden, cell) : pair of Tensor
            States after the last step.

        Raises
        ------
        ShapeError, DtypeError
            If `input` or `hx` do not fit.
        """
        if hx is not None:
            check_state(hx)
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx)
        x = checks.float32_tensor("input", input).array
        self._check_input(x, 3)
        if self.batch_first:
            x = np.swapaxes(x, 0, 1)
        steps, batch = x.shape[:2]
        data = np.ascontiguousarray(x).reshape(steps * batch, self.input_size)
        data, hidden, cell = self._run(data, [batch] * steps, self._state(hx, batch))
        output = data.reshape(steps, batch, data.shape[1])
        if self.batch_first:
            output = np.swapaxes(output, 0, 1)
        return Tensor(output), (Tensor(hidden), Tensor(cell))

    def _forward_packed(self, packed: PackedSequence, hx: Any):
        check_packed("input", packed)
        data = checks.float32_tensor("input.data", packed.data).array
        self._check_input(data, 2)
        sizes = packed.batch_sizes.array.tolist()
        state = self._state(hx, sizes[0])
        if hx is not None and packed.sorted_indices is not None:
            order = packed.sorted_indices.array
            state = (state[0][:, order], state[1][:, order])
        data, *last = self._run(data, sizes, state)
        if packed.unsorted_indices is not None:
            last = [part[:, packed.unsorted_indices.array] for part in last]
        return packed._replace(data=Tensor(data)), (Tensor(last[0]), Tensor(last[1]))

    def _get_name(self) -> str:
        return "DynamicQuantizedLSTM"


document(__name__)
