"""Traces of single output elements: the operands, and the result of every rule."""

import re
from typing import Any

import numpy as np

from refquant import arguments
from refquant.engines import Engine, Operands, Rule
from refquant.engines.arithmetic.change import values_of
from refquant.engines.arithmetic.multipliers import quantized_multiplier
from refquant.engines.registry import chosen
from refquant.engines.rule import Split
from refquant.engines.rules.float32 import inverted_twice
from refquant.engines.rules.pipeline import IN_STEPS, Pipeline
from refquant.errors import ArgumentError, ArgumentTypeError
from refquant.ops.registered import OPERATIONS
from refquant.oracle.code_traces import code_steps
from refquant.oracle.error_bounds import has_exact_values
from refquant.oracle.function_traces import function_steps
from refquant.oracle.problems.base import Problem
from refquant.oracle.problems.elementwise import Quantization, Sum
from refquant.oracle.problems.neutral import IN_REALS, NeutralProduct
from refquant.oracle.problems.neutral_codes import NeutralCodes
from refquant.oracle.problems.neutral_sums import NeutralSums
from refquant.oracle.problems.products import Product
from refquant.oracle.problems.table import problem
from refquant.oracle.traces import Step, Trace, exact_step
from refquant.reference.operands import PostOps

__all__ = ["has_trace", "trace", "trace_problem"]

SHOWN = 6  # products written out


def _step(name: str, value: Any, formula: str = "") -> Step:
    """Make a step of a number, with its bits if it is a float32."""
    value = np.asarray(value)
    bits = f"{int(value.view(np.uint32)):08x}" if value.dtype == np.float32 else ""
    plain = value.item() if value.dtype != object else float(value.item())
    return Step(name, plain, formula, bits)


def _elided(factors: np.ndarray, corrections: tuple[int, int]) -> str:
    """Format the first nonzero products of a sum, and count the others."""
    zx, zw = corrections
    x, w = factors
    there = np.flatnonzero((x != zx) & (w != zw))
    terms = [f"({x[k]} - {zx})*({w[k]} - {zw})" for k in there[:SHOWN]]
    more = there.size - SHOWN
    return " + ".join(terms) + (f" + ... ({more} more)" if more > 0 else "") if terms else "0"


def _product_steps(task: Product, record: Engine, flat: int) -> list[Step]:
    where = np.array([flat])
    operands = task.operands()
    channel = int(task.channel[flat])
    x_raw, w_raw = task.operands_of(flat)
    zx, zw = task.layer.input_zero, int(task.layer.zero_points[channel])
    raw = int((x_raw * w_raw).sum())
    input_scale, weight_scales, output_scale = task.scales()
    weight_scale = weight_scales[channel : channel + 1]
    acc = task.sums_for(record)[where]
    result = task.answer_for(record, where)
    steps = [
        _step("input scale", float(input_scale), f"s_x; zero point z_x = {zx}"),
        _step(
            "weight scale",
            float(weight_scale[0]),
            f"s_w; zero point z_w = {zw}, output channel {channel}",
        ),
        _step("output scale", float(output_scale), f"s_y; zero point z = {task.zero_point}"),
        Step("products", x_raw.size, _elided(np.stack([x_raw, w_raw]), (zx, zw))),
        _step("sum of raw products", raw, "sum x * w"),
        _step(
            "zero points",
            int(((x_raw - zx) * (w_raw - zw)).sum()) - raw,
            "- z_x * sum w - z_w * sum x + K * z_x * z_w",
        ),
        _step("accumulator", acc[0], f"acc = {record.rule('accumulator', operands).formula}"),
    ]
    bias = task.layer.biases[channel : channel + 1]
    if task.layer.has_bias:
        steps.append(_step("bias", bias[0], "b"))
    rule = record.rule("product", operands)
    if isinstance(task, NeutralProduct) and IN_REALS in record.steps:
        for name, step in (("multiplied", IN_REALS), ("quantized", "quantize_per_tensor")):
            used = record.rule(step, operands)
            used = used.vector if isinstance(used, Split) else used
            steps.append(Step(name, used.name, used.formula))
    elif isinstance(task, NeutralSums):
        pass  # the sums are the result
    elif rule is IN_STEPS:
        steps += _in_steps(task, record, where, acc, bias, input_scale, weight_scale)
    else:
        real = task.layer.real_biases()[channel : channel + 1]
        steps += _at_once(task, rule, where, acc, real, input_scale, weight_scale)
    steps.append(_step("clipped", int(result[0]), f"to {task.lower}..{task.upper}"))
    return steps


