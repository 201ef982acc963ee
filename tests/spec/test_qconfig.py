"""QConfig, its defaults, and the recipes of the engines."""

import copy

import pytest

import refquant
from refquant import quantization as Q
from refquant.quantization.qconfig import FAKE_QUANTS, WEIGHT_FAKE_QUANTS, WEIGHTS


@pytest.mark.parametrize(
    ("name", "activation", "weight"),
    [
        ("default_qconfig", Q.default_observer, Q.default_weight_observer),
        ("default_per_channel_qconfig", Q.default_observer, Q.default_per_channel_weight_observer),
        ("default_debug_qconfig", Q.RecordingObserver, Q.default_weight_observer),
        ("default_qat_qconfig", Q.default_fake_quant, Q.default_weight_fake_quant),
        ("default_weight_only_qconfig", refquant.nn.Identity, Q.default_weight_fake_quant),
        ("default_activation_only_qconfig", Q.default_fake_quant, refquant.nn.Identity),
    ],
)
def test_defaults(name, activation, weight):
    assert getattr(Q, name) == Q.QConfig(activation, weight)


@pytest.mark.parametrize(
    ("name", "weight"),
    [
        ("default_dynamic_qconfig", Q.default_weight_observer),
        ("per_channel_dynamic_qconfig", Q.default_per_channel_weight_observer),
        ("float16_dynamic_qconfig", Q.PlaceholderObserver.with_args(dtype=refquant.float16)),
    ],
)
def test_dynamic_defaults(name, weight):
    qconfig = getattr(Q, name)
    assert qconfig.weight == weight
    assert qconfig.activation().is_dynamic


@pytest.mark.parametrize(
    ("name", "made", "dtype", "scheme", "target"),
    [
        ("default_observer", Q.MinMaxObserver, "quint8", "per_tensor_affine", (0, 127)),
        ("default_weight_observer", Q.MinMaxObserver, "qint8", "per_tensor_symmetric", (-128, 127)),
        (
            "default_per_channel_weight_observer",
            Q.PerChannelMinMaxObserver,
            "qint8",
            "per_channel_symmetric",
            (-128, 127),
        ),
        (
            "default_histogram_observer",
            Q.HistogramObserver,
            "quint8",
            "per_tensor_affine",
            (0, 127),
        ),
    ],
)
def test_default_observers(name, made, dtype, scheme, target):
    observer = getattr(Q, name)()
    assert type(observer) is made
    assert (observer.dtype.name, observer.qscheme.name) == (dtype, scheme)
    assert observer.target_range == target


@pytest.mark.parametrize(
    ("name", "made", "target", "clipped"),
    [
        ("default_fake_quant", Q.MovingAverageMinMaxObserver, (0, 127), (0, 127)),
        ("default_weight_fake_quant", Q.MovingAverageMinMaxObserver, (-128, 127), (-128, 127)),
        (
            "default_per_channel_weight_fake_quant",
            Q.MovingAveragePerChannelMinMaxObserver,
            (-128, 127),
            (-128, 127),
        ),
        ("default_histogram_fake_quant", Q.HistogramObserver, (0, 127), (0, 127)),
    ],
)
def test_default_fake_quantization(name, made, target, clipped):
    module = getattr(Q, name)()
    assert type(module.activation_post_process) is made
    assert module.activation_post_process.target_range == target
    assert (module.quant_min, module.quant_max) == clipped


@pytest.mark.usefixtures("release_1_4")
@pytest.mark.parametrize("name", ["default_fake_quant", "default_histogram_fake_quant"])
def test_release_1_4_clips_in_all_of_the_range(name):
    module = getattr(Q, name)()
    assert module.activation_post_process.target_range == (0, 127)
    assert (module.quant_min, module.quant_max) == (0, 255)


@pytest.mark.parametrize(
    ("backend", "reduce_range", "weight", "version"),
    [
        ("x86", True, "per_channel", 1),
        ("fbgemm", True, "per_channel", 1),
        ("fbgemm-1.4", True, "per_channel", 0),
        ("qnnpack", False, "per_tensor", 1),
        ("qnnpack-1.4", False, "per_tensor", 0),
        ("onednn", False, "per_channel", 1),
    ],
)
def test_recipes_of_the_engines(backend, reduce_range, weight, version):
    static, training = Q.get_default_qconfig(backend), Q.get_default_qat_qconfig(backend)
    assert training == Q.get_default_qat_qconfig(backend, version)
    assert static.activation == Q.HistogramObserver.with_args(reduce_range=reduce_range)
    assert static.weight == WEIGHTS[weight]
    with refquant.engines.using(backend):
        module = training.activation()
    assert type(module) is FAKE_QUANTS[version]
    assert module.activation_post_process.reduce_range is reduce_range
    clipped = (0, 127) if reduce_range and version else (0, 255)
    assert (module.quant_min, module.quant_max) == clipped
    assert training.weight == WEIGHT_FAKE_QUANTS[version][weight]


@pytest.mark.usefixtures("release_1_4")
def test_the_engine_that_is_chosen_decides_the_version_of_a_recipe_by_its_name_of_1_4():
    assert Q.get_default_qat_qconfig("fbgemm") == Q.get_default_qat_qconfig("fbgemm", 0)


@pytest.mark.parametrize("version", [-1, 2, 1.5, "1"])
def test_versions_that_do_not_exist(version):
    with pytest.raises(refquant.errors.RefquantError, match="`version` must be"):
        Q.get_default_qat_qconfig("fbgemm", version)
    with pytest.raises(refquant.errors.RefquantError, match="`version` must be"):
        Q.get_default_qconfig("fbgemm", version)


def test_x86_is_the_default():
    assert Q.get_default_qconfig() == Q.get_default_qconfig("x86")
    assert Q.get_default_qat_qconfig() == Q.get_default_qat_qconfig("x86")


def test_qconfig_is_a_named_tuple():
    activation, weight = Q.default_qconfig
    assert (activation, weight) == (Q.default_qconfig.activation, Q.default_qconfig.weight)
    assert copy.deepcopy(Q.default_qconfig) == Q.default_qconfig
    assert {Q.default_qconfig: 1}[copy.copy(Q.default_qconfig)] == 1


def test_documented_submodules_hold_the_same_objects():
    for name in Q.__all__:
        assert getattr(Q, name) is not None
    for face in (Q.observer, Q.fake_quantize, Q.qconfig):
        for name in face.__all__:
            if name.startswith("_"):
                continue
            assert getattr(face, name) is getattr(Q, name)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        Q.nothing  # noqa: B018
    assert "MinMaxObserver" in dir(Q)
