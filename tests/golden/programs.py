"""The registry of the programs of recorded answers, and their random material.

A program is a function ``program(T, rng)`` written once against a namespace `T` that is torch or
refquant. It draws everything from the generator that it is handed and returns a dict of arrays,
numbers and strings. It must run on Python 3.8 with NumPy 1.17, which is all that PyTorch 1.4 knows.

Random numbers come from `numpy.random.RandomState`, whose stream is frozen, and only as integers:
floats are made of them by exact arithmetic, so that every machine draws the same.
"""

import importlib
import json
import os

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
RANGES = {"quint8": (0, 255), "qint8": (-128, 127), "qint32": (-(2**31), 2**31 - 1)}
SIZES = (1, 2, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 65)
SCALES = (0.1, 1.0, 0.5, 1 / 3, 0.0078125, 0.02, 1.7e-5, 123.456)
SPECIAL = (
    np.nan,
    np.inf,
    -np.inf,
    0.0,
    -0.0,
    1e-45,
    -1e-45,
    3.4028235e38,
    -3.4028235e38,
    2147483520.0,
    2147483648.0,
    -2147483648.0,
    9.2233715e18,
    9.223372e18,
    3e9,
    -3e9,
)


def families():
    """Names of the families that have programs."""
    found = (name[len("programs_") : -len(".py")] for name in os.listdir(HERE) if _is_family(name))
    return sorted(found)


def _is_family(name):
    return name.startswith("programs_") and name.endswith(".py")


def programs(family):
    """Programs of a family: {name: function}."""
    module = importlib.import_module("golden.programs_" + family)
    return {p.__name__: p for p in vars(module).values() if hasattr(p, "releases")}


def program(releases=("1.4", "2.13"), engines=("fbgemm", "qnnpack")):
    """Mark a function as a program, and say on which releases and engines it runs."""

    def mark(function):
        function.releases, function.engines = releases, engines
        return function

    return mark


def generator(seed):
    """Make the generator of random numbers for a program."""
    return np.random.RandomState(seed)


def run(T, function, engine, seed=0):
    """Run a program under an engine; returns {key: ndarray or str}."""
    T.backends.quantized.engine = engine
    answers = function(T, generator(seed))
    return {key: plain(value) for key, value in answers.items()}


def plain(value):
    """Turn what a program returns into a row-major array; programs return strides by themselves."""
    if hasattr(value, "detach"):
        value = value.detach().numpy()
    return np.array(value, order="C")


def joined(pieces):
    """Lay the elements of several plain tensors or arrays behind one another."""
    return np.concatenate([plain(piece).reshape(-1) for piece in pieces])


def pack(q):
    """Return all properties of a per-tensor quantized tensor."""
    return {
        "int": q.int_repr(),
        "scale": q.q_scale(),
        "zero_point": q.q_zero_point(),
        "dtype": name_of(q.dtype),
        "stride": tuple(q.stride()),
    }


def tagged(tag, answers):
    """Put a tag before every key."""
    return {f"{tag}.{key}": value for key, value in answers.items()}


def name_of(constant):
    """Name of a dtype, scheme or memory format, without the namespace."""
    return str(constant).rsplit(".", 1)[-1]


def tensor(T, array):
    """Make a tensor that owns its memory."""
    return T.from_numpy(np.array(array))


def fraction(rng):
    """Draw a float64 of [0, 1) with 20 bits."""
    return rng.randint(0, 2**20) / 2.0**20


def scale(rng):
    """Draw a scale: a simple one, or any between 2**-10 and 2**3."""
    if rng.randint(0, 2):
        return SCALES[rng.randint(len(SCALES))]
    return float(np.ldexp(1.0 + fraction(rng), rng.randint(-10, 3)))


def zero_point(rng, dtype):
    """Draw a zero point; range ends are likely."""
    low, high = RANGES[dtype]
    if dtype == "qint32":
        return int([0, 1, -3, 1000][rng.randint(4)])
    ends = (low, low + 1, high - 1, high)
    return int(ends[rng.randint(4)] if rng.randint(0, 2) else rng.randint(low, high + 1))


def floats(rng, shape, scale, zero_point, dtype="quint8", special=True):
    """Draw float32 on the half steps of a quantizer, up to two ulp beside them, and extremes."""
    low, high = RANGES[dtype]
    low, high = max(low, -100000), min(high, 100000)
    halves = rng.randint(2 * low - 9, 2 * high + 10, size=shape)
    x = ((halves / 2.0 - zero_point) * np.float64(np.float32(scale))).astype(np.float32)
    for _ in range(2):
        direction = rng.randint(-1, 2, size=shape)
        toward = np.where(direction > 0, np.inf, -np.inf).astype(np.float32)
        x = np.where(direction == 0, x, np.nextafter(x, toward)).astype(np.float32)
    if special:
        chosen = np.array(SPECIAL, np.float32)[rng.randint(0, len(SPECIAL), size=shape)]
        x = np.where(rng.randint(0, 12, size=shape) == 0, chosen, x)
    return np.ascontiguousarray(x, dtype=np.float32)


def quantized(T, rng, shape, dtype="quint8", scale_=None, zero_point_=None):
    """Make a per-tensor quantized tensor whose integers cover the range of its dtype."""
    s = scale(rng) if scale_ is None else scale_
    z = zero_point(rng, dtype) if zero_point_ is None else zero_point_
    low, high = RANGES[dtype] if dtype != "qint32" else (-100000, 100000)
    ints = rng.randint(low, high + 1, size=shape)
    x = ((ints - z) * np.float64(np.float32(s))).astype(np.float32)
    return T.quantize_per_tensor(tensor(T, x), s, z, getattr(T, dtype))


def read(path):
    """Read a file of recorded answers: (provenance, {(engine, program): {key: array}})."""
    answers = {}
    with np.load(path, allow_pickle=False) as file:
        provenance = json.loads(str(file["provenance"]))
        for name in file.files:
            if name != "provenance":
                engines, program_name, key = name.split("/", 2)
                for engine in engines.split("+"):
                    answers.setdefault((engine, program_name), {})[key] = file[name]
    return provenance, answers


def write(path, provenance, answers):
    """Write a file of recorded answers; engines that answered alike share one entry."""
    shared = {}
    for (engine, program_name), found in answers.items():
        content = tuple((key, value.dtype.str, value.tobytes()) for key, value in found.items())
        shared.setdefault((program_name, content), []).append(engine)
    arrays = {"provenance": np.array(json.dumps(provenance, sort_keys=True))}
    for (program_name, _), engines in shared.items():
        for key, value in answers[engines[0], program_name].items():
            arrays[f"{'+'.join(engines)}/{program_name}/{key}"] = value
    np.savez_compressed(path, **arrays)
