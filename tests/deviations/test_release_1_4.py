"""Faults of PyTorch 1.4: what refquant does instead, under the engines of that release."""

import copy

import numpy as np
import pytest
from workflow.models import FUSE, batches, converted, floats, net

import refquant
from refquant import nn, quantization
from refquant.errors import ArgumentError
from refquant.nn.quantized import functional as F

ops = refquant.ops.quantized


@pytest.fixture(autouse=True)
def _release():
    with refquant.engines.using("fbgemm-1.4"):
        yield


def per_channel():
    x = refquant.tensor([[1.0, 2.0], [3.0, 4.0]])
    scales, zeros = refquant.tensor([0.5, 0.25]), refquant.tensor([1, 2])
    return refquant.quantize_per_channel(x, scales, zeros, 0, refquant.qint8)


def test_copies_of_tensors_quantized_per_channel():
    q = per_channel()
    for made in (q.clone(), copy.deepcopy(q)):
        assert made.int_repr().tolist() == q.int_repr().tolist()
        assert made.q_per_channel_scales().tolist() == [0.5, 0.25]
        assert not np.shares_memory(made.array, q.array)


def test_real_numbers_copied_into_a_strided_tensor():
    q = refquant.quantize_per_tensor(floats(3, 4), 0.5, 0, refquant.qint8).transpose(0, 1)
    q.copy_(refquant.tensor(np.full((4, 3), 1.5, np.float32)))
    assert q.dequantize().tolist() == [[1.5] * 3] * 4


def test_item_is_a_real_number():
    q = refquant.quantize_per_tensor(refquant.tensor([0.75]), 0.25, 0, refquant.quint8)
    assert q.item() == 0.75  # 1.4 cuts it to the integer 0


def test_copies_of_quantized_modules():
    model = converted()
    twin, x = copy.deepcopy(model), batches()[0][0]
    assert twin(x).tolist() == model(x).tolist()
    again = quantization.convert(model)
    assert again(x).tolist() == model(x).tolist()


@pytest.mark.parametrize(
    ("later", "counts"),
    [
        ([0.0, 4.0], [1, 0, 0, 0, 2, 0, 0, 1]),  # 1.4 keeps the range 2..2
        ([1.0, 3.0, 5.0], [1, 0, 2, 0, 1, 0, 0, 1]),  # 1.4 ends with a negative size
    ],
)
def test_histogram_after_a_constant_first_batch(later, counts):
    observer = quantization.HistogramObserver(bins=8)
    observer(refquant.tensor([2.0, 2.0]))
    observer(refquant.tensor(later))
    assert observer.histogram.tolist() == counts
    assert (observer.min_val.item(), observer.max_val.item()) == (later[0], later[-1])


def test_histogram_hands_the_gradient_on():
    x = floats(3, 4)
    x.requires_grad = True
    quantization.HistogramObserver()(x).sum().backward()
    assert x.grad.tolist() == [[1.0] * 4] * 3


def test_conversion_of_a_convolution_over_three_dimensions_with_relu():
    pair = nn.Sequential(quantization.QuantStub(), nn.Conv3d(2, 3, 2), nn.ReLU())
    model = quantization.fuse_modules(pair.eval(), [["1", "2"]])
    model.qconfig = quantization.default_qconfig
    model = quantization.prepare(model)
    model(floats(2, 2, 4, 4, 4))
    model = quantization.convert(model)
    assert type(model[1]) is nn.intrinsic.quantized.ConvReLU3d
    assert model(floats(2, 2, 4, 4, 4)).shape == (2, 3, 3, 3, 3)


def test_recipes_given_to_prepare():
    recipe = quantization.default_qconfig
    model = quantization.prepare(nn.Sequential(nn.Linear(3, 4), nn.ReLU()), {"0": recipe})
    assert hasattr(model[0], "activation_post_process")
    assert not hasattr(model[1], "activation_post_process")


def test_dequantization_is_not_observed():
    model = net().eval()
    model.qconfig = quantization.default_qconfig
    model = quantization.prepare(quantization.fuse_modules(model, FUSE))
    assert hasattr(model.quant, "activation_post_process")
    assert not hasattr(model.dequant, "activation_post_process")


def test_nothing_observes_after_conversion():
    model = nn.Sequential(nn.Linear(3, 4))
    model.qconfig = quantization.default_qconfig
    model = quantization.prepare(model)
    model(floats(2, 3))
    model = quantization.convert(model, mapping={nn.ReLU: nn.quantized.ReLU})
    assert type(model[0]) is nn.Linear  # the mapping leaves it; 1.4 keeps its observer too
    assert [name for name, _ in model.named_modules()] == ["", "0"]
    assert not any(hasattr(module, "qconfig") for module in model.modules())


def test_bias_of_a_convolution_fused_in_training():
    conv, norm = nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3)
    conv.bias.array[:] = [1.0, 2.0, 3.0]
    model = nn.Sequential(conv, norm, nn.ReLU()).train()
    fused = quantization.fuse_modules(model, [["0", "1", "2"]])
    fused.qconfig = quantization.default_qat_qconfig
    trained = quantization.prepare_qat(fused)
    # Batch statistics cancel a bias; those that are kept must lack it too.
    assert trained[0].running_mean.tolist() == [-1.0, -2.0, -3.0]


