"""Models are trained, calibrated, converted and saved alike in every floating-point environment."""

import copy
import pickle

import numpy as np
import pytest
from parity.environments import FLIPPED, flipped, needs_registers, registers
from processes import output

import refquant
from refquant import nn, quantization
from refquant._environment import in_usual_environment

pytestmark = needs_registers


def operands():
    values = np.random.RandomState(3).randint(-999, 999, (4, 2, 5, 5)) / np.float32(300)
    return refquant.from_numpy(values.astype(np.float32))


def network():
    refquant.manual_seed(5)
    layers = nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(27, 4)
    model = nn.Sequential(quantization.QuantStub(), *layers, quantization.DeQuantStub())
    model[2].running_var.fill_(0.7)
    return model


def by_calibration(model, x):
    model.eval().qconfig = quantization.get_default_qconfig("fbgemm")
    quantization.fuse_modules(model, [["1", "2", "3"]], inplace=True)
    quantization.prepare(model, inplace=True)
    model(x)
    quantization.convert(model, inplace=True)
    return model


def by_training(model, x):
    model.train().qconfig = quantization.get_default_qat_qconfig("fbgemm")
    quantization.fuse_modules_qat(model, [["1", "2", "3"]], inplace=True)
    quantization.prepare_qat(model, inplace=True)
    model(x)
    return quantization.convert(model.eval())


def dynamically(model, x):
    return quantization.quantize_dynamic(model[5:6], {nn.Linear})


def saved(model, path):
    refquant.save(model.state_dict(), path)
    return path.read_bytes(), refquant.load(path)


@pytest.mark.parametrize("quantized", [by_calibration, by_training, dynamically])
@pytest.mark.parametrize("name", FLIPPED)
def test_models_have_the_same_bits(quantized, name, tmp_path):
    x, model = operands(), network()
    other = copy.deepcopy(model)
    wanted, _ = saved(quantized(model, x), tmp_path / "wanted.pt")
    with flipped(name):
        got, loaded = saved(quantized(other, x), tmp_path / "got.pt")
    assert got == wanted
    refquant.save(loaded, tmp_path / "again.pt")
    assert (tmp_path / "again.pt").read_bytes() == wanted


@pytest.mark.parametrize("name", FLIPPED)
def test_methods_that_compute_have_the_same_bits_when_they_are_called_themselves(name):
    class Thirds(quantization.MinMaxObserver):
        def forward(self, x):
            super().forward(x)
            self.third = float(self.max_val) / 3
            return x

    x = operands()

    def observed():
        observer = Thirds()
        observer.forward(x)
        scale, zero_point = observer.calculate_qparams()
        return observer.third, scale.item(), zero_point.item()

    wanted = observed()
    with flipped(name):
        got = observed()
    assert got == wanted


def third(x):
    return x / 3


@pytest.mark.parametrize("name", FLIPPED)
def test_an_environment_is_restored_also_by_an_error(name):
    function = in_usual_environment(third)
    with flipped(name):
        results = function(1.0), in_usual_environment(lambda: function(1.0))()
        with pytest.raises(TypeError):
            function("1")
        after = registers()
    assert results == (1 / 3, 1 / 3)
    assert after == FLIPPED[name]


def test_what_runs_in_the_usual_environment_is_like_its_function():
    hardtanh, add = refquant.nn.quantized.functional.hardtanh, refquant.ops.quantized.add
    for function in (hardtanh, add):
        assert pickle.loads(pickle.dumps(function)) is function
        assert copy.deepcopy(function) is function
        assert function.__wrapped__.__code__ is function.__code__
        assert function.__doc__.startswith(("Add", "Clamp"))
    assert in_usual_environment(add) is add


def test_trapped_exceptions_do_not_end_the_process():
    code = """
import ctypes, numpy as np, refquant
from refquant import nn, quantization
libm, e = ctypes.CDLL('libm.so.6'), (ctypes.c_uint32 * 8)()
x = refquant.from_numpy(np.array([[1.0, -3.3, 3e38, 1e-45]], np.float32))
model = nn.Sequential(quantization.QuantStub(), nn.Linear(4, 3), quantization.DeQuantStub())
model.qconfig = quantization.get_default_qconfig('fbgemm')
quantization.prepare(model, inplace=True)
libm.fegetenv(e)
usual, e[7] = e[7], 0
libm.fesetenv(e)
q = refquant.quantize_per_tensor(x, 0.1, 3, refquant.quint8)
for engine in ('qnnpack', 'fbgemm'):
    with refquant.engines.using(engine):
        refquant.sigmoid(q), refquant.ops.quantized.add(q, q, 0.3, 1), q.dequantize()
model(x)
quantization.convert(model, inplace=True)
model(x)
e[7] = usual
libm.fesetenv(e)
print(q.int_repr().tolist())
"""
    assert output(code) == ["[[13, 0, 255, 3]]"]
