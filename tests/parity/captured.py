"""Arguments that operations hand to kernels: cases of the registry, run by the definitions.

Every twin is compared on these too; one for which nothing is drawn, on these alone.
"""

import contextlib
import copy
import warnings
from functools import cache

import numpy as np
from cases import registry
from cases.operands import DTYPES, Draw

import refquant
from refquant import engines, errors, kernels

ROUNDS = 12  # cases of each operation and engine
SIZE = 300_007  # elements of a large operand, enough for several threads


def own_copy(value):
    """Copy arrays, so that a twin that writes into its arguments is seen; keep the rest."""
    if isinstance(value, np.ndarray | list):
        return copy.deepcopy(value)
    if isinstance(value, tuple):
        parts = map(own_copy, value)
        return value._make(parts) if hasattr(value, "_make") else tuple(parts)
    return value


@contextlib.contextmanager
def capturing(record, found):
    """Run definitions under an engine, and append the arguments of each call by twin."""
    with (
        engines.using(record),
        kernels.using(kernels.REFERENCE),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # of what an engine ignores
        bound = {}
        for family in kernels.FAMILIES:
            for name, definition in kernels.twins(family, kernels.REFERENCE).items():

                def called(*arguments, name=name, definition=definition):
                    found.setdefault(name, []).append(own_copy(arguments))
                    return definition(*arguments)

                bound[name] = getattr(kernels, name)
                setattr(kernels, name, called)
        try:
            yield
        finally:
            for name, twin in bound.items():
                setattr(kernels, name, twin)


def known():
    """List the records whose rules kernels know; those of other engines never reach them."""
    names = (*engines.names(), *engines.other_runtimes())
    return [record for record in map(engines.get, names) if kernels.knows(record)]


@cache
def small():
    """Run every operation under every engine; returns {twin: [arguments]}."""
    found = {}
    for index, record in enumerate(known()):
        with capturing(record, found):
            for operation in registry.load().values():
                for case in range(ROUNDS if operation.takes else 3):
                    with contextlib.suppress(errors.RefquantError):
                        operation.results(Draw(refquant, [case, index], wild=0.1, most=300))
    return found


@cache
def large():
    """Run operations that work element by element on large operands of every dtype."""
    found = {}
    for operation in registry.load().values():
        if operation.pointwise and operation.takes == "integers":
            with capturing(known()[0], found):
                for seed, dtype in enumerate(DTYPES):
                    d = Draw(refquant, seed)
                    with contextlib.suppress(errors.RefquantError):
                        operation.results(d, d.quantized((SIZE,), dtype, dense=True))
    return found