def test_state_of_a_dynamic_lstm():
    model = quantization.quantize_dynamic(nn.Sequential(nn.LSTM(3, 4)))
    state = model.state_dict()
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    assert {f"0.{name}" for name in names} <= set(state)
    other = quantization.quantize_dynamic(nn.Sequential(nn.LSTM(3, 4)))
    x = floats(5, 2, 3)
    assert other(x)[0].tolist() != model(x)[0].tolist()
    other.load_state_dict(state)
    assert other(x)[0].tolist() == model(x)[0].tolist()


def test_observers_of_the_weights_of_an_lstm():
    lstm = nn.LSTM(3, 4)
    lstm.weight_ih_l0.array[:] = np.linspace(-8, 8, 48, dtype=np.float32).reshape(16, 3)
    lstm.weight_hh_l0.array[:] = np.linspace(-1, 1, 64, dtype=np.float32).reshape(16, 4)
    state = quantization.quantize_dynamic(nn.Sequential(lstm)).state_dict()
    scales = [state[f"0.weight_{kind}_l0"].q_scale() for kind in ("ih", "hh")]
    assert scales == [np.float32(8 / 127.5), np.float32(1 / 127.5)]  # 1.4 gives both the first


def test_convolution_in_groups():
    q = refquant.quantize_per_tensor(floats(1, 16, 5, 5), 0.05, 100, refquant.quint8)
    w = refquant.quantize_per_tensor(floats(16, 8, 3, 3, seed=1), 0.03, 0, refquant.qint8)
    both = F.conv2d(q, w, None, padding=1, groups=2, scale=0.5, zero_point=90)
    for i in range(2):
        part = slice(8 * i, 8 * i + 8)
        half = F.conv2d(q[:, part], w[part], None, padding=1, scale=0.5, zero_point=90)
        assert both[:, part].int_repr().tolist() == half.int_repr().tolist()


def test_interpolation_to_the_same_size():
    q = refquant.quantize_per_tensor(floats(2, 9, 3, 4), 0.05, 100, refquant.quint8)
    q = q.contiguous(memory_format=refquant.channels_last)
    same = F.interpolate(q, size=(3, 4), mode="nearest")
    assert same.int_repr().tolist() == q.int_repr().tolist()


def test_fake_quantization_to_few_bits():
    x = refquant.tensor(np.linspace(-1, 1, 15, dtype=np.float32))
    module = quantization.FakeQuantize(
        observer=quantization.MinMaxObserver, quant_min=-8, quant_max=7,
        dtype=refquant.qint8, qscheme=refquant.per_tensor_symmetric,
    )  # fmt: skip
    y = module(x)
    # 1.4 chooses a scale of 1 / 127.5 for these 16 integers, and cuts at 8 / 127.5.
    assert module.scale.item() == np.float32(1 / 7.5)
    assert np.abs(y.numpy() - x.numpy()).max() < 0.07


def test_fake_quantization_of_infinity():
    module = quantization.FakeQuantize(quant_min=0, quant_max=255, reduce_range=False)
    module(refquant.tensor([0.0, 255.0]))
    module.disable_observer()
    assert module(refquant.tensor([np.inf, -np.inf])).tolist() == [255.0, 0.0]


def test_arguments_of_the_calibrating_function():
    model = nn.Sequential(quantization.QuantStub(), nn.Linear(3, 4))
    model.qconfig = quantization.default_qconfig
    calls = []

    def run(prepared, data, times):
        calls.append((data, times))
        prepared(data)

    x = floats(2, 3)
    quantization.quantize(model, run, (x, 7))
    assert calls == [(x, 7)]


@pytest.mark.parametrize("number", [np.nan, np.inf, 1e19, 1e30])
def test_numbers_that_cannot_be_added(number):
    q = refquant.quantize_per_tensor(refquant.tensor([1.0]), 0.1, 0, refquant.quint8)
    with pytest.raises(ArgumentError, match=r"at most 2\*\*31 steps"):
        ops.add_scalar(q, number)


def test_square_roots_of_one_processor():
    # The first is one that MKL rounds down and the nearest float32 lies above.
    x = np.array([0x3F801650, 0x3F800000, 0x40000000, 0x40490FDB], np.uint32).view(np.float32)
    assert refquant.sqrt(refquant.from_numpy(x)).numpy().view(np.uint32).tolist() == [
        0x3F800B27, 0x3F800000, 0x3FB504F3, 0x3FE2DFC5,
    ]  # fmt: skip


@pytest.mark.parametrize("engine", ["fbgemm-1.4", "qnnpack-1.4"])
def test_memory_formats_are_those_of_2_13(engine):
    x = refquant.quantize_per_tensor(floats(2, 3, 6, 8), 0.1, 5, refquant.quint8)
    last = x.contiguous(memory_format=refquant.channels_last)
    with refquant.engines.using(engine):
        for image in (x, last):
            results = (
                ops.mul(image, image, 0.1, 5),
                ops.mul_scalar(image, -2.0),
                ops.add(image, image, 0.1, 5),
                refquant.relu(image),
            )
            assert {result.stride() for result in results} == {image.stride()}
        assert F.avg_pool2d(x, 2).stride() == (36, 12, 4, 1)
        assert F.avg_pool2d(last, 2).stride() == (36, 1, 12, 3)
