"""Embeddings and bags: float, trained with rounding, quantized; their recipes and states."""

import copy
import io
import tracemalloc

import numpy as np
import pytest

import refquant
from refquant import errors, nn
from refquant import quantization as q

BYTES, FOUR = q.float_qparams_weight_only_qconfig, q.float_qparams_weight_only_qconfig_4bit


@pytest.fixture(autouse=True)
def fbgemm():
    with refquant.engines.using("fbgemm"):
        yield


def filled(module, seed=0):
    numbers = np.random.default_rng(seed).normal(size=tuple(module.weight.shape))
    module.weight.data = refquant.from_numpy(numbers.astype(np.float32))
    return module


def quantized(module, recipe):
    model = nn.Sequential(filled(module))
    model.qconfig = recipe
    return q.convert(q.prepare(model))[0]


@pytest.mark.parametrize(("recipe", "steps"), [(BYTES, 255), (FOUR, 15)])
def test_each_row_is_quantized_between_its_own_ends(recipe, steps):
    float_bag = filled(nn.EmbeddingBag(10, 12, mode="sum"))
    bag = quantized(nn.EmbeddingBag(10, 12, mode="sum"), recipe)
    w = float_bag.weight.detach().numpy()
    extent = w.max(axis=1) - w.min(axis=1)
    assert np.allclose(bag.weight().q_per_channel_scales().numpy(), extent / steps)
    assert np.abs(bag.weight().dequantize().numpy() - w).max() <= extent.max() / steps
    indices = refquant.tensor([[1, 2, 2], [0, 9, 3]])
    error = bag(indices).numpy() - float_bag(indices).detach().numpy()
    assert np.abs(error).max() < 3 * extent.max() / steps


@pytest.mark.parametrize("recipe", [BYTES, FOUR])
def test_states_have_the_keys_of_pytorch_and_go_through_a_file(recipe):
    layer, other = (quantized(nn.Embedding(6, 4), recipe) for _ in range(2))
    assert list(layer.state_dict()) == ["_packed_params.dtype", "_packed_params._packed_weight"]
    other.set_weight(quantized(nn.Embedding(6, 4), BYTES).weight())
    file = io.BytesIO()
    refquant.save(layer.state_dict(), file)
    file.seek(0)
    other.load_state_dict(refquant.load(file))
    assert other.dtype is layer.dtype
    assert refquant.equal(other.weight(), layer.weight())
    assert refquant.equal(copy.deepcopy(layer).weight(), layer.weight())


def test_a_state_that_does_not_fit_changes_nothing():
    layer = quantized(nn.Embedding(6, 4), BYTES)
    before = layer.weight()
    state = nn.quantized.Embedding(5, 4).state_dict()
    with pytest.raises(errors.StateError, match="_packed_weight"):
        layer.load_state_dict(state)
    assert refquant.equal(layer.weight(), before)


def test_printing():
    layer = nn.quantized.EmbeddingBag(10, 12, dtype=refquant.quint4x2)
    assert repr(layer) == (
        "QuantizedEmbeddingBag(num_embeddings=10, embedding_dim=12, dtype=refquant.quint4x2, "
        "qscheme=refquant.per_channel_affine_float_qparams)"
    )
    assert repr(nn.EmbeddingBag(3, 4, padding_idx=-1)) == (
        "EmbeddingBag(3, 4, mode='mean', padding_idx=2)"
    )


@pytest.mark.parametrize(("dtype", "kinds"), [("quint8", (1, 1)), ("quint4x2", (1, 0))])
def test_quantize_dynamic_by_dtype(dtype, kinds):
    model = nn.Sequential(nn.EmbeddingBag(4, 6, mode="sum"), nn.Embedding(4, 6), nn.Linear(6, 2))
    made = q.quantize_dynamic(model, dtype=getattr(refquant, dtype))
    types = nn.quantized.EmbeddingBag, nn.quantized.Embedding
    assert tuple(type(m) is kind for m, kind in zip(made, types, strict=False)) == kinds
    assert type(made[2]) is nn.Linear
    assert made[0].dtype is getattr(refquant, dtype)


def test_quantize_dynamic_leaves_tables_float_by_default():
    model = nn.Sequential(nn.Embedding(4, 6), nn.Linear(6, 2))
    made = q.quantize_dynamic(model)
    assert type(made[0]) is nn.Embedding
    assert type(made[1]) is nn.quantized.dynamic.Linear


@pytest.mark.parametrize("kind", [nn.Embedding, nn.EmbeddingBag])
def test_prepare_rejects_recipes_without_float_zero_points(kind):
    model = nn.Sequential(kind(4, 6), nn.Linear(6, 2)).eval()
    model.qconfig = q.get_default_qconfig()
    with pytest.raises(errors.ArgumentError, match=r"'0'.*float_qparams_weight_only_qconfig"):
        q.prepare(model)
    model.qconfig = q.get_default_qat_qconfig()
    with pytest.raises(errors.ArgumentError, match="default_embedding_qat_qconfig"):
        q.prepare_qat(model.train())
    model[0].qconfig = None
    assert type(q.prepare_qat(model)[0]) is kind


