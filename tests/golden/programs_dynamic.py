"""Programs of recorded answers of dynamic modules, which choose the range of their input."""

import importlib

import numpy as np
from golden import programs as p


@p.program(engines=("fbgemm",))
def linear_module(T, rng):
    """The dynamic linear module on inputs of either sign and of both."""
    answers = {}
    module = importlib.import_module(T.__name__ + ".nn.quantized.dynamic")
    for low, high in ((0, 1), (-1, 0), (-1, 1), (-3, 0.5)):
        x = np.float32(low + (high - low) * rng.rand(3, 16))
        w = p.tensor(T, rng.randint(-128, 128, size=(4, 16)).astype(np.int8))
        weight = T._make_per_tensor_quantized_tensor(w, 2.0**-7, 0)
        layer = module.Linear(16, 4)
        layer.set_weight_bias(weight, p.tensor(T, np.float32(rng.randint(-8, 8, size=4) / 8.0)))
        answers[f"{low}..{high}"] = layer(p.tensor(T, x))
    return answers
