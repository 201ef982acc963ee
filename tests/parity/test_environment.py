"""Bits do not depend on the floating-point environment of the caller or of any thread."""

import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from types import FunctionType

import numpy as np
import pytest
from parity import captured
from parity.bits import difference
from parity.environments import FLIPPED, flipped, needs_registers, registers
from processes import output

import refquant
from refquant import kernels

environment = pytest.importorskip("refquant._kernels._environment", reason="needs compiled kernels")
Enclosed = environment.Enclosed
pytestmark = needs_registers


def tiny():
    return refquant.from_numpy(np.full(1 << 20, 3e-39, np.float32))


@pytest.mark.parametrize("name", FLIPPED)
def test_the_register_is_as_before_after_a_call(name):
    x = refquant.ones(5)
    with flipped(name):
        before = registers()
        refquant.quantize_per_tensor(x, 0.1, 0, refquant.quint8)
        after = registers()
        with pytest.raises(TypeError):
            kernels.quantize_per_tensor()
        failed = registers()
    assert before == after == failed == FLIPPED[name]


@pytest.mark.parametrize("choice", sorted({kernels.available()[0], kernels.available()[-1]}))
@pytest.mark.parametrize("name", FLIPPED)
def test_every_twin_has_the_same_bits(name, choice):
    with kernels.using(choice):
        for twin, calls in captured.small().items():
            function = getattr(kernels, twin)
            for arguments in calls[:3]:
                wanted = function(*captured.own_copy(arguments))
                again = captured.own_copy(arguments)
                with flipped(name):
                    got = function(*again)
                assert difference(wanted, got) is None, twin


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", FLIPPED)
def test_large_tensors_have_the_same_bits_in_every_thread(name, threads):
    before, x = refquant.get_num_threads(), tiny()
    refquant.set_num_threads(threads)
    try:
        with flipped(name):
            q = refquant.quantize_per_tensor(x, 2.0**-127, 0, refquant.quint8)
        assert np.unique(q.int_repr().numpy()).tolist() == [1]
    finally:
        refquant.set_num_threads(before)


def test_threads_of_a_pool_are_set_too():
    def work(name):
        x = tiny()
        with flipped(name):
            q = refquant.quantize_per_tensor(x, 2.0**-127, 0, refquant.quint8)
        return np.unique(q.int_repr().numpy()).tolist()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, list(FLIPPED) * 3)) == [[1]] * 12


def test_a_team_that_starts_in_another_environment_is_set():
    code = (
        "import ctypes, numpy as np, refquant\n"
        "libm, e = ctypes.CDLL('libm.so.6'), (ctypes.c_uint32 * 8)()\n"
        "x = refquant.from_numpy(np.full(1 << 20, 3e-39, np.float32))\n"
        "libm.fegetenv(e); e[7] |= 0x8040; libm.fesetenv(e)\n"
        "q = refquant.quantize_per_tensor(x, 2.0**-127, 0, refquant.quint8)\n"
        "print(np.unique(q.int_repr().numpy()).tolist())"
    )
    assert output(code, OMP_NUM_THREADS="4") == ["[1]"]


def test_show_config_tells_the_environment():
    assert refquant.show_config(as_dict=True)["floating point"].startswith("usual; set around")
    with flipped("downward"):
        told = kernels.describe_environment()
    assert told.startswith("unusual")


def stand_ins():
    """Each name of a module that offers a stand-in, with the function behind it."""
    for module in [module for name, module in sys.modules.items() if name.startswith("refquant.")]:
        for name, value in vars(module).items():
            if type(value) is Enclosed and value.__module__ == module.__name__:
                yield module, name, value


def test_stand_ins_are_pickled_by_their_names():
    count = 0
    for _, name, value in stand_ins():
        if value.__qualname__ == name:
            assert pickle.loads(pickle.dumps(value)) is value, name
            count += 1
    assert count > 100


def test_nothing_else_refers_to_the_functions_behind_stand_ins():
    """A default of an argument, for one, is compared with the public function."""
    behind = {value.__wrapped__ for _, _, value in stand_ins()}
    for module, _, value in list(stand_ins()):
        function = value.__wrapped__
        given = (function.__defaults__ or ()) + tuple((function.__kwdefaults__ or {}).values())
        assert not [
            v for v in (*given, *vars(module).values()) if type(v) is FunctionType and v in behind
        ]


@pytest.mark.torch
def test_flush_to_zero_of_pytorch_changes_nothing(torch):
    x = tiny()
    torch.set_flush_denormal(True)
    try:
        q = refquant.quantize_per_tensor(x, 2.0**-127, 0, refquant.quint8)
    finally:
        torch.set_flush_denormal(False)
    assert np.unique(q.int_repr().numpy()).tolist() == [1]
