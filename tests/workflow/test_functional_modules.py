"""Functional modules, and the borders of the quantized part: forms, state, from_float."""

import copy

import pytest

import refquant
from refquant import nn
from refquant.quantization import MinMaxObserver, PerChannelMinMaxObserver


def seen(*values, **keywords):
    observer = MinMaxObserver(**keywords)
    observer(refquant.tensor(list(values)))
    return observer


def test_float_functional_shows_results_of_tensors_alone():
    f = nn.quantized.FloatFunctional()
    shown = []
    f.activation_post_process.register_forward_hook(lambda m, i, o: shown.append(o.tolist()))
    x, y = refquant.tensor([1.0]), refquant.tensor([-3.0])
    results = [
        f.add(x, y),
        f.mul(x, y),
        f.cat([x, y]),
        f.add_relu(x, y),
        f.add_scalar(x, 2.0),
        f.mul_scalar(x, 2.0),
    ]
    assert [r.tolist() for r in results] == [[-2.0], [-3.0], [1.0, -3.0], [0.0], [3.0], [2.0]]
    assert shown == [[-2.0], [-3.0], [1.0, -3.0], [0.0]]
    assert [name for name, _ in f.named_modules()] == ["", "activation_post_process"]


def test_qfunctional_from_float_takes_what_the_observer_chose():
    f = nn.quantized.FloatFunctional()
    f.activation_post_process = seen(-1.0, 3.0)
    q = nn.quantized.QFunctional.from_float(f)
    scale, zero_point = f.activation_post_process.calculate_qparams()[:2]
    assert (q.scale, q.zero_point) == (float(scale), int(zero_point))
    assert type(q.scale) is float
    assert type(q.zero_point) is int
    assert list(q.children()) == []


def test_qfunctional_keeps_its_parameters_in_the_state():
    q = nn.quantized.QFunctional()
    q.scale, q.zero_point = 0.25, 7
    state = q.state_dict()
    assert list(state) == ["scale", "zero_point"]
    assert (state["scale"].dtype, state["scale"].dim()) == (refquant.float32, 0)
    assert (state["zero_point"].dtype, state["zero_point"].dim()) == (refquant.int64, 0)
    other = nn.quantized.QFunctional()
    other.load_state_dict(state)
    assert (other.scale, other.zero_point) == (0.25, 7)
    assert repr(other) == "QFunctional(scale=0.25, zero_point=7)"
    with pytest.raises(RuntimeError, match="one number"):
        other.load_state_dict({"scale": refquant.tensor([1.0, 2.0]), "zero_point": 3})
    assert (other.scale, other.zero_point) == (0.25, 7)


def test_quantize_keeps_float32_and_shape_one():
    m = nn.quantized.Quantize(0.1, 3, refquant.quint8)
    state = m.state_dict()
    assert list(state) == ["scale", "zero_point"]
    assert (tuple(state["scale"].shape), state["scale"].dtype) == ((1,), refquant.float32)
    assert (tuple(state["zero_point"].shape), state["zero_point"].dtype) == ((1,), refquant.int64)
    assert m(refquant.tensor([1.0])).q_scale() == 0.10000000149011612


def test_quantize_from_float_takes_dtype_too():
    stub = nn.Identity()
    stub.activation_post_process = seen(-1.0, 3.0, dtype=refquant.qint8)
    m = nn.quantized.Quantize.from_float(stub)
    assert m.dtype is refquant.qint8
    assert m(refquant.tensor([3.0])).int_repr().tolist() == [127]


def test_activations_with_channels_are_rejected():
    f = nn.quantized.FloatFunctional()
    f.activation_post_process = PerChannelMinMaxObserver()
    f.activation_post_process(refquant.tensor([[1.0], [2.0]]))
    with pytest.raises(RuntimeError, match="one scale"):
        nn.quantized.QFunctional.from_float(f)


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        (nn.quantized.ReLU, [3, 5, 12]),
        (nn.quantized.ReLU6, [3, 5, 9]),
    ],
)
def test_activations(kind, wanted):
    x = refquant.quantize_per_tensor(refquant.tensor([-1.0, 2.0, 9.0]), 1.0, 3, refquant.quint8)
    assert kind()(x).int_repr().tolist() == wanted
    assert x.int_repr().tolist() == [2, 5, 12]
    assert kind(inplace=True)(x) is x
    assert x.int_repr().tolist() == wanted
    assert repr(kind()) == f"Quantized{kind.__name__}()"
    floating = getattr(nn, kind.__name__)
    assert kind.from_float(floating(inplace=True)).inplace
    assert isinstance(kind(), floating)


def test_dequantize_from_float_needs_nothing():
    m = nn.quantized.DeQuantize.from_float(nn.Identity())
    assert repr(m) == "DeQuantize()"
    assert list(m.state_dict()) == []


def test_elu_takes_what_the_observer_chose_and_keeps_it():
    observed = nn.ELU(0.5)
    observed.activation_post_process = seen(-0.5, 3.0)
    module = nn.quantized.ELU.from_float(observed)
    scale, zero_point = observed.activation_post_process.calculate_qparams()[:2]
    assert (module.scale, module.zero_point) == (float(scale), int(zero_point))
    x = refquant.quantize_per_tensor(refquant.randn(5, 70), 0.1, 40, refquant.quint8)
    y = module(x)
    wanted = nn.quantized.functional.elu(x, float(scale), int(zero_point), 0.5)
    assert y.int_repr().tolist() == wanted.int_repr().tolist()
    other = nn.quantized.ELU(1.0, 0, 0.5)
    other.load_state_dict(module.state_dict())
    for same in (other, copy.deepcopy(module)):
        assert same(x).int_repr().tolist() == y.int_repr().tolist()
    assert repr(nn.quantized.ELU(0.25, 3)) == "QuantizedELU(alpha=1.0, scale=0.25, zero_point=3)"


def test_leaky_relu_takes_what_the_observer_chose_and_keeps_it():
    observed = nn.LeakyReLU(0.25)
    observed.activation_post_process = seen(-0.5, 3.0)
    module = nn.quantized.LeakyReLU.from_float(observed)
    x = refquant.quantize_per_tensor(refquant.randn(5, 70), 0.1, 40, refquant.quint8)
    quantizer = (module.scale, module.zero_point)
    wanted = nn.quantized.functional.leaky_relu(x, 0.25, False, *quantizer)
    other = nn.quantized.LeakyReLU(1.0, 0, 0.25)
    other.load_state_dict(module.state_dict())
    for same in (module, other, copy.deepcopy(module)):
        assert refquant.equal(same(x), wanted)
    shown = "QuantizedLeakyReLU(negative_slope=0.01, scale=0.25, zero_point=3)"
    assert repr(nn.quantized.LeakyReLU(0.25, 3)) == shown
