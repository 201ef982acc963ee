"""One step of long short-term memory, made of parts that can be observed."""

from typing import Any

from refquant import arguments, dtypes, nn
from refquant.errors import ArgumentError, ShapeError
from refquant.nn.module import Module
from refquant.nn.parameter import Parameter
from refquant.nn.quantized.functional_modules import FloatFunctional
from refquant.ops.floating.activation import tanh
from refquant.ops.floating.creation import zeros
from refquant.ops.quantized.affine import quantize_per_tensor
from refquant.tensors import Tensor

__all__ = ["LSTMCell", "State", "check_source"]

GATES = ("input", "forget", "cell", "output")
# Hidden and cell state.
State = tuple[Tensor, Tensor]


def _copied(value: Any) -> Parameter | None:
    return None if value is None else Parameter(Tensor(value.array.copy()))


def check_source(other: Any, kind: type, exact: bool, qconfig: Any = None) -> None:
    """Raise unless a module has the type that is wanted, and a QConfig."""
    if not (type(other) is kind if exact else isinstance(other, kind)):
        raise ArgumentError(
            argument="other", expected=f"a {kind.__name__}", got=arguments.describe(other)
        )
    if getattr(other, "qconfig", qconfig) is None:
        raise ArgumentError(
            argument="other.qconfig",
            expected="a QConfig",
            got="None",
            hint="set other.qconfig = refquant.quantization.get_default_qconfig()",
        )


