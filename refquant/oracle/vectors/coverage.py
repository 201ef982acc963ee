"""Coverage of test vectors, counted in the data."""

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from refquant import arguments
from refquant.engines import Engine
from refquant.oracle.error_bounds import has_exact_values
from refquant.oracle.problems.products import Product
from refquant.oracle.vectors.case import Case

__all__ = ["coverage"]

NEAR = Fraction(1, 2**16)


def _rounding(task: Any, size: int, counts: Counter) -> None:
    """Count ties, their neighbors, and what is clipped."""
    where = np.arange(size)
    if size > 4096:  # all pairs of codes are there: a part of them suffices
        where = where[:: size // 4096]
    real = task.exact(where)
    twice = [abs((r - round(r)) * 2) for r in real]
    counts["ties"] += sum(t == 1 for t in twice)
    counts["neighbors of ties"] += sum(0 < 1 - t < NEAR for t in twice)
    counts["clipped below"] += int(np.count_nonzero(real < task.lower))
    counts["clipped above"] += int(np.count_nonzero(real > task.upper))
    ends = (task.lower, task.upper)
    counts["at the ends of the range"] += sum(round(r) in ends for r in real)


def _product(task: Product, counts: Counter, kinds: dict[str, set]) -> None:
    sums = task.sums("exact")
    x, w, y = task.scales()
    kinds["input zero points"].add(task.layer.input_zero)
    kinds["output zero points"].add(task.zero_point)
    if w.size:
        kinds["shifts"].update((-np.frexp(x * w / y)[1]).tolist())
    kinds["depths"].add(task.layer.depth)
    kinds["outputs"].add(int(task.layer.scales.size))
    if sums.size:
        largest = int(np.abs(sums).max())
        kinds["largest |sum|"].add(largest)
    counts["per channel"] += task.layer.per_channel
    counts["weight zero points"] += bool(np.any(task.layer.zero_points))
    counts["windows at the border"] += int(task.border.sum())
    counts["sums that int16 saturation changes"] += int(
        np.count_nonzero(task.sums("saturated_pairs") != sums)
    )
    if task.layer.geometry is not None and task.layer.convolution is not None:
        window = task.layer.convolution
        kinds["kernels"].add(task.layer.geometry.kernel)
        kinds["strides"].add(window.stride)
        kinds["paddings"].add(window.padding)
        kinds["dilations"].add(window.dilation)
        kinds["groups"].add(window.groups)


def coverage(cases: Sequence[Case], engine: str | Engine = "fbgemm") -> list[tuple[str, str]]:
    """Count what cases cover.

    Parameters
    ----------
    cases : sequence of Case
        Of one operation.
    engine : str or Engine, default 'fbgemm'
        One that has the operation.

    Returns
    -------
    list of (str, str)
        What is covered, and how often or with which values.

    Examples
    --------
    >>> from refquant import oracle
    >>> rows = dict(oracle.coverage(oracle.cases_of("relu6")))
    >>> rows["cases"], rows["elements"]
    ('3', '768')
    """
    cases = arguments.sequence("cases", cases, "a sequence of Case")
    for case in cases:
        arguments.instance("cases", case, Case, "a sequence of Case")
    counts: Counter = Counter()
    kinds: dict[str, set] = {
        name: set()
        for name in (
            "sizes", "input zero points", "output zero points", "shifts", "depths", "outputs",
            "largest |sum|", "kernels", "strides", "paddings", "dilations", "groups",
        )
    }  # fmt: skip
    elements = 0
    for case in cases:
        task: Any = case.problem
        elements += (size := task.result(engine).size)
        kinds["sizes"].add(size)
        if has_exact_values(task) and size:
            _rounding(task, size, counts)
        if isinstance(task, Product):
            _product(task, counts, kinds)
    rows = [("cases", f"{len(cases):,}"), ("elements", f"{elements:,}")]
    rows += [(name, f"{count:,}") for name, count in counts.items()]
    rows += [(name, _values(name, values)) for name, values in kinds.items() if values]
    return rows


def _values(name: str, values: set) -> str:
    if name == "largest |sum|":
        return f"{max(values):,}"
    ordered = sorted(values)
    shown = [" x ".join(map(str, v)) if isinstance(v, tuple) else str(v) for v in ordered]
    return (
        ", ".join(shown) if len(shown) <= 40 else f"{len(shown)} values, {shown[0]} to {shown[-1]}"
    )
