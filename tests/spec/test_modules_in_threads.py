"""Modules that change when they are called answer many threads as if these came one by one."""

import os
import signal
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import refquant
from refquant import engines, nn, quantization
from refquant.nn.intrinsic import qat
from refquant.quantization import fake_quantize, numeric_suite

MOVING = quantization.MovingAverageMinMaxObserver
PER_CHANNEL = quantization.MovingAveragePerChannelMinMaxObserver
THREADS = 8


@pytest.fixture(autouse=True)
def switching_often():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def batches(count=150):
    """Batches whose ranges differ in width and middle, of sixteenths: no difference is rounded."""
    rng = np.random.default_rng(5)
    drawn = [rng.normal(k % 7 - 3, 1 + k % 11, (4, 50)) for k in range(count)]
    return [refquant.from_numpy((np.rint(16 * x) / 16).astype(np.float32)) for x in drawn]


def answers(function, values):
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(function, values))


@pytest.mark.parametrize(
    "make",
    [
        lambda: quantization.FakeQuantize(MOVING, averaging_constant=1.0),
        lambda: quantization.FakeQuantize(
            PER_CHANNEL, dtype=refquant.qint8, quant_min=-128, quant_max=127, averaging_constant=1.0
        ),
        lambda: fake_quantize.FusedMovingAvgObsFakeQuantize(MOVING, averaging_constant=1.0),
        lambda: fake_quantize._LearnableFakeQuantize(MOVING, averaging_constant=1.0),
    ],
    ids=["per tensor", "per channel", "fused", "learnable"],
)
def test_each_batch_is_rounded_by_its_own_range(make):
    """With 1 as averaging constant the range is that of the last batch, as no other came since."""
    many = answers(make(), made := batches())
    for x, result in zip(made, many, strict=True):
        assert np.array_equal(result.detach().numpy(), make()(x).detach().numpy())


def test_scale_and_zero_point_are_those_of_one_moment():
    observer, rng = MOVING(averaging_constant=1.0), np.random.default_rng(6)
    ends = [refquant.tensor([-float(k), 4.0 * k]) for k in rng.integers(1, 1000, 300)]

    def seen(x):
        observer(x)
        observer.state_dict()
        return observer.calculate_qparams()[1].item()

    # A fifth of each range lies below zero, whatever its width.
    assert set(answers(seen, ends)) == {51}


@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("engine", ["fbgemm", "fbgemm-1.4"])
@pytest.mark.parametrize("kind", ["BatchNorm1d", "LinearBn1d"])
def test_running_statistics_are_moved_once_a_batch(kind, engine, momentum):
    x = batches()[0]

    def trained(threads):
        refquant.manual_seed(7)
        if kind == "BatchNorm1d":
            module = nn.BatchNorm1d(50, momentum=momentum)
        else:
            qconfig = quantization.get_default_qat_qconfig("fbgemm")
            module = qat.LinearBn1d(50, 3, momentum=momentum, qconfig=qconfig)
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(module, [x] * 60))
        state = module.state_dict().items()
        return {name: value.numpy() for name, value in state if "running" in name or "num" in name}

    with engines.using(engine):
        one, many = trained(1), trained(THREADS)
    assert len(one) == 3
    for name, value in one.items():
        assert np.array_equal(value, many[name]), name


@pytest.mark.parametrize("kind", ["Embedding", "EmbeddingBag"])
def test_rows_of_a_table_are_scaled_down_once(kind):
    """Modules with the same table, too; each answer has rows of the largest norm or smaller."""
    rng = np.random.default_rng(8)
    rows = [refquant.tensor(rng.integers(0, 64, (4, 16))) for _ in range(200)]

    def trained(threads):
        refquant.manual_seed(9)
        modules = [getattr(nn, kind)(64, 256, max_norm=1.0) for _ in range(2)]
        modules[1].weight = modules[0].weight
        calls = list(zip(modules * (len(rows) // 2), rows, strict=True))
        with ThreadPoolExecutor(threads) as pool:
            results = list(pool.map(lambda pair: pair[0](pair[1]).detach().numpy(), calls))
        return [modules[0].weight.detach().numpy(), *results]

    for one, many in zip(trained(1), trained(THREADS), strict=True):
        np.testing.assert_allclose(many, one, rtol=1e-5, atol=1e-6)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_process_does_not_wait_for_threads_that_it_does_not_have():
    observer, held, done = MOVING(), threading.Event(), threading.Event()
    observer(refquant.tensor([-1.0, 1.0]))

    def hold():
        with observer._turn:
            held.set()
            done.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that a process with threads forks
        child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(60)  # ends it if it waits
        observer(refquant.ones(1))
        os._exit(0)
    done.set()
    holder.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_outputs_of_one_call_are_kept_at_one_place():
    logger, made = numeric_suite.ShadowLogger(), batches()
    answers(lambda x: logger(x, x), made)
    kept = [[t.numpy() for t in logger.stats[kind]] for kind in ("quantized", "float")]
    assert len(kept[0]) == len(made)
    assert np.array_equal(*kept)


def test_observers_that_are_merged_into_each_other_do_not_wait_for_each_other():
    first, second = quantization.MinMaxObserver(), quantization.MinMaxObserver()
    first(refquant.tensor([-1.0]))
    second(refquant.tensor([2.0]))
    answers(lambda pair: pair[0].merge(pair[1]), [(first, second), (second, first)] * 100)
    assert (first.min_val.item(), second.max_val.item()) == (-1.0, 2.0)
