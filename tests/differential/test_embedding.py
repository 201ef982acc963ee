"""Embeddings beside an installed PyTorch: float functions, recipes and conversions."""

import warnings

import numpy as np
import pytest

import refquant

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore:.*ao.quantization is deprecated:DeprecationWarning"),
]


@pytest.fixture(autouse=True)
def engine():
    with refquant.engines.using("fbgemm"):
        yield


def both(torch, function):
    """Run a function in both namespaces; returns its results as arrays."""

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [[part.detach().numpy() for part in function(T)] for T in (torch, refquant)]


def agree(torch, function, rtol=0.0):
    for theirs, ours in zip(*both(torch, function), strict=True):
        assert (theirs.shape, theirs.dtype) == (ours.shape, ours.dtype)
        if rtol:
            np.testing.assert_allclose(ours, theirs, rtol, 1e-6)
        else:
            np.testing.assert_array_equal(theirs, ours)


OPTIONS = [
    {},
    {"mode": "sum"},
    {"mode": "max"},
    {"mode": "sum", "padding_idx": 2},
    {"padding_idx": -3},
    {"mode": "max", "padding_idx": 1},
    {"mode": "sum", "max_norm": 1.5},
    {"include_last_offset": True},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("weighted", [False, True])
def test_float_bags(torch, options, weighted):
    if weighted and options.get("mode") != "sum":
        pytest.skip("factors are for sums")
    rng = np.random.default_rng(3)
    table = rng.normal(size=(6, 5)).astype(np.float32)
    indices, offsets = rng.integers(0, 6, 11), np.array([0, 3, 3, 11])
    gradient = rng.normal(size=(3 if "include_last_offset" in options else 4, 5))
    factors = rng.normal(size=11).astype(np.float32)

    def run(T):
        w = T.from_numpy(table.copy()).requires_grad_()
        p = T.from_numpy(factors.copy()).requires_grad_() if weighted else None
        y = T.nn.functional.embedding_bag(
            T.from_numpy(indices), w, T.from_numpy(offsets), per_sample_weights=p, **options
        )
        (y * T.from_numpy(gradient.astype(np.float32))).sum().backward()
        return [y, w.grad, w, *([p.grad] if weighted else [])]

    agree(torch, run, 1e-5)


@pytest.mark.parametrize(
    "options", [{}, {"padding_idx": 1}, {"scale_grad_by_freq": True}, {"max_norm": 1.0}], ids=str
)
def test_float_lookups(torch, options):
    rng = np.random.default_rng(4)
    table, indices = rng.normal(size=(6, 5)).astype(np.float32), rng.integers(0, 6, (3, 4))

    def run(T):
        w = T.from_numpy(table.copy()).requires_grad_()
        y = T.nn.functional.embedding(T.from_numpy(indices), w, **options)
        (y * y).sum().backward()
        return [y, w.grad, w]

    agree(torch, run, 1e-5)


def loaded(T, module, seed):
    numbers = np.random.default_rng(seed).normal(size=tuple(module.weight.shape))
    with T.no_grad():
        module.load_state_dict({"weight": T.from_numpy(numbers.astype(np.float32))})
    return module


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("bits", ["", "_4bit"])
def test_converted_bags(torch, bits, seed):
    rng = np.random.default_rng(seed)
    indices, offsets = rng.integers(0, 50, 40), np.array([0, 4, 4, 40])
    factors = rng.normal(size=40).astype(np.float32)

    def run(T):
        q = T.ao.quantization
        bag = T.nn.EmbeddingBag(50, 24, mode="sum", include_last_offset=True)
        model = T.nn.Sequential(loaded(T, bag, seed))
        model.qconfig = getattr(q, "float_qparams_weight_only_qconfig" + bits)
        made = q.convert(q.prepare(model))
        arguments = T.from_numpy(indices), T.from_numpy(offsets)
        weight = made[0].weight()
        return [
            made[0](*arguments),
            made[0](*arguments, T.from_numpy(factors)),
            weight.dequantize(),
            weight.int_repr(),
            # In PyTorch they lie in the memory of the packed weight.
            weight.q_per_channel_scales().clone(),
            weight.q_per_channel_zero_points().clone(),
        ]

    agree(torch, run)


@pytest.mark.parametrize("seed", range(5))
def test_converted_lookups(torch, seed):
    indices = np.random.default_rng(seed).integers(0, 50, (4, 10))

    def run(T):
        q = T.ao.quantization
        model = T.nn.Sequential(loaded(T, T.nn.Embedding(50, 24), seed))
        return [q.quantize_dynamic(model, dtype=T.quint8)[0](T.from_numpy(indices))]

    agree(torch, run)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("bits", ["", "_4bit"])
def test_trained_bags(torch, bits, seed):
    indices = np.random.default_rng(seed).integers(0, 50, (4, 10))

    def run(T):
        q = T.ao.quantization
        model = T.nn.Sequential(loaded(T, T.nn.EmbeddingBag(50, 24, mode="sum"), seed))
        model[0].qconfig = getattr(q, "default_embedding_qat_qconfig" + bits)
        model = q.prepare_qat(model.train(), mapping=q.get_embedding_qat_module_mappings())
        results = []
        for step in range(3):
            with T.no_grad():
                model[0].weight.data = model[0].weight.data * (1.0 + step)
            rounded = model[0].weight_fake_quant(model[0].weight)
            (rounded * rounded).sum().backward()
            results += [rounded, model[0].weight.grad.clone()]
        made = q.convert(model.eval(), mapping=q.get_embedding_static_quant_module_mappings())
        return [*results, made[0].weight().int_repr(), made[0](T.from_numpy(indices))]

    agree(torch, run)
