"""Programs of recorded answers at the ends of int32: products, sums with numbers, zero points."""

import numpy as np
from golden import programs as p

STORAGE = {"quint8": np.uint8, "qint8": np.int8, "qint32": np.int32}


def made(T, ints, scale, zero_point, dtype):
    """Make a quantized tensor of one dimension."""
    tensor = p.tensor(T, np.asarray(ints).astype(STORAGE[dtype]))
    return T._make_per_tensor_quantized_tensor(tensor, scale, zero_point)


def odd_scale(rng, power):
    """Draw a scale whose float32 has bits to the end."""
    return float(np.ldexp(1 + rng.randint(1, 2**23) * 2.0**-23, power))


@p.program()
def products(T, rng):
    """Products of more than 24 bits, in vectors and in tails."""
    answers = {}
    for name in ("mul", "mul_relu"):
        pieces = []
        for _ in range(200):
            size = (1, 3, 15, 16, 17, 31)[rng.randint(6)]
            a, b = rng.randint(-40000, 40000, size=(2, size))
            x = made(T, a, odd_scale(rng, -3), int(rng.randint(-9, 9)), "qint32")
            y = made(T, b, odd_scale(rng, -5), int(rng.randint(-9, 9)), "qint32")
            scale = odd_scale(rng, rng.randint(-12, 3))
            f = getattr(T.ops.quantized, name)
            pieces.append(f(x, y, scale, int(rng.randint(-99, 99))).int_repr())
        answers[name] = p.joined(pieces)
    return answers


@p.program()
def moved(T, rng):
    """Integers of more than 24 bits and a number that the zero point cannot hold."""
    answers = {}
    for name in ("add_scalar", "add_scalar_relu"):
        pieces = []
        for _ in range(200):
            size = (1, 3, 15, 16, 17, 31)[rng.randint(6)]
            scale, zero_point = odd_scale(rng, -4), int(-(2**31) + rng.randint(0, 2**20))
            x = made(T, rng.randint(-(2**31), 2**31, size=size), scale, zero_point, "qint32")
            number = float(scale * rng.randint(2**20, 2**31))
            q = getattr(T.ops.quantized, name)(x, number)
            pieces += [q.int_repr(), np.array([q.q_zero_point()])]
            answers[f"{name} scales"] = np.append(
                answers.get(f"{name} scales", np.zeros(0)), q.q_scale()
            )
        answers[name] = p.joined(pieces)
    return answers


@p.program()
def zero_points(T, rng):
    """A number added to tensors whose zero points are the ends of their range."""
    answers = {}
    for dtype in ("quint8", "qint8", "qint32"):
        low, high = p.RANGES[dtype] if dtype != "qint32" else (-(2**31), 2**31 - 1)
        pieces, scales = [], []
        for zero_point in (low, low + 1, -1, 0, 1, high - 1, high):
            if not low <= zero_point <= high:
                continue
            for steps in (-(2**31), -(2**31) + 1, -300, -1, 0, 1, 300, 2**31 - 2, 2**31 - 1):
                x = made(T, [low, low + 1, 0, 1, high - 1, high], 0.125, zero_point, dtype)
                for name in ("add_scalar", "add_scalar_relu"):
                    q = getattr(T.ops.quantized, name)(x, steps * 0.125)
                    pieces += [q.int_repr(), np.array([q.q_zero_point()])]
                    scales.append(q.q_scale())
        answers[dtype] = p.joined(pieces)
        answers[f"{dtype} scales"] = np.array(scales)
    return answers
