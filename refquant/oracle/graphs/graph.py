"""Graphs: values, and nodes that are neutral problems of the oracle."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from refquant import arguments, engines
from refquant.engines import Engine
from refquant.engines.registry import chosen
from refquant.errors import ArgumentError, EngineError, OperationError, RefquantError
from refquant.oracle.graphs.moves import MOVES, Move
from refquant.oracle.graphs.sizes import check_size
from refquant.oracle.problems.base import Problem
from refquant.oracle.problems.codes import DTYPES, Codes, Output
from refquant.oracle.problems.table import neutral_operations, problem

__all__ = ["Graph", "Node", "Value"]

_BOUNDS = ("activation", "lower", "upper")
_UNFIT = (TypeError, ValueError, IndexError, KeyError, AttributeError, OverflowError)  # of settings
# Operations whose results are not quantized, or not by a quantizer that is given.
_WITHOUT_OUTPUT = ("dequantize", "dynamic_quantize", "conv_integer", "matmul_integer")


@dataclass(frozen=True, eq=False)
class Value:
    """An array of a graph: what it is fed, a constant, or the result of a node.

    Parameters
    ----------
    name : str
        Unique in its graph.
    dtype : str
        ``'int8'``, ``'uint8'``, ``'int16'``, ``'int32'``, ``'int64'`` or ``'float32'``.
    shape : tuple of int, optional
        None where the file does not tell; a size of -1 may be any.
    scale : float or sequence of float, optional
        Of integers that stand for real numbers, see `refquant.oracle.Codes`.
    zero_point : int or sequence of int, default 0
        The integer that stands for real zero.
    axis : int, optional
        The axis of several scales.
    data : ndarray, optional
        The elements of a constant.

    Examples
    --------
    >>> from refquant.oracle.graphs import Value
    >>> Value("x", "int8", (1, 4), 0.5, -3)
    Value('x', int8 (1, 4), scale 0.5, zero point -3)
    """

    name: str
    dtype: str
    shape: tuple[int, ...] | None = None
    scale: Any = None
    zero_point: Any = 0
    axis: int | None = None
    data: np.ndarray | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        arguments.text("name", self.name)
        arguments.choice("dtype", self.dtype, (*DTYPES, "int64", "float32"))
        if self.shape is not None:
            shape = arguments.sequence("shape", self.shape, "sizes")
            sizes = tuple(arguments.integer("shape", n, -1) for n in shape)
            object.__setattr__(self, "shape", sizes)
        if self.data is not None:
            arguments.instance("data", self.data, np.ndarray, "an ndarray")
            if self.data.dtype.name != self.dtype or self.data.shape != self.shape:
                raise ArgumentError(
                    argument="data",
                    expected=f"of {self.dtype} and shape {self.shape}",
                    got=arguments.describe(self.data),
                )
        if self.scale is not None:
            self._check_quantizer()

    def _check_quantizer(self) -> None:
        if self.dtype in DTYPES and self.data is not None:
            self.codes(self.data)
        elif self.dtype in DTYPES and self.axis is None:
            Output(self.scale, self.zero_point, self.dtype)
        else:
            raise ArgumentError(
                argument="scale",
                expected="one number beside integers, or several beside those of a constant",
                got=f"{arguments.describe(self.scale)} beside {self.dtype}",
            )

    def codes(self, array: np.ndarray) -> Codes:
        """Read integers by the quantizer of the value.

        Parameters
        ----------
        array : ndarray
            Of the dtype of the value.

        Returns
        -------
        Codes
        """
        if self.scale is None:
            raise ArgumentError(
                argument="scale", expected=f"given for value {self.name!r}", got="None"
            )
        return Codes(array, self.scale, self.zero_point, self.axis)

    def output(self, bounds: Mapping[str, Any]) -> Output:
        """Describe the value as a result.

        Parameters
        ----------
        bounds : dict
            ``activation``, ``lower`` and ``upper``, as far as they are given.

        Returns
        -------
        Output

        Examples
        --------
        >>> from refquant.oracle.graphs import Value
        >>> Value("y", "int8", (1, 4), 0.5, -3).output({"activation": "relu"}).lower
        -3
        """
        if self.scale is None:
            raise ArgumentError(
                argument="scale", expected=f"given for value {self.name!r}", got="None"
            )
        for name in arguments.mapping("bounds", bounds):
            arguments.choice("bounds", name, _BOUNDS)
        return Output(self.scale, self.zero_point, self.dtype, **bounds)

    def check(self, array: Any) -> np.ndarray:
        """Check an array that is to take the place of the value.

        Parameters
        ----------
        array : ndarray
            Of the dtype and shape of the value.

        Returns
        -------
        ndarray
            The same.

        Raises
        ------
        ArgumentError
            If it does not fit.
        """
        given = arguments.instance(self.name, array, np.ndarray, "an ndarray")
        sizes = given.shape if self.shape is None else self.shape
        fits = len(sizes) == given.ndim and all(
            n in (-1, m) for n, m in zip(sizes, given.shape, strict=True)
        )
        if given.dtype.name != self.dtype or not fits:
            raise ArgumentError(
                argument=self.name,
                expected=f"an array of {self.dtype} and shape {sizes}",
                got=arguments.describe(given),
            )
        return given

    def __repr__(self) -> str:
        shape = "of any shape" if self.shape is None else str(self.shape)
        how = ""
        if self.scale is not None:
            several = f"{np.size(self.scale)} scales along axis {self.axis}"
            one = f"scale {self.scale:g}, zero point {self.zero_point}" if self.axis is None else ""
            how = f", {one or several}"
        return f"Value({self.name!r}, {self.dtype} {shape}{how})"


@dataclass(frozen=True, eq=False)
class Node:
    """An operation of a graph.

    Parameters
    ----------
    operation : str
        Of a neutral problem, see *Neutral problems*; or ``'reshape'``, ``'transpose'``, ``'pad'``
        or ``'clip'``, which no engine computes differently.
    operands : dict of str to str, or to tuple of str
        Names of values, by the names of the operation's parameters.
    output : str
        The name of the result.
    settings : dict, optional
        The other parameters, such as ``stride``; and bounds of the result: ``activation``,
        ``lower``, ``upper``.
    place : str, optional
        Where it stands in a file, for messages.

    Examples
    --------
    >>> from refquant.oracle.graphs import Node
    >>> Node("max_pool2d", {"x": "image"}, "pooled", {"kernel": 2})
    Node(max_pool2d: x=image -> pooled)
    """

    operation: str
    operands: Mapping[str, Any]
    output: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    place: str = ""

    def __post_init__(self) -> None:
        arguments.choice("operation", self.operation, (*neutral_operations(), *MOVES))
        for name in ("operands", "settings"):
            for key in arguments.mapping(name, getattr(self, name)):
                arguments.text(name, key)
        for given in self.operands.values():
            for name in given if isinstance(given, tuple) else (given,):
                arguments.text("operands", name)
        arguments.text("output", self.output)
        arguments.text("place", self.place)

    def names(self) -> Iterator[str]:
        """Name the values that the operation takes.

        Yields
        ------
        str
        """
        for given in self.operands.values():
            yield from given if isinstance(given, tuple) else (given,)

    def __repr__(self) -> str:
        taken = ", ".join(
            f"{name}={' '.join(v) if isinstance(v, tuple) else v}"
            for name, v in self.operands.items()
        )
        return f"Node({self.operation}: {taken} -> {self.output})"


class Graph:
    """Values and nodes of a model, in the order in which nodes run.

    Parameters
    ----------
    values : sequence of Value
        All of them.
    nodes : sequence of Node
        Each takes constants, inputs and results of nodes before it.
    inputs, outputs : sequence of str
        Names of what is fed, and of what is wanted.

    Attributes
    ----------
    values : dict of str to Value
        By name.
    nodes, inputs, outputs : tuple
        As given.

    Raises
    ------
    ArgumentError
        If a name is not known, or a node runs before what it takes.

    Examples
    --------
    >>> import numpy as np
    >>> from refquant.oracle.graphs import Graph, Node, Value
    >>> values = [Value("x", "int8", (1, 2), 0.5), Value("y", "int8", (1, 2), 0.25, 3)]
    >>> graph = Graph(values, [Node("requantize", {"x": "x"}, "y")], ["x"], ["y"])
    >>> graph.run({"x": np.int8([[1, -2]])}, "onnx")["y"]
    array([[ 5, -1]], dtype=int8)
    """

    def __init__(
        self,
        values: Sequence[Value],
        nodes: Sequence[Node],
        inputs: Sequence[str],
        outputs: Sequence[str],
    ) -> None:
        listed = arguments.sequence("values", values, "a sequence of Value")
        for value in listed:
            arguments.instance("values", value, Value, "a sequence of Value")
        self.values = {value.name: value for value in listed}
        self.nodes = tuple(arguments.sequence("nodes", nodes, "a sequence of Node"))
        self.inputs = tuple(arguments.sequence("inputs", inputs, "a sequence of names"))
        self.outputs = tuple(arguments.sequence("outputs", outputs, "a sequence of names"))
        if len(self.values) < len(listed):
            raise ArgumentError(argument="values", expected="names that differ", got="two alike")
        there = {name for name, value in self.values.items() if value.data is not None}
        self._known("inputs", self.inputs, self.values)
        there.update(self.inputs)
        for node in self.nodes:
            arguments.instance("nodes", node, Node, "a sequence of Node")
            self._known("nodes", (*node.names(), node.output), self.values)
            self._known("nodes", tuple(node.names()), there)
            if node.output in there:
                raise ArgumentError(
                    argument="nodes", expected="one node for each result", got=repr(node.output)
                )
            there.add(node.output)
        self._known("outputs", self.outputs, there)

    @staticmethod
    def _known(argument: str, names: Sequence[Any], known: Any) -> None:
        for name in names:
            if not isinstance(name, str) or name not in known:
                raise ArgumentError(
                    argument=argument,
                    expected="names of values that are there before they are used",
                    got=repr(name),
                )

    def problem(self, node: Node, arrays: Mapping[str, np.ndarray]) -> Problem:
        """Bind a node to its operands.

        Parameters
        ----------
        node : Node
            Of this graph.
        arrays : dict of str to ndarray
            What the node takes, by the names of the values; constants may be left out.

        Returns
        -------
        Problem
            See `refquant.oracle.problem`.

        Raises
        ------
        OperationError
            If the operands do not fit together; the message names the place of the node.

        Examples
        --------
        >>> import numpy as np
        >>> from refquant.oracle.graphs import Graph, Node, Value
        >>> values = [Value("x", "int8", (1, 2), 0.5), Value("y", "int8", (1, 2), 0.25, 3)]
        >>> graph = Graph(values, [Node("requantize", {"x": "x"}, "y")], ["x"], ["y"])
        >>> graph.problem(graph.nodes[0], {"x": np.int8([[1, -2]])})
        <Problem requantize(x=Codes(int8 (1, 2), scale 0.5, zero point 0), output=Output(\
scale=0.25, zero_point=3, dtype='int8', activation='none', lower=-128, upper=127))>
        """
        arguments.instance("node", node, Node, "a Node")
        arguments.mapping("arrays", arrays)
        try:
            return self._bound(node, arrays)
        except RefquantError as error:
            raise OperationError(f"{node.place or repr(node)}: {error}") from error
        except _UNFIT as error:
            raise _unfit(node, error) from error

    def _bound(self, node: Node, arrays: Mapping[str, np.ndarray]) -> Problem:
        def array(name: str) -> np.ndarray:
            data = self.values[name].data
            if data is not None:
                return data
            if name not in arrays:
                raise ArgumentError(argument="arrays", expected=f"one for {name!r}", got="none")
            return arguments.instance("arrays", arrays[name], np.ndarray, "ndarrays")

        shapes = {
            parameter: [array(n).shape for n in given]
            if isinstance(given, tuple)
            else array(given).shape
            for parameter, given in node.operands.items()
        }
        check_size(node.operation, shapes, node.settings)
        if node.operation in MOVES:
            return Move(node.operation, {"x": array(node.operands["x"]), **node.settings})
        settings = {k: v for k, v in node.settings.items() if k not in _BOUNDS}

        def operand(parameter: str, name: str) -> Any:
            value = self.values[name]
            plain = parameter == "bias" or value.dtype == "float32"
            return array(name) if plain else value.codes(array(name))

        operands = {
            parameter: [operand(parameter, n) for n in given]
            if isinstance(given, tuple)
            else operand(parameter, given)
            for parameter, given in node.operands.items()
        }
        if node.operation not in _WITHOUT_OUTPUT:
            bounds = {k: node.settings[k] for k in _BOUNDS if k in node.settings}
            settings["output"] = self.values[node.output].output(bounds)
        return problem(node.operation, **operands, **settings)

    def answer(
        self, node: Node, arrays: Mapping[str, np.ndarray], engine: Any = None
    ) -> np.ndarray:
        """Compute one node.

        Parameters
        ----------
        node : Node
            Of this graph.
        arrays : dict of str to ndarray
            What the node takes, by the names of the values.
        engine : str, Engine or sequence of them, optional
            See `run`.

        Returns
        -------
        ndarray
            In the dtype of the result.

        Examples
        --------
        >>> import numpy as np
        >>> from refquant.oracle.graphs import Graph, Node, Value
        >>> values = [Value("x", "int8", (1, 2), 0.5), Value("y", "int8", (1, 2), 0.25, 3)]
        >>> graph = Graph(values, [Node("requantize", {"x": "x"}, "y")], ["x"], ["y"])
        >>> graph.answer(graph.nodes[0], {"x": np.int8([[1, -2]])}, "onnx")
        array([[ 5, -1]], dtype=int8)
        """
        return answer_of(self.problem(node, arrays), records_of(engine), node)[0]

    def run(
        self, inputs: Mapping[str, np.ndarray], engine: Any = None, *, keep: bool = False
    ) -> dict[str, np.ndarray]:
        """Compute the graph by the rules of an engine.

        Parameters
        ----------
        inputs : dict of str to ndarray
            What it is fed, by name.
        engine : str, Engine or sequence of them, optional
            Whose rules; of several each node has the first that supports its operation. The
            current engine by default.
        keep : bool, default False
            Whether to return the results of all nodes, or the outputs alone.

        Returns
        -------
        dict of str to ndarray
            By the names of the values.

        Raises
        ------
        ArgumentError
            If an input is missing, not known, or does not fit.
        OperationError
            If a node cannot be computed; the message names its place.
        """
        given = self.checked(inputs)
        keep, records = arguments.flag("keep", keep), records_of(engine)
        arrays = dict(given)
        for node in self.nodes:
            task = self.problem(node, arrays)
            arrays[node.output] = answer_of(task, records, node)[0]
        if keep:
            return {name: array for name, array in arrays.items() if name not in given}
        constants = {n: v.data for n, v in self.values.items() if v.data is not None}
        return {name: {**constants, **arrays}[name] for name in self.outputs}

    def checked(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Check what a graph is to be fed.

        Parameters
        ----------
        inputs : dict of str to ndarray
            By name.

        Returns
        -------
        dict of str to ndarray
            The same.

        Raises
        ------
        ArgumentError
            If an input is missing, not known, or does not fit.
        """
        given = dict(arguments.mapping("inputs", inputs))
        if set(given) != set(self.inputs):
            raise ArgumentError(
                argument="inputs",
                expected=f"arrays for {', '.join(map(repr, self.inputs))}",
                got=", ".join(map(repr, given)) or "none",
            )
        return {name: self.values[name].check(given[name]) for name in self.inputs}

    def __repr__(self) -> str:
        ends = f"{', '.join(self.inputs)} -> {', '.join(self.outputs)}"
        return f"<Graph {ends}: {len(self.nodes)} nodes>"


def records_of(engine: Any) -> tuple[Engine, ...]:
    """Look up one engine or several."""
    if isinstance(engine, list | tuple):
        if not engine:
            raise ArgumentError(argument="engine", expected="at least one engine", got="none")
        return tuple(chosen(each) for each in engine)
    return (chosen(engines.current().name if engine is None else engine),)


def answer_of(task: Problem, records: tuple[Engine, ...], node: Node) -> tuple[np.ndarray, Engine]:
    """Compute a problem by the first engine that supports it; returns that, too."""
    for record in records:
        try:
            return np.asarray(task.run(record)), record
        except EngineError as error:
            last: RefquantError = error
        except RefquantError as error:
            last = error
            break
        except _UNFIT as error:
            raise _unfit(node, error) from error
    raise OperationError(f"{node.place or repr(node)}: {last}") from last


def _unfit(node: Node, error: Exception) -> OperationError:
    """Describe settings that the operation cannot take."""
    return OperationError(
        f"{node.place or repr(node)}",
        argument="settings",
        expected=f"those of {node.operation}",
        got=f"{dict(node.settings)}",
        hint=f"{type(error).__name__}: {error}",
    )