class LSTMCell(Module):
    r"""One step of long short-term memory, made of parts that can be observed.

    Parameters
    ----------
    input_dim, hidden_dim : int
        Features of the input, and of the state.
    bias : bool, default True
        Whether there are biases.
    split_gates : bool, default False
        Whether each gate has linear layers of its own.

    Attributes
    ----------
    igates, hgates : Module
        Linear layers of input and hidden state.
    gates, fgate_cx, igate_cgate, fgate_cx_igate_cgate, ogate_cy : FloatFunctional
        Sums and products.
    initial_hidden_state_qparams, initial_cell_state_qparams : tuple of float and int
        Quantizers of states that are not given.
    hidden_state_dtype, cell_state_dtype : dtype
        Their dtypes.

    Examples
    --------
    >>> import refquant
    >>> cell = refquant.nn.quantizable.LSTMCell(3, 4)
    >>> hidden, memory = cell(refquant.randn(2, 3))
    >>> hidden.shape
    refquant.Size([2, 4])
    """

    _FLOAT_MODULE = nn.LSTMCell

    def __init__(
        self, input_dim: int, hidden_dim: int, bias: bool = True, *, split_gates: bool = False
    ) -> None:
        super().__init__()
        self.input_size = arguments.integer("input_dim", input_dim, 1)
        self.hidden_size = size = arguments.integer("hidden_dim", hidden_dim, 1)
        arguments.shape("hidden_dim", (4 * size, max(size, self.input_size)))
        self.bias = bias = arguments.flag("bias", bias)
        self.split_gates = arguments.flag("split_gates", split_gates)
        self.igates: Any
        self.hgates: Any
        self.gates: Any
        if self.split_gates:
            self.igates, self.hgates, self.gates = (
                nn.ModuleDict({gate: make() for gate in GATES})
                for make in (
                    lambda: nn.Linear(self.input_size, size, bias),
                    lambda: nn.Linear(size, size, bias),
                    FloatFunctional,
                )
            )
        else:
            self.igates = nn.Linear(self.input_size, 4 * size, bias)
            self.hgates = nn.Linear(size, 4 * size, bias)
            self.gates = FloatFunctional()
        self.input_gate: Any = nn.Sigmoid()
        self.forget_gate: Any = nn.Sigmoid()
        self.cell_gate: Any = nn.Tanh()
        self.output_gate: Any = nn.Sigmoid()
        self.fgate_cx: Any = FloatFunctional()
        self.igate_cgate: Any = FloatFunctional()
        self.fgate_cx_igate_cgate: Any = FloatFunctional()
        self.ogate_cy: Any = FloatFunctional()
        self.initial_hidden_state_qparams: tuple[float, int] = (1.0, 0)
        self.initial_cell_state_qparams: tuple[float, int] = (1.0, 0)
        self.hidden_state_dtype = self.cell_state_dtype = dtypes.quint8

    def _driven(self, x: Tensor, hidden: Tensor) -> list[Tensor]:
        """Add what input and hidden state drive each gate with."""
        if not self.split_gates:
            return list(self.gates.add(self.igates(x), self.hgates(hidden)).chunk(4, 1))
        return [self.gates[g].add(self.igates[g](x), self.hgates[g](hidden)) for g in GATES]

    def forward(self, x: Any, hidden: Any = None) -> State:
        """Make the next state.

        Parameters
        ----------
        x : Tensor, shape (batch, input_dim)
            Plain, or quantized after ``convert``.
        hidden : pair of Tensor, optional
            Hidden and cell state; zeros if not given.

        Returns
        -------
        hidden, cell : Tensor, shape (batch, hidden_dim)

        Raises
        ------
        ArgumentTypeError, ShapeError
            If `x` is no matrix, or `hidden` no pair of tensors.
        """
        arguments.instance("x", x, Tensor, "a tensor")
        if x.dim() != 2:
            raise ShapeError(
                argument="x", expected="of shape (batch, input_dim)", got=tuple(x.shape)
            )
        hx, cx = (None, None) if hidden is None else arguments.pair_of_tensors("hidden", hidden)
        for part in (hx, cx):
            if part is not None:
                arguments.instance("hidden", part, Tensor, "a pair of tensors")
        if hx is None or cx is None:
            hx, cx = self.initialize_hidden(x.shape[0], x.is_quantized)
        input_gate, forget_gate, cell_gate, output_gate = self._driven(x, hx)
        input_gate, forget_gate = self.input_gate(input_gate), self.forget_gate(forget_gate)
        cell_gate, output_gate = self.cell_gate(cell_gate), self.output_gate(output_gate)
        kept = self.fgate_cx.mul(forget_gate, cx)
        added = self.igate_cgate.mul(input_gate, cell_gate)
        cy = self.fgate_cx_igate_cgate.add(kept, added)
        return self.ogate_cy.mul(output_gate, tanh(cy)), cy

    def initialize_hidden(self, batch_size: int, is_quantized: bool = False) -> State:
        """Make states of zeros.

        Parameters
        ----------
        batch_size : int
        is_quantized : bool, default False
            Whether they are quantized, as the attributes say.

        Returns
        -------
        hidden, cell : Tensor, shape (batch_size, hidden_dim)
        """
        rows = arguments.integer("batch_size", batch_size, 0)
        h, c = zeros(rows, self.hidden_size), zeros(rows, self.hidden_size)
        if arguments.flag("is_quantized", is_quantized):
            h = quantize_per_tensor(h, *self.initial_hidden_state_qparams, self.hidden_state_dtype)
            c = quantize_per_tensor(c, *self.initial_cell_state_qparams, self.cell_state_dtype)
        return h, c

    def _get_name(self) -> str:
        return "QuantizableLSTMCell"

    @classmethod
    def from_params(
        cls, wi: Any, wh: Any, bi: Any = None, bh: Any = None, split_gates: bool = False
    ) -> "LSTMCell":
        """Make a cell of weights and biases.

        Parameters
        ----------
        wi, wh : Tensor, shape (4 * hidden_dim, input_dim) and (4 * hidden_dim, hidden_dim)
            Weights of input and hidden state; copied.
        bi, bh : Tensor, shape (4 * hidden_dim,), optional
            Biases, both or none.
        split_gates : bool, default False
            As of the constructor.

        Returns
        -------
        LSTMCell

        Raises
        ------
        ArgumentError, ShapeError
            If they do not fit together.
        """
        if (bi is None) != (bh is None):
            raise ArgumentError(argument="bi, bh", expected="both or none", got="one")
        size = wh.shape[1]
        for name, part in (("wi", wi), ("wh", wh), ("bi", bi), ("bh", bh)):
            if part is not None and part.shape[0] != 4 * size:
                raise ShapeError(
                    argument=name, expected=f"of {4 * size} rows", got=f"shape {tuple(part.shape)}"
                )
        cell = cls(wi.shape[1], size, bi is not None, split_gates=split_gates)
        for layers, weight, bias in ((cell.igates, wi, bi), (cell.hgates, wh, bh)):
            if not split_gates:
                layers.weight, layers.bias = _copied(weight), _copied(bias)
                continue
            for place, gate in enumerate(GATES):
                rows = slice(place * size, (place + 1) * size)
                layers[gate].weight = _copied(weight[rows])
                layers[gate].bias = None if bias is None else _copied(bias[rows])
        return cell

    @classmethod
    def from_float(
        cls, other: Any, use_precomputed_fake_quant: bool = False, split_gates: bool = False
    ) -> "LSTMCell":
        """Make a cell from a float one.

        Parameters
        ----------
        other : Module
            Exactly a `refquant.nn.LSTMCell`, with a QConfig.
        use_precomputed_fake_quant : bool, default False
            Has no effect here.
        split_gates : bool, default False
            As of the constructor.

        Raises
        ------
        ArgumentError
            If it is of another type, or has no QConfig.
        """
        check_source(other, cls._FLOAT_MODULE, exact=True)
        parts = (other.weight_ih, other.weight_hh, other.bias_ih, other.bias_hh)
        cell = cls.from_params(*parts, split_gates=split_gates)
        cell.qconfig = cell.igates.qconfig = cell.hgates.qconfig = other.qconfig
        for layers in (cell.igates, cell.hgates) if split_gates else ():
            for layer in layers.children():
                layer.qconfig = other.qconfig
        return cell
