"""Compare both libraries on one operation: cases, elements, differences."""

import warnings
from typing import NamedTuple

import numpy as np
from differential import layers  # noqa: F401  enters its operations
from differential.operations import OPERATIONS
from golden import programs as p

import refquant


class Count(NamedTuple):
    """What was compared."""

    cases: int
    elements: int
    differences: int
    first: str = ""


def facts(result):
    """Return the array of a result and its other properties."""
    result = result.detach() if hasattr(result, "detach") else result
    if not getattr(result, "is_quantized", False):
        return p.plain(result), ()
    said = [p.name_of(result.dtype)]
    if "channel" in p.name_of(result.qscheme()):
        said += [p.plain(result.q_per_channel_scales()).astype(np.float32).tolist()]
        said += [p.plain(result.q_per_channel_zero_points()).tolist()]
    else:
        # FBGEMM's packed weights keep float32.
        said += [float(np.float32(result.q_scale())), result.q_zero_point()]
    if result.numel():  # strides of extents of 1 mean nothing
        said += [s for s, n in zip(result.stride(), result.shape, strict=True) if n > 1]
    return p.plain(result.int_repr()), tuple(said)


def unequal(wanted, got, tolerance):
    """How many elements differ; all of them if shape, dtype, quantizer or strides do."""
    (a, said), (b, ours) = facts(wanted), facts(got)
    if a.shape != b.shape or a.dtype != b.dtype or said != ours:
        return max(a.size, 1)
    if tolerance and a.size:
        return int((np.abs(a - b) > tolerance * max(1.0, float(np.abs(a).max()))).sum())
    return int(((a != b) & ~((a != a) & (b != b))).sum())


def compare(torch, name, engine, cases, seed):
    """Run an operation `cases` times in both libraries."""
    function, elements, differences, first = OPERATIONS[name], 0, 0, ""
    for case in range(cases):
        answers = []
        for T in (torch, refquant):
            T.backends.quantized.engine = engine
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # PyTorch's own deprecations
                answers.append(function(T, np.random.RandomState([seed, case])))
        for position, (wanted, got) in enumerate(zip(*answers, strict=True)):
            found = unequal(wanted, got, function.tolerance)
            elements += facts(wanted)[0].size
            differences += found
            if found and not first:
                first = f"case {case}, result {position}: {facts(wanted)} {facts(got)}"
    return Count(cases, elements, differences, first)
