"""Answers that kernels keep for the next call are those of all their parameters."""

import numpy as np
import pytest

from refquant import engines, kernels
from refquant.dtypes import quint8
from refquant.engines import Operands

ENGINE = engines.get("fbgemm")
each_variant = pytest.mark.parametrize("variant", kernels.available()[1:])


def rule(step):
    return ENGINE.rule(step, Operands(quint8))


DEQUANTIZE, QUANTIZE = rule("elementwise_dequantize"), rule("elementwise_quantize")
BYTES = np.arange(512).astype(np.uint8)
PLAIN = {
    "a": BYTES,
    "a_quantizer": (0.05, 64),
    "output": (0.03, 40, 0, 255),
    "runs": (512, 448),
    "dequantize": DEQUANTIZE,
    "quantize": QUANTIZE,
}
CALLS = [
    ("leaky_relu", {"negative_slope": 0.1}),
    ("leaky_relu", {"negative_slope": 0.2}),
    ("leaky_relu", {"negative_slope": 0.1, "a_quantizer": (0.05, 65)}),
    ("leaky_relu", {"negative_slope": 0.1, "a_quantizer": (0.06, 64)}),
    ("leaky_relu", {"negative_slope": 0.1, "output": (0.03, 41, 0, 255)}),
    ("leaky_relu", {"negative_slope": 0.1, "output": (0.03, 40, 9, 255)}),
    ("leaky_relu", {"negative_slope": 0.1, "runs": (512, 0)}),
    ("leaky_relu", {"negative_slope": 0.1, "a": BYTES.view(np.int8)}),
    ("threshold", {"factors": (0.1, 0.3)}),
    ("threshold", {"factors": (0.3, 0.1)}),
    ("elu", {"factors": (1.0, 1.0, 1.0), "exponential": rule("exponential")}),
    ("elu", {"factors": (1.0, 1.0, 2.0), "exponential": rule("exponential")}),
    ("function", {"rules": rule("sigmoid")}),
    ("function", {"rules": rule("gelu")}),
    ("function", {"rules": rule("gelu"), "dequantize": rule("sigmoid_dequantize")}),
]


@each_variant
def test_calls_that_differ_in_one_parameter_have_answers_of_their_own(variant):
    twins = kernels.twins("activation", variant)
    definitions = kernels.twins("activation", "reference")
    for name, changed in CALLS * 2:
        call = PLAIN | changed
        np.testing.assert_array_equal(twins[name](**call), definitions[name](**call))


@each_variant
def test_more_tables_than_are_kept_give_the_same_answers(variant):
    function = kernels.twins("activation", variant)["leaky_relu"]
    calls = [PLAIN | {"negative_slope": k / 1000, "a_quantizer": (0.5, 200)} for k in range(300)]
    first = [function(**call) for call in calls]
    assert len({result.tobytes() for result in first}) > 50
    for call, result in zip(calls, first, strict=True):
        np.testing.assert_array_equal(function(**call), result)
