"""calibrate: one process and many see the same; what fails is named and loses nothing else."""

import multiprocessing
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
from workflow.models import batches, floats, prepared

from refquant import quantization
from refquant.errors import ArgumentError, ArgumentTypeError, NotSupportedError
from refquant.quantization import MovingAverageMinMaxObserver, QConfig, default_weight_observer
from refquant.quantization.calibration import CalibrationError

HISTOGRAM = quantization.get_default_qconfig("fbgemm")


def ranges(model):
    return {
        key: value.numpy().copy()
        for key, value in model.state_dict().items()
        if key.endswith(("min_val", "max_val")) and value is not None and np.isfinite(value).all()
    }


def assert_same(ours, theirs):
    assert ours.keys() == theirs.keys()
    for key, value in ours.items():
        assert np.array_equal(value, theirs[key]), key


class Backwards:
    """An executor that does the last task first."""

    _max_workers = 8

    def __init__(self):
        self.tasks = []

    def submit(self, function, *arguments):
        future = Future()
        self.tasks.append((future, function, arguments))
        original = future.result

        def result(timeout=None):
            while self.tasks:
                waiting, f, a = self.tasks.pop()
                try:
                    waiting.set_result(f(*a))
                except Exception as error:
                    waiting.set_exception(error)
            return original(timeout)

        future.result = result
        return future


def test_it_is_the_same_as_running_the_model():
    data = batches(5)
    model = prepared().train()
    assert quantization.calibrate(model, data) is model
    assert model.training
    by_hand = prepared()
    quantization.default_eval_fn(by_hand, data)
    assert_same(ranges(model), ranges(by_hand))


@pytest.mark.parametrize("shard_size", [1, 3, 100])
@pytest.mark.parametrize("make", [Backwards, lambda: ThreadPoolExecutor(3)])
def test_shards_find_the_same_ranges(make, shard_size):
    data = batches(7)
    one = ranges(quantization.calibrate(prepared(), data))
    executor = make()
    many = quantization.calibrate(
        prepared(), iter(data), executor=executor, shard_size=shard_size, progress=False
    )
    assert_same(ranges(many), one)


def test_processes_find_the_same_ranges():
    data = batches(4)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as executor:
        many = quantization.calibrate(prepared(), data, executor=executor, shard_size=2)
    assert_same(ranges(many), ranges(quantization.calibrate(prepared(), data)))


def test_a_batch_that_fails_in_a_process_is_reported_and_the_others_count():
    data = spoiled()
    model = prepared()
    context = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(2, mp_context=context) as executor,
        pytest.raises(CalibrationError, match="batches 4 to 5 at batch 4: ShapeError") as caught,
    ):
        quantization.calibrate(model, data, executor=executor, shard_size=2)
    assert "Traceback" in caught.value.shards[0].details
    others = quantization.calibrate(prepared(), data[:4] + data[6:])
    assert_same(ranges(model), ranges(others))


def test_histograms_do_not_depend_on_who_is_first():
    data = batches(9)
    results = []
    for executor in (Backwards(), ThreadPoolExecutor(1), ThreadPoolExecutor(4)):
        model = quantization.calibrate(prepared(HISTOGRAM), data, executor=executor, shard_size=2)
        results.append(model.quant.activation_post_process)
    for other in results[1:]:
        assert np.array_equal(results[0].histogram.array, other.histogram.array)
    alone = quantization.calibrate(prepared(HISTOGRAM), data).quant.activation_post_process
    scale, merged = (o.calculate_qparams()[0].item() for o in (alone, results[0]))
    assert merged == pytest.approx(scale, rel=0.02)
    assert results[0].histogram.array.sum() == pytest.approx(9 * 4 * 3 * 64, rel=1e-5)


def test_what_was_seen_before_is_kept():
    first, second = batches(2), batches(2, seed=500)
    model = quantization.calibrate(prepared(), first)
    quantization.calibrate(model, second, executor=ThreadPoolExecutor(2), shard_size=1)
    assert_same(ranges(model), ranges(quantization.calibrate(prepared(), first + second)))


def test_moving_averages_say_that_order_matters():
    recipe = QConfig(MovingAverageMinMaxObserver, default_weight_observer)
    model = prepared(recipe)
    with pytest.raises(NotSupportedError, match="order of the batches"):
        quantization.calibrate(model, batches(), executor=ThreadPoolExecutor(1))
    assert not ranges(model)
    quantization.calibrate(model, batches())
    with pytest.raises(NotSupportedError, match="cannot be merged"):
        quantization.calibrate(
            prepared(quantization.default_qat_qconfig), batches(), executor=ThreadPoolExecutor(1)
        )


def spoiled():
    data = batches(8)
    data[4] = (floats(4, 2, 8, 8), None)
    return data


def test_a_failed_shard_is_reported_and_the_others_count():
    data = spoiled()
    model = prepared()
    with pytest.raises(CalibrationError, match="batches 3 to 5 at batch 4: ShapeError") as caught:
        quantization.calibrate(model, data, executor=ThreadPoolExecutor(2), shard_size=3)
    assert caught.value.batches == (3, 4, 5)
    (shard,) = caught.value.shards
    assert shard.failed == 4
    assert "Traceback" in shard.details
    others = data[:3] + data[6:]
    assert_same(ranges(model), ranges(quantization.calibrate(prepared(), others)))
    quantization.calibrate(model, [data[3], data[5]])
    good = data[:4] + data[5:]
    assert_same(ranges(model), ranges(quantization.calibrate(prepared(), good)))


def test_a_failed_batch_leaves_no_trace():
    data = batches(3)
    data[2][0].array[0, 0, 0, 0] = np.inf
    data[2][0].array[1, 0, 0, 0] = 1000
    model = prepared().train()
    with pytest.raises(CalibrationError, match=r"batch 2: .*infinity") as caught:
        quantization.calibrate(model, data)
    assert caught.value.batches == (2,)
    assert model.training
    assert_same(ranges(model), ranges(quantization.calibrate(prepared(), data[:2])))


def test_a_lost_worker_is_reported():
    class Lost(Backwards):
        def submit(self, function, *arguments):
            future = Future()
            future.set_exception(OSError("machine gone"))
            return future

    with pytest.raises(CalibrationError, match="batches 0 to 3: OSError: machine gone"):
        quantization.calibrate(prepared(), batches(4), executor=Lost())


def test_batches_of_another_form():
    model = prepared()
    data = [{"image": x} for x, _ in batches()]
    quantization.calibrate(model, data, run=lambda m, batch: m(batch["image"]))
    assert_same(ranges(model), ranges(quantization.calibrate(prepared(), batches())))
    plain = prepared()
    quantization.calibrate(plain, (x for x, _ in batches()))
    assert_same(ranges(plain), ranges(model))


def test_arguments():
    from refquant import nn

    with pytest.raises(ArgumentError, match="prepare"):
        quantization.calibrate(nn.Sequential(), [])
    with pytest.raises(ArgumentError, match="shard_size"):
        quantization.calibrate(prepared(), [], shard_size=0)
    with pytest.raises(ArgumentTypeError, match="run"):
        quantization.calibrate(prepared(), [], run=None)
