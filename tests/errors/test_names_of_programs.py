"""Names of PyTorch 2 that are not here although programs use them: errors tell why."""

import importlib

import pytest

import refquant
from refquant.errors import MissingNameError, MissingPathError

ABSENT = {
    "cuda.amp": "mixed precision",
    "hub": "load a state_dict",
    "utils.tensorboard": "plotting",
    "utils.checkpoint": "call the function itself",
    "profiler": "cProfile",
    "autograd.profiler": "cProfile",
}


@pytest.mark.parametrize(("name", "advice"), ABSENT.items())
def test_an_absent_name_tells_what_to_do(name, advice):
    package, _, last = f"refquant.{name}".rpartition(".")
    with pytest.raises(MissingNameError, match=advice):
        getattr(importlib.import_module(package), last)
    with pytest.raises(MissingPathError, match=advice):
        importlib.import_module(f"refquant.{name}")


@pytest.mark.parametrize("package", ["cuda", "utils", "autograd"])
def test_a_name_that_pytorch_does_not_have_either_is_an_attribute_error(package):
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        getattr(getattr(refquant, package), "nothing")  # noqa: B009
