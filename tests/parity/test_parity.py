"""Every kernel is its definition, to the last bit: one test that finds all twins by itself."""

import inspect
from functools import lru_cache
from importlib import import_module

import numpy as np
import pytest
from parity import captured, draws
from parity.bits import difference

import refquant
from refquant import engines, kernels
from refquant.engines.rule import Form

draws.load()

VARIANTS = kernels.available()[1:]
THREADS = (1, 2)


def definitions(family):
    return import_module(f"refquant.reference.{family}")


def compiled(family, variant):
    return import_module(f"refquant._kernels.{family}_{variant}")


def public_functions(module):
    """Names of the functions that a compiled module defines."""
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    }


TWINS = [(family, name) for family in kernels.FAMILIES for name in definitions(family).__all__]
each_family = pytest.mark.parametrize("family", kernels.FAMILIES)
each_variant = pytest.mark.parametrize("variant", VARIANTS)
each_twin = pytest.mark.parametrize(("family", "twin"), TWINS, ids=[name for _, name in TWINS])


@each_variant
@each_family
def test_each_function_has_its_twin(family, variant):
    assert public_functions(compiled(family, variant)) == set(definitions(family).__all__)


def test_no_two_families_share_a_name():
    names = [name for _, name in TWINS]
    assert len(names) == len(set(names))


@each_variant
@each_twin
def test_parameters_are_the_same_in_name_and_order(family, twin, variant):
    wanted = inspect.signature(getattr(definitions(family), twin))
    got = inspect.signature(getattr(compiled(family, variant), twin))
    assert [(p.name, p.kind, p.default) for p in got.parameters.values()] == [
        (p.name, p.kind, p.default) for p in wanted.parameters.values()
    ]


@each_twin
def test_no_definition_takes_more_than_nine_arguments(family, twin):
    assert len(inspect.signature(getattr(definitions(family), twin)).parameters) <= 9


@each_twin
def test_each_twin_has_arguments_to_compare(family, twin):
    assert twin in draws.SMALL or VARIANTS == () or captured.small().get(twin), (
        f"no operation in tests/cases/ calls {twin}, and tests/parity/ draws nothing for it"
    )


def test_nothing_is_drawn_for_functions_that_do_not_exist():
    assert set(draws.SMALL) | set(draws.LARGE) <= {name for _, name in TWINS}


def rules_of(arguments):
    """Collect the rules among arguments, those of splits and records too."""
    found = set()
    for value in arguments:
        if isinstance(value, engines.Split):
            found |= {value.vector, value.tail}
        elif isinstance(value, engines.Rule | Form):
            found.add(value)
        elif isinstance(value, tuple):
            found |= rules_of(value)
    return found


def arguments_of(twin, large):
    """List what a twin is compared on: what is drawn for it, and what operations hand to it."""
    registry = draws.LARGE if large else draws.SMALL
    drawn = list(draws.seeded(registry, twin)) if twin in registry else []
    if large:
        return drawn or captured.large().get(twin, [])
    return [*drawn, *captured.small().get(twin, [])]


@pytest.mark.skipif(not VARIANTS, reason="there are no kernels")
def test_every_rule_that_kernels_know_is_drawn():
    tables = import_module("refquant._kernels._rules").BY_STEP
    drawn = set()
    for _, twin in TWINS:
        for arguments in arguments_of(twin, large=False):
            drawn |= rules_of(arguments)
    for step, table in tables.items():
        assert set(table) <= drawn, step


def arrays_of(value):
    """List the arrays of an argument, those of a record one after the other."""
    if isinstance(value, tuple):
        return [array for part in value for array in arrays_of(part)]
    return [value] if isinstance(value, np.ndarray) else []


@lru_cache(maxsize=2)
def answers(family, twin, large):
    """List (arguments, result of the definition, arguments after it)."""
    function = getattr(definitions(family), twin)
    listed = []
    for arguments in arguments_of(twin, large):
        after = captured.own_copy(arguments)
        listed.append((arguments, function(*after), after))
    return listed


def check(family, twin, variant, threads, large):
    refquant.set_num_threads(threads)
    function = getattr(compiled(family, variant), twin)
    for arguments, wanted, wanted_after in answers(family, twin, large):
        given = captured.own_copy(arguments)
        for value, after in zip(given, wanted_after, strict=True):
            # A kernel must take read-only arrays wherever the definition only reads.
            if difference(value, after) is None:
                for array in arrays_of(value):
                    array.flags.writeable = False
        result = function(*given)
        found = difference(wanted, result) or difference(wanted_after, given, "arguments")
        if found:
            pytest.fail(f"{twin}, {variant}, {threads} threads: {found}\n{describe(arguments)}")


def describe(arguments):
    def short(value):
        if hasattr(value, "_make"):
            return f"{type(value).__name__}({', '.join(map(short, value))})"
        if isinstance(value, np.ndarray) and value.size > 40:
            return f"array of {value.dtype}, shape {value.shape}"
        return repr(value)

    return "\n".join(short(value) for value in arguments)


@pytest.mark.parametrize("threads", THREADS)
@each_variant
@each_twin
def test_kernel_equals_definition(family, twin, variant, threads):
    check(family, twin, variant, threads, large=False)


@pytest.mark.parametrize("threads", THREADS)
@each_variant
@each_twin
def test_kernel_equals_definition_on_a_million_elements(family, twin, variant, threads):
    check(family, twin, variant, threads, large=True)


@each_variant
def test_elements_that_a_kernel_does_not_take_are_not_read(variant):
    clamp = compiled("elementwise", variant).clamp
    with pytest.raises(TypeError, match="not float16"):
        clamp(np.zeros(3, np.float16), 0, 1)
    with pytest.raises(ValueError, match="not C-contiguous"):
        clamp(np.zeros((3, 2), np.uint8)[:, 0], 0, 1)
    quantize = compiled("affine", variant).quantize_per_tensor
    split = engines.get("fbgemm").rule("quantize_per_tensor", engines.Operands(refquant.quint8))
    with pytest.raises(TypeError, match="4 bytes here, not float64"):
        quantize(np.zeros(3), (1.0, 0, 0, 255), np.dtype(np.uint8), 0, split)
