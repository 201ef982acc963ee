"""Errors name the operation that was called, which they find on the stack."""

import copy
import os
import pickle
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import refquant
from refquant import nn, oracle, quantization
from refquant._operation import named, operation_name
from refquant.errors import ArgumentError, RefquantError

X = refquant.ones(2, 3)
Q = refquant.quantize_per_tensor(X, 0.5, 0, refquant.quint8)


def error_of(call, *arguments, **keywords):
    with pytest.raises(RefquantError) as caught:
        call(*arguments, **keywords)
    return caught.value


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("add", lambda: refquant.add(X, Q)),
        ("add", lambda: X + Q),
        ("and", lambda: X & X),
        ("invert", lambda: ~X),
        ("matmul", lambda: X @ refquant.ones(2)),
        ("view", lambda: X.view(7)),
        ("reshape", lambda: refquant.reshape(X, (7,))),
        ("add_", lambda: refquant.ones(1).add_(X)),
        ("float", lambda: Q.float()),
        ("item", lambda: X.item()),
        ("len", lambda: len(refquant.tensor(1.0))),
        ("conversion to a NumPy array", lambda: np.asarray(Q)),
        ("mean", lambda: Q.mean(7)),
        ("quantize_per_tensor", lambda: refquant.quantize_per_tensor(Q, 0.5, 0, refquant.quint8)),
        ("quantized.add", lambda: refquant.ops.quantized.add(X, X, 0.5, 0)),
        ("quantized.linear", lambda: refquant.ops.quantized.linear(Q, None, 0.5, 0)),
        ("relu", lambda: nn.functional.relu("x")),
        ("quantized.elu", lambda: nn.quantized.functional.elu(X, 0.5, 0)),
        ("quantized.upsample", lambda: nn.quantized.functional.upsample(X, 2)),
        ("quantized.conv2d", lambda: nn.quantized.functional.conv2d(X, X, None)),
        ("oracle.engine_of", lambda: oracle.engine_of(1)),
        ("kernels.knows", lambda: refquant.kernels.knows(1)),
        ("Linear.from_float", lambda: nn.quantized.Linear.from_float(nn.ReLU())),
        ("ReLU.named_buffers", lambda: nn.ReLU().named_buffers(prefix=3)),
        ("engine", lambda: setattr(refquant.backends.quantized, "engine", "nothing")),
        ("engines.register", lambda: refquant.engines.register("fbgemm")),
        ("oracle.write_vectors", lambda: oracle.write_vectors(Path(__file__).parent, [])),
    ],
)
def test_functions_and_methods_go_by_their_documented_names(name, call):
    assert error_of(call).op.endswith(name)
    assert error_of(call).op.removesuffix(name) in ("", "quantized.")


def test_no_message_tells_of_a_helper():
    error = error_of(refquant.add, X, "a")
    assert str(error).startswith("add: `other` must be ")
    assert error.message is None


def test_a_constructor_is_named_by_its_class():
    assert error_of(nn.Dropout, 2.0).op == "Dropout"
    assert error_of(quantization.MinMaxObserver, dtype=refquant.float32).op == "MinMaxObserver"
    assert error_of(nn.quantized.Conv2d, 3, 4, 1, groups=2).op == "quantized.Conv2d"

    class Mine(nn.Dropout):
        pass

    assert error_of(Mine, 2.0).op == "Mine"


def test_a_call_that_does_not_fit_forward_is_named_by_the_class():
    class Mine(nn.Module):
        def forward(self, x):
            return x

    assert error_of(Mine(), X, X).op == "Mine"
    assert error_of(nn.Sequential(nn.ReLU()), X, X).op == "Sequential"


def test_assignments_say_that_they_are_assignments():
    with pytest.raises(RefquantError, match=r"^assignment to \.data: ") as caught:
        X.data = Q
    assert caught.value.op == "assignment to .data"


def test_a_module_is_named_by_the_operation_that_it_runs_and_by_its_path():
    model = nn.Sequential(nn.Sequential(nn.Linear(2, 2)))
    error = error_of(model, X)
    assert error.op == "linear"
    assert error.module_path == "0.0"
    assert str(error).startswith("linear: ")
    assert str(error).endswith(" (in module '0.0')")


def test_a_module_that_checks_by_itself_goes_by_its_class():
    assert error_of(nn.LSTM(3, 4), refquant.ones(2, 2)).op == "LSTM"
    assert error_of(nn.quantized.Conv2d(3, 4, 1), Q).op == "quantized.Conv2d"


def test_a_module_of_the_user_is_no_operation():
    class Mine(nn.Module):
        def forward(self, x):
            return refquant.add(x, Q)

    assert error_of(nn.Sequential(Mine()), X).op == "add"


