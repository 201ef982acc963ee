"""Reference modules: what quantized modules mean, in float; their state; errors."""

import io

import numpy as np
import pytest
from workflow.models import floats

import refquant
from refquant import nn, quantization
from refquant.errors import (
    ArgumentError,
    ArgumentTypeError,
    NotSupportedError,
    QuantizationParameterError,
    StateError,
)
from refquant.nn.quantized import reference

STEPS = {
    "qscheme": refquant.per_tensor_affine,
    "dtype": refquant.qint8,
    "scale": 2.0**-5,
    "zero_point": 0,
}
LAYERS = {
    "Linear": ((5, 4), (3, 5)),
    "Conv1d": ((3, 4, 3), (2, 3, 8)),
    "Conv2d": ((3, 4, 3), (2, 3, 8, 7)),
    "Conv3d": ((2, 3, 2), (1, 2, 4, 5, 4)),
    "ConvTranspose1d": ((3, 4, 3), (2, 3, 8)),
    "ConvTranspose2d": ((3, 4, 3), (2, 3, 8, 7)),
    "ConvTranspose3d": ((2, 3, 2), (1, 2, 4, 5, 4)),
}


def prepared(layer, recipe, x, apart):
    """Prepare and calibrate a layer between stubs; `apart` puts stubs around it, too."""
    stubs = [quantization.DeQuantStub(), layer, quantization.QuantStub()] if apart else [layer]
    model = nn.Sequential(quantization.QuantStub(), *stubs, quantization.DeQuantStub()).eval()
    model.qconfig = recipe
    model = quantization.prepare(model)
    model(x)
    return model


@pytest.mark.parametrize("engine", ["fbgemm"], indirect=True)
@pytest.mark.parametrize("name", LAYERS)
def test_a_quantized_layer_computes_what_its_reference_says(name, engine):
    arguments, shape = LAYERS[name]
    layer, x = getattr(nn, name)(*arguments), floats(*shape)
    recipe = quantization.default_qconfig
    quantized = quantization.convert(prepared(layer, recipe, x, apart=False))
    meant = quantization.convert(prepared(layer, recipe, x, apart=True), is_reference=True)
    assert type(quantized[1]) is getattr(nn.quantized, name)
    assert type(meant[2]) is getattr(reference, name)
    step = quantized[1].scale
    assert meant[3].scale == pytest.approx(step)
    # Float sums may lie on the other side of a tie: one step, which hardly ever happens.
    apart = np.abs(quantized(x).numpy() - meant(x).numpy()) / step
    assert apart.max() <= 1.001
    assert (apart > 0.5).mean() <= 0.01


def test_weights_are_kept_and_rounded_when_they_are_used():
    layer = nn.Linear(2, 1)
    nn.init.constant_(layer.weight, 0.3)
    made = reference.Linear.from_float(layer, {**STEPS, "scale": 0.25})
    assert made.weight.tolist() == layer.weight.tolist()
    assert made.get_weight().tolist() == [[0.25, 0.25]]
    assert made.get_quantized_weight().int_repr().tolist() == [[1, 1]]
    nn.init.constant_(layer.weight, 0.6)  # they share it
    assert made.get_weight().tolist() == [[0.5, 0.5]]
    assert repr(made) == "QuantizedLinear(Reference)(in_features=2, out_features=1, bias=True)"
    made(refquant.ones(3, 2)).sum().backward()
    assert made.bias.grad.tolist() == [3.0]


@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_recurrent_layers_are_float_ones_with_rounded_weights(name):
    layer = getattr(nn, name)(3, 4, 2, bidirectional=True)
    weights = [n for n, _ in layer.named_parameters() if n.startswith("weight")]
    made = getattr(reference, name).from_float(layer, dict.fromkeys(weights, STEPS))
    rounded = getattr(nn, name)(3, 4, 2, bidirectional=True)
    for target, value in zip(rounded._flat_weights, made.get_flat_weights(), strict=True):
        target.array[...] = value.array
    x = floats(5, 2, 3)
    assert refquant.equal(made(x)[0], rounded(x)[0])
    assert not refquant.equal(made(x)[0], layer(x)[0])
    codes = made.get_quantized_weight_bias_dict()
    assert list(codes) == layer._flat_weights_names
    assert all(value.is_quantized == name.startswith("weight") for name, value in codes.items())


