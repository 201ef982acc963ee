"""Engines and kernels by context: assignment is for the process, `using` for its context."""

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import refquant
from refquant import engines, kernels
from refquant.errors import EngineError

has_kernels = pytest.mark.skipif(
    len(kernels.available()) == 1, reason="refquant was installed without compiled kernels"
)


@pytest.fixture(autouse=True)
def restored():
    engine, choice = engines.default().name, kernels.current()
    yield
    engines.use(engine)
    kernels.use(choice)


def in_a_thread(function):
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


def test_assignment_is_seen_by_all_threads():
    refquant.backends.quantized.engine = "qnnpack"
    assert in_a_thread(lambda: engines.current().name) == "qnnpack"
    kernels.use(kernels.REFERENCE)
    assert in_a_thread(kernels.current) == kernels.REFERENCE
    assert in_a_thread(kernels.running) == kernels.REFERENCE


def test_a_block_is_not_seen_by_other_threads():
    before = kernels.current()
    with engines.using("tflite"), kernels.using(kernels.REFERENCE):
        assert engines.current().name == "tflite"
        assert in_a_thread(lambda: engines.current().name) == engines.default().name != "tflite"
        assert in_a_thread(kernels.current) == before


def test_assignment_within_a_block_is_for_after_it():
    with engines.using("tflite"):
        refquant.backends.quantized.engine = "qnnpack"
        assert engines.current().name == refquant.backends.quantized.engine == "tflite"
        assert in_a_thread(lambda: engines.current().name) == "qnnpack"
    assert engines.current().name == "qnnpack"


def test_a_copied_context_has_the_choice_of_its_block():
    with engines.using("tflite"):
        context = contextvars.copy_context()
    assert context.run(lambda: engines.current().name) == "tflite"
    assert engines.current().name != "tflite"


def test_tasks_have_their_own_engines():
    async def work(name):
        with engines.using(name):
            await asyncio.sleep(0)
            return name == engines.current().name

    async def main():
        return await asyncio.gather(*map(work, engines.names() * 5))

    assert all(asyncio.run(main()))


def test_a_block_that_ends_in_another_context_restores_it():
    block = engines.using("qnnpack")
    contextvars.copy_context().run(block.__enter__)
    assert engines.current().name == engines.default().name
    block.__exit__(None, None, None)
    assert engines.current().name == engines.default().name


def test_an_engine_that_a_context_has_chosen_stays_registered():
    engines.register(engines.get("fbgemm").derive("mine", "An engine of my own"))
    try:
        with engines.using("mine"), pytest.raises(EngineError, match="chosen"):
            engines.unregister("mine")
    finally:
        engines.unregister("mine")


def test_threads_under_different_engines_never_get_the_answers_of_another():
    a = refquant.quantize_per_tensor(refquant.randn(4, 9), 0.05, 128, refquant.quint8)
    weight = refquant.quantize_per_tensor(refquant.randn(3, 9), 0.02, 0, refquant.qint8)

    def answer(name):
        with engines.using(name):
            packed = refquant.ops.quantized.linear_prepack(weight, None)
            y = refquant.ops.quantized.linear(a, packed, 0.0313, 100)
            total = refquant.ops.quantized.add(a, a, 0.0371, 120)
            return y.int_repr().tolist(), total.int_repr().tolist()

    names = [name for name in engines.names() if not name.startswith("onednn")]
    wanted = {name: answer(name) for name in names}
    with ThreadPoolExecutor(4) as pool:
        for name, got in zip(names * 100, pool.map(answer, names * 100), strict=True):
            assert got == wanted[name], name


@has_kernels
def test_threads_under_different_kernels_run_what_they_chose():
    def running(choice):
        with kernels.using(choice):
            q = refquant.quantize_per_tensor(refquant.ones(3), 0.1, 0, refquant.quint8)
            return kernels.running() == kernels.current() == choice, q.int_repr().tolist()

    with ThreadPoolExecutor(4) as pool:
        assert set(map(str, pool.map(running, kernels.available() * 50))) == {
            "(True, [10, 10, 10])"
        }


@has_kernels
def test_an_engine_with_own_rules_runs_definitions_in_its_context_alone():
    with engines.using("exact"):
        assert kernels.running() == kernels.REFERENCE
        assert in_a_thread(kernels.running) == kernels.current()
    assert kernels.running() == kernels.current()
