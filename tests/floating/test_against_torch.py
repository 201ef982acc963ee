"""Results and gradients against PyTorch, with shapes and options drawn at random."""

import numpy as np
import pytest
from floating.cases import CASES

import refquant

pytestmark = pytest.mark.torch


def both(torch, function, arrays, rng, dtype=np.float64, rtol=1e-9, atol=1e-10):
    """Run a function of a namespace on both sides, forward and backward, and compare."""
    arrays = [a.astype(dtype) for a in arrays]
    mine = [refquant.tensor(a, requires_grad=True) for a in arrays]
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    y, t = function(refquant, *mine), function(torch, *theirs)
    assert tuple(y.shape) == tuple(t.shape)
    assert y.dtype.name == str(t.dtype).removeprefix("torch.")
    np.testing.assert_allclose(y.detach().numpy(), t.detach().numpy(), rtol, atol)
    if y.dim() == 4:
        assert_same_strides(y, t)
    if not t.requires_grad:
        assert not y.requires_grad
        return
    weights = rng.normal(size=tuple(t.shape)).astype(dtype)
    y.backward(refquant.tensor(weights))
    t.backward(torch.tensor(weights))
    for a, b in zip(mine, theirs, strict=True):
        assert (a.grad is None) is (b.grad is None)
        if a.grad is not None:
            np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol, atol)


def assert_same_strides(y, t):
    """Compare strides, which tell the memory format, except those of extents of 1."""
    long = [n > 1 for n in t.shape]
    if t.numel():
        assert [s for s, n in zip(y.stride(), long, strict=True) if n] == [
            s for s, n in zip(t.stride(), long, strict=True) if n
        ]


@pytest.mark.parametrize("name", CASES)
def test_operation(torch, name):
    rng = np.random.default_rng(len(name) + 100)
    case = CASES[name]
    # PyTorch's hardsigmoid has 1/6 in float32, whatever the input.
    close = 1e-6 if name.startswith("hardsigmoid") else 1e-9
    for dtype, tolerance in ((np.float64, close), (np.float32, 2e-4)):
        arrays = [rng.uniform(case.low, case.high, size=shape) for shape in case.shapes]
        both(
            torch, lambda T, *x: case.function(T, *x), arrays, rng, dtype, tolerance, tolerance / 10
        )


def channels_last(T, x, wanted):
    return x.contiguous(memory_format=T.channels_last) if wanted else x


def draw(rng, low, high, size=None):
    drawn = rng.integers(low, high, size=size)
    return int(drawn) if size is None else tuple(int(v) for v in drawn)


