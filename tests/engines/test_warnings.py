"""What is not finite or overflows: observers and averages reject it, exact arithmetic ends it."""

import contextlib

import numpy as np
import pytest

import refquant
from refquant import errors, quantization
from refquant.nn import functional as float_functional
from refquant.ops import quantized as ops

# The suite turns warnings into errors, also those of NumPy about overflow and invalid numbers.
ENGINES = (*refquant.engines.names(), *refquant.engines.other_runtimes())


def observers():
    for scheme in (refquant.per_tensor_affine, refquant.per_tensor_symmetric):
        keywords = {"qscheme": scheme, "dtype": refquant.qint8}
        yield quantization.MinMaxObserver(**keywords)
        yield quantization.MovingAverageMinMaxObserver(**keywords)
        yield quantization.HistogramObserver(**keywords)
        yield quantization.FakeQuantize(quant_min=-128, quant_max=127, **keywords)
    for scheme in (refquant.per_channel_affine, refquant.per_channel_symmetric):
        keywords = {"qscheme": scheme, "dtype": refquant.qint8}
        yield quantization.PerChannelMinMaxObserver(**keywords)
        yield quantization.MovingAveragePerChannelMinMaxObserver(**keywords)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "values", [(np.inf, -np.inf), (np.inf, 1.0), (-np.inf, 1.0), (np.nan, 1.0)]
)
def test_observers_reject_what_is_not_finite_without_warnings(values, engine):
    with refquant.engines.using(engine):
        for observer in observers():
            x = refquant.tensor([list(values)] * 2)
            spreads = observer.workflow.histograms == "spread" and np.isinf(values).any()
            if spreads and isinstance(observer, quantization.HistogramObserver):
                with pytest.warns(UserWarning, match="was given infinity, which it leaves out"):
                    observer(x)
                continue
            with pytest.raises(errors.OperationError, match=r"was given (infinity|NaN)"):
                observer(x)


@pytest.mark.parametrize("engine", ENGINES)
def test_observers_take_the_largest_finite_numbers_without_warnings(engine):
    largest = float(np.finfo(np.float32).max)
    with refquant.engines.using(engine):
        for observer in observers():
            for values in ([-largest, largest], [0.0, largest], [-1e-45, 1e-45], [0.0, 0.0]):
                with contextlib.suppress(errors.RefquantError):
                    observer(refquant.tensor([values] * 2))
                    observer.calculate_qparams()


def test_an_infinite_bias_gives_the_ends_in_exact_arithmetic():
    x = refquant.quantize_per_tensor(refquant.ones(1, 2), 0.1, 0, refquant.quint8)
    w = refquant.quantize_per_tensor(refquant.ones(1, 2), 0.1, 0, refquant.qint8)
    with refquant.engines.using("exact"):
        for value, code in ((np.inf, 255), (-np.inf, 0)):
            packed = ops.linear_prepack(w, refquant.tensor([value]))
            assert ops.linear(x, packed, 1.0, 3).int_repr().item() == code


def test_fixed_point_rejects_an_average_whose_sum_of_scales_overflows():
    image = refquant.QuantizedTensor(np.ones((1, 8, 5, 5), np.uint8), refquant.quint8, 3e38, 0)
    with refquant.engines.using("qnnpack-1.4"):
        for average in (
            lambda: image.mean((2, 3)),
            lambda: float_functional.avg_pool2d(image, 5),
        ):
            with pytest.raises(errors.EngineError, match=r"in fixed point.*scale"):
                average()
