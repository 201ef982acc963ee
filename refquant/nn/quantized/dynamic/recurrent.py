"""Recurrent layers with quantized weights and float input and output."""

import functools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from refquant import arguments, dtypes, nn
from refquant._documentation import document
from refquant.errors import ArgumentError, ShapeError
from refquant.nn.module import Module
from refquant.nn.quantized.dynamic.packed import (
    FromReference,
    drawn,
    drawn_weight,
    pack,
    quantized_parameters,
    unpacked_half,
)
from refquant.nn.quantized.linear import stored_dtype
from refquant.nn.recurrent import Layers, keep_settings
from refquant.nn.utils.rnn import PackedSequence, check_packed
from refquant.ops import checks
from refquant.ops.floating.recurrence import CELLS
from refquant.ops.quantized.cell_params import CellParams, Packed, reduces_range
from refquant.ops.quantized.recurrence import KINDS, run_layers
from refquant.tensors import QuantizedTensor, Tensor

__all__ = ["GRU", "LSTM", "PackedParameter", "RNNBase"]


class PackedParameter(NamedTuple):
    """Weights of one layer in one direction, as `RNNBase` keeps them.

    Parameters
    ----------
    param : CellParams
        As `refquant.ops.quantized.make_quantized_cell_params_dynamic` returns it.

    Attributes
    ----------
    param : CellParams

    Examples
    --------
    >>> import refquant
    >>> lstm = refquant.nn.quantized.dynamic.LSTM(3, 4)
    >>> lstm._all_weight_values[0].param.shape
    (16, 3, 4)
    """

    param: CellParams


