"""What operations are tried on: numbers, quantizers, tensors and layouts, drawn from a seed.

Random floats hardly ever lie where rounding rules differ. The numbers here are made from the
integers that they should become: half steps, one or two ulp beside them, range ends, and what no
integer stands for. Random streams of `numpy.random.RandomState` are frozen and give integers only;
floats are made of them by exact arithmetic, so that every machine draws the same. This file also
runs on Python 3.8 with NumPy 1.17, which is all that PyTorch 1.4 knows.
"""

import functools
import importlib

import numpy as np

DTYPES = ("quint8", "qint8", "qint32")
STORAGE = {"quint8": np.uint8, "qint8": np.int8, "qint32": np.int32}
RANGES = {"uint8": (0, 255), "int8": (-128, 127), "int32": (-(2**31), 2**31 - 1)}
ENDS = dict(RANGES, quint8=RANGES["uint8"], qint8=RANGES["int8"], qint32=RANGES["int32"])
# Around the widths of vectors, and what is left over.
SIZES = (0, 1, 2, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129)
SCALES = (0.1, 1.0, 0.5, 1 / 3, 0.0078125, 0.02, 1.7e-5, 123.456)
# The ends of what tensors take, and scales whose quotients leave int32, int64 or float32.
EXTREME = (2.0**-126, 1e-30, 3e-20, 2.0**-20, 300.0, 1e20, 1e30, 8e37, 2.0**126)
SPECIAL = np.array(
    [
        *(np.nan, np.inf, -np.inf, 0.0, -0.0),
        *(1e-45, -1e-45, 1.1754942e-38),  # subnormal numbers: the smallest, the largest
        *(3.4028235e38, -3.4028235e38),
        # The largest float32 below 2**31, its neighbors, and those of 2**63.
        *(2147483520.0, 2147483648.0, -2147483648.0, -2147483904.0, 9.2233715e18, 9.223372e18),
        *(3e9, -3e9),
    ],
    np.float32,
)


def _integers(rng, low, high, size):
    """Draw integers below `high` from a RandomState or a Generator."""
    return (rng.integers if hasattr(rng, "integers") else rng.randint)(low, high, size=size)