@pytest.mark.parametrize("seed", range(40))
def test_convolution(torch, seed):
    rng = np.random.default_rng(seed)
    ndim = 1 + seed % 3
    groups = int(rng.choice([1, 1, 2, 3]))
    cin, cout = groups * draw(rng, 1, 4), groups * draw(rng, 1, 4)
    kernel = draw(rng, 1, 4, ndim)
    stride, padding, dilation = (draw(rng, a, b, ndim) for a, b in ((1, 3), (0, 3), (1, 3)))
    shape = (draw(rng, 1, 4), cin, *draw(rng, 5, 9, ndim))
    last = ndim == 2 and seed % 2 == 0
    arrays = [rng.normal(size=s) for s in (shape, (cout, cin // groups, *kernel), (cout,))]
    arrays = arrays if seed % 4 else arrays[:2]

    def function(T, x, w, b=None):
        conv = getattr(T.nn.functional, f"conv{ndim}d")
        return conv(channels_last(T, x, last), w, b, stride, padding, dilation, groups)

    both(torch, function, arrays, rng)


@pytest.mark.parametrize("seed", range(40))
def test_transposed_convolution(torch, seed):
    rng = np.random.default_rng(seed)
    ndim = 1 + seed % 3
    groups = int(rng.choice([1, 1, 2, 3]))
    cin, cout = groups * draw(rng, 1, 4), groups * draw(rng, 1, 4)
    kernel, stride = draw(rng, 1, 4, ndim), draw(rng, 1, 4, ndim)
    padding = tuple(int(rng.integers(0, k)) for k in kernel)
    behind = tuple(int(rng.integers(0, s)) for s in stride)
    dilation = draw(rng, 1, 3, ndim)
    shape = (draw(rng, 1, 4), cin, *draw(rng, 3, 7, ndim))
    arrays = [rng.normal(size=s) for s in (shape, (cin, cout // groups, *kernel), (cout,))]
    arrays = arrays if seed % 4 else arrays[:2]

    def function(T, x, w, b=None):
        conv = getattr(T.nn.functional, f"conv_transpose{ndim}d")
        return conv(x, w, b, stride, padding, behind, groups, dilation)

    both(torch, function, arrays, rng)


@pytest.mark.parametrize("seed", range(40))
def test_pooling(torch, seed):
    rng = np.random.default_rng(seed)
    kernel, stride = draw(rng, 1, 5, 2), draw(rng, 1, 4, 2)
    padding = tuple(int(rng.integers(0, k // 2 + 1)) for k in kernel)
    ceil, include = bool(rng.integers(2)), bool(rng.integers(2))
    divisor = None if rng.integers(2) else draw(rng, 1, 9)
    dilation = draw(rng, 1, 3, 2)
    last = seed % 2 == 0
    x = rng.permutation(2 * 3 * 9 * 10).reshape(2, 3, 9, 10) / 100
    size = draw(rng, 1, 12, 2)

    def maximum(T, x):
        return T.nn.functional.max_pool2d(
            channels_last(T, x, last), kernel, stride, padding, dilation, ceil
        )

    def mean(T, x):
        return T.nn.functional.avg_pool2d(
            channels_last(T, x, last), kernel, stride, padding, ceil, include, divisor
        )

    def adaptive(T, x):
        return T.nn.functional.adaptive_avg_pool2d(channels_last(T, x, last), size)

    for function in (maximum, mean, adaptive):
        both(torch, function, [x], rng)
    options = (kernel, stride, padding, dilation, ceil, True)
    _, mine = refquant.nn.functional.max_pool2d(refquant.tensor(x), *options)
    _, theirs = torch.nn.functional.max_pool2d(torch.tensor(x), *options)
    assert np.array_equal(mine.numpy(), theirs.numpy())


def test_max_pool_of_nan_and_infinities(torch):
    x = np.full((1, 1, 4, 6), -np.inf, np.float32)
    x[0, 0, 1, 1] = np.nan
    x[0, 0, 2, 5] = np.inf
    mine = refquant.nn.functional.max_pool2d(refquant.tensor(x), 2, 1, 1, return_indices=True)
    theirs = torch.nn.functional.max_pool2d(torch.tensor(x), 2, 1, 1, return_indices=True)
    for a, b in zip(mine, theirs, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize("seed", range(40))
def test_interpolation(torch, seed):
    rng = np.random.default_rng(seed)
    ndim = 1 + seed % 3
    mode = "nearest" if seed % 2 else {1: "linear", 2: "bilinear", 3: "trilinear"}[ndim]
    corners = None if mode == "nearest" else bool(rng.integers(2))
    sizes = draw(rng, 3, 7, ndim)
    factors = tuple(float(f) for f in rng.uniform(0.4, 2.6, size=ndim))
    # Where a factor keeps or doubles a size, PyTorch's gradient of the nearest neighbor is not
    # that of its result, except for images: forward goes by the factor, backward by the sizes.
    keeps = any(int(n * f) in (n, 2 * n) for n, f in zip(sizes, factors, strict=True))
    keeps = keeps and ndim != 2
    options = {"size": draw(rng, 1, 9, ndim)} if keeps else {"scale_factor": factors}
    x = rng.normal(size=(2, 3, *sizes))
    last = ndim == 2 and seed % 4 == 0

    def function(T, x):
        return T.nn.functional.interpolate(
            channels_last(T, x, last), mode=mode, align_corners=corners, **options
        )

    both(torch, function, [x], rng, np.float32, 2e-5, 2e-6)


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_recurrent_layers(torch, kind, seed):
    rng = np.random.default_rng(seed)
    size, hidden, layers = draw(rng, 1, 5), draw(rng, 1, 5), draw(rng, 1, 4)
    options = {name: bool(rng.integers(2)) for name in ("bias", "batch_first", "bidirectional")}
    batch, steps = draw(rng, 1, 5), draw(rng, 1, 6)
    lengths = rng.integers(1, steps + 1, size=batch)
    lengths[0] = steps
    packed = seed % 3 == 0
    state = (layers * (1 + options["bidirectional"]), batch, hidden)
    if kind == "RNN":
        options["nonlinearity"] = ("tanh", "relu")[seed % 2]
    mine = getattr(refquant.nn, kind)(size, hidden, layers, **options).double()
    theirs = getattr(torch.nn, kind)(size, hidden, layers, **options).double()
    mine.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})

    def function(T, x, h, c):
        module, rnn = (mine, T.nn.utils.rnn) if T is refquant else (theirs, T.nn.utils.rnn)
        if packed:
            x = rnn.pack_padded_sequence(
                x, lengths.tolist(), options["batch_first"], enforce_sorted=False
            )
        y, last = module(x, (h, c) if kind == "LSTM" else h * c)
        if packed:
            y, counts = rnn.pad_packed_sequence(y, options["batch_first"])
            assert counts.tolist() == lengths.tolist()
        parts = last if kind == "LSTM" else [last]
        return T.cat([y.flatten(), *(part.flatten() for part in parts)])

    shape = (batch, steps, size) if options["batch_first"] else (steps, batch, size)
    both(torch, function, [rng.normal(size=s) for s in (shape, state, state)], rng)
    for (name, a), b in zip(mine.named_parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), 1e-9, 1e-10, err_msg=name)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", ["LSTMCell", "GRUCell", "RNNCell"])
def test_recurrent_cells(torch, kind, seed):
    rng = np.random.default_rng(seed)
    size, hidden, batch = draw(rng, 1, 5), draw(rng, 1, 5), draw(rng, 1, 5)
    options = {"bias": bool(rng.integers(2))}
    if kind == "RNNCell":
        options["nonlinearity"] = ("tanh", "relu")[seed % 2]
    mine = getattr(refquant.nn, kind)(size, hidden, **options).double()
    theirs = getattr(torch.nn, kind)(size, hidden, **options).double()
    mine.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})

    def function(T, x, h, c):
        cell = mine if T is refquant else theirs
        after = cell(x, (h, c)) if kind == "LSTMCell" else [cell(x, h * c), cell(x)]
        return T.cat([part.flatten() for part in after])

    shapes = (
        ((batch, size), (batch, hidden), (batch, hidden))
        if seed % 2
        else ((size,), *[(hidden,)] * 2)
    )
    both(torch, function, [rng.normal(size=s) for s in shapes], rng)
    for (name, a), b in zip(mine.named_parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), 1e-9, 1e-10, err_msg=name)


DTYPES = ("float16", "float32", "float64", "bool", "uint8", "int8", "int16", "int32", "int64")


@pytest.mark.parametrize("a", DTYPES)
@pytest.mark.parametrize("b", DTYPES)
def test_dtype_of_a_result(torch, a, b):
    for shape_a in ((2,), ()):
        for shape_b in ((2,), ()):
            mine = refquant.ones(shape_a, dtype=getattr(refquant, a)) * refquant.ones(
                shape_b, dtype=getattr(refquant, b)
            )
            theirs = torch.ones(shape_a, dtype=getattr(torch, a)) * torch.ones(
                shape_b, dtype=getattr(torch, b)
            )
            assert mine.dtype.name == str(theirs.dtype).removeprefix("torch.")
    for number in (2, 2.0, True):
        mine = refquant.ones(2, dtype=getattr(refquant, a)) * number
        theirs = torch.ones(2, dtype=getattr(torch, a)) * number
        assert mine.dtype.name == str(theirs.dtype).removeprefix("torch.")


INDICES = (
    "0",
    "-1",
    "0, 1",
    "0, 1, 2",
    "1:3",
    "..., 2",
    "None, 0",
    ":, [0, 2]",
    "0, :, [1, 1, 2]",
    "[0, 1], :, [1, 2]",
    "::2, 1",
    ":, None, 0:4:2",
    "..., None",
    "[[0, 1], [2, 3]]",
    "1:1",
)


@pytest.mark.filterwarnings("ignore:Using a non-tuple sequence")
@pytest.mark.parametrize("index", INDICES)
def test_index(torch, index):
    x = np.arange(120.0).reshape(4, 5, 6)
    mine, theirs = refquant.tensor(x), torch.tensor(x)
    expression = compile(f"x[{index}]", "index", "eval")
    np.testing.assert_array_equal(
        eval(expression, {"x": mine}).numpy(), eval(expression, {"x": theirs}).numpy()
    )
    statement = compile(f"x[{index}] = -1", "index", "exec")
    for x in (mine, theirs):
        exec(statement, {"x": x})
    np.testing.assert_array_equal(mine.numpy(), theirs.numpy())


def test_special_numbers(torch):
    x = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 1e30, 1e-42], np.float32)
    for name in (
        "relu",
        "sigmoid",
        "tanh",
        "exp",
        "log",
        "sqrt",
        "abs",
        "sign",
        "floor",
        "round",
        "reciprocal",
        "rsqrt",
        "log1p",
        "square",
        "neg",
        "sum",
        "max",
        "min",
        "mean",
    ):
        mine = getattr(refquant, name)(refquant.tensor(x)).numpy()
        theirs = getattr(torch, name)(torch.tensor(x)).numpy()
        if name == "sign":
            mine = np.where(np.isnan(x), 0, mine)  # NumPy keeps NaN
        np.testing.assert_allclose(mine, theirs, 1e-6, err_msg=name)
    for name in ("add", "sub", "mul", "div", "pow", "maximum", "minimum", "remainder"):
        mine = getattr(refquant, name)(refquant.tensor(x)[:, None], refquant.tensor(x)).numpy()
        theirs = getattr(torch, name)(torch.tensor(x)[:, None], torch.tensor(x)).numpy()
        np.testing.assert_allclose(mine, theirs, 1e-6, err_msg=name)


@pytest.mark.parametrize("shape", [(4, 8), (3, 5, 7), (2, 64, 3, 3), (2, 3, 2, 2, 5)])
def test_batch_normalization_in_evaluation_has_the_same_bits(torch, shape):
    rng = np.random.default_rng(0)
    mean, weight, bias = rng.normal(size=(3, shape[1])).astype(np.float32)
    variance = rng.uniform(0.2, 4, shape[1]).astype(np.float32)
    x = rng.normal(size=shape).astype(np.float32)
    for affine in ((weight, bias), (None, None)):
        ours, theirs = (
            library.nn.functional.batch_norm(
                *(
                    None if a is None else library.from_numpy(a)
                    for a in (x, mean, variance, *affine)
                )
            ).numpy()
            for library in (refquant, torch)
        )
        assert np.array_equal(ours, theirs)
