"""Traces: the steps from operands to one element of a result, and how they are shown."""

from dataclasses import dataclass
from html import escape
from typing import Any

from refquant import arguments

__all__ = ["Step", "Trace", "exact_step"]


@dataclass(frozen=True)
class Step:
    """One line of a trace.

    Attributes
    ----------
    name : str
        What is computed.
    value : int, float or str
        The result.
    formula : str
        How, or by which rule.
    bits : str
        The bits of a float32, as hexadecimal digits; empty for integers.

    Examples
    --------
    >>> import numpy as np, refquant
    >>> from refquant import oracle
    >>> x = refquant.quantize_per_tensor(refquant.tensor([[3.0, 1.0]]), 0.5, 2, refquant.quint8)
    >>> w = refquant.quantize_per_tensor(refquant.tensor([[1.0, -2.0]]), 0.25, 0, refquant.qint8)
    >>> steps = oracle.trace("linear", x, w, scale=0.4, zero_point=10, index=(0, 0)).steps
    >>> all(isinstance(step, oracle.Step) for step in steps)
    True
    """

    name: str
    value: Any
    formula: str = ""
    bits: str = ""


@dataclass(frozen=True)
class Trace:
    """How an engine computes one element of an output.

    Attributes
    ----------
    operation, engine : str
        What was computed, and by which engine.
    index : tuple of int
        Which element.
    steps : tuple of Step
        From the operands to the result.
    result : int or float
        The element.

    Examples
    --------
    >>> import numpy as np, refquant
    >>> from refquant import oracle
    >>> x = refquant.quantize_per_tensor(refquant.tensor([[3.0, 1.0]]), 0.5, 2, refquant.quint8)
    >>> w = refquant.quantize_per_tensor(refquant.tensor([[1.0, -2.0]]), 0.25, 0, refquant.qint8)
    >>> steps = oracle.trace("linear", x, w, scale=0.4, zero_point=10, index=(0, 0))
    >>> steps["accumulator"]
    8
    """

    operation: str
    engine: str
    index: tuple[int, ...]
    steps: tuple[Step, ...]
    result: Any

    def __getitem__(self, name: str) -> Any:
        """Return the value of a step.

        Raises
        ------
        KeyError
            If the trace has no step of this name.
        """
        for step in self.steps:
            if isinstance(name, str) and step.name == name:
                return step.value
        raise KeyError(
            f"{arguments.describe(name)} is none of {', '.join(s.name for s in self.steps)}"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the trace as plain values that JSON can represent."""
        return {
            "operation": self.operation,
            "engine": self.engine,
            "index": list(self.index),
            "steps": [dict(vars(step)) for step in self.steps],
            "result": self.result,
        }

    def __str__(self) -> str:
        place = ", ".join(map(str, self.index))
        width = max(len(step.name) for step in self.steps)
        lines = [f"{self.operation}[{place}] by engine {self.engine!r}"]
        for step in self.steps:
            line = f"  {step.name:<{width}} = {_text(step.value)}"
            if step.bits:
                line += f"  (0x{step.bits})"
            lines.append(f"{line:<52}  {step.formula}".rstrip())
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{escape(step.name)}</th>"
            f"<td><code>{escape(_text(step.value))}</code></td>"
            f"<td><code>{escape(step.bits)}</code></td>"
            f"<td style='text-align:left'>{escape(step.formula)}</td></tr>"
            for step in self.steps
        )
        place = ", ".join(map(str, self.index))
        head = f"{self.operation}[{place}] by engine {self.engine!r}"
        return f"<table><caption>{escape(head)}</caption>{rows}</table>"


def exact_step(steps: Any) -> Step:
    """Make a step of an exact number of steps, which tells how far it is from a tie."""
    distance = abs(steps - round(steps))
    tie = "a tie" if 2 * distance == 1 else f"{float(abs(distance * 2 - 1) / 2):.3g} from a tie"
    return Step("exact number of steps", float(steps), tie)


def _text(value: Any) -> str:
    return f"{value:.9g}" if isinstance(value, float) else str(value)
