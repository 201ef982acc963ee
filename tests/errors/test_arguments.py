"""The checks of plain arguments: what they accept, and their messages for the rest."""

import math

import numpy as np
import pytest

import refquant
from refquant import arguments
from refquant.errors import ArgumentError, ArgumentTypeError


@pytest.mark.parametrize(
    "value", [3, np.int64(3), np.array(3), refquant.tensor(3), refquant.tensor([3])]
)
def test_an_integer_has_many_forms(value):
    found = arguments.integer("n", value)
    assert found == 3
    assert type(found) is int


@pytest.mark.parametrize("value", [3.0, "3", None, [3], np.ones(3), refquant.tensor(3.0), object()])
def test_what_is_no_integer_is_named(value):
    with pytest.raises(ArgumentTypeError, match=r"^\w+: `n` must be an integer, got "):
        arguments.integer("n", value)


def test_ranges_of_integers_are_inclusive():
    assert [arguments.integer("n", n, 1, 4) for n in (1, 4)] == [1, 4]
    for n in (0, 5):
        with pytest.raises(ArgumentError, match=rf"`n` must be in 1\.\.4, got {n}$"):
            arguments.integer("n", n, 1, 4)


def test_integers_that_do_not_print_are_rejected():
    for value in (10**5000, -(10**5000)):
        with pytest.raises(ArgumentError, match="at most 256 bits"):
            arguments.integer("n", value)
    with pytest.raises(ArgumentError, match="at least 0, got an object of type int"):
        arguments.integer("n", -(10**5000), 0)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (2, 2.0),
        (True, 1.0),
        (np.float32(0.5), 0.5),
        (np.ones((1, 1)), 1.0),
        (refquant.tensor([1.5]), 1.5),
        (10**400, math.inf),
        (-(10**400), -math.inf),
    ],
)
def test_a_real_number_has_many_forms(value, number):
    assert arguments.real("x", value) == number


@pytest.mark.parametrize(
    "value",
    ["1.5", b"1", None, 1j, np.complex64(1), np.array(1j), [1.0], np.ones(2), refquant.ones(2)],
)
def test_what_is_no_real_number_is_named(value):
    with pytest.raises(ArgumentTypeError, match=r"^\w+: `x` must be a number, got "):
        arguments.real("x", value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -1, 2])
def test_nan_lies_outside_every_range(value):
    with pytest.raises(ArgumentError, match=r"in 0\.\.1"):
        arguments.real("x", value, 0, 1)


@pytest.mark.parametrize("value", [True, 1, np.True_, np.int8(1), refquant.tensor(True)])
def test_a_flag_has_many_forms(value):
    assert arguments.flag("f", value) is True


@pytest.mark.parametrize("value", [None, 2, 1.0, "yes", [], np.array([True, False])])
def test_what_is_no_flag_is_named(value):
    with pytest.raises(ArgumentTypeError, match=r"^\w+: `f` must be True or False, got "):
        arguments.flag("f", value)


def test_none_switches_off_and_is_no_flag_otherwise():
    assert arguments.switch("f", None) is False
    assert arguments.switch("f", np.True_) is True
    with pytest.raises(ArgumentTypeError, match=r"^\w+: `f` must be True or False, got 'yes'"):
        arguments.switch("f", "yes")


@pytest.mark.parametrize("value", [np.array(1.0), refquant.tensor(1.0), 3, None])
def test_what_cannot_be_walked_is_told(value):
    assert not arguments.walks(value)
    assert arguments.walks([value])


@pytest.mark.parametrize("value", [2**63, (2**63, 2**63), (2**31, 2**31), (0, 2**62), (1,) * 65])
def test_shapes_that_no_array_has_are_rejected(value):
    with pytest.raises(ArgumentError):
        arguments.shape("size", value)


def test_numbers_become_arrays():
    assert arguments.numbers("x", [[1, 2.5]]).tolist() == [[1, 2.5]]
    assert arguments.numbers("x", refquant.tensor([1.5])).tolist() == [1.5]
    assert arguments.numbers("x", [1e300, 10**400], np.float32).tolist() == [math.inf] * 2


@pytest.mark.parametrize("value", ["a", [None], [[1], [2, 3]], [1j], object(), {}])
def test_what_holds_no_numbers_is_named(value):
    with pytest.raises(ArgumentTypeError, match=r"^\w+: `x` must be numbers"):
        arguments.numbers("x", value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.uint8, "the class uint8"),
        (np.ones((2, 3)), "a NumPy array of float64 and shape (2, 3)"),
        (refquant.ones(2), "a tensor of refquant.float32 and shape (2,)"),
        ("a", "'a'"),
        ([1] * 99, "[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,..."),
    ],
)
def test_values_are_described_briefly(value, text):
    assert arguments.describe(value) == text
