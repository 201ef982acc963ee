"""Models travel to worker processes: engines by name, rules looked up again, layouts kept."""

import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
from serialization.sent import images, prepared, run_model

import refquant
from refquant import engines, nn, quantization
from refquant.errors import EngineError, GradientError


def again(value):
    return pickle.loads(pickle.dumps(value))


@pytest.mark.parametrize("name", [*engines.names(), *engines.other_runtimes()])
def test_models_of_every_engine_keep_their_bits(name):
    with engines.using(name):
        model = prepared()
        assert again(model)(images()).tolist() == model(images()).tolist()
        converted = quantization.convert(model)
        copied = again(converted)
        assert copied(images()).tolist() == converted(images()).tolist()
        assert copied.conv._packed_params.rules == converted.conv._packed_params.rules


def test_dynamic_models_and_embeddings_keep_their_bits():
    x = refquant.randn(4, 2, 6)
    model = nn.Sequential(nn.LSTM(6, 5))
    dynamic = quantization.quantize_dynamic(model)
    assert again(dynamic)(x)[0].tolist() == dynamic(x)[0].tolist()
    table = nn.quantized.Embedding(10, 4)
    numbers = refquant.tensor([1, 3])
    assert again(table)(numbers).tolist() == table(numbers).tolist()


def test_tensors_keep_their_strides():
    x = images().contiguous(memory_format=refquant.channels_last)
    q = refquant.quantize_per_tensor(x, 0.1, 3, refquant.quint8)
    assert again(x).stride() == x.stride()
    assert again(q).stride() == q.stride()
    assert refquant.equal(again(q), q)
    transposed = refquant.ones(3, 4).t()
    assert again(transposed).stride() == (1, 4)
    parameter = nn.Parameter(x)
    parameter.grad = refquant.ones_like(x)
    copied = again(parameter)
    assert type(copied) is nn.Parameter
    assert copied.requires_grad
    assert copied.grad.tolist() == parameter.grad.tolist()


def test_results_of_recorded_operations_do_not_travel():
    y = refquant.tensor([1.0], requires_grad=True) * 2
    with pytest.raises(GradientError, match="detach"):
        pickle.dumps(y)


def test_records_are_pickled_by_name():
    record = engines.get("qnnpack")
    assert again(record) is record
    assert len(pickle.dumps(record)) < 100


def test_a_record_without_a_name_does_not_travel():
    record = engines.get("fbgemm").derive("mine", "An engine of my own")
    with pytest.raises(EngineError, match=r"'mine'.*register"):
        pickle.dumps(record)


def test_an_engine_unknown_to_the_receiver_is_named():
    record = engines.register(engines.get("fbgemm").derive("mine", "An engine of my own"))
    try:
        with engines.using("mine"):
            data = pickle.dumps(quantization.quantize_dynamic(nn.Sequential(nn.Linear(3, 2))))
        assert again(record) is record
    finally:
        engines.unregister("mine")
    program = (
        "import pickle, sys; from refquant.errors import EngineError\n"
        "try: pickle.loads(sys.stdin.buffer.read())\n"
        "except EngineError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], input=data, capture_output=True)
    assert b"'mine'" in done.stdout, done.stderr
    assert b"register()" in done.stdout


def test_a_converted_model_runs_in_another_process():
    with engines.using("qnnpack"):
        model = quantization.convert(prepared())
        wanted = model(images()).tolist()
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(run_model, model, images(), "qnnpack").result() == wanted
