"""Every entry of the registry has the same bits in every floating-point environment.

Operands are drawn in the usual environment; only the call runs in another one. Answers that
operations keep for their next call are forgotten before, so that each environment makes its own.
"""

import functools
import importlib
import pkgutil
import warnings

import numpy as np
import pytest
from cases.answers import compared, plain, said
from cases.operands import Draw
from cases.recordings import SUFFIX
from cases.registry import flat, load
from parity.environments import FLIPPED, flipped, needs_registers

import refquant
from refquant import engines

pytestmark = needs_registers
ENTRIES = list(load().values())
MOST = 200  # elements of an operand
PEERS = [(e, "2.13") for e in ("fbgemm", "qnnpack", "x86", "onednn")]
PEERS += [(e, "1.4") for e in ("fbgemm", "qnnpack")]


MODULES = [
    importlib.import_module(f"{package.__name__}.{module.name}")
    for package in (refquant.ops.quantized, refquant.ops.floating)
    for module in pkgutil.iter_modules(package.__path__)
]
KEPT = [v for m in MODULES for v in vars(m).values() if isinstance(v, functools._lru_cache_wrapper)]


def forget():
    """Clear what operations keep for their next call."""
    for function in KEPT:
        function.cache_clear()


def answers(entry, engine, release, case, environment):
    """Answer a case, each call in an environment of that name; errors are answers too."""
    d = Draw(refquant, [17, case], engine, release, most=MOST, edges=case % 2 == 1)
    found = []
    for call in entry.calls(d):
        try:
            with flipped(environment):
                found += flat(call())
        except refquant.errors.RefquantError as error:
            found.append(np.frombuffer(str(error).encode(), np.uint8))
    return [(said(result), plain(result)) for result in found]


@pytest.mark.parametrize(("engine", "release"), PEERS)
def test_every_entry_has_the_same_bits_in_every_environment(engine, release):
    differing, count = {}, 0
    with engines.using(engine + SUFFIX[release]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for entry in ENTRIES:
            live = release == "2.13" and engine in entry.live
            if not live and (release, engine) not in entry.peers:
                continue
            for case in range(2):
                forget()
                wanted = answers(entry, engine, release, case, None)
                for name in FLIPPED:
                    forget()
                    got = answers(entry, engine, release, case, name)
                    count += len(got)
                    _, differences, first = compared([wanted], [got])
                    if differences:
                        differing[entry.name, name] = first
    assert count
    assert not differing