def _in_steps(task: Product, record: Engine, where: Any, *sums: Any) -> list[Step]:
    """Make the steps from the sum to the result: bias, multiplier, rounding."""
    operands = task.operands()
    rules = {s: record.rule(s, operands) for s in ("bias", "multiplier", "requantize_sum")}
    acc, bias, input_scale, weight_scale = sums
    with np.errstate(all="ignore"):
        total = task.totals(record, acc, bias, input_scale, weight_scale)
        multiplier = np.asarray(rules["multiplier"](input_scale, weight_scale, task.scale))
    free = int(task.rounded(record, total, multiplier, where, 0, -(2**31), 2**31 - 1)[0])
    added = "acc + b" if task.layer.integer_bias else rules["bias"].formula
    formulas = (added if task.layer.has_bias else "", rules["multiplier"].formula)
    steps = _abbreviations(formulas, input_scale, weight_scale, task.scale)
    if task.layer.has_bias:
        steps.append(_step("with bias", np.asarray(total)[0], f"total = {added}"))
    steps.append(_step("multiplier", multiplier[0], f"m = {rules['multiplier'].formula}"))
    steps += _in_fixed_point(record, operands, multiplier)
    return [
        *steps,
        _step("rounded", free, rules["requantize_sum"].formula),
        exact_step(task.exact(where)[0] - task.zero_point),
        _step("zero point added", free + task.zero_point),
    ]


def _abbreviations(formulas: Any, input_scale: Any, weight_scale: Any, scale: Any) -> list[Step]:
    """Define the names by which formulas call products and roundings of scales."""
    product = np.float32(input_scale) * np.asarray(weight_scale, np.float32)
    known = (
        _step("aw", product[0], "f32(f32(s_x) * f32(s_w))"),
        _step("O", np.float32(scale), "f32(s_y)"),
    )
    words = set(re.findall(r"\w+", " ".join(formulas)))
    return [step for step in known if step.name in words]


def _in_fixed_point(record: Engine, operands: Operands, multiplier: np.ndarray) -> list[Step]:
    """Write the multiplier as an integer and a shift, if it is a number that this tells much of."""
    scaling = values_of(record, ("requantize_sum",), operands).get("scaling", ("number",))
    if multiplier.dtype == np.float32 or scaling[0] != "number":
        q, shift = (int(part[0]) for part in quantized_multiplier(multiplier))
        return [Step("as integer and shift", f"{q} * 2**{shift - 31}", "m = q * 2**(shift - 31)")]
    return []


def _at_once(task: Product, rule: Rule, where: Any, *sums: Any) -> list[Step]:
    """Make the steps of a rule of the whole product, as far as it tells them."""
    steps = [Step("rule", rule.name, rule.formula)]
    if isinstance(rule.function, Pipeline):
        operands = (*sums, PostOps("relu" if task.relu else ""))
        with np.errstate(all="ignore"):
            stages = list(rule.function.stages(*operands))
            if not task.layer.has_bias:
                stages = [stage for stage in stages if stage[0] != "with bias"]
            stages.append(("O", inverted_twice(task.scale), "f32(1 / f32(1 / s_y))"))
            stages.append(rule.function.unrounded(stages[-2][1], task.scale, task.zero_point))
        steps += [_step(name, np.ravel(value)[0], formula) for name, value, formula in stages]
    return [*steps, exact_step(task.exact(where)[0] - task.zero_point)]


def _sum_steps(task: Sum, record: Engine, flat: int) -> list[Step]:
    where = np.array([flat])
    steps = []
    for name, q, integers in zip("ab", (task.a, task.b), task.integers, strict=True):
        integer = int(integers[flat])
        steps.append(Step(name, integer, f"scale {q.scale:.9g}, zero point {q.zero_point}"))
        steps.append(
            Step(f"real value of {name}", (integer - q.zero_point) * q.scale, "s * (q - z)")
        )
    rule = record.rule(task.kind, task.operands())
    result = int(task.answer(record)[flat])
    alone = int(task.answer_for(record, where)[0])
    steps += [
        Step("rule", rule.name, rule.formula),
        _step("output scale", task.scale, f"zero point {task.zero_point}"),
        exact_step(task.exact(where)[0] - task.zero_point),
        Step("result", result, f"clipped to {task.lower}..{task.upper}"),
    ]
    if alone != result:
        steps.append(
            Step(
                "alone",
                alone,
                "the same element in a tensor of its own, as a vector's tail",
            )
        )
    return steps