class RNNBase(Layers, FromReference):
    """Base class of `LSTM` and `GRU`.

    Parameters
    ----------
    mode : str
        ``"LSTM"`` or ``"GRU"``.
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype
        As of `LSTM`.

    Examples
    --------
    >>> from refquant.nn.quantized import dynamic
    >>> issubclass(dynamic.LSTM, dynamic.RNNBase)
    True
    """

    _FLOAT_MODULE: type[Module] = nn.RNNBase
    _usual = (*Layers._usual, ("dtype", dtypes.qint8))

    def __init__(
        self,
        mode: str,
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
        self.mode = arguments.choice("mode", mode, KINDS)
        keep_settings(
            self,
            dropout,
            {"input_size": input_size, "hidden_size": hidden_size, "num_layers": num_layers},
            {"bias": bias, "batch_first": batch_first, "bidirectional": bidirectional},
        )
        self.dtype = stored_dtype(dtype)
        self._all_weight_values: list[PackedParameter] = []
        first: dict[str, Tensor] = {}
        shapes = list(self._matrices())
        for pair in zip(shapes[::2], shapes[1::2], strict=True):  # in PyTorch's order
            for ending, shape in pair:
                first[f"weight_{ending}"] = drawn_weight(self.dtype, shape, 0.1)
            for ending, shape in pair:
                first[f"bias_{ending}"] = drawn(shape[0])
        self.set_weight_bias(first)

    # -- weights ---------------------------------------------------------------------------------

    def _matrices(self) -> Iterator[tuple[str, tuple[int, int]]]:
        """List the endings of the names of weight and bias, and the shapes of the weights."""
        rows = CELLS[self.mode].gates * self.hidden_size
        for layer in range(self.num_layers):
            width = self.hidden_size * self._directions if layer else self.input_size
            for ending in ("", "_reverse")[: self._directions]:
                for kind, depth in (("ih", width), ("hh", self.hidden_size)):
                    yield f"{kind}_l{layer}{ending}", (rows, depth)

    def get_weight(self) -> dict[str, Tensor]:
        """Copy the weights: ``weight_ih_l0``, ``weight_hh_l0``, ..., each with its quantizer."""
        return {f"weight_{ending}": weight for ending, (weight, _) in self._unpacked()}

    def get_bias(self) -> dict[str, Tensor]:
        """Copy the biases: ``bias_ih_l0``, ``bias_hh_l0``, ..., float32."""
        biases = {f"bias_{ending}": bias for ending, (_, bias) in self._unpacked()}
        return {name: bias for name, bias in biases.items() if bias is not None}

    def _packed(self) -> list[Packed]:
        params = [value.param for value in self._all_weight_values]
        return [packed for p in params for packed in (p.from_input, p.from_hidden)]

    def _unpacked(self) -> Iterator[tuple[str, tuple[Tensor, Tensor | None]]]:
        for (ending, _), packed in zip(self._matrices(), self._packed(), strict=True):
            yield ending, packed.unpack()

    def _keep(self, packed: list[Packed]) -> None:
        """Keep packed weights, those of the input and of the state in turn."""
        reduce_range = reduces_range()
        self._all_weight_values = [
            PackedParameter(CellParams(*pair, reduce_range))
            for pair in zip(packed[::2], packed[1::2], strict=True)
        ]

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
        packed = []
        for ending, shape in self._matrices():
            names = [f"weight_{ending}", *([f"bias_{ending}"] if self.bias else [])]
            for name in names:
                if name not in weight_bias_dict:
                    raise ArgumentError(
                        argument="weight_bias_dict",
                        expected=f"with the key {name!r}",
                        got=f"keys {sorted(map(str, weight_bias_dict))}",
                    )
            bias = weight_bias_dict[names[1]] if self.bias else None
            packed.append(pack(self.dtype, names[0], shape, weight_bias_dict[names[0]], bias))
        self._keep(packed)

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
        packed = self._packed()
        for place, (ending, shape) in enumerate(self._matrices()):
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
            packed[place] = report.attempt(name, pack, self.dtype, name, shape, weight, bias)
        report.change(functools.partial(self._keep, packed))

    _REFERENCE = ("get_quantized_weight_bias_dict",)

    def _take_reference(self, layer: Any) -> None:
        parts = layer.get_quantized_weight_bias_dict()
        self.set_weight_bias({name: unpacked_half(part.detach()) for name, part in parts.items()})

    @classmethod
    def from_float(cls, mod: Module, use_precomputed_fake_quant: bool = False) -> "RNNBase":
        """Make a module from a float one; no data is needed.

        Parameters
        ----------
        mod : Module
            Exactly of the float type of the same name. Each weight is seen by a weight observer of
            its own, made by the module's QConfig; without one it is the default. An observer for
            float16 makes weights in float16.
        use_precomputed_fake_quant : bool, default False
            Has no effect here.

        Raises
        ------
        ArgumentError
            If it is of another type, or the observer's dtype is another.
        """
        dtype, values = quantized_parameters(mod, cls._FLOAT_MODULE)
        make: Any = cls
        converted = make(
            mod.input_size, mod.hidden_size, mod.num_layers, mod.bias, mod.batch_first,
            mod.dropout, mod.bidirectional, dtype,
        )  # fmt: skip
        converted.set_weight_bias(values)
        converted.training = mod.training
        return converted

    # -- running ---------------------------------------------------------------------------------

    def _state(self, hx: Any, batch: int) -> list[np.ndarray]:
        shape = (self.num_layers * self._directions, batch, self.hidden_size)
        if hx is None:
            return [np.zeros(shape, np.float32) for _ in self._states]
        parts = []
        for name, part in zip(self._states, self._parts(hx), strict=True):
            array = checks.float32_tensor(name, part).array
            if array.shape != shape:
                raise ShapeError(
                    argument=name, expected=f"of shape {shape}", got=f"shape {array.shape}"
                )
            parts.append(array)
        return parts

    def _run(self, data: np.ndarray, batch_sizes: list[int], state: list[np.ndarray]):
        """Run all layers over packed steps."""
        params = [value.param for value in self._all_weight_values]
        probability = self.dropout if self.training else 0.0
        return run_layers(
            KINDS[self.mode], data, batch_sizes, state, params, self._directions, probability
        )

    def _check_input(self, x: np.ndarray, ndim: int) -> None:
        if x.ndim != ndim or x.shape[-1] != self.input_size:
            raise ShapeError(
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
        hx : Tensor or pair of Tensor, optional
            State to begin with, shape (layers * directions, batch, hidden_size); zeros if not
            given. That of an `LSTM` is a pair, of hidden and cell state.

        Returns
        -------
        output : Tensor or PackedSequence
            Hidden state of the last layer for every step.
        state : Tensor or pair of Tensor
            State after the last step.

        Raises
        ------
        ShapeError, DtypeError
            If `input` or `hx` do not fit.
        """
        if hx is not None:
            self._parts(hx)
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx)
        x = checks.float32_tensor("input", input).array
        self._check_input(x, 3)
        if self.batch_first:
            x = np.swapaxes(x, 0, 1)
        steps, batch = x.shape[:2]
        data = np.ascontiguousarray(x).reshape(steps * batch, self.input_size)
        data, last = self._run(data, [batch] * steps, self._state(hx, batch))
        output = data.reshape(steps, batch, data.shape[1])
        if self.batch_first:
            output = np.swapaxes(output, 0, 1)
        return Tensor(output), self._whole([Tensor(part) for part in last])

    def _forward_packed(self, packed: PackedSequence, hx: Any):
        check_packed("input", packed)
        data = checks.float32_tensor("input.data", packed.data).array
        self._check_input(data, 2)
        sizes = packed.batch_sizes.array.tolist()
        state = self._state(hx, sizes[0])
        if hx is not None and packed.sorted_indices is not None:
            state = [part[:, packed.sorted_indices.array] for part in state]
        data, last = self._run(data, sizes, state)
        if packed.unsorted_indices is not None:
            last = [part[:, packed.unsorted_indices.array] for part in last]
        return packed._replace(data=Tensor(data)), self._whole([Tensor(part) for part in last])

    def _get_name(self) -> str:
        return f"DynamicQuantized{self.mode}"


class LSTM(RNNBase):
    r"""Layers of long short-term memory that quantize input and state by their range at each call.

    .. math::
        i, f, g, o &= W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh} \\
        c_t &= \sigma(f)\, c_{t-1} + \sigma(i) \tanh(g) \\
        h_t &= \sigma(o) \tanh(c_t)

    %(recurrent_layers)s
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
        super().__init__(
            "LSTM", input_size, hidden_size, num_layers, bias, batch_first, dropout,
            bidirectional, dtype,
        )  # fmt: skip


class GRU(RNNBase):
    r"""Layers of gated recurrent units that quantize input and state by their range at each call.

    .. math::
        r, z &= \sigma(W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh}) \\
        n &= \tanh(W_{in} x_t + b_{in} + r (W_{hn} h_{t-1} + b_{hn})) \\
        h_t &= (h_{t-1} - n)\, z + n

    %(recurrent_layers)s
    dtype : dtype, default qint8
        As of `LSTM`.

    Notes
    -----
    What is quantized together, fresh weights and state dicts are as those of `LSTM`. Source: the
    documentation of ``torch.ao.nn.quantized.dynamic.GRU``, PyTorch 2.13.

    Examples
    --------
    >>> import refquant
    >>> gru = refquant.nn.quantized.dynamic.GRU(10, 20, 2)
    >>> output, hidden = gru(refquant.randn(5, 3, 10), refquant.randn(2, 3, 20))
    >>> output.shape, hidden.shape
    (refquant.Size([5, 3, 20]), refquant.Size([2, 3, 20]))
    """

    _FLOAT_MODULE = nn.GRU

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
        super().__init__(
            "GRU", input_size, hidden_size, num_layers, bias, batch_first, dropout,
            bidirectional, dtype,
        )  # fmt: skip


document(__name__)
