"""Programs of recorded answers of means, whose float32 sums have the order of a release."""

import numpy as np
from golden import programs as p

SHAPES = (
    (2, 2, 2),
    (3, 7),
    (9, 40, 5),
    (40, 33),
    (2, 17, 6, 5),
    (1, 3, 4, 4),
    (5, 1, 70),
    (300, 3),
)
DIMENSIONS = (0, 1, (0, 1), (0, 2), (1, 2), (2, 3), (0, 2, 3), (0, 1, 2))


def images(T, rng, shape):
    """Make a tensor as it is, transposed, with gaps and channels-last."""
    ints = rng.randint(0, 256, size=shape).astype(np.uint8)
    scale = float(np.ldexp(1 + p.fraction(rng), -rng.randint(1, 8)))
    zero_point = int(rng.randint(0, 256))

    def made(values):
        tensor = p.tensor(T, np.ascontiguousarray(values))
        return T._make_per_tensor_quantized_tensor(tensor, scale, zero_point)

    whole = made(ints)
    layouts = [whole, made(ints.swapaxes(0, -1)).transpose(0, len(shape) - 1)]
    if len(shape) == 4:
        layouts.append(whole.contiguous(memory_format=T.channels_last))
    return layouts


@p.program(engines=("fbgemm",))
def dimensions(T, rng):
    """Means over every kind of dimensions: leading, middle, trailing, not adjacent."""
    answers = {}
    for shape in SHAPES:
        for dims in DIMENSIONS:
            if np.max(dims) < len(shape):
                pieces = [q.mean(dims).int_repr() for _ in range(3) for q in images(T, rng, shape)]
                answers[f"{shape} over {dims}"] = p.joined(pieces)
    return answers


@p.program(engines=("fbgemm",))
def small(T, rng):
    """Means over the middle of 2x2x2, of which many lie on ties."""
    pieces = []
    for _ in range(300):
        pieces += [q.mean(1).int_repr() for q in images(T, rng, (2, 2, 2))]
    return {"int": p.joined(pieces)}