def test_fused_pairs_stay_float_in_a_reference_model():
    pair = nn.intrinsic.LinearReLU(nn.Linear(2, 2), nn.ReLU())
    model = nn.Sequential(quantization.QuantStub(), quantization.DeQuantStub(), pair).eval()
    model.qconfig = quantization.default_qconfig
    model = quantization.prepare(model)
    model(floats(3, 2))
    assert type(quantization.convert(model, is_reference=True)[2][0]) is nn.Linear


@pytest.mark.parametrize(
    "parameters",
    [
        STEPS,
        {"qscheme": None, "dtype": refquant.float16},
        {
            "qscheme": refquant.per_channel_affine,
            "dtype": refquant.quint8,
            "scale": refquant.tensor([0.5, 0.25]),
            "zero_point": refquant.tensor([3, 100]),
            "axis": 0,
        },
    ],
    ids=["per tensor", "none", "per channel"],
)
def test_a_state_brings_its_quantizer(parameters):
    source = reference.Linear.from_float(nn.Linear(3, 2), parameters)
    state, file = source.state_dict(), io.BytesIO()
    refquant.save(state, file)
    file.seek(0)
    target = reference.Linear(3, 2)
    target.load_state_dict(refquant.load(file))
    assert target.weight_qscheme is parameters["qscheme"]
    assert target.weight_dtype is parameters["dtype"]
    assert refquant.equal(target.get_weight(), source.get_weight())
    assert list(target.state_dict()) == list(state)


def test_a_state_that_does_not_fit_changes_nothing():
    source = reference.Linear.from_float(nn.Linear(3, 2), STEPS)
    target = reference.Linear(3, 2)
    before = target.get_weight()
    for name, value in (
        ("weight_scale", refquant.tensor(-1.0)),
        ("weight_scale", "small"),
        ("weight_qscheme", refquant.per_channel_symmetric),
        ("weight_dtype", "qint8"),
        ("weight_zero_point", refquant.tensor(300, dtype=refquant.int32)),
    ):
        with pytest.raises(StateError):
            target.load_state_dict({**source.state_dict(), name: value})
        assert target.weight_dtype is refquant.quint8
        assert refquant.equal(target.get_weight(), before)
    with pytest.raises(StateError, match="weight_qscheme"):
        target.load_state_dict(nn.Linear(3, 2).state_dict())


@pytest.mark.parametrize(
    ("changed", "error", "text"),
    [
        ({"qscheme": refquant.per_tensor_symmetric}, ArgumentError, "qscheme"),
        ({"qscheme": "affine"}, ArgumentError, "qscheme"),
        ({"dtype": "qint8"}, ArgumentTypeError, "dtype"),
        ({"dtype": refquant.quint2x4}, ArgumentError, "quint2x4"),
        ({"is_decomposed": True}, NotSupportedError, "graph mode"),
        ({"qscheme": refquant.per_channel_affine}, ArgumentError, "axis"),
        ({"scale": -1.0}, QuantizationParameterError, "scale"),
    ],
)
def test_errors_name_the_parameter_of_the_weight(changed, error, text):
    with pytest.raises(error, match=text):
        reference.Linear(2, 2, weight_qparams={**STEPS, **changed})


def test_errors_of_recurrent_modules_name_the_weights():
    with pytest.raises(ArgumentError, match="weight_hh"):
        reference.LSTMCell(2, 2, weight_qparams_dict={"weight_ih": STEPS})
    with pytest.raises(ArgumentTypeError, match="weight_qparams_dict"):
        reference.GRU(2, 2, weight_qparams_dict=[STEPS])
    floating = {**STEPS, "qscheme": refquant.per_channel_affine_float_qparams}
    with pytest.raises(ArgumentError, match="qscheme"):
        reference.GRUCell(2, 2, weight_qparams_dict={"weight_ih": floating, "weight_hh": STEPS})
    with pytest.raises(ArgumentTypeError, match="a Linear"):
        reference.Linear.from_float(nn.ReLU(), STEPS)


def test_dynamic_training_wants_an_observer_that_forgets():
    with pytest.raises(ArgumentError, match="averaging_constant=1"):
        nn.qat.dynamic.Linear(2, 2, qconfig=quantization.default_qat_qconfig)
    trained = nn.qat.dynamic.Linear(2, 2, qconfig=quantization.default_dynamic_qat_qconfig)
    done = nn.quantized.dynamic.Linear.from_float(trained)
    x = floats(4, 2)
    assert refquant.equal(done(x), nn.quantized.dynamic.Linear.from_float(trained.to_float())(x))