def test_calls_within_calls_go_by_the_outermost():
    # The first runs `nll_loss`, the second only helpers.
    assert error_of(nn.functional.cross_entropy, X, refquant.zeros(5).long()).op == "cross_entropy"
    assert error_of(refquant.maximum, X, refquant.ones(2, 4)).op == "maximum"
    assert error_of(quantization.quantize, nn.Linear(2, 2), None, ()).op == "quantize"


def test_a_callback_is_outside():
    def run(model, *data):
        refquant.add(X, Q)

    def fails(model, *data):
        raise ArgumentError(argument="data", expected="something else", got=1)

    model = nn.Sequential(nn.Linear(2, 2))
    model.qconfig = quantization.default_qconfig
    assert error_of(quantization.quantize, model, run, ()).op == "add"
    assert str(error_of(quantization.quantize, model, fails, ())) == (
        "fails: `data` must be something else, got 1"
    )


def test_a_hook_is_outside():
    def hook(module, inputs):
        refquant.add(X, Q)

    layer = nn.ReLU()
    layer.register_forward_pre_hook(hook)
    assert error_of(layer, X).op == "add"


def test_another_thread_has_a_stack_of_its_own():
    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(X.item).exception().op == "item"
        assert threads.submit(lambda: refquant.add(X, Q)).exception().op == "add"


def test_a_context_manager_is_named():
    def enter():
        with refquant.engines.using("nothing"):
            pass

    assert error_of(enter).op == "engines.using"


def test_the_operation_travels_between_processes():
    error = error_of(nn.Sequential(nn.Linear(2, 2)), X)
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (again.op, again.argument, again.hint) == (error.op, error.argument, error.hint)
        assert str(again) == str(error)


def test_a_sentence_stands_alone():
    error = error_of(refquant.engines.unregister, "fbgemm")
    assert error.op == "engines.unregister"
    assert str(error) == f"engine 'fbgemm' is built in and stays; {error.hint}"


def test_an_operation_may_be_given():
    error = ArgumentError(op="loading", argument="path", hint="look")
    assert (error.op, str(error)) == ("loading", "loading: `path`; look")


def test_a_subclass_with_a_constructor_is_not_the_operation():
    class Mine(ArgumentError):
        def __init__(self):
            super().__init__(argument="x", expected="1")

    def fails():
        raise Mine

    assert str(error_of(fails)) == "fails: `x` must be 1"


def test_named_changes_what_frames_say_and_not_the_function():
    def wrapper():
        return sys._getframe().f_code.co_name

    assert named("indexing")(wrapper) is wrapper
    assert wrapper() == "indexing"
    assert wrapper.__name__ == "wrapper"


def test_outside_operations_the_function_itself_is_named():
    assert operation_name() == "test_outside_operations_the_function_itself_is_named"
    assert (lambda: operation_name())() == "lambda"


PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
import refquant
assert ("zip" in refquant.__file__) == (len(sys.argv) > 2), refquant.__file__
try:
    refquant.add(refquant.ones(2), refquant.ones(3))
except refquant.errors.RefquantError as error:
    print(error)
try:
    raise refquant.errors.ArgumentError(argument="x", expected="1")
except refquant.errors.RefquantError as error:
    print(error)
"""


def output_of(*command, **environment):
    done = subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "REFQUANT_KERNELS": "reference", **environment},
    )
    return done.stdout.splitlines()


HOME = Path(refquant.__file__).parent


@pytest.mark.parametrize("options", [(), ("-O",), ("-OO",)])
def test_programs_see_the_same_with_and_without_assertions(options):
    first, second = output_of(*options, "-c", PROGRAM, str(HOME.parent))
    assert first.startswith("add: ")
    assert second == "`x` must be 1"


def test_an_installation_in_a_zip_file_names_its_operations(tmp_path):
    with zipfile.ZipFile(tmp_path / "library.zip", "w") as file:
        for path in HOME.rglob("*.py*"):
            if path.suffix in (".py", ".pyi"):
                file.write(path, path.relative_to(HOME.parent))
    first, _ = output_of("-c", PROGRAM, str(tmp_path / "library.zip"), "zip")
    assert first.startswith("add: ")


def test_a_value_of_a_state_is_shown_and_not_another_message():
    layer = nn.quantized.Linear(3, 2)
    error = error_of(layer.load_state_dict, {**layer.state_dict(), "scale": refquant.tensor(0.0)})
    assert str(error).splitlines()[1].strip().startswith("scale: expected a scale whose ")
    assert ", got 0.0;" in str(error)
    assert str(error).count("expected") == 1


def test_names_do_not_depend_on_what_was_used_before():
    program = (
        "import refquant\n"
        "from refquant.ops.quantized.arithmetic import add\n"
        "try:\n    add(refquant.ones(2), refquant.ones(2), 0.1, 0)\n"
        "except refquant.errors.RefquantError as error:\n    print(error.op)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "quantized.add\n", done.stderr
