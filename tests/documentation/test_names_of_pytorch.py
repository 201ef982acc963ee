"""Every public name of PyTorch's eager-mode quantization is here, described and compared."""

import importlib.util
import inspect
from pathlib import Path

import pytest
from cases.reached import reached

import refquant
from refquant.ops.quantized import withdrawn

DOCS = Path(__file__).parents[2] / "docs"
pytestmark = pytest.mark.skipif(not DOCS.exists(), reason="the tests are not in a source tree")


def loaded(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


listed = loaded("names_of_pytorch", Path(__file__).with_name("names_of_pytorch.py"))
places = loaded("places", DOCS / "_ext" / "places.py") if DOCS.exists() else None
NAMES = [name for names in listed.read().values() for name in names] if DOCS.exists() else []


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_here_and_described(name):
    path = places.place(name)
    assert path is not None
    found = places.resolve(path)
    if callable(found) and not inspect.isbuiltin(found):
        assert inspect.getdoc(found)


def test_the_registry_calls_every_operation():
    ours = {name.removeprefix("torch.") for name in listed.read()["torch.ops.quantized"]}
    raising = {f"ops.quantized.{name}" for name in withdrawn.__all__}
    assert sorted(ours - raising - set(reached(refquant))) == []


@pytest.mark.parametrize("name", withdrawn.__all__)
def test_what_pytorch_has_withdrawn_raises_there_and_here(torch, name):
    weight = (torch.randn(2, 3), refquant.zeros(2, 3))
    if "fp16" not in name:
        weight = [
            T.quantize_per_tensor(w, 0.1, 0, T.qint8)
            for T, w in zip((torch, refquant), weight, strict=True)
        ]
    for T, w in zip((torch, refquant), weight, strict=True):
        with pytest.raises(RuntimeError, match=r"outdated|withdrawn"):
            getattr(T.ops.quantized, name)(w, None)


def test_the_list_is_that_of_the_installed_pytorch(torch):
    assert listed.read() == listed.groups()
