"""Parameters and numbers that PyTorch 2.13 accepts although they cannot be right."""

import numpy as np
import pytest

import refquant
from refquant import quantization
from refquant.errors import (
    ArgumentError,
    OperationError,
    QuantizationParameterError,
    RefquantError,
)
from refquant.reference.learned import backward_zero_point

ops = refquant.ops.quantized
pytestmark = pytest.mark.torch


@pytest.mark.parametrize(
    ("scale", "wrong"), [(0.0, [255, 0]), (-1.0, [0, 1]), (np.nan, [255, 255]), (np.inf, [0, 0])]
)
def test_scales_that_are_not_positive_numbers(torch, scale, wrong):
    theirs = torch.quantize_per_tensor(torch.tensor([1.0, -1.0]), scale, 0, torch.quint8)
    assert theirs.int_repr().tolist() == wrong
    with pytest.raises(QuantizationParameterError, match="`scale`"):
        refquant.quantize_per_tensor(refquant.tensor([1.0, -1.0]), scale, 0, refquant.quint8)


@pytest.mark.parametrize("zero_point", [300, -5])
def test_zero_points_outside_of_the_dtype(fbgemm, zero_point):
    theirs, ours = fbgemm.image([1, 2])
    wrong = fbgemm.peer.ops.quantized.add(theirs, theirs, 1.0, zero_point)
    assert wrong.q_zero_point() == zero_point
    with pytest.raises(QuantizationParameterError, match=r"in 0\.\.255"):
        ops.add(ours, ours, 1.0, zero_point)


def test_observers_and_nan(torch):
    theirs = torch.ao.quantization.MinMaxObserver()
    theirs(torch.tensor([1.0, np.nan]))
    theirs(torch.tensor([1.0, 2.0]))
    assert np.isnan(theirs.calculate_qparams()[0].item())
    ours = quantization.MinMaxObserver()
    with pytest.raises(OperationError, match="NaN"):
        ours(refquant.tensor([1.0, np.nan]))
    ours(refquant.tensor([1.0, 2.0]))
    assert ours.calculate_qparams()[0].item() == np.float32(2 / 255)


def test_observers_and_infinity(torch):
    theirs = torch.ao.quantization.MinMaxObserver()
    theirs(torch.tensor([1.0, np.inf]))
    assert np.isinf(theirs.calculate_qparams()[0].item())
    with pytest.raises(OperationError, match="infinity"):
        quantization.MinMaxObserver()(refquant.tensor([1.0, np.inf]))


@pytest.mark.filterwarnings("ignore:Please use quant_min and quant_max:UserWarning")
@pytest.mark.usefixtures("release_1_4")
def test_search_for_few_integers(torch):
    x = np.abs(np.random.default_rng(0).laplace(size=100_000)).astype(np.float32)

    def scales(**options):
        theirs = torch.ao.quantization.HistogramObserver(dtype=torch.quint8, **options)
        theirs(torch.from_numpy(x))
        ours = quantization.HistogramObserver(dtype=refquant.quint8, **options)
        ours(refquant.from_numpy(x))
        return theirs.calculate_qparams()[0].item(), ours.calculate_qparams()[0].item()

    for options in ({}, {"reduce_range": True}):  # these count on 256 integers here and there
        assert len(set(scales(**options))) == 1
    wide, narrow = scales(quant_min=0, quant_max=15)
    assert (round(wide, 5), round(narrow, 5)) == (0.71608, 0.42825)
    errors = [
        float(np.mean((np.clip(np.rint(x / scale), 0, 15) * scale - x) ** 2))
        for scale in (wide, narrow)
    ]
    assert errors[0] > 2 * errors[1]


def test_scaling_by_nan(fbgemm):
    theirs, ours = fbgemm.image([1, 2])
    wrong = fbgemm.peer.ops.quantized.mul_scalar(theirs, np.nan)
    assert wrong.int_repr().tolist() == [254, 253]  # as by a negative number
    with pytest.raises(RefquantError):
        ops.mul_scalar(ours, np.nan)


def test_ranges_of_observers_outside_of_the_dtype(torch):
    theirs = torch.ao.quantization.MinMaxObserver(quant_min=0, quant_max=300)
    theirs(torch.tensor([-3.0, -1.0]))
    assert theirs.calculate_qparams()[1].item() == 300  # quint8 ends at 255
    with pytest.raises(ArgumentError, match=r"0 <= quant_min <= 0 <= quant_max <= 255"):
        quantization.MinMaxObserver(quant_min=0, quant_max=300)


def test_moving_averages_that_cross(torch):
    observers = []
    for library in (torch, refquant):
        observer = library.ao.quantization.MovingAverageMinMaxObserver(averaging_constant=1.0)
        observer(library.tensor([-3.0, -2.9]))
        observer(library.tensor([1.3]))
        observers.append(observer)
    theirs, ours = observers
    assert theirs.min_val.item() > theirs.max_val.item()
    assert (theirs.min_val.item(), theirs.max_val.item()) == (
        ours.min_val.item(),
        ours.max_val.item(),
    )
    with pytest.raises(AssertionError, match="should be less than max"):
        theirs.calculate_qparams()
    scale, zero_point = ours.calculate_qparams()
    np.testing.assert_allclose(scale.numpy(), 1.3 / 255, rtol=1e-6)
    assert zero_point.item() == 0


def test_the_smallest_of_two_zeros(torch):
    signs = {}
    for library in (torch, refquant):
        ends = []
        for values in ([0.0, -0.0], [-0.0, 0.0]):
            observer = library.ao.quantization.MinMaxObserver()
            observer(library.tensor(values))
            ends.append(bool(np.signbit(observer.min_val.item())))
        signs[library.__name__] = ends
    assert signs == {"torch": [True, False], "refquant": [True, True]}


def test_the_zero_point_of_learned_gradients(torch):
    def gradients(library, learned, limits):
        parts = [library.tensor([v], requires_grad=True) for v in (0.0, 1.0, -0.7)]
        learned(*parts, *limits).backward(library.tensor([1.0]))
        return [part.grad.item() for part in parts]

    theirs = gradients(torch, torch._fake_quantize_learnable_per_tensor_affine, (-1, 1, 1.0))
    ours = gradients(refquant, refquant._fake_quantize_learnable_per_tensor_affine, (-1, 1, 1.0))
    assert theirs == ours
    assert backward_zero_point(-0.7, -1, 1) == 0  # the forward pass rounds to -1


@pytest.mark.usefixtures("release_1_4")
def test_fake_quantization_of_infinity_per_channel(torch):
    x = np.array([[np.inf, -np.inf, 1.0]], np.float32)
    theirs = torch.fake_quantize_per_channel_affine(
        torch.from_numpy(x), torch.tensor([1.0]), torch.tensor([0], dtype=torch.int32), 0, -8, 7
    )
    assert theirs.tolist() == [[-8.0, -8.0, 1.0]]
    ours = refquant.fake_quantize_per_channel_affine(
        refquant.tensor(x), refquant.tensor([1.0]), refquant.tensor([0]), 0, -8, 7
    )
    assert ours.tolist() == [[7.0, -8.0, 1.0]]
    with refquant.engines.using("fbgemm"):
        ours = refquant.fake_quantize_per_channel_affine(
            refquant.tensor(x), refquant.tensor([1.0]), refquant.tensor([0]), 0, -8, 7
        )
    assert ours.tolist() == theirs.tolist()