def test_fused_pairs_are_quantized_dynamically():
    pair = nn.intrinsic.LinearReLU(nn.Linear(3, 2), nn.ReLU())
    recipe = {nn.intrinsic.LinearReLU: quantization.default_dynamic_qconfig}
    done = quantization.quantize_dynamic(nn.Sequential(pair), recipe)[0]
    assert type(done) is nn.intrinsic.quantized.dynamic.LinearReLU
    plain = quantization.quantize_dynamic(nn.Sequential(pair[0]), {nn.Linear})[0]
    x = floats(5, 3)
    assert refquant.equal(done(x), refquant.relu(plain(x)))


@pytest.mark.parametrize("release", ["fbgemm", "fbgemm-1.4"])
@pytest.mark.parametrize("name", ["ConvBnReLU2d", "ConvBn2d", "ConvReLU2d", "LinearReLU"])
def test_trained_modules_become_float_again(name, release):
    arguments, shape = ((3, 2), (4, 3)) if "Linear" in name else ((3, 2, 3), (2, 3, 5, 4))
    with refquant.engines.using(release):
        recipe = quantization.default_qat_qconfig
        module = getattr(nn.intrinsic.qat, name)(*arguments, qconfig=recipe)
        module.apply(quantization.disable_fake_quant).eval()
        made = module.to_float()
        x = floats(*shape)
        ours, theirs = made(x).detach().numpy(), module(x).detach().numpy()
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    assert not made.training
    relu = name.replace("Bn", "") if "ReLU" in name else "Conv2d"
    assert type(made).__name__ == relu


def test_only_reference_modules_become_quantized_by_from_reference():
    for kind, given, more in (
        (nn.quantized.Linear, nn.Linear(2, 2), (0.5, 0)),
        (nn.quantized.Conv2d, reference.Linear(2, 2), (0.5, 0)),
        (nn.quantized.Linear, reference.LSTM(2, 2), (0.5, 0)),
        (nn.quantized.Embedding, nn.Embedding(2, 2), ()),
        (nn.quantized.dynamic.Linear, nn.Linear(2, 2), ()),
        (nn.quantized.dynamic.LSTM, reference.LSTMCell(2, 2), ()),
        (nn.quantized.dynamic.GRUCell, nn.GRUCell(2, 2), ()),
    ):
        with pytest.raises(ArgumentError, match=r"refquant\.nn\.quantized\.reference"):
            kind.from_reference(given, *more)


def test_quantized_layers_take_the_weights_of_reference_modules():
    layer = nn.Linear(3, 2)
    meant = reference.Linear.from_float(layer, STEPS)
    made = nn.quantized.Linear.from_reference(meant, 0.25, 7)
    assert refquant.equal(made.weight().dequantize(), meant.get_weight())
    assert (made.scale, made.zero_point) == (0.25, 7)
    with pytest.raises(QuantizationParameterError, match="scale"):
        nn.quantized.Linear.from_reference(meant, -1.0, 7)
    pair = nn.intrinsic.LinearLeakyReLU(layer, nn.LeakyReLU(0.25))
    pair[0] = meant
    with refquant.engines.using("onednn"):
        leaky = nn.intrinsic.quantized.LinearLeakyReLU.from_reference(pair, 0.25, 7)
        assert leaky.negative_slope == 0.25
        with pytest.raises(ArgumentError, match="LinearLeakyReLU"):
            nn.intrinsic.quantized.LinearLeakyReLU.from_reference(meant, 0.25, 7)


@pytest.mark.parametrize("name", ["Linear", "LSTM", "GRUCell"])
def test_weights_of_float16_become_those_of_dynamic_layers(name):
    layer = getattr(nn, name)(3, 2)
    weights = [n for n, _ in layer.named_parameters() if n.startswith("weight")]
    half = {"qscheme": None, "dtype": refquant.float16}
    given = half if name == "Linear" else dict.fromkeys(weights, half)
    made = getattr(nn.quantized.dynamic, name).from_reference(
        getattr(reference, name).from_float(layer, given)
    )
    layer.qconfig = quantization.float16_dynamic_qconfig
    right = getattr(nn.quantized.dynamic, name).from_float(layer)
    x = floats(4, 1, 3) if name == "LSTM" else floats(4, 3)
    results = [m(x)[0] if name == "LSTM" else m(x) for m in (made, right)]
    assert refquant.equal(*results)
