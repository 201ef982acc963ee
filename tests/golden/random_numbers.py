"""Programs that draw random numbers, and digests of what they draw under a real PyTorch.

    python tests/golden/random_numbers.py

writes ``random-numbers-torch-VERSION.json`` beside itself when run under PyTorch. A digest is of
the bits of the results and of the state in which they leave the generator.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
SEEDS = (0, 1, 42, 2**32 + 5, -1)
# Around the 16 numbers of a block and the 624 words of the generator.
SIZES = (0, 1, 2, 3, 7, 8, 9, 14, 15, 16, 17, 18, 31, 32, 33, 47, 48, 49, 311, 312, 313, 624, 1000)
MANY = 1_000_000


def _strided(T, n, dtype):
    return T.empty(n, 3, dtype=dtype)[:, 1]


def _turned(T, n):
    return T.empty(5, n).t()


def _weights(T, n):
    return (T.arange(max(n, 1)) % 7 + 1).float() / 3


def _channels_last(T, n):
    return T.zeros(2, 3, 4, n).contiguous(memory_format=T.channels_last)


def _module(T, make):
    return list(make(T.nn).state_dict().values())


# Each takes torch or refquant, and a size.
DRAWS = {
    "rand": lambda T, n: T.rand(n),
    "rand of float64": lambda T, n: T.rand(n, dtype=T.float64),
    "rand of float16": lambda T, n: T.rand(n, dtype=T.float16),
    "randn": lambda T, n: T.randn(n),
    "randn of float64": lambda T, n: T.randn(n, dtype=T.float64),
    "randint": lambda T, n: T.randint(10, (n,)),
    "randint of a power": lambda T, n: T.randint(-3, 2**28 - 4, (n,)),
    "randint of a wide range": lambda T, n: T.randint(-(2**27), 2**27, (n,)),
    "randint of the widest range": lambda T, n: T.randint(-(2**63), 2**63 - 1, (n,)),
    "randint of uint8": lambda T, n: T.randint(3, 256, (n,), dtype=T.uint8),
    "randint of float32": lambda T, n: T.randint(-7, 9, (n,), dtype=T.float32),
    "randperm": lambda T, n: T.randperm(n),
    "bernoulli": lambda T, n: T.bernoulli((T.arange(n) % 11).float() / 10),
    "bernoulli of float64": lambda T, n: T.bernoulli((T.arange(n) % 11).double() / 10),
    "bernoulli_": lambda T, n: T.empty(n).bernoulli_(0.3),
    "bernoulli_ of int64": lambda T, n: T.empty(n, dtype=T.int64).bernoulli_(),
    "uniform_": lambda T, n: T.empty(n).uniform_(-0.1, 0.123),
    "uniform_ of float64": lambda T, n: T.empty(n, dtype=T.float64).uniform_(-0.1, 0.123),
    "uniform_ of float16": lambda T, n: T.empty(n, dtype=T.float16).uniform_(-0.1, 0.123),
    "uniform_ of a narrow range": lambda T, n: T.empty(n).uniform_(1, 1 + 1e-6),
    "normal_": lambda T, n: T.empty(n).normal_(0.1234, 0.7),
    "normal_ of float64": lambda T, n: T.empty(n, dtype=T.float64).normal_(0.1234, 0.7),
    "normal_ of strides": lambda T, n: _strided(T, n, T.float32).normal_(0.5, 3.0),
    "normal_ of strides, float64": lambda T, n: _strided(T, n, T.float64).normal_(0.5, 3.1),
    "normal_ of a transpose": lambda T, n: _turned(T, n).normal_(),
    "uniform_ of a transpose": lambda T, n: _turned(T, n).uniform_(),
    "bernoulli_ of a transpose": lambda T, n: _turned(T, n).bernoulli_(0.6),
    "uniform_ of channels last": lambda T, n: _channels_last(T, n).uniform_(),
    "rand_like": lambda T, n: T.rand_like(_channels_last(T, n)),
    "randn_like": lambda T, n: T.randn_like(_channels_last(T, n)),
    "randn_like of a row": lambda T, n: T.randn_like(T.empty(n)),
    "randint_like": lambda T, n: T.randint_like(_channels_last(T, n), 2, 9),
    "exponential_": lambda T, n: T.empty(n).exponential_(3.7),
    "random_": lambda T, n: T.empty(n, dtype=T.int64).random_(),
    "random_ of int32": lambda T, n: T.empty(n, dtype=T.int32).random_(),
    "random_ of int16": lambda T, n: T.empty(n, dtype=T.int16).random_(),
    "random_ of int8": lambda T, n: T.empty(n, dtype=T.int8).random_(),
    "random_ of uint8": lambda T, n: T.empty(n, dtype=T.uint8).random_(),
    "random_ of bool": lambda T, n: T.empty(n, dtype=T.bool).random_(),
    "random_ of float32": lambda T, n: T.empty(n).random_(),
    "random_ of float64": lambda T, n: T.empty(n, dtype=T.float64).random_(),
    "random_ of a range": lambda T, n: T.empty(n).random_(-2, 5),
    "multinomial of one": lambda T, n: T.multinomial(_weights(T, n), 1),
    "multinomial": lambda T, n: T.multinomial(_weights(T, n), min(max(n, 1), 1000)),
    "multinomial with replacement": lambda T, n: T.multinomial(_weights(T, 37), n + 1, True),
    "multinomial of rows": lambda T, n: T.multinomial(_weights(T, 40).view(4, 10), 5),
    "dropout": lambda T, n: T.nn.functional.dropout(T.ones(n) * 1.7, 0.15),
    "dropout of float64": lambda T, n: T.nn.functional.dropout(T.ones(n, dtype=T.float64), 0.1),
    "dropout of channels last": lambda T, n: T.nn.Dropout(0.3)(_channels_last(T, n) + 1),
    "dropout of channels": lambda T, n: T.nn.Dropout2d(0.3)(T.ones(n, 3, 2, 2)),
    "normal": lambda T, n: T.normal(2.0, 0.3, (n,)),
    "normal of means": lambda T, n: T.normal(T.arange(n).float(), 0.3),
    "normal of deviations": lambda T, n: T.normal(0.7, T.arange(n).float()),
    "normal of both": lambda T, n: T.normal(T.arange(n).float(), T.arange(n).float()),
}
INITIALIZATIONS = {
    "uniform_": lambda i, w: i.uniform_(w, -0.3, 0.7),
    "normal_": lambda i, w: i.normal_(w, 0.1, 0.02),
    "xavier_uniform_": lambda i, w: i.xavier_uniform_(w, i.calculate_gain("tanh")),
    "xavier_normal_": lambda i, w: i.xavier_normal_(w),
    "kaiming_uniform_": lambda i, w: i.kaiming_uniform_(w, nonlinearity="relu"),
    "kaiming_normal_": lambda i, w: i.kaiming_normal_(w, mode="fan_out"),
}
SHAPES = ((1, 1), (3, 5), (4, 4), (17, 9), (8, 3, 3, 3))
MODULES = {
    "Linear": lambda nn: nn.Linear(7, 5),
    "Conv1d": lambda nn: nn.Conv1d(3, 4, 3),
    "Conv2d": lambda nn: nn.Conv2d(4, 6, 3, groups=2),
    "Conv2d without bias": lambda nn: nn.Conv2d(4, 6, (3, 1), bias=False),
    "Conv3d": lambda nn: nn.Conv3d(2, 3, 2),
    "LSTM": lambda nn: nn.LSTM(3, 4, num_layers=2, bidirectional=True),
    "Sequential": lambda nn: nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(32, 10)
    ),
}
# Constructors and conversions whose draws show in the state of the generator alone.
LAYERS = {
    "dynamic.LSTM": lambda T: T.ao.nn.quantized.dynamic.LSTM(3, 4, 2, bidirectional=True),
    "dynamic.GRU": lambda T: T.ao.nn.quantized.dynamic.GRU(3, 4),
    "dynamic.LSTMCell": lambda T: T.ao.nn.quantized.dynamic.LSTMCell(3, 4),
    "dynamic.RNNCell without bias": lambda T: T.ao.nn.quantized.dynamic.RNNCell(3, 4, False),
    "quantize_dynamic": lambda T: T.ao.quantization.quantize_dynamic(
        T.nn.Sequential(T.nn.LSTM(3, 4), T.nn.Linear(4, 2))
    ),
    "prepare of LSTM": lambda T: _prepared(T, T.nn.LSTM(3, 4, 2)),
    "prepare of a bidirectional LSTM": lambda T: _prepared(
        T, T.nn.LSTM(3, 4, 2, bidirectional=True)
    ),
}


def _prepared(T, layer):
    model = T.nn.Sequential(T.ao.quantization.QuantStub(), layer).eval()
    model.qconfig = T.ao.quantization.default_qconfig
    return T.ao.quantization.prepare(model)


def results(T, program, seed):
    """Run a program from a seed; returns the arrays that it draws, and the state that it leaves."""
    T.manual_seed(seed)
    drawn = program()
    drawn = list(drawn) if isinstance(drawn, tuple | list) else [drawn]
    return [t.detach().numpy() for t in [*drawn, T.get_rng_state()]]


def digest(arrays):
    """Digest dtype, shape and bits."""
    hashed = hashlib.sha256()
    for array in arrays:
        array = np.ascontiguousarray(array)
        hashed.update(f"{array.dtype} {array.shape} ".encode() + array.tobytes())
    return hashed.hexdigest()[:16]


def programs(T):
    """Yield what a recording is of: name, seed, and the program."""
    for name, draw in DRAWS.items():
        for number, n in enumerate(SIZES):
            seed = SEEDS[number % len(SEEDS)]
            yield f"{name}, {n}", seed, lambda draw=draw, n=n: draw(T, n)

            # With the half of a pair of normal numbers that another call has left.
            def after_a_pair(draw=draw, n=n):
                return T.randn(1), draw(T, n), T.randn(2)

            yield f"{name}, {n}, after a pair", seed, after_a_pair
        many = MANY // 30 if "channels" in name or "transpose" in name else MANY
        yield f"{name}, {many}", 7, lambda draw=draw, many=many: draw(T, many)
    for name, fill in INITIALIZATIONS.items():
        for shape in SHAPES:

            def filled(fill=fill, shape=shape):
                return fill(T.nn.init, T.empty(*shape))

            yield f"init.{name}, {shape}", 3, filled
    for name, make in MODULES.items():
        for seed in SEEDS:
            yield f"{name}, {seed}", seed, lambda make=make: _module(T, make)
    for name, make in LAYERS.items():

        def left(make=make):
            make(T)
            return T.rand(2)

        yield f"after {name}", 5, left


def main(torch):
    """Record under PyTorch."""
    version = torch.__version__.split("+")[0]
    answers = {name: digest(results(torch, run, seed)) for name, seed, run in programs(torch)}
    path = HERE / f"random-numbers-torch-{version}.json"
    capability = torch.backends.cpu.get_cpu_capability()
    said = {"peer": f"torch {version}", "capability": capability, "numpy": np.__version__}
    path.write_text(json.dumps({"provenance": said, "answers": answers}, indent=0) + "\n")
    print(f"{path.name}: {len(answers)} programs, {path.stat().st_size} bytes")


if __name__ == "__main__":
    import torch

    sys.exit(main(torch))
