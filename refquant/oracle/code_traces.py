"""Traces of operations on codes: the operands, what the rule tells on its way, and the result."""

from typing import Any

import numpy as np

from refquant.engines import Engine
from refquant.engines.rule import Split
from refquant.engines.rules.telling import listening
from refquant.oracle.problems.code_meanings import meaning_of_codes, sums_of
from refquant.oracle.problems.codes import Codes
from refquant.oracle.problems.neutral_codes import NeutralCodes
from refquant.oracle.traces import Step

__all__ = ["code_steps"]

SHOWN = 3  # times that a step is shown if a rule takes it more often


def code_steps(task: NeutralCodes, record: Engine, flat: int) -> list[Step]:
    """Make the steps of one element."""
    if task.operation == "cat":
        task, flat = _piece(task, flat)
    with listening() as heard:
        whole = task.run(record)
    place = tuple(map(int, np.unravel_index(flat, whole.shape)))
    steps = _operands(task, place, whole.shape)
    sums = sums_of(task)
    if sums is not None:
        names = (("sum q", "of the codes"), ("n", "how many they are"))
        steps += [
            Step(name, round(part[place]), what)
            for (name, what), part in zip(names, sums, strict=True)
        ]
    if (step := task.step_of(record)) in record.steps:
        rule: Any = record.rule(step, task.operands())
        end = whole.size - whole.size % rule.block if isinstance(rule, Split) else whole.size
        if isinstance(rule, Split):
            rule = rule.vector if flat < end else rule.tail
        steps.append(Step("rule", rule.name, rule.formula))
        steps += _told(task, heard, whole.shape, place, end)
    meaning = meaning_of_codes(task)
    if meaning is not None and task.output is not None:
        exact = float(meaning.real[place]) - task.output.zero_point
        steps.append(Step("exact number of steps", exact, "without the zero point, in float64"))
    value = whole[place].item()
    bounds = "" if task.output is None else f"clipped to {task.output.lower}..{task.output.upper}"
    return [*steps, Step("result", value, bounds)]


def _piece(task: NeutralCodes, flat: int) -> tuple[NeutralCodes, int]:
    """Reduce a concatenation to the piece that an element comes from."""
    a = task.arguments
    axis = a["axis"] % a["x"][0].array.ndim
    shape = list(a["x"][0].array.shape)
    shape[axis] = sum(piece.shape[axis] for piece in a["x"])
    place = list(map(int, np.unravel_index(flat, shape)))
    for piece in a["x"]:
        if place[axis] < piece.shape[axis]:
            break
        place[axis] -= piece.shape[axis]
    one = type(task)(task.operation, task.function, {**a, "x": [piece], "output": task.output})
    return one, int(np.ravel_multi_index(place, piece.shape))


def _operands(task: NeutralCodes, place: tuple[int, ...], shape: tuple[int, ...]) -> list[Step]:
    """Tell the operands by the names that formulas give them."""
    x, steps = task.arguments["x"], []
    codes = x[0] if isinstance(x, list | tuple) else x
    if isinstance(codes, Codes):
        if codes.array.shape == shape:
            steps.append(Step("q", int(codes.array[place]), "the code"))
        steps += [Step("s_x", codes.scale, "scale of the operand"),
                  Step("z_x", int(codes.zero_point), "its zero point")]  # fmt: skip
    else:
        steps.append(Step("x", float(np.asarray(codes)[place]), "the real number"))
    if "negative_slope" in task.arguments:
        steps.append(Step("slope", float(np.float32(task.arguments["negative_slope"]))))
    if task.output is not None:
        steps += [Step("s", task.output.scale, "scale of the result"),
                  Step("z", task.output.zero_point, "its zero point")]  # fmt: skip
    return steps


def _told(
    task: NeutralCodes, heard: Any, shape: tuple[int, ...], place: tuple[int, ...], end: int
) -> list[Step]:
    """Find an element in the arrays that a rule told."""
    if task.arguments.get("layout") == "NCHW":  # rules take images with channels last
        shape, place = ((s[0], *s[2:], s[1]) for s in (shape, place))
    size = int(np.prod(shape))
    flat = int(np.ravel_multi_index(place, shape)) if shape else 0
    steps: list[Step] = []
    for name, value, formula in heard:
        if isinstance(value, tuple):
            q, shift = (_element(part, shape, place, flat, end, size) for part in value)
            found = None if q is None or shift is None else f"{q} * 2**{shift - 31}"
        else:
            found = _element(value, shape, place, flat, end, size)
        if found is not None and sum(step.name.startswith(name) for step in steps) < SHOWN:
            count = sum(step.name.startswith(name) for step in steps)
            steps.append(Step(f"{name} {count + 1}" if count else name, found, formula))
    return steps


def _element(value: Any, shape: Any, place: Any, flat: int, end: int, size: int) -> Any:
    array = np.asarray(value)
    if array.dtype == object:
        array = array.astype(np.float64)
    if array.size == 1:
        return array.item()
    if array.shape == (size,):
        return array[flat].item()
    if array.ndim == 1 and array.size == (end if flat < end else size - end):
        return array[flat if flat < end else flat - end].item()
    if array.ndim == len(shape) and all(
        n in (1, m) for n, m in zip(array.shape, shape, strict=True)
    ):
        return np.broadcast_to(array, shape)[place].item()
    return None
