"""Errors inside a model name the module in which they arose."""

import pickle

import pytest

from refquant import nn
from refquant.errors import ArgumentError, RefquantError


class Fails(nn.Module):
    def forward(self, x):
        raise ArgumentError("fails", argument="x", expected="something else", got=x, hint="try")


class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Identity(), nn.Sequential(Fails()))

    def forward(self, x):
        return self.inner(x)


def raised(model, x=1):
    with pytest.raises(ArgumentError) as caught:
        model(x)
    return caught.value


def test_the_path_is_seen_from_the_outermost_module():
    assert raised(Outer()).module_path == "inner.1.0"
    assert str(raised(Outer())).endswith("got 1; try (in module 'inner.1.0')")
    assert raised(nn.Sequential(Outer())).module_path == "0.inner.1.0"
    assert raised(Fails()).module_path == ""
    assert str(raised(Fails())).endswith("; try")


def test_hooks_are_part_of_the_module():
    model = nn.Sequential(nn.Sequential(nn.Identity()))

    def hook(module, inputs, output):
        raise ArgumentError("hook")

    model[0][0].register_forward_hook(hook)
    assert raised(model).module_path == "0.0"


def test_a_module_that_is_not_registered_ends_the_path():
    class Hidden(nn.Module):
        def __init__(self):
            super().__init__()
            self.__dict__["aside"] = nn.Sequential(Fails())

        def forward(self, x):
            return self.aside(x)

    assert raised(nn.Sequential(Hidden())).module_path == "0"


def test_the_place_travels_between_processes():
    error = raised(Outer())
    again = pickle.loads(pickle.dumps(error))
    assert isinstance(again, RefquantError)
    assert str(again) == str(error)
    assert again.module_path == "inner.1.0"
