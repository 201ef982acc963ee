"""Every public name of PyTorch's eager-mode quantization is here, described and compared."""

import importlib.util
import inspect
from pathlib import Path

import pytest
from cases.reached import reached

import refquant

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
    assert sorted(ours - set(reached(refquant))) == []


def test_the_list_is_that_of_the_installed_pytorch(torch):
    assert listed.read() == listed.groups()
