"""One object under all paths of PyTorch, and an error that helps for those that are not here."""

import importlib
import inspect
import sys

import pytest
from documentation import aliases
from processes import output

import refquant
from refquant._paths import HOMES, MISSING
from refquant.errors import MissingNameError, MissingPathError, NotSupportedError

FRESH = """
import os
import sys
import {path}
from refquant.ao.quantization.fuse_modules import fuse_modules
print(fuse_modules is refquant.quantization.fuse_modules is refquant.ao.quantization.fuse_modules)
print(refquant.quantization.quantize is refquant.ao.quantization.quantize)
"""


@pytest.mark.parametrize("path", [*HOMES, *(f"ao.{path}" for path in aliases.SHARED.split())])
def test_a_path_hands_on_the_names_of_its_home(path):
    home = importlib.import_module(f"refquant.{HOMES.get(path, path.removeprefix('ao.'))}")
    module = importlib.import_module(f"refquant.{path}")
    names = [
        name
        for name in dir(home)
        if not name.startswith("__") and not inspect.ismodule(getattr(home, name))
    ]
    assert names
    assert set(names) <= set(dir(module))
    assert all(getattr(module, name) is getattr(home, name) for name in names)
    stars = {}
    exec(f"from refquant.{path} import *", stars)
    assert set(getattr(home, "__all__", [])) <= set(stars)


def test_paths_below_ao_are_the_modules_themselves():
    import refquant.ao.nn.quantized.modules.conv
    import refquant.ao.quantization.observer

    assert refquant.ao.quantization is refquant.quantization
    assert refquant.ao.quantization.observer is refquant.quantization.observer
    assert refquant.ao.nn.quantized is refquant.nn.quantized
    assert refquant.ao.nn.quantized.modules.conv.Conv2d is refquant.nn.quantized.Conv2d
    assert refquant.nn.quantized.Conv2d.__module__ == "refquant.nn.quantized.convolution"
    assert {"nn", "quantization", "ns"} <= set(dir(refquant.ao))


@pytest.mark.parametrize("path", ["refquant", "refquant.quantization.fuse_modules",
                                  "refquant.ao.quantization.quantize"])  # fmt: skip
def test_a_path_that_bears_the_name_of_a_function_leaves_the_function_alone(path):
    assert output(FRESH.format(path=path)) == ["True", "True"]


@pytest.mark.parametrize("name", [name for name in MISSING if name[0].islower()])
def test_what_is_not_here_says_why_and_what_to_use(name):
    why, instead = MISSING[name]
    package, _, last = f"refquant.{name}".rpartition(".")
    with pytest.raises(MissingPathError, match=f"{last} is not here: {why}; ") as caught:
        importlib.import_module(f"refquant.{name}")
    assert instead in str(caught.value)
    with pytest.raises(ImportError, match=last):
        exec(f"from {package} import {last}")
    if package in sys.modules or importlib.util.find_spec(package):
        module = importlib.import_module(package)
        assert not hasattr(module, last)
        if name != "ao.pruning":
            with pytest.raises(MissingNameError, match=f"{last} is not here"):
                getattr(module, last)


@pytest.mark.parametrize("path", ["jit.mobile", "ao.quantization.fx.graph_module",
                                  "ao.quantization.quantize_fx", "ao.ns.fx"])  # fmt: skip
def test_paths_below_and_beside_what_is_not_here_say_so_too(path):
    with pytest.raises(ModuleNotFoundError, match=r"refquant\.\S+ is not here"):
        importlib.import_module(f"refquant.{path}")


@pytest.mark.parametrize("owner", [refquant.ones(2), refquant.nn.Linear(1, 1)])
def test_there_is_one_device(owner):
    assert not hasattr(owner, "cuda")
    with pytest.raises(MissingNameError, match="the processor is the only device"):
        owner.cuda()
    with pytest.raises(NotSupportedError, match="'cpu', the only device, got 'cuda'"):
        owner.to("cuda")
    assert owner.to("cpu") is owner.to(refquant.device("cpu:0")) is owner.cpu() is owner


def test_names_that_pytorch_does_not_have_are_plain_errors():
    for owner in (refquant, refquant.ao, refquant.nn.utils, refquant.backends, refquant.ones(2)):
        with pytest.raises(AttributeError, match="nosuch") as caught:
            owner.nosuch()
        assert type(caught.value) is AttributeError
    with pytest.raises(ModuleNotFoundError, match="nosuch"):
        importlib.import_module("refquant.ao.quantization.nosuch")
