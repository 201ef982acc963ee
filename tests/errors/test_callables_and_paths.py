"""Checks of plain arguments: what counts as a callable, a path, a flag, something to walk."""

import functools
from pathlib import Path, PurePosixPath

import numpy as np
import pytest

from refquant import arguments, errors, nn, quantization
from refquant.quantization.fake_quantize import FakeQuantize


def two(first, second):
    return first, second


def any_number(*given):
    return given


def with_default(first, second=None):
    return first, second


@pytest.mark.parametrize("value", [two, any_number, with_default, functools.partial(two), max])
def test_what_takes_two_arguments_is_taken(value):
    assert arguments.function("run", value, 2) is value


@pytest.mark.parametrize("value", [lambda: None, lambda a: a, int, np.uint8, nn.ReLU()])
def test_what_does_not_take_two_arguments_is_rejected(value):
    with pytest.raises(errors.ArgumentTypeError, match="takes 2 arguments by position"):
        arguments.function("run", value, 2)


def test_a_module_takes_what_its_forward_takes():
    module = nn.ReLU()
    assert arguments.function("model", module, 1) is module


@pytest.mark.parametrize("value", [None, 1, "text", []])
def test_what_cannot_be_called_is_rejected(value):
    with pytest.raises(errors.ArgumentTypeError, match="`run` must be a callable"):
        arguments.function("run", value)


@pytest.mark.parametrize("value", ["a/b", Path("a/b"), PurePosixPath("a/b")])
def test_strings_and_paths_are_paths(value):
    assert arguments.path("folder", value) == Path("a/b")


@pytest.mark.parametrize("value", [None, 3, b"a/b", ["a"], 1.5])
def test_other_values_are_no_paths(value):
    with pytest.raises(errors.ArgumentTypeError, match="`folder` must be a path"):
        arguments.path("folder", value)


def test_a_path_has_no_null_character():
    with pytest.raises(errors.ArgumentError, match="null"):
        arguments.path("folder", "a\0b")


def test_a_folder_is_no_file_to_write(tmp_path):
    for value in ("", ".", tmp_path):
        with pytest.raises(errors.ArgumentError, match="the path of a file, got the folder"):
            arguments.file_path("path", value)


def test_what_is_walked_loses_nothing_to_the_check():
    numbers = iter([1, 2])
    assert list(arguments.iterable("batches", numbers)) == [1, 2]
    with pytest.raises(errors.ArgumentTypeError, match="an iterable"):
        arguments.iterable("batches", 3)


def test_a_flag_may_be_left_open():
    assert arguments.flag_or_none("show", None) is None
    assert arguments.flag_or_none("show", np.True_) is True
    with pytest.raises(errors.ArgumentTypeError, match="True or False"):
        arguments.flag_or_none("show", "yes")


def test_fake_quantization_names_what_is_no_observer():
    for observer in (None, int, nn.ReLU(), nn.Linear, lambda: 3):
        with pytest.raises(errors.ArgumentTypeError, match="`observer` must be a class of"):
            FakeQuantize(observer)
    with pytest.raises(errors.ArgumentTypeError, match="unexpected keyword argument 'bins'"):
        FakeQuantize(lambda: quantization.MinMaxObserver(), bins=3)


def test_run_arguments_that_do_not_fit_leave_the_model_alone():
    model = quantization.QuantWrapper(nn.ReLU())
    model.qconfig = quantization.default_qconfig
    before = {name: type(part) for name, part in model.named_modules()}
    with pytest.raises(errors.ArgumentTypeError, match="run_fn"):
        quantization.quantize(model, quantization.default_eval_fn, [], inplace=True)
    assert {name: type(part) for name, part in model.named_modules()} == before
