"""Every operation on quantized tensors documents the memory format of its result."""

import inspect
import re

import pytest

import refquant

FORMATS = r"memory format|row-major|channels_last|`self`"
OPERATIONS = [
    pytest.param(getattr(module, name), id=f"{module.__name__}.{name}")
    for module in (refquant.ops.quantized, refquant.nn.quantized.functional)
    for name in module.__all__
    if "pack" not in name
    and "cell_params" not in name  # which hold weights
    and inspect.signature(getattr(module, name)).return_annotation not in (int, list[int])
]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_returns_tell_the_memory_format(operation):
    described = inspect.getdoc(operation).partition("Returns\n")[2]
    described = re.split(r"\n\w+\n-+\n", described.partition("\n")[2])[0]
    assert re.search(FORMATS, described), described
