"""The programs of the page *Save and load*: one process saves, another loads the same bits."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import refquant
from refquant.errors import NoDataWarning

FOLDER = Path(__file__).parents[2] / "docs" / "start" / "saving"

if not FOLDER.exists():
    pytest.skip("the tests are not in a source tree", allow_module_level=True)


def run(program, *arguments):
    """Run a program in a subprocess; return its lines, the first word of each as the key."""
    # A program imports modules beside it, unless the safe path forbids it.
    unset = ("PYTHONWARNINGS", "PYTHONSAFEPATH")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-B", str(FOLDER / program), *map(str, arguments)],
        env={name: value for name, value in os.environ.items() if name not in unset},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())


def test_another_process_computes_the_same_bits(tmp_path):
    saved = run("save.py", tmp_path)
    assert list(saved) == ["float", "calibrated", "trained", "converted"]
    # A list shows every bit of its numbers.
    assert run("load.py", tmp_path) == saved
    assert len(set(saved.values())) == 4


# -- from PyTorch ----------------------------------------------------------------------------------


def of_pytorch(test):
    """Mark a test of models of PyTorch, which warns of its own deprecations."""
    for mark in (
        pytest.mark.torch,
        pytest.mark.usefixtures("engine_of_both"),
        pytest.mark.filterwarnings("ignore:torch.ao.quantization is deprecated:DeprecationWarning"),
        pytest.mark.filterwarnings("ignore:.*are deprecated and will be removed:UserWarning"),
    ):
        test = mark(test)
    return test


def network(nn, quantization, functional):
    """Build the same network in PyTorch and here."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.quant, self.dequant = quantization.QuantStub(), quantization.DeQuantStub()
            self.conv, self.norm, self.relu = nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU()
            self.other, self.add = nn.Conv2d(8, 8, 1, bias=False), functional()
            self.fc, self.relu2, self.last = nn.Linear(8 * 36, 6), nn.ReLU(), nn.Linear(6, 4)

        def forward(self, x):
            x = self.relu(self.norm(self.conv(self.quant(x))))
            x = self.add.add(x, self.other(x)).reshape(x.shape[0], -1)
            return self.dequant(self.last(self.relu2(self.fc(x))))

    return quantization.fuse_modules(Net().eval(), [["conv", "norm", "relu"], ["fc", "relu2"]])


@of_pytorch
@pytest.mark.parametrize("recipe", ["default_qconfig", "default_per_channel_qconfig"])
def test_a_converted_model_of_pytorch_comes_over(torch, recipe):
    theirs = torch.ao.quantization
    torch.manual_seed(0)
    model = network(torch.nn, theirs, torch.ao.nn.quantized.FloatFunctional)
    model.qconfig = getattr(theirs, recipe)
    model = theirs.prepare(model)
    x = torch.randn(4, 1, 8, 8)
    model(x)
    model = theirs.convert(model)

    nn, ours = refquant.nn, refquant.quantization
    other = network(nn, ours, nn.quantized.FloatFunctional)
    other.qconfig = ours.default_qconfig
    with pytest.warns(NoDataWarning):
        other = ours.convert(ours.prepare(other))
    assert other.load_state_dict(refquant.from_torch(model.state_dict())) == ([], [])
    found = other(refquant.as_tensor(x.numpy())).numpy()
    assert np.array_equal(found, model(x).numpy())


@of_pytorch
def test_a_float_model_of_pytorch_comes_over(torch):
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3))
    nn = refquant.nn
    other = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    assert other.load_state_dict(refquant.from_torch(model.state_dict())) == ([], [])
    assert np.array_equal(other[0].weight.detach().numpy(), model[0].weight.detach().numpy())


@of_pytorch
def test_a_dynamic_layer_of_pytorch_comes_over(torch):
    model = torch.ao.quantization.quantize_dynamic(torch.nn.Sequential(torch.nn.Linear(4, 3)))
    nn = refquant.nn
    other = refquant.quantization.quantize_dynamic(nn.Sequential(nn.Linear(4, 3)))
    assert other.load_state_dict(refquant.from_torch(model.state_dict())) == ([], [])
    x = torch.randn(5, 4)
    found = other(refquant.as_tensor(x.numpy())).numpy()
    assert np.array_equal(found, model(x).detach().numpy())
