"""Faults drawn from all axes and planted into every engine: the diagnosis names them."""

import numpy as np
import pytest
from oracle.operands import activations, bias, weights

import refquant
from refquant import engines, oracle
from refquant.engines.arithmetic.change import changed
from refquant.errors import EngineError
from refquant.oracle.search import Search, has_meaning

ENGINES = (
    "fbgemm",
    "qnnpack",
    "fbgemm-1.4",
    "qnnpack-1.4",
    "x86",
    "onednn",
    *engines.other_runtimes(),
)
KINDS = ("add", "mul", "quantize_per_tensor", "linear", "conv2d", "avg_pool2d")


def draw(kind, rng):
    """Operands on which ties, near ties, clipped results and borders are frequent."""
    decimal = rng.random() < 0.5
    scales = (0.1, 0.05, 0.15) if decimal else (0.25, 0.125, 0.5)
    z = int(rng.integers(30, 220))
    if kind in ("add", "mul"):
        a, b = (
            refquant.QuantizedTensor(codes.astype(np.uint8), refquant.quint8, s, zero)
            for codes, s, zero in zip(
                (np.repeat(np.arange(128) * 2, 131), np.tile(np.arange(131), 128)),
                scales[:2],
                (101, 30),
                strict=True,
            )
        )
        return kind, a, b, scales[2] * (1 if kind == "add" else 0.3), z
    if kind == "quantize_per_tensor":
        x = np.concatenate([rng.integers(-999, 999, 4000) / 8, rng.normal(size=1003) * 20])
        return kind, refquant.tensor(x.astype(np.float32)), scales[0], z, refquant.quint8
    if kind == "avg_pool2d":
        return kind, activations(rng, (2, 5, 16, 16), scales[0], z), 2
    w = weights(rng, (8, 3, 3, 3), scales[1], per_channel=bool(rng.integers(2)))
    b = bias(rng, 8) if rng.integers(2) else None
    if kind == "conv2d":
        x = activations(rng, (2, 3, 12, 12), scales[0], 90)
        return kind, x, w, b, 1, 1, 1, 1, "zeros", scales[0] * scales[1] * 100, z
    rows = w.like(w.array.reshape(8, 27))
    x = activations(rng, (90, 27), scales[0], 90)
    return kind, x, rows, b, scales[0] * scales[1] * 100, z


def changes_of(task, engine):
    """All values that an axis of the operation may have besides the engine's own."""
    values = task.values(engines.get(engine))
    return [
        (axis, value)
        for axis, ours in values.items()
        for value in oracle.AXES[axis].values
        if set(ours) != {value} and has_meaning(task, values, axis, value)
    ]


def name_of(task, engine, axis, value):
    ours = task.values(engines.get(engine))[axis]
    return f"{axis}: {next(v for v in ours if v != value)} -> {value}"


def planted(task, engine, changes):
    return task.run(changed(engines.get(engine), dict(changes)))


def tasks_of(engine, kind, seed, count):
    rng = np.random.default_rng([seed, KINDS.index(kind), ENGINES.index(engine)])
    for _ in range(count):
        given = draw(kind, rng)
        task = oracle.problem(*given)
        try:
            task.run(engine)
        except EngineError:
            continue  # a limit of the engine
        yield given, task, rng


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("engine", ENGINES)
def test_one_change_is_named(engine, kind):
    for given, task, rng in tasks_of(engine, kind, 0, 2):
        every = changes_of(task, engine)
        assert every
        for index in rng.permutation(len(every))[:4]:
            axis, value = every[index]
            found = oracle.diagnose(planted(task, engine, [every[index]]), *given, engine=engine)
            if found.mismatch.count:  # this data shows it
                assert (name_of(task, engine, axis, value),) in found.explanations


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("engine", ENGINES)
def test_two_changes_are_explained_by_them_or_by_fewer(engine, kind):
    for given, task, rng in tasks_of(engine, kind, 1, 2):
        every = changes_of(task, engine)
        one, other = (every[i] for i in rng.permutation(len(every))[:2])
        if one[0] == other[0]:
            continue
        found = oracle.diagnose(planted(task, engine, (one, other)), *given, engine=engine)
        assert not found.unexplained
        if len(found.changes) == 2:
            names = {name_of(task, engine, *change) for change in (one, other)}
            assert names in [set(e) for e in found.explanations]


@pytest.mark.parametrize("kind", ["add", "mul", "linear", "quantize_per_tensor"])
@pytest.mark.parametrize("engine", ["fbgemm", "qnnpack", "tflite"])
def test_the_closest_candidate_leaves_the_fewest_of_all_elements(engine, kind):
    for given, task, rng in tasks_of(engine, kind, 2, 1):
        theirs = task.answer(changed(engines.get(engine), {"rounding": "half_up"}))
        hit = rng.random(theirs.size) < 0.01
        theirs[hit] = np.where(theirs[hit] < 128, theirs[hit] + 1, theirs[hit] - 1)
        theirs = theirs.reshape(task.run(engine).shape)
        found = oracle.diagnose(theirs, *given, engine=engine)
        assert found.unexplained
        search = Search(task, theirs.reshape(-1), engine, found.mismatch)
        left = {"the engine itself": found.mismatch.count}
        for candidate in (*search.singles(), *search.engines(), *search.pairs()):
            try:
                answers = search.answers(candidate, search.everything)
            except refquant.errors.RefquantError:
                continue
            if answers is not None:
                name = " and ".join(candidate.names(search.values))
                left[name] = int(np.count_nonzero(answers != theirs.reshape(-1)))
        assert found.remaining == left[found.closest] == min(left.values())


def test_a_candidate_that_breaks_equal_elements_is_not_the_closest():
    # Truncating explains all differing elements but breaks half of the equal ones.
    x = refquant.tensor(np.arange(-4000, 4000, dtype=np.float32) / 64)
    given = ("quantize_per_tensor", x, 0.5, 128, refquant.quint8)
    task = oracle.problem(*given)
    theirs = task.answer("fbgemm")
    cut = task.answer(changed(engines.get("fbgemm"), {"rounding": "truncate"}))
    differ = np.flatnonzero(theirs != cut)[::7]
    theirs[differ] = cut[differ]
    theirs[:3] = 77
    found = oracle.diagnose(theirs, *given, engine="fbgemm")
    assert found.unexplained
    assert (found.closest, found.remaining) == ("the engine itself", found.mismatch.count)


def other_operands(a, b, scale, z):
    """Operands from which backends with a fault compute sums and products."""

    def like(q, scale, zero):
        return refquant.QuantizedTensor(q.array, q.dtype, scale, zero)

    return {
        "zero point of the first operand ignored": (like(a, a.scale, 0), b, scale, z),
        "zero point of the second operand ignored": (a, like(b, b.scale, 0), scale, z),
        "output zero point ignored": (a, b, scale, 0),
        "operand scales swapped": (
            like(a, b.scale, a.zero_point),
            like(b, a.scale, b.zero_point),
            scale,
            z,
        ),
        "scale of the first operand used for both operands": (
            a,
            like(b, a.scale, b.zero_point),
            scale,
            z,
        ),
    }


@pytest.mark.parametrize("kind", ["add", "mul"])
@pytest.mark.parametrize("engine", ENGINES)
def test_faults_of_operands_are_named_beside_every_engine(engine, kind):
    for given, _, _ in tasks_of(engine, kind, 3, 1):
        for fault, operands in other_operands(*given[1:]).items():
            theirs = oracle.problem(kind, *operands).run(engine).array
            found = oracle.diagnose(theirs, *given, engine=engine)
            if found.mismatch.count:
                assert (fault,) in found.explanations