@pytest.mark.parametrize(
    ("recipe", "dtype"),
    [
        (q.default_embedding_qat_qconfig, refquant.quint8),
        (q.default_embedding_qat_qconfig_4bit, refquant.quint4x2),
    ],
)
def test_training_with_rounding(recipe, dtype):
    model = nn.Sequential(filled(nn.EmbeddingBag(10, 12, mode="sum")), nn.Linear(12, 3))
    model.qconfig = q.get_default_qat_qconfig("fbgemm")
    model[0].qconfig = recipe
    prepared = q.prepare_qat(model, q.get_embedding_qat_module_mappings())
    assert type(prepared[0]) is nn.qat.EmbeddingBag
    indices = refquant.tensor([[1, 2, 2], [0, 9, 3]])
    y = prepared[0](indices)
    y.sum().backward()
    assert prepared[0].weight.grad.shape == (10, 12)
    prepared(indices)
    made = q.convert(prepared.eval(), q.get_embedding_static_quant_module_mappings())
    assert type(made[0]) is nn.quantized.EmbeddingBag
    assert made[0].dtype is dtype
    step = float(made[0].weight().q_per_channel_scales().max())
    assert np.abs(made[0](indices).numpy() - y.detach().numpy()).max() < step


def test_modules_for_training_become_float_again():
    layer = nn.qat.Embedding(5, 3, padding_idx=1, qconfig=q.default_embedding_qat_qconfig)
    back = layer.to_float()
    assert type(back) is nn.Embedding
    assert back.padding_idx == 1
    assert refquant.equal(back.weight.detach(), layer.weight.detach())


@pytest.mark.parametrize("recipe", [None, q.default_qat_qconfig])
def test_training_needs_a_recipe_for_embeddings(recipe):
    for kind in (nn.qat.Embedding, nn.qat.EmbeddingBag):
        with pytest.raises(errors.ArgumentError, match="qconfig"):
            kind(5, 3, qconfig=recipe)


def test_bags_that_are_no_sums_say_that_they_will_be():
    model = nn.Sequential(nn.EmbeddingBag(4, 6))
    model.qconfig = BYTES
    with pytest.warns(errors.WorkflowWarning, match="mode='mean'"):
        q.convert(q.prepare(model))


def test_from_float_rejects_other_modules_and_recipes():
    with pytest.raises(errors.ArgumentError, match="exactly a Embedding"):
        nn.quantized.Embedding.from_float(nn.Linear(2, 2))
    with pytest.raises(errors.ArgumentError, match="qconfig"):
        nn.quantized.Embedding.from_float(nn.Embedding(2, 2))
    layer = nn.Embedding(2, 2)
    layer.qconfig = q.default_qconfig
    with pytest.raises(errors.ArgumentError, match="float zero points"):
        nn.quantized.Embedding.from_float(layer)
    layer.qconfig = q.float_qparams_weight_only_qconfig
    assert nn.quantized.Embedding.from_float(layer).dtype is refquant.quint8


def test_weights_that_do_not_fit_are_rejected():
    layer = nn.quantized.Embedding(2, 4)
    for other in (nn.quantized.Embedding(3, 4), nn.quantized.Embedding(2, 6)):
        with pytest.raises(errors.ShapeError, match=r"\(2, 4\)"):
            layer.set_weight(other.weight())
    with pytest.raises(errors.QuantizerError, match="float zero points"):
        layer.set_weight(refquant.quantize_per_tensor(refquant.ones(2, 4), 1.0, 0, refquant.quint8))
    with pytest.raises(errors.NotSupportedError, match="quint4x2"):
        nn.quantized.Embedding(2, 4, dtype=refquant.qint8)
    with pytest.raises(errors.ShapeError, match="multiple of 2"):
        nn.quantized.Embedding(2, 3, dtype=refquant.quint4x2)


def held(make):
    """Make something; returns it, and the bytes that are held afterwards."""
    tracemalloc.start()
    try:
        made = make()
        return made, tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def test_half_the_bits_need_at_most_six_tenths_of_the_memory():
    rows, columns = 10**6, 32
    _, eight = held(lambda: nn.quantized.EmbeddingBag(rows, columns))
    _, four = held(lambda: nn.quantized.EmbeddingBag(rows, columns, dtype=refquant.quint4x2))
    assert four <= 0.6 * eight


@pytest.mark.parametrize("dtype", ["quint8", "quint4x2"])
def test_a_lookup_copies_no_table(dtype):
    bag = nn.quantized.EmbeddingBag(10**5, 32, dtype=getattr(refquant, dtype))
    layer = nn.quantized.Embedding(10**5, 32, dtype=getattr(refquant, dtype))
    indices = refquant.tensor([[5, 99_999], [0, 7]])
    for module in (bag, layer):
        module(indices)
        tracemalloc.start()
        try:
            module(indices)
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert most < 50_000