def _quantization_steps(task: Quantization, record: Engine, flat: int) -> list[Step]:
    where = np.array([flat])
    split = record.rule(task.operation, Operands(task.dtype))
    result = int(task.answer(record)[flat])
    steps = [
        _step("x", np.float32(task.x[flat])),
        _step("scale", np.float32(task.scales[flat]), "in float32"),
        Step("zero point", int(task.zeros[flat])),
        Step("rule of vectors", split.vector.name, split.vector.formula),
    ]
    if split.tail is not split.vector:
        steps.append(Step("rule of the rest", split.tail.name, split.tail.formula))
    return [
        *steps,
        exact_step(task.exact(where)[0] - int(task.zeros[flat])),
        Step("result", result, f"clipped to {task.lower}..{task.upper}"),
    ]


def trace(
    operation: str | Problem,
    *args: Any,
    index: Any,
    engine: str | Engine | None = None,
    **kwargs: Any,
) -> Trace:
    """Compute one element of an output step by step.

    Parameters
    ----------
    operation : str
        Any but ``linear_dynamic``; see `problem`.
    *args, **kwargs
        Its operands.
    index : int or tuple of int
        Which element of the output.
    engine : str or Engine, optional
        The engine that computes it; the current engine by default.

    Returns
    -------
    Trace
        Printable; `Trace.as_dict` gives plain values, notebooks show a table.

    Raises
    ------
    ArgumentError
        If the operation cannot be traced, or the index is outside the output.

    Examples
    --------
    >>> import refquant
    >>> from refquant import oracle
    >>> x = refquant.quantize_per_tensor(refquant.tensor([[3.0, 1.0]]), 0.5, 2, refquant.quint8)
    >>> w = refquant.quantize_per_tensor(refquant.tensor([[1.0, -2.0]]), 0.25, 0, refquant.qint8)
    >>> steps = oracle.trace("linear", x, w, scale=0.4, zero_point=10, index=(0, 0),
    ...                      engine="fbgemm")
    >>> steps["accumulator"], steps["exact number of steps"], steps.result
    (8, 2.5, 12)
    """
    task = problem(operation, *args, **kwargs)
    if not has_trace(task):
        raise ArgumentError(
            f"oracle.trace of {task.operation}",
            argument="operation",
            expected="any operation but linear_dynamic",
            got=repr(task.operation),
        )
    return trace_problem(task, chosen(engine), index)


def has_trace(task: Problem) -> bool:
    """Return whether the elements of a problem can be traced."""
    return has_exact_values(task) or isinstance(task, NeutralCodes) or task.operation in OPERATIONS


def trace_problem(task: Problem, record: Engine, index: Any) -> Trace:
    """Trace one element of a problem; see `trace`."""
    output = task.run(record)
    shape = tuple(output.shape)
    indices = np.atleast_1d(arguments.numbers("index", index))
    # Of an element of a 0-d output there are no indices, and an empty array is one of floats.
    if (indices.size and indices.dtype.kind not in "iu") or indices.ndim != 1:
        raise ArgumentTypeError(
            f"oracle.trace of {task.operation}",
            argument="index",
            expected="a sequence of integers",
            got=arguments.describe(index),
        )
    place = tuple(map(int, indices))
    if len(place) != len(shape) or any(not 0 <= i < n for i, n in zip(place, shape, strict=False)):
        raise ArgumentError(
            f"oracle.trace of {task.operation}",
            argument="index",
            expected=f"{len(shape)} indices within the output's shape {shape}",
            got=place,
        )
    flat = int(np.ravel_multi_index(place, shape)) if shape else 0
    kinds: tuple = (
        (Product, _product_steps),
        (Sum, _sum_steps),
        (Quantization, _quantization_steps),
        (NeutralCodes, code_steps),
        (Problem, function_steps),
    )
    steps = next(make for kind, make in kinds if isinstance(task, kind))(task, record, flat)
    return Trace(task.operation, record.name, place, tuple(steps), steps[-1].value)