def zero_points(storage):
    """Ends, middle, odd and even zero points of a storage type."""
    low, high = ENDS[storage]
    if high > 255:
        return (0, 1, -3, 2**24 + 1, low, high)
    return (low, low + 1, (low + high + 1) // 2, 3 + low // 2, high)


def quantizers(rng, storage):
    """Draw (scale, zero point): each zero point with a simple and with a random scale."""
    simple = (*SCALES, 2.0**-20)
    for index, zero_point in enumerate(zero_points(storage)):
        yield simple[index % len(simple)], zero_point
        yield float(np.exp(rng.uniform(-9, 3))), zero_point


def ties(rng, size, scale, zero_point, storage="uint8"):
    """Draw float32 on half steps of a quantizer, or up to two ulp beside them.

    The integers that they become lie inside the range of `storage` and a little outside.
    """
    low, high = (int(np.clip(end, -100000, 100000)) for end in ENDS[storage])
    halves = _integers(rng, 2 * low - 9, 2 * high + 10, size)
    with np.errstate(over="ignore"):
        x = ((halves / 2.0 - zero_point) * np.float64(np.float32(scale))).astype(np.float32)
    for _ in range(2):
        way = _integers(rng, -1, 2, size)
        with np.errstate(over="ignore"):
            moved = np.nextafter(x, np.where(way > 0, np.inf, -np.inf).astype(np.float32))
        x = np.where((way == 0) | ~np.isfinite(moved), x, moved).astype(np.float32)
    return x


def floats(rng, size, scale=0.1, zero_point=0, storage="uint8", special=True):
    """Draw float32 of every kind: ties, range ends, ordinary and (`special`) extreme numbers."""
    x = ties(rng, size, scale, zero_point, storage)
    low, high = ENDS[storage]
    ends = np.array([low - 1, low, low + 1, high - 1, high, high + 1], np.float64) - zero_point
    chosen = (ends[_integers(rng, 0, 6, size)] * scale, _integers(rng, -999, 999, size) * scale / 5)
    kind = _integers(rng, 0, 100, size)
    with np.errstate(over="ignore"):
        x = np.where(kind < 10, chosen[0], np.where(kind < 40, chosen[1], x)).astype(np.float32)
    if special:
        x = np.where(kind > 92, SPECIAL[_integers(rng, 0, len(SPECIAL), size)], x)
    return np.array(x, dtype=np.float32, order="C")


def integers(rng, size, storage="uint8", most=2**31):
    """Draw integers of a storage type, no larger than `most`; the ends are likely."""
    low, high = max(ENDS[storage][0], -most), min(ENDS[storage][1], most)
    ends = np.array([low, low + 1, high - 1, high])[_integers(rng, 0, 4, size)]
    q = np.where(_integers(rng, 0, 7, size) == 0, ends, _integers(rng, low, high + 1, size))
    return np.array(q, dtype=STORAGE.get(storage, storage), order="C")


def name_of(constant):
    """Name of a dtype, scheme or memory format, without the namespace."""
    return str(constant).rsplit(".", 1)[-1]


class Draw:
    """What the function of an operation draws its arguments with: the same in every namespace.

    `T` is torch or refquant. With `engine` and `release` a real engine answers too, and what is
    drawn is what that engine supports; without, it is what refquant is to take. `wild` is the
    share of extreme scales, zero points, integers and numbers; `most` bounds the elements of `x`;
    with `edges` half of the integers are ends of their range, and scales are powers of two, so that
    results lie on ties.
    """

    def __init__(self, T, seed, engine=None, release="2.13", wild=0.0, most=4096, edges=False):
        self.T, self.rng = T, np.random.RandomState(seed)
        self.peer, self.qnnpack, self.old = (
            engine is not None,
            engine == "qnnpack",
            release == "1.4",
        )
        self.onednn = engine if engine in ("onednn", "x86") else None
        self.wild, self.most, self.edges = wild, most, edges

    # -- choices and numbers ---------------------------------------------------------------------

    def pick(self, *choices):
        return choices[self.rng.randint(len(choices))]

    def chance(self, share):
        return self.rng.randint(1000) < 1000 * share

    def whole(self, low, high):
        """Draw an integer, `high` included."""
        return int(self.rng.randint(low, high + 1))

    def pair(self, low, high, count=2):
        return tuple(self.whole(low, high) for _ in range(count))

    def fraction(self):
        """Draw a float64 of [0, 1) with 20 bits."""
        return self.rng.randint(2**20) / 2.0**20

    def scale(self, near=None):
        """Draw a scale: simple, any between 2**-10 and 2**3, near another one, or extreme."""
        if self.chance(self.wild):
            return self.pick(*EXTREME)
        if self.edges:
            return float(np.ldexp(1.0 if near is None else near, self.whole(-1, 1)))
        if near is not None:
            factor = self.pick(0.5, 1.0, 1.0, 2.0, 3.0, 1.37, 0.77)
            return float(np.clip(near * factor, 2.0**-126, 2.0**126))
        if self.chance(0.5):
            return self.pick(*SCALES)
        return float(np.ldexp(1.0 + self.fraction(), self.whole(-10, 2)))

    def zero_point(self, dtype):
        """Draw a zero point; range ends are likely."""
        low, high = ENDS[name_of(dtype)]
        if high > 255:
            return int(self.pick(*([0, 1, -3, 1000] if self.peer else zero_points("int32"))))
        drawn = self.pick(low, low + 1, high - 1, high, *[self.whole(low, high)] * 4)
        return min(drawn, 254) if self.peer else drawn  # QNNPACK has no range of one number

    def number(self, scale, dtype="quint8"):
        """Draw a number that lies on half steps of a scale, or is extreme."""
        if self.chance(self.wild):
            return float(self.pick(0.0, -0.0, 1e300, -1e300, 1e-300, np.inf, -np.inf, np.nan, 3e38))
        if not self.peer and self.chance(0.3):  # steps at the ends of int32
            ends = (2**31 - 1, -(2**31), self.whole(-(2**31), 2**31 - 1))
            return float(self.pick(*ends) * scale)
        return float(scale * self.whole(-600, 600) / 2.0)

    # -- tensors ---------------------------------------------------------------------------------

    def shape(self, rank=None):
        """Draw extents around the widths of vectors; without a peer also 0-d and empty shapes."""
        rank = self.pick(*([] if self.peer else [0]), 1, 1, 2, 2, 3, 4, 4) if rank is None else rank
        more = 20 if self.most > 4096 else 0
        if rank == 4:
            shape = [self.whole(1, 2), self.pick(1, 2, 7, 8, 9, 17, 33, 65)]
            shape += self.pair(4, 9 + more)
        elif rank == 5:
            shape = [self.whole(1, 2), self.pick(1, 3, 8), *self.pair(3, 6 + more // 4, 3)]
        else:
            shape = [self.pick(*SIZES[1:]) for _ in range(rank)]
        while np.prod(shape) > self.most:
            shape[int(np.argmax(shape))] //= 2
        if rank and not self.peer and self.chance(0.04):
            shape[self.whole(0, rank - 1)] = 0
        return tuple(shape)

    def tensor(self, array):
        """Make a plain tensor that owns its memory."""
        return self.T.from_numpy(np.array(array, order="C"))

    def laid_out(self, make, shape, image=False):
        """Make a tensor of these extents: dense, with gaps, transposed or channels-last."""
        layout, own = self.whole(0, 4), list(shape)
        if self.old:  # which loses its way in others
            layout = layout if image == (layout > 2) else 0
        if layout == 1 and len(shape) > 1:
            own[0], own[-1] = own[-1], own[0]
            return make(own).transpose(0, len(shape) - 1)
        if layout == 2 and shape:
            own[-1] += 2
            return make(own)[..., 1:-1]
        made = make(own)
        if layout > 2 and len(shape) == 4:
            return made.contiguous(memory_format=self.T.channels_last)
        return made

    def quantized(
        self,
        shape,
        dtype="quint8",
        scale=None,
        zero_point=None,
        most=None,
        dense=False,
        image=False,
    ):
        """Make a tensor quantized per tensor; few distinct integers make sums lie on ties."""
        dtype = name_of(dtype)
        scale = self.scale() if scale is None else scale
        zero_point = self.zero_point(dtype) if zero_point is None else zero_point
        low, high = ENDS[dtype]
        few, wide = self.chance(0.4), not self.peer and self.chance(0.5)

        def make(own):
            bound = most or (2**31 if wide or high < 256 else 1000)
            q = integers(self.rng, own, dtype, bound)
            if few:
                q = np.array([max(low, -1000), 0, 1, 2, min(high, most or 1000)])[q % 5]
            if self.edges:
                ends = max(low, -bound), min(high, bound)
                q = np.where(self.rng.randint(0, 2, size=own), q, self.rng.choice(ends, own))
            q = self.tensor(q.astype(STORAGE[dtype]))
            return self.T._make_per_tensor_quantized_tensor(q, scale, zero_point)

        return make(list(shape)) if dense else self.laid_out(make, shape, image)

    def like(self, x, shape=None):
        """Make a second operand: of the dtype, with a scale near, of the shape if none is given."""
        shape = tuple(x.shape) if shape is None else shape
        return self.quantized(shape, x.dtype, self.scale(x.q_scale()))

    def broadcasting(self, x):
        """Make a second operand of the shape of `x`, or of one that broadcasts."""
        shape = tuple(x.shape)
        if not self.old and shape and self.chance(0.3):
            ones = tuple(self.pick(1, n) for n in shape)
            shape = self.pick(ones, shape[self.whole(0, len(shape) - 1) :])
        return self.like(x, shape)

    def real(self, shape=None, special=True):
        """Make a tensor of float32 with ties of some quantizer."""
        shape = self.shape() if shape is None else shape
        dtype = self.pick(*DTYPES)
        scale, zero_point = self.scale(), self.zero_point(dtype)

        def make(own):
            return self.tensor(floats(self.rng, own, scale, zero_point, dtype, special))

        return self.laid_out(make, shape)

    def channels(self, count, dtype):
        """Draw scales and zero points of channels."""
        scales = np.array([self.scale() for _ in range(count)], np.float64)
        zeros = np.array([self.zero_point(dtype) for _ in range(count)], np.int64)
        return self.tensor(scales), self.tensor(zeros)

    def operand(self, kind):
        """Make the operand of an operation that takes this kind."""
        if kind == "real":
            return self.real()
        if kind == "integers":
            return self.quantized(self.shape(), self.pick(*DTYPES))
        if kind == "image":
            return self.quantized(self.shape(4), self.pick(*DTYPES), image=True)
        if kind == "channels":
            dtype, shape = self.pick(*DTYPES[: 2 if self.old else 3]), self.shape(self.whole(1, 4))
            axis = self.whole(0, len(shape) - 1)
            parameters = self.channels(shape[axis], dtype)
            q = self.tensor(integers(self.rng, shape, dtype, 100000))
            return self.T._make_per_channel_quantized_tensor(q, *parameters, axis)
        if kind is None:
            return None
        rank = {"rows": 2, "bytes": 4, "volume": 5}[kind]
        return self.quantized(self.shape(rank), "quint8", self.pick(0.02, 2.0**-5))

    def bell(self, shape, spread=1.0, middle=0.0):
        """Draw float32 that lie like a bell, made of integers: the same on every machine."""
        halves = self.rng.randint(-(2**14), 2**14, size=(6, *shape)).sum(axis=0)
        return (halves / 2.0**14 * spread + middle).astype(np.float32).reshape(shape)

    def batch(self, shape):
        """Draw a batch of some kind: bell, one-sided, rectified, on a grid, constant, zeros."""
        spread = 2.0 ** self.whole(-10, 5)
        x = self.bell(shape, spread, spread * (self.fraction() - 0.5))
        if self.chance(0.35):
            return x
        return self.pick(
            np.abs(x),
            -np.abs(x),
            np.maximum(x, np.float32(0)),
            np.rint(x / np.float32(spread) * 4).astype(np.float32) / np.float32(4),
            np.full(shape, x.reshape(-1)[0], np.float32),
            np.zeros(shape, np.float32),
        )

    # -- calls -----------------------------------------------------------------------------------

    def call(self, path, *arguments, **keywords):
        """Name a public function of the namespace, or after a dot a method, with its arguments."""
        return Call(path, resolved(self.T, path), arguments, keywords)

    def by(self, path, function, *arguments):
        """Name a call by a function that has no path: a module, or steps that belong together."""
        return Call(path, function, arguments)

    def module(self, path):
        """Import a module of the namespace."""
        return importlib.import_module(self.T.__name__ + "." + path)


class Call:
    """A call of a public function that is still to be made."""

    def __init__(self, path, function, arguments=(), keywords=()):
        self.path, self.function = path, function
        self.arguments, self.keywords = tuple(arguments), dict(keywords)

    def __call__(self):
        return self.function(*self.arguments, **self.keywords)


def resolved(T, path):
    """Find the function of a path such as ``"ops.quantized.add"``, or the method of ``".mean"``."""
    if path.startswith("."):
        name = path[1:]
        return lambda x, *arguments, **keywords: getattr(x, name)(*arguments, **keywords)
    return functools.reduce(getattr, path.split("."), T)
