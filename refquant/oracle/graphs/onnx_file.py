"""What is known of an ``.onnx`` file while it is read: constants, quantizers, what waits."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from refquant.oracle.graphs.files import Reading
from refquant.oracle.graphs.graph import Node, Value
from refquant.oracle.graphs.onnx_tensors import damaged
from refquant.oracle.graphs.unsupported import Unsupported

__all__ = ["OnnxFile", "OnnxNode", "Pending", "Quantizer"]


@dataclass(frozen=True)
class Quantizer:
    """How integers stand for real numbers."""

    scale: Any
    zero_point: Any
    dtype: str
    axis: int | None = None

    def same(self, other: "Quantizer") -> bool:
        """Whether another one says the same."""
        return self.dtype == other.dtype and all(
            np.array_equal(a, b)
            for a, b in ((self.scale, other.scale), (self.zero_point, other.zero_point))
        )


@dataclass(frozen=True)
class Pending:
    """An operation on real numbers whose result is not quantized yet."""

    operation: str
    operands: dict[str, Any]
    settings: dict[str, Any]
    place: str
    keeps: bool = False  # the result has the quantizer of `x`, unless another one follows
    before: "Pending | None" = None  # what makes `x`, if that is not quantized either


@dataclass
class OnnxNode:
    """One node of the file."""

    kind: str
    inputs: list[str]
    outputs: list[str]
    options: dict[str, Any]
    place: str

    def has(self, k: int) -> bool:
        """Whether an operand is given."""
        return k < len(self.inputs) and bool(self.inputs[k])


class OnnxFile:
    """Constants, quantizers and waiting operations of a file while it is read."""

    def __init__(self) -> None:
        self.reading = Reading(".onnx")
        self.constants: dict[str, np.ndarray] = {}
        self.inputs: dict[str, tuple[str, Any]] = {}
        self.quantizers: dict[str, Quantizer] = {}
        self.reals: dict[str, str] = {}  # real numbers: what they are dequantized of
        self.pending: dict[str, Pending] = {}
        self.made: set[str] = set()

    # -- constants ---------------------------------------------------------------------------

    def array(self, node: OnnxNode, k: int) -> np.ndarray:
        """Return a constant operand."""
        if not node.has(k):
            raise Unsupported(f"without operand {k}")
        if node.inputs[k] not in self.constants:
            raise Unsupported(f"whose operand {k} is no constant")
        return self.constants[node.inputs[k]]

    def quantizer(
        self, node: OnnxNode, scale: int, zero: int, axis: int | None = None
    ) -> Quantizer:
        """Read a scale and a zero point."""
        s = self.array(node, scale)
        z = self.array(node, zero) if node.has(zero) else np.zeros(s.shape, np.uint8)
        if s.dtype != np.float32 or z.dtype.kind not in "iu" or s.ndim > 1 or z.ndim > 1:
            raise Unsupported(f"whose scale is {s.dtype} of shape {s.shape}")
        if not s.size or z.size not in (1, s.size):
            raise damaged(f"{node.place}: {s.size} scales and {z.size} zero points")
        if s.size == 1 and z.size == 1:
            return Quantizer(float(s.reshape(-1)[0]), int(z.reshape(-1)[0]), z.dtype.name)
        z = np.broadcast_to(z if z.size > 1 else z.reshape(-1)[0], s.shape)
        return Quantizer(s, z.astype(np.int64), z.dtype.name, axis)

    # -- values ------------------------------------------------------------------------------

    def codes(self, name: str, by: Quantizer | None = None) -> str:
        """Name integers that are read by a quantizer, or by that they have."""
        by = by or self.quantizers.get(name)
        if name in self.constants:
            data = self.constants[name]
            if by is None:
                raise Unsupported(f"of a constant {name!r} without a scale")
            if data.dtype.name != by.dtype:
                raise Unsupported(
                    f"whose constant {name!r} is {data.dtype}, its zero point {by.dtype}"
                )
            axis = None if by.axis is None else by.axis % max(data.ndim, 1)
            known = self.reading.values.get(name)
            if known is None:
                value = Value(name, by.dtype, data.shape, by.scale, by.zero_point, axis, data)
                return self.reading.add(value)
            held = Quantizer(known.scale, known.zero_point, known.dtype, known.axis)
            return self._same(name, held, by)
        if name not in self.made and name not in self.inputs:
            raise Unsupported(f"of {name!r}, which nothing makes")
        if by is not None and by.axis is not None:
            raise Unsupported("with several scales for an activation")
        if name in self.inputs and name not in self.reading.values:
            dtype, shape = self.inputs[name]
            own = by or Quantizer(1.0, 0, dtype)
            if dtype == "float32" or dtype != own.dtype:
                raise Unsupported(f"of {dtype} with a zero point of {own.dtype}")
            self.reading.add(Value(name, dtype, shape, own.scale, own.zero_point))
        held_value = self.reading.values.get(name)
        if held_value is None or held_value.scale is None:
            raise Unsupported(f"of {name!r}, which is not quantized")
        if by is None:
            return name
        held = Quantizer(held_value.scale, held_value.zero_point, held_value.dtype)
        return self._same(name, held, by)

    def _same(self, name: str, held: Quantizer, by: Quantizer) -> str:
        if not held.same(by):
            raise Unsupported(f"which reads {name!r} by another quantizer than it has")
        return name

    def of_real(self, name: str) -> str:
        """Name the integers of which real numbers are dequantized."""
        if name in self.pending:
            waiting = self.pending[name]
            raise Unsupported(f"of real numbers: {waiting.place} is not quantized before it")
        if name not in self.reals:
            raise Unsupported(f"of real numbers {name!r}, which are no dequantized integers")
        return self.reals[name]

    def add(self, node: Node, to: Quantizer) -> None:
        """Add a node with its result."""
        if to.axis is not None:
            raise Unsupported("whose result has several scales")
        self._new(node.output)
        self.reading.add(Value(node.output, to.dtype, None, to.scale, to.zero_point))
        self.reading.nodes.append(node)

    def add_plain(self, node: Node, dtype: str) -> None:
        """Add a node whose result has no quantizer."""
        self._new(node.output)
        self.reading.add(Value(node.output, dtype))
        self.reading.nodes.append(node)

    def _new(self, name: str) -> None:
        if not name or name in self.made or name in self.constants or name in self.inputs:
            raise damaged(f"two results of the name {name!r}")
        self.made.add(name)

    def quantizer_of(self, name: str) -> Quantizer:
        """Return the quantizer of integers."""
        value = self.reading.values[name]
        return Quantizer(value.scale, value.zero_point, value.dtype, value.axis)

    def wait(self, name: str, pending: Pending) -> None:
        """Keep an operation on real numbers until its result is quantized."""
        if not name or name in self.pending or name in self.reals or name in self.made:
            raise damaged(f"two results of the name {name!r}")
        self.pending[name] = pending

    def bounded(self, name: str, **bounds: Any) -> Pending:
        """Take an operation that is bounded, with its bounds."""
        return self._with_bounds(self.pending.pop(name), bounds)

    def _with_bounds(self, waiting: Pending, bounds: dict[str, Any]) -> Pending:
        """Bound what is not a move: to move bounded numbers and to bound moved ones is the same."""
        if waiting.before is not None:
            return replace(waiting, before=self._with_bounds(waiting.before, bounds))
        if "activation" in waiting.settings or waiting.operation in ("reshape", "transpose"):
            raise Unsupported("which bounds what is bounded or moved already")
        return replace(waiting, settings={**waiting.settings, **bounds})
