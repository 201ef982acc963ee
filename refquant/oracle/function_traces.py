"""Traces of PyTorch's functions of quantized tensors: operands, rules, exact value, result."""

from typing import Any

import numpy as np

from refquant.engines import Engine, Operands
from refquant.engines.rule import Split
from refquant.ops.registered import OPERATIONS
from refquant.oracle.problems.base import Problem
from refquant.oracle.problems.codes import Output
from refquant.oracle.problems.function_meanings import linear_of, steps_of_operand
from refquant.oracle.problems.meanings import meaning_of
from refquant.oracle.traces import Step, exact_step
from refquant.tensors import QuantizedTensor

__all__ = ["function_steps"]


def function_steps(task: Problem, record: Engine, flat: int) -> list[Step]:
    """Make the steps of one element."""
    result = task.run(record)
    place = tuple(map(int, np.unravel_index(flat, result.shape)))
    given = next(iter(task.arguments.values()))
    several = isinstance(given, list | tuple)
    steps = _pieces(given) if several else _operand(task, given, place, result.shape)
    if isinstance(result, QuantizedTensor):
        steps += [Step("s", float(result.scale), "scale of the result"),
                  Step("z", int(result.zero_point), "its zero point")]  # fmt: skip
    steps += _rules(task, record, result)
    meaning = meaning_of(task)
    real = None if meaning is None else float(np.broadcast_to(meaning.real, result.shape)[place])
    value = result.array[place].item()
    if real is None or meaning is None:
        return [*steps, Step("result", value)]
    to: Output | None = meaning.output
    if to is None:
        return [*steps, Step("exact value", real, "in float64"), Step("result", value)]
    exact = exact_step(real - to.zero_point)
    return [*steps, exact, Step("result", value, f"clipped to {to.lower}..{to.upper}")]


def _quantizer(q: QuantizedTensor, place: tuple[int, ...], name: str) -> list[Step]:
    scale, zero = q.scale, q.zero_point
    if q.axis is not None:
        scale, zero = (part[place[q.axis]] for part in (scale, zero))
    zero = float(zero) if isinstance(zero, float | np.floating) else int(zero)
    return [Step(f"s_{name}", float(scale), "scale of the operand"),
            Step(f"z_{name}", zero, "its zero point")]  # fmt: skip


def _operand(task: Problem, q: Any, place: tuple[int, ...], shape: tuple) -> list[Step]:
    """Tell the operand, and what a function that adds or chooses numbers makes of its integers."""
    if not isinstance(q, QuantizedTensor):
        return [Step("x", float(q.array[place]), "the real number")]
    steps = _quantizer(q, place, "x")
    linear = linear_of(task)
    if linear is not None:
        whole = linear.of(steps_of_operand(q), task.arguments)
        what = "a share of" if linear.terms(q.array, task.arguments) else "the largest of"
        return [*steps, Step("of q - z_x", float(whole[place]), f"{what} integers, in float64")]
    if q.array.shape == tuple(shape):
        code = int(q.array[place])
        real = (code - steps[1].value) * steps[0].value
        return [Step("q", code, "the integer"), *steps, Step("x", real, "s_x * (q - z_x)")]
    return steps


def _pieces(pieces: Any) -> list[Step]:
    return [step for k, q in enumerate(pieces) for step in _quantizer(q, (), f"x{k}")]


def _rules(task: Problem, record: Engine, result: Any) -> list[Step]:
    """Name the rules of the steps that the operation takes."""
    operands = Operands(result.dtype if isinstance(result, QuantizedTensor) else None)
    steps = []
    for name in OPERATIONS[task.operation].steps if task.operation in OPERATIONS else ():
        rule: Any = record.rule(name, operands) if name in record.steps else None
        if isinstance(rule, Split):
            steps.append(Step(f"{name} of vectors", rule.vector.name, rule.vector.formula))
            if rule.tail is not rule.vector:
                steps.append(Step(f"{name} of the rest", rule.tail.name, rule.tail.formula))
        elif rule is not None:
            steps.append(Step(name, rule.name, rule.formula))
    return steps
