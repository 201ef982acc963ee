"""Dynamic convolutions, and borders that are not of zeros, as modules."""

import numpy as np
import pytest

import refquant
from refquant import nn
from refquant import quantization as Q
from refquant.errors import ArgumentError, EngineError, NotSupportedError

KINDS = ("Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d")
MAPPING = {getattr(nn, kind): getattr(nn.quantized.dynamic, kind) for kind in KINDS}
quiet = pytest.mark.filterwarnings("ignore:.*cut to the range:UserWarning")


def float_layer(kind, **more):
    refquant.manual_seed(1)
    return getattr(nn, kind)(4, 6, 3, stride=2, padding=1, groups=2, **more)


def inputs(kind):
    return refquant.randn(2, 4, *(5,) * int(kind[-2]))


@quiet
@pytest.mark.parametrize("kind", KINDS)
def test_dynamic_convolutions_are_made_without_data(kind):
    model = nn.Sequential(float_layer(kind))
    made = Q.quantize_dynamic(model, {type(model[0])}, mapping=MAPPING)
    assert type(made[0]) is MAPPING[type(model[0])]
    assert f"DynamicQuantized{kind}" in repr(made)
    x = inputs(kind)
    got, wanted = made(x), model(x).clamp(x.min().item(), x.max().item())
    assert got.shape == wanted.shape
    assert not got.is_quantized
    assert (got - wanted).abs().max().item() < 0.1
    again = MAPPING[type(model[0])](4, 6, 3, stride=2, padding=1, groups=2)
    again.load_state_dict(made[0].state_dict())
    assert again(x).tolist() == got.tolist()


@quiet
def test_reduce_range_is_the_default_of_dynamic_convolutions():
    layer = nn.quantized.dynamic.Conv2d(1, 1, 1, bias=False)
    w = refquant.quantize_per_tensor(refquant.ones(1, 1, 1, 1), 1.0, 0, refquant.qint8)
    layer.set_weight_bias(w, None)
    x = refquant.tensor([[[[0.0, 1.0, 127.0]]]])
    assert layer(x).ravel().tolist() == [0.0, 1.0, 127.0]
    assert layer(x, reduce_range=False).ravel().tolist() != [0.0, 1.0, 127.0]
    with refquant.engines.using("qnnpack"):  # which has no such range, and is not told to
        layer.set_weight_bias(w, None)
        assert layer(x).shape == x.shape


def test_dynamic_convolutions_are_not_of_the_engines_of_1_4():
    with refquant.engines.using("qnnpack-1.4"):
        w = refquant.quantize_per_tensor(refquant.ones(1, 1, 1, 1), 1.0, 0, refquant.qint8)
        packed = refquant.ops.quantized.conv2d_prepack(w, None, 1, 0, 1, 1)
        with pytest.raises(EngineError, match="has no kernel for it"):
            refquant.ops.quantized.conv2d_dynamic(refquant.ones(1, 1, 1, 1), packed)


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_borders_of_float_convolutions(mode, dims):
    layer = getattr(nn, f"Conv{dims}d")(2, 3, 3, padding=1, padding_mode=mode)
    x = refquant.randn(1, 2, *(4,) * dims)
    border = nn.functional.pad(x, [1] * 2 * dims, mode)
    plain = getattr(nn.functional, f"conv{dims}d")(border, layer.weight, layer.bias)
    assert layer(x).tolist() == plain.tolist()
    assert f"padding_mode={mode}" in repr(layer)


@pytest.mark.parametrize("dims", [1, 2])
def test_a_mirrored_border_is_converted(dims):
    model = nn.Sequential(
        Q.QuantStub(),
        getattr(nn, f"Conv{dims}d")(2, 3, 3, padding=2, padding_mode="reflect"),
        Q.DeQuantStub(),
    ).eval()
    model.qconfig = Q.default_qconfig
    prepared = Q.prepare(model)
    x = refquant.randn(2, 2, *(6,) * dims)
    wanted = prepared(x)
    converted = Q.convert(prepared)
    got = converted(x)
    assert got.shape == wanted.shape
    assert (got - wanted).abs().max().item() < 0.1
    # The border mirrors the integers, and is not added again by the packed weight.
    layer, q = converted[1], refquant.quantize_per_tensor(x, 0.05, 128, refquant.quint8)
    mode = [(0, 0), (0, 0), *[(2, 2)] * dims]
    bordered = refquant.QuantizedTensor(
        np.pad(q.int_repr().numpy(), mode, mode="reflect"), refquant.quint8, 0.05, 128
    )
    run = getattr(nn.quantized.functional, f"conv{dims}d")
    again = run(
        bordered, layer.weight(), layer.bias(), scale=layer.scale, zero_point=layer.zero_point
    )
    assert layer(q).int_repr().tolist() == again.int_repr().tolist()


def test_borders_that_are_not_known_are_rejected():
    with pytest.raises(NotSupportedError, match="'zeros' or 'reflect'"):
        nn.quantized.Conv2d(1, 1, 3, padding=1, padding_mode="circular")
    with pytest.raises(NotSupportedError, match="'zeros', got 'reflect'"):
        nn.quantized.Conv3d(1, 1, 3, padding=1, padding_mode="reflect")
    with pytest.raises(NotSupportedError, match="'zeros', got 'reflect'"):
        nn.ConvTranspose2d(1, 1, 3, padding=1, padding_mode="reflect")


@quiet
def test_a_dynamic_convolution_takes_its_float_layer_alone():
    with pytest.raises(ArgumentError, match="exactly a Conv2d"):
        nn.quantized.dynamic.Conv2d.from_float(nn.Conv1d(1, 1, 1))
