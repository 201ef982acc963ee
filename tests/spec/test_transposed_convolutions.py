"""Literal values of transposed convolutions and sequences, worked out by hand."""

import numpy as np
import pytest

import refquant
from refquant import nn

ops = refquant.ops.quantized


@pytest.fixture(params=["fbgemm", "qnnpack", "x86", "onednn", "fbgemm-1.4", "exact", "onnx"])
def engine(request):
    """Engines that take a multiplier of 1."""
    with refquant.engines.using(request.param):
        yield request.param


def quint8(integers, zero_point=0):
    return refquant.QuantizedTensor(np.array(integers, np.uint8), refquant.quint8, 1.0, zero_point)


def qint8(integers, zero_point=0):
    return refquant.QuantizedTensor(np.array(integers, np.int8), refquant.qint8, 1.0, zero_point)


def transposed(x, w, bias=None, groups=1, **geometry):
    names = ("stride", "padding", "output_padding", "dilation")
    usual = {"stride": 1, "padding": 0, "output_padding": 0, "dilation": 1}
    parts = [{**usual, **geometry}[name] for name in names]
    bias = None if bias is None else refquant.tensor(bias)
    packed = ops.conv_transpose1d_prepack(w, bias, *parts, groups)
    return ops.conv_transpose1d(x, packed, 1.0, 10).int_repr().tolist()


def test_filters_are_added_where_they_overlap(engine):
    assert transposed(quint8([[[1, 2, 3]]]), qint8([[[1, 10]]])) == [[[11, 22, 33, 40]]]


def test_holes_between_filters_hold_the_bias(engine):
    assert transposed(quint8([[[1, 2]]]), qint8([[[1]]]), [5.0], stride=3) == [[[16, 15, 15, 17]]]


def test_zero_points_add_nothing(engine):
    x, w = quint8([[[8, 9]]], 7), qint8([[[3, 4]]], 2)  # 1, 2 and 1, 2
    assert transposed(x, w, stride=2) == [[[11, 12, 12, 14]]]


def test_padding_cuts_off_and_output_padding_adds_behind(engine):
    x, w = quint8([[[1, 2, 3]]]), qint8([[[1, 10]]])
    assert transposed(x, w, padding=1) == [[[22, 33]]]
    if engine != "onednn":
        assert transposed(x, w, output_padding=2) == [[[11, 22, 33, 40, 10, 10]]]
        assert transposed(x, w, padding=2, output_padding=3) == [[[33, 40, 10]]]


def test_dilation_moves_the_taps_apart(engine):
    x, w = quint8([[[1, 2]]]), qint8([[[1, 10]]])
    assert transposed(x, w, dilation=3) == [[[11, 12, 10, 20, 30]]]


def test_groups_do_not_see_each_other(engine):
    x, w = quint8([[[1], [2]]]), qint8([[[1], [2]], [[3], [4]]])
    assert transposed(x, w, groups=2) == [[[11], [12], [16], [18]]]
    assert transposed(x, w) == [[[17], [20]]]


def test_the_name_of_either_kind_runs_what_was_packed():
    w = qint8([[[[1, 10]]]])
    packed = ops.conv_transpose2d_prepack(w, None, 1, 0, 0, 1, 1)
    x = quint8([[[[1, 2, 3]]]])
    assert ops.conv2d(x, packed, 1.0, 0).int_repr().tolist() == [[[[1, 12, 23, 30]]]]
    packed = ops.conv2d_prepack(w, None, 1, 0, 1, 1)
    assert ops.conv_transpose2d(x, packed, 1.0, 0).int_repr().tolist() == [[[[21, 32]]]]


def test_scales_along_the_outputs_of_a_transposed_convolution():
    scales = refquant.tensor([1.0, 2.0])
    w = refquant.quantize_per_channel(
        refquant.tensor([[[1.0], [4.0]]]), scales, refquant.tensor([0, 0]), 1, refquant.qint8
    )
    with refquant.engines.using("qnnpack"):
        packed = ops.conv_transpose1d_prepack(w, None, 1, 0, 0, 1, 1)
        y = ops.conv_transpose1d(quint8([[[3]]]), packed, 1.0, 0)
    assert y.int_repr().tolist() == [[[3], [12]]]


def test_a_sequence_is_an_image_of_height_1():
    w = qint8([[[1, 10]]])
    packed = ops.conv1d_prepack(w, None, [2], [1], [1], 1)
    y = ops.conv1d(quint8([[[1, 2, 3]]]), packed, 1.0, 0)
    assert y.int_repr().tolist() == [[[10, 32]]]
    assert ops.conv2d_unpack_sizes(packed) == ([1, 1, 1, 2], None, [1, 2], [0, 1], [1, 1], 1)
    image = ops.conv2d(quint8([[[[1, 2, 3]]]]), packed, 1.0, 0)
    assert image.squeeze(2).int_repr().tolist() == [[[10, 32]]]


def test_a_sequence_has_its_channels_innermost():
    packed = ops.conv1d_prepack(qint8(np.ones((3, 2, 2))), None, 1, 0, 1, 1)
    assert ops.conv1d(quint8(np.ones((2, 2, 5))), packed, 1.0, 0).stride() == (12, 1, 3)
    packed = ops.conv_transpose1d_prepack(qint8(np.ones((2, 3, 2))), None, 1, 0, 0, 1, 1)
    assert ops.conv_transpose1d(quint8(np.ones((2, 2, 5))), packed, 1.0, 0).stride() == (18, 1, 3)


def test_packed_weights_tell_their_geometry():
    packed = ops.conv_transpose2d_prepack(
        qint8(np.ones((4, 3, 2, 2))), refquant.zeros(6), [3, 1], [1, 0], [2, 0], [1, 2], 2
    )
    assert packed.stride() == ops.conv_transpose2d_stride(packed) == [3, 1]
    assert packed.padding() == ops.conv2d_padding(packed) == [1, 0]
    assert packed.output_padding() == ops.conv_transpose2d_output_padding(packed) == [2, 0]
    assert packed.dilation() == ops.conv_transpose2d_dilation(packed) == [1, 2]
    assert packed.groups() == ops.conv_transpose2d_groups(packed) == 2
    assert packed.transpose() is True
    assert ops.conv_transpose2d_transpose(packed) == 1
    assert packed.weight().shape == (4, 3, 2, 2)
    assert packed.bias().shape == (6,)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_modules_convert_with_the_normalization_folded(dims):
    float_type, norm = getattr(nn, f"ConvTranspose{dims}d"), getattr(nn, f"BatchNorm{dims}d")
    refquant.manual_seed(3)
    quantization = refquant.quantization
    model = nn.Sequential(
        quantization.QuantStub(),
        float_type(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2),
        norm(6),
        quantization.DeQuantStub(),
    )
    x = refquant.randn(3, 4, *(5,) * dims)
    model(x)
    model.eval()
    fused = quantization.fuse_modules(model, ["1", "2"])
    fused.qconfig = quantization.default_qconfig
    prepared = quantization.prepare(fused)
    wanted = prepared(x)
    converted = quantization.convert(prepared)
    assert type(converted[1]) is getattr(nn.quantized, f"ConvTranspose{dims}d")
    got = converted(x)
    assert got.shape == wanted.shape == (3, 6, *(10,) * dims)
    error = (got - wanted).abs().max().item() / wanted.abs().max().item()
    assert error < 0.05
    assert "ConvTranspose" in repr(converted[1])
    assert "output_padding" in repr(converted[1])
