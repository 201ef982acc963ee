"""The examples in docstrings print what they say."""

import doctest
import importlib
import pkgutil

import pytest

import refquant


def modules():
    yield "refquant"
    for module in pkgutil.walk_packages(refquant.__path__, "refquant."):
        if not module.name.startswith("refquant._kernels"):
            yield module.name


@pytest.mark.parametrize("name", sorted(modules()))
def test_examples(name):
    module = importlib.import_module(name)
    result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0
