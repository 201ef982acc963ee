"""Calibration survives workers that die, hang or leave: what is lost is named, the rest counts."""

import functools
import multiprocessing
import pickle
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor

import pytest
from workflow import failing
from workflow.models import batches, prepared
from workflow.test_calibration import assert_same, ranges

from refquant import engines, quantization
from refquant.quantization.calibration import CalibrationError


def processes():
    return ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"))


def data(mark=2, count=5):
    made = batches(count)
    if mark is not None:
        made[mark][0].array.flat[0] = failing.MARK
    return made


def without(made, *numbers):
    return [batch for number, batch in enumerate(made) if number not in numbers]


def test_a_worker_that_dies_takes_its_own_shard_alone():
    model = prepared()
    with pytest.raises(CalibrationError, match="batch 2: BrokenProcessPool") as caught:
        quantization.calibrate(model, data(), executor=processes, run=failing.dies, shard_size=1)
    assert caught.value.batches == (2,)
    others = quantization.calibrate(prepared(), without(data(), 2))
    assert_same(ranges(model), ranges(others))


def test_a_shard_whose_worker_died_once_runs_again(tmp_path):
    model = prepared()
    run = functools.partial(failing.dies_once, str(tmp_path))
    quantization.calibrate(model, data(), executor=processes, run=run, shard_size=2)
    assert_same(ranges(model), ranges(quantization.calibrate(prepared(), data())))


class OneAnswer(ThreadPoolExecutor):
    """Answers equal calls by one result, as Dask does, and loses the first."""

    def __init__(self):
        super().__init__(1)
        self.answers = {}

    def submit(self, task, *arguments):
        call = pickle.dumps(arguments)
        if not self.answers:
            self.answers[call] = Future()
            self.answers[call].set_exception(OSError("the worker is gone"))
        if call not in self.answers:
            self.answers[call] = super().submit(task, *arguments)
        return self.answers[call]


def test_a_lost_shard_runs_again_where_equal_calls_have_one_answer():
    model = prepared()
    with OneAnswer() as executor:
        quantization.calibrate(model, data(), executor=executor, shard_size=2)
    assert_same(ranges(model), ranges(quantization.calibrate(prepared(), data())))


def test_a_pool_that_cannot_be_replaced_keeps_what_was_seen_before():
    model = prepared()
    with (
        processes() as pool,
        pytest.raises(CalibrationError, match="BrokenProcessPool") as caught,
    ):
        quantization.calibrate(model, data(0), executor=pool, run=failing.dies, shard_size=1)
    lost = caught.value.batches
    assert 0 in lost
    assert lost == tuple(sorted(lost))
    others = quantization.calibrate(prepared(), without(data(0), *lost)) if len(lost) < 5 else None
    assert_same(ranges(model), ranges(others or prepared()))


def test_a_worker_that_hangs_is_given_up():
    model = prepared()
    with pytest.raises(CalibrationError, match=r"batch 1: .*no result within 15") as caught:
        quantization.calibrate(
            model,
            data(1, 3),
            executor=processes,
            run=failing.hangs,
            shard_size=1,
            timeout=15,
            retries=0,
        )
    assert caught.value.batches[0] == 1
    others = quantization.calibrate(prepared(), without(data(1, 3), *caught.value.batches))
    assert_same(ranges(model), ranges(others))


@pytest.mark.parametrize("executor", [processes, lambda: ThreadPoolExecutor(2)])
def test_a_worker_that_leaves_ends_its_shard_alone(executor):
    model = prepared()
    with pytest.raises(CalibrationError, match="batch 2: SystemExit: enough"):
        quantization.calibrate(model, data(), executor=executor, run=failing.leaves, shard_size=1)
    assert_same(ranges(model), ranges(quantization.calibrate(prepared(), without(data(), 2))))


def test_a_program_that_leaves_here_leaves_nothing_half_seen():
    model = prepared()
    with pytest.raises(SystemExit):
        quantization.calibrate(model, data(), run=failing.leaves)
    assert_same(ranges(model), ranges(quantization.calibrate(prepared(), data()[:2])))


def test_what_cannot_be_merged_changes_nothing(monkeypatch):
    model, made = prepared(), data(None, 3)
    paths = [path for path in model.state_dict() if path.endswith("min_val")]
    assert len(paths) > 1
    last = model.get_submodule(paths[-1].rpartition(".")[0])
    merge, calls = type(last).merge, []

    def fails(self, other):
        if self is last:
            calls.append(1)
            if len(calls) == 2:
                raise ValueError("does not fit")
        return merge(self, other)

    monkeypatch.setattr(type(last), "merge", fails)
    with pytest.raises(CalibrationError, match="batch 1: ValueError: does not fit"):
        quantization.calibrate(model, made, executor=ThreadPoolExecutor(2), shard_size=1)
    monkeypatch.undo()
    assert_same(ranges(model), ranges(quantization.calibrate(prepared(), without(made, 1))))


def test_workers_have_the_engine_of_the_caller():
    with (
        engines.using("qnnpack"),
        pytest.raises(CalibrationError, match="under qnnpack"),
    ):
        quantization.calibrate(
            prepared(), data(None, 1), executor=ThreadPoolExecutor(1), run=failing.tells_engine
        )
    with engines.using("tflite"), pytest.raises(CalibrationError, match="under tflite"):
        quantization.calibrate(
            prepared(), data(None, 1), executor=processes, run=failing.tells_engine
        )


def test_a_dask_cluster_whose_workers_are_killed():
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, processes=True
    )
    model = prepared()
    with cluster, distributed.Client(cluster) as client:
        with pytest.raises(CalibrationError, match="batch 2: KilledWorker") as caught:
            quantization.calibrate(
                model, data(), executor=client.get_executor(), run=failing.dies, shard_size=1
            )
        assert caught.value.batches == (2,)
    assert_same(ranges(model), ranges(quantization.calibrate(prepared(), without(data(), 2))))
