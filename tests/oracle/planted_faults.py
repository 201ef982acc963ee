"""Plant faults that are drawn from a seed, and see whether `oracle.diagnose_all` names them.

Each is planted into three cases of a neutral operation by the engine of a real runtime: another
value on an axis, a fault, a change for whole blocks of channels or elements or behind them, another
engine, or two changes at once::

    python tests/oracle/planted_faults.py SEED [COUNT]

A fault is found if it is among the explanations: the data cannot tell those apart that are named
together. It prints each, and exits with 1 if one was not found.
"""

import sys

import numpy as np

from refquant import oracle
from refquant.errors import EngineError
from refquant.oracle import Codes, Output
from refquant.oracle.joint import diagnose_all
from refquant.oracle.search import Candidate, Search

ENGINES = ("litert-2.3-reference", "litert-2.3-optimized-x86", "tflite-micro", "xnnpack", "onnx")
DRAWN = ("linear", "conv2d", "add", "mul", "sub")
# Operations on codes have the cases of vectors.
OPERATIONS = (
    *DRAWN, "requantize", "quantize", "leaky_relu", "sigmoid", "tanh", "elu", "hardswish",
    "softmax", "cat", "mean", "global_avg_pool2d", "avg_pool2d", "max_pool2d", "resize_bilinear",
)  # fmt: skip
KINDS = ("axis", "fault", "part", "engine", "pair")
ZEROS = (-128, -5, 0, 13, 100)


def _int8(rng, low, high, *shape):
    return rng.integers(low, high, shape).astype(np.int8)


def draw_case(rng, operation, number):
    """Draw operands on which ties, clipped results and borders are frequent."""
    if operation not in DRAWN:
        cases = oracle.cases_of(operation, int(rng.integers(1000)), neutral=True)
        return cases[int(rng.integers(len(cases)))].problem
    ties = number == 0
    z_x, z_w, z_y = (int(rng.choice(ZEROS)) for _ in range(3))
    out = Output(
        1.0 if ties else rng.uniform(0.05, 1), z_y, activation="relu6" if number else "none"
    )
    scales = (0.5, 0.25) if ties else rng.uniform(0.02, 0.5, 2)
    if operation in ("add", "sub", "mul"):
        a, b = (
            Codes(_int8(rng, -128, 128, 1500 + 37 * number), s, z)
            for s, z in zip(scales, (z_x, z_w), strict=True)
        )
        return oracle.problem(operation, a, b, out)
    outputs = (11, 19, 37)[number]
    weight_scales = 2.0 ** -rng.integers(2, 6, outputs) if ties else rng.uniform(0.02, 0.5, outputs)
    b = rng.normal(0, 3, outputs).astype(np.float32)
    if operation == "linear":
        x = Codes(_int8(rng, -128, 128, 90, 30), scales[0], z_x)
        w = Codes(_int8(rng, -4, 5, outputs, 30), weight_scales, axis=0)
        return oracle.problem("linear", x, w, b, out)
    x = Codes(_int8(rng, -128, 128, 2, 7, 8, 3), scales[0], z_x)
    w = Codes(_int8(rng, -4, 5, outputs, 3, 3, 3), weight_scales, axis=0)
    return oracle.problem("conv2d", x, w, b, out, padding=1, layout="NHWC")


def draw_candidate(rng, kind, search):
    """Draw what is planted; None if this operation has nothing of the kind."""
    lists = {
        "axis": [c for c in search.singles() if c.axes],
        "fault": [c for c in search.singles() if c.faults],
        "part": search.parts(),
        "engine": search.engines(),
        "pair": search.pairs(),
    }
    return rng.choice(np.array(lists[kind], object)) if lists[kind] else None


def plant(rng):
    """Draw an engine, cases and a fault; returns what was planted and what was found."""
    while True:
        engine, operation = str(rng.choice(ENGINES)), str(rng.choice(OPERATIONS))
        kind = str(rng.choice(KINDS))
        tasks = [draw_case(rng, operation, number) for number in range(3)]
        try:
            searches = [_search(task, engine) for task in tasks]
        except EngineError:
            continue
        candidate = draw_candidate(rng, kind, searches[-1])
        if candidate is None:
            continue
        answers = [_answer(search, candidate) for search in searches]
        if any(answer is None for answer in answers):
            continue
        seen = [
            (answer != search.actual).any()
            for answer, search in zip(answers, searches, strict=True)
        ]
        if not any(seen):
            continue  # the data does not show it
        cases = [
            (answer.reshape(search.mismatch.shape), task)
            for answer, search, task in zip(answers, searches, tasks, strict=True)
        ]
        names = searches[-1].names(candidate)
        return engine, operation, names, diagnose_all(cases, engine)


def _search(task, engine):
    answer = task.run(engine)
    mismatch = oracle.compare(answer, task, engine=engine)
    return Search(task, answer.reshape(-1).astype(np.int64), engine, mismatch)


def _answer(search, candidate: Candidate):
    applied = search.applied(candidate)
    if applied is None:
        return search.actual
    try:
        return search.answers(applied, search.everything)
    except EngineError:
        return None


def is_found(names, explanations) -> bool:
    """Whether a fault was named among what the data cannot tell apart, or something simpler was."""
    return any(set(found) == set(names) or _size(found) < _size(names) for found in explanations)


def _size(names) -> int:
    """Count changes; one that holds in a part alone counts twice."""
    return sum(2 if "whole blocks" in name else 1 for name in names)


def main(seed: int, count: int = 40) -> int:
    """Plant faults and print what was found; returns how many were not."""
    rng, missed = np.random.default_rng(seed), 0
    for number in range(count):
        engine, operation, names, found = plant(rng)
        right = is_found(names, found)
        missed += not right
        word = "named" if right and len(found) == 1 else "among" if right else "MISSED"
        print(f"{number:3} {word:6} {len(found)} {engine} {operation}: {' and '.join(names)}")
        if not right:
            print(f"      found {found}")
    print(f"{count - missed} of {count} found")
    return missed


if __name__ == "__main__":
    raise SystemExit(1 if main(*map(int, sys.argv[1:])) else 0)
