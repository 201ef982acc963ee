"""Numbers of both releases of PyTorch where they, or their vectors and tails, part ways."""

import numpy as np
import pytest

import refquant
from refquant import engines, kernels
from refquant.engines.rules import average as pooling
from refquant.engines.rules import quantize, requantize
from refquant.nn.quantized import dynamic
from refquant.reference.operands import Output, Windows

ops = refquant.ops.quantized
pytestmark = pytest.mark.parametrize("choice", kernels.available())


@pytest.fixture(autouse=True)
def _choose(choice):
    with kernels.using(choice):
        yield


def integers(values, scale, zero_point, dtype=refquant.qint32):
    return refquant.QuantizedTensor(np.array(values, dtype.numpy), dtype, scale, zero_point)


@pytest.mark.parametrize(
    ("engine", "wanted"),
    [
        (
            "fbgemm-1.4",
            [3.210590600967407, 4.265692710876465, 3.9024937152862550, 4.820912837982178],
        ),
        ("fbgemm", [3.2138328552246094, 4.2727408409118650, 3.909578084945679, 4.824828624725342]),
    ],
)
def test_a_dynamic_layer_takes_the_range_of_its_release(engine, wanted):
    rng = np.random.RandomState(0)
    x = refquant.from_numpy(rng.rand(3, 16).astype(np.float32))
    w = refquant.from_numpy(rng.rand(4, 16).astype(np.float32))
    with engines.using(engine):
        layer = dynamic.Linear(16, 4)
        layer.set_weight_bias(refquant.quantize_per_tensor(w, 1 / 255, -128, refquant.qint8), None)
        assert np.array_equal(layer(x).array[0], np.float32(wanted))


@pytest.mark.parametrize("engine", ["fbgemm", "qnnpack", "fbgemm-1.4", "qnnpack-1.4"])
def test_the_recipe_says_whether_dynamic_layers_reduce_the_range(engine):
    assert engines.get(engine).recipe["dynamic_reduce_range"] is (engine == "fbgemm")


@pytest.mark.parametrize("engine", ["fbgemm", "qnnpack"])
def test_an_element_of_a_product_depends_on_its_place(engine):
    """Elements of a vector of 16 are scaled in float32, the one behind it in float64."""
    x, y = integers([2**24 + 1] * 17, 0.7, 0), integers([1] * 17, 1.0, 0)
    with engines.using(engine):
        assert ops.mul(x, y, 0.3, 0).int_repr().tolist() == [39146836] * 16 + [39146840]


@pytest.mark.parametrize(
    ("engine", "wanted"),
    [("fbgemm", 2**31 - 1), ("qnnpack", 2**31 - 1), ("fbgemm-1.4", 0), ("qnnpack-1.4", 0)],
)
def test_the_number_of_steps_of_a_sum_wraps(engine, wanted):
    with engines.using(engine):
        q = ops.add_scalar(integers([0], 0.1, 2**31 - 1), -1.0)
    assert (q.int_repr().tolist(), q.q_scale()) == ([wanted], 0.10000000023283065)
    assert q.q_zero_point() == 2**31 - 1


def test_a_range_that_no_float_ends_is_kept_in_integers():
    x = refquant.tensor([3e9, -3e9, float("nan")])
    rule = quantize.FUSED_CLAMP_THEN_ROUND
    wanted = [2**31 - 1, -(2**31), -(2**31)]
    assert rule(x.array, 1.0, 0, -(2**31), 2**31 - 1).tolist() == wanted
    output = Output(1.0, 0, -(2**31), 2**31 - 1)
    split = engines.Split.uniform(rule)
    found = kernels.quantize_per_tensor(x.array, output, np.dtype("int32"), 3, split)
    assert found.tolist() == wanted


def test_shifts_stay_in_the_width_of_an_integer():
    rule = requantize.FIXED_POINT
    for multiplier in (0.0, 2.0**-100, 1e-45):
        q = rule(np.array([5, -5, 2**31 - 1]), np.float32(multiplier), 9, 0, 255)
        assert q.tolist() == [9, 9, 9]
    average = pooling.AVERAGE_IN_FIXED_POINT
    sums = np.full((1, 1, 1, 1, 1), 200, np.uint8)
    spans = Windows(*[np.array([[0, 1]])] * 3)
    for divisor in (2**62, 2**40, 1):
        found = kernels.average_pool(
            sums, spans, np.array([[[divisor]]]), Output(0.5, 3, 0, 255), 1,
            engines.Split.uniform(average),
        )  # fmt: skip
        assert found.tolist() == [[[[[200 if divisor == 1 else 3]]]]]
