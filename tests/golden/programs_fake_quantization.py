"""Programs of recorded answers: fake quantization, its gradient and its module."""

import numpy as np
from golden.programs import floats, joined, program, scale, tensor
from golden.programs_observation import batch, normal

RELEASES = ("1.4",)
ENGINES = ("fbgemm",)  # fake quantization does not ask the engine
LIMITS = ((0, 255), (-128, 127), (0, 127), (0, 15), (-8, 7), (-1000, 1000))


def gradient_of(T, rng, operation, x, *arguments):
    """Result and gradient of an operation, for a gradient of many values."""
    x = tensor(T, x).requires_grad_(True)
    y = operation(x, *arguments)
    (y * tensor(T, normal(rng, tuple(x.shape)))).sum().backward()
    return y, x.grad


@program(RELEASES, ENGINES)
def per_tensor(T, rng):
    results, gradients = [], []
    for case in range(60):
        low, high = LIMITS[case % len(LIMITS)]
        s, z = scale(rng), int(rng.randint(low, high + 1))
        x = floats(rng, (3, int(rng.randint(1, 70))), s, z, "qint8" if low else "quint8", False)
        y, gradient = gradient_of(T, rng, T.fake_quantize_per_tensor_affine, x, s, z, low, high)
        results.append(y)
        gradients.append(gradient)
    return {"y": joined(results), "gradient": joined(gradients)}


@program(RELEASES, ENGINES)
def per_channel(T, rng):
    results, gradients = [], []
    for case in range(36):
        low, high = LIMITS[case % len(LIMITS)]
        shape = ((5, 9), (2, 3, 4, 5), (4, 3, 17), (7,))[case % 4]
        axis = int(rng.randint(len(shape)))
        s = np.array([scale(rng) for _ in range(shape[axis])], np.float32)
        z = rng.randint(low, high + 1, size=shape[axis])
        wide = [1] * len(shape)
        wide[axis] = shape[axis]
        x = floats(rng, shape, 1.0, 0, "qint8" if low else "quint8", False)
        x = ((x - z.reshape(wide)) * s.reshape(wide)).astype(np.float32)
        y, gradient = gradient_of(
            T,
            rng,
            T.fake_quantize_per_channel_affine,
            x,
            tensor(T, s),
            tensor(T, z),
            axis,
            low,
            high,
        )
        results.append(y)
        gradients.append(gradient)
    return {"y": joined(results), "gradient": joined(gradients)}


@program(RELEASES, ENGINES)
def special_values(T, rng):
    """NaN and numbers that no integer of 8 bits holds; infinities differ by intent."""
    x = np.array([np.nan, 3e9, -3e9, 1e15, -1e15, 0.0, -0.0, 1e-45], np.float32)
    y, gradient = gradient_of(T, rng, T.fake_quantize_per_tensor_affine, x, 0.1, 3, 0, 255)
    return {"y": y, "gradient": gradient}


@program(RELEASES, ENGINES)
def modules(T, rng):
    """Train with the default modules, switch observing off, then rounding."""
    answers = {}
    q = T.quantization
    made = {
        "activation": q.default_fake_quant,
        "weight": q.default_weight_fake_quant,
        "channels": q.default_per_channel_weight_fake_quant,
        "histogram": q.default_histogram_fake_quant,
    }
    for name, factory in made.items():
        module, results = factory(), []
        for step in range(6):
            if step == 4:
                module.disable_observer()
            if step == 5:
                module.disable_fake_quant()
            x = normal(rng, (4, 3, 5), 1.0 + step) if name == "histogram" else batch(rng, (4, 3, 5))
            results += gradient_of(T, rng, module, x)
        answers[name] = joined(results)
        answers[name + ".scale"] = module.scale
        answers[name + ".zero_point"] = module.zero_point
    return answers
