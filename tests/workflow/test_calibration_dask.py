"""calibrate on a cluster of dask.distributed: other processes, the same ranges."""

import numpy as np
import pytest
from workflow.models import batches, floats, prepared

from refquant import quantization
from refquant.quantization.calibration import CalibrationError

distributed = pytest.importorskip("distributed", reason="needs the extra 'dask'")

HISTOGRAM = quantization.get_default_qconfig("fbgemm")


@pytest.fixture(scope="module")
def executor():
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    )
    with cluster, distributed.Client(cluster) as client:
        yield client.get_executor()


def state(model):
    return {k: v.numpy() for k, v in model.state_dict().items() if v is not None}


def assert_same(ours, theirs):
    ours, theirs = state(ours), state(theirs)
    assert ours.keys() == theirs.keys()
    for key, value in ours.items():
        assert np.array_equal(value, theirs[key]), key


def test_workers_of_a_cluster_find_the_same_ranges(executor):
    data = batches(6)
    one = quantization.calibrate(prepared(), data)
    for shard_size in (1, 4):
        many = quantization.calibrate(
            prepared(), iter(data), progress=False, executor=executor, shard_size=shard_size
        )
        assert_same(many, one)


def test_histograms_stay_within_their_bound(executor):
    data = batches(6)
    many = quantization.calibrate(prepared(HISTOGRAM), data, executor=executor, shard_size=2)
    one = quantization.calibrate(prepared(HISTOGRAM), data)
    scale, merged = (m.quant.activation_post_process.calculate_qparams()[0] for m in (one, many))
    assert merged.item() == pytest.approx(scale.item(), rel=0.02)


def test_a_batch_that_fails_on_a_worker_is_named(executor):
    data = batches(6)
    data[3] = (floats(4, 2, 8, 8), None)
    model = prepared()
    with pytest.raises(CalibrationError, match="batches 2 to 3 at batch 3: ShapeError") as caught:
        quantization.calibrate(model, data, executor=executor, shard_size=2)
    assert caught.value.batches == (2, 3)
    assert_same(model, quantization.calibrate(prepared(), data[:2] + data[4:]))
