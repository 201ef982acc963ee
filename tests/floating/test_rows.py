"""What every row promises: errors, empty operands, dtypes, documentation."""

import inspect
import pickle

import numpy as np
import pytest
from floating.cases import CASES, DIFFERENTIABLE, cases_of

import refquant
from refquant import nn
from refquant.errors import RefquantError
from refquant.ops.rows import ROWS, method

PLACES = {"refquant": refquant, "Tensor": refquant.Tensor, "nn.functional": nn.functional}
ROW_CASES = [name for row in DIFFERENTIABLE for name, _ in cases_of(row)]
DTYPES = ("float16", "float32", "bool", "uint8", "int32", "int64")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_an_operation_is_found_where_its_row_says_and_can_be_pickled(row):
    assert row.at
    for place in row.at:
        wanted = method(row.function) if place == "Tensor" else row.function
        assert getattr(PLACES[place], row.name) is wanted
    assert pickle.loads(pickle.dumps(row.function)) is row.function
    assert row.name == row.function.__name__.rstrip("_") or row.name == row.function.__name__


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_parameter_is_documented(row):
    text = inspect.getdoc(row.function)
    described = text.partition("Parameters\n")[2].partition("Returns\n")[0]
    for name in inspect.signature(row.function).parameters:
        assert any(name in line.split(" : ")[0] for line in described.split("\n") if " : " in line)
    assert "Returns\n-------\n" in text


@pytest.mark.parametrize("row", DIFFERENTIABLE, ids=lambda row: row.name)
def test_what_is_no_tensor_is_named_with_the_operation_and_the_argument(row):
    name, case = next(cases_of(row))
    with pytest.raises(RefquantError) as caught:
        case.function(refquant, *["text"] * len(case.shapes))
    assert caught.value.op == row.name, name
    assert caught.value.argument in inspect.signature(row.function).parameters


def outcome(peer, function, arrays):
    """Return dtype, shape and elements of a result, or None if there is none."""
    try:
        with np.errstate(all="ignore"):
            result = function(peer, *(peer.tensor(a) for a in arrays))
    except (RuntimeError, TypeError, ValueError, IndexError, NotImplementedError):
        return None
    return str(result.dtype).rpartition(".")[2], tuple(result.shape), result.numpy()


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:.*degrees of freedom")  # PyTorch says so of empty operands
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ROW_CASES)
def test_other_dtypes_and_empty_operands_beside_torch(torch, name, dtype):
    case = CASES[name]
    rng = np.random.default_rng(7)
    for shapes in (case.shapes, [(0, *shape[1:]) for shape in case.shapes]):
        arrays = [rng.integers(1, 4, size=shape).astype(dtype) for shape in shapes]
        wanted = outcome(torch, case.function, arrays)
        got = outcome(refquant, case.function, arrays)
        if wanted is None or got is None:
            continue
        assert got[:2] == wanted[:2]
        close = 2e-3 if dtype == "float16" else 2e-6
        np.testing.assert_allclose(got[2], wanted[2], close, close)
