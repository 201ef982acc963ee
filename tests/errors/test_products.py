"""Linear layers and convolutions: what is rejected, and what the message says."""

import numpy as np
import pytest

import refquant
from refquant import nn
from refquant.errors import (
    ArgumentError,
    ArgumentTypeError,
    DtypeError,
    EngineError,
    NotSupportedError,
    OperationError,
    QuantizationParameterError,
    QuantizerError,
    ShapeError,
    StateError,
)

ops = refquant.ops.quantized
F = nn.quantized.functional


def quint8(*shape):
    return refquant.QuantizedTensor(np.zeros(shape, np.uint8), refquant.quint8, 0.5, 3)


def qint8(*shape, axis=None):
    scale, zero = 0.5, 0
    if axis is not None:
        scale, zero = np.full(shape[axis], 0.5), np.zeros(shape[axis], np.int64)
    return refquant.QuantizedTensor(np.zeros(shape, np.int8), refquant.qint8, scale, zero, axis)


def zeros(*shape):
    return refquant.from_numpy(np.zeros(shape, np.float32))


LINEAR = ops.linear_prepack(qint8(3, 5), zeros(3))
CONV = ops.conv2d_prepack(qint8(4, 3, 3, 3), zeros(4), 1, 0, 1, 1)


def conv(weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    return ops.conv2d_prepack(weight, bias, stride, padding, dilation, groups)


def transposed(weight, bias=None, stride=1, padding=0, output_padding=0, dilation=1, groups=1):
    return ops.conv_transpose2d_prepack(
        weight, bias, stride, padding, output_padding, dilation, groups
    )


TRANSPOSED = transposed(qint8(4, 3, 3, 3))

REFUSED = {
    "transposed of three dimensions": (
        lambda: ops.conv_transpose2d(quint8(4, 5, 5), TRANSPOSED, 1.0, 0),
        ShapeError,
        "of 4 dimensions",
    ),
    "transposed of other channels": (
        lambda: ops.conv_transpose2d(quint8(1, 3, 5, 5), TRANSPOSED, 1.0, 0),
        ShapeError,
        "of 4 channels",
    ),
    "transposed with nothing left": (
        lambda: ops.conv_transpose2d(
            quint8(1, 4, 2, 5), transposed(qint8(4, 3, 1, 1), padding=1), 1.0, 0
        ),
        ShapeError,
        "padding cuts off",
    ),
    "transposed of qint8": (
        lambda: ops.conv_transpose2d(qint8(1, 4, 5, 5), TRANSPOSED, 1.0, 0),
        DtypeError,
        "quint8",
    ),
    "transposed packed for sequences of volumes": (
        lambda: ops.conv_transpose3d(quint8(1, 4, 5, 5, 5), TRANSPOSED, 1.0, 0),
        ArgumentTypeError,
        "conv_transpose3d_prepack",
    ),
    "transposed bias": (
        lambda: transposed(qint8(4, 3, 3, 3), zeros(4)),
        ShapeError,
        "of shape (3,)",
    ),
    "transposed groups": (
        lambda: transposed(qint8(4, 3, 3, 3), groups=3),
        ArgumentError,
        "divisor of 4, the number of channels",
    ),
    "transposed weight": (lambda: transposed(qint8(4, 3, 3)), ShapeError, "of 4 dimensions"),
    "transposed weight of no output": (
        lambda: transposed(qint8(4, 0, 3, 3)),
        ShapeError,
        "at least one output",
    ),
    "transposed output padding": (
        lambda: transposed(qint8(4, 3, 3, 3), output_padding=-1),
        ArgumentError,
        "output_padding",
    ),
    "sequence of two dimensions": (
        lambda: ops.conv1d(
            quint8(3, 5), ops.conv1d_prepack(qint8(4, 3, 3), None, 1, 0, 1, 1), 1.0, 0
        ),
        ShapeError,
        "of 3 dimensions",
    ),
    "another geometry than was packed": (
        lambda: ops.conv2d(quint8(1, 3, 5, 5), CONV, [2, 1], [0, 0], [1, 1], 1, 1.0, 0),
        ArgumentError,
        "pack the weight again",
    ),
    "five arguments": (
        lambda: ops.conv2d(quint8(1, 3, 5, 5), CONV, 1.0, 0, 1),
        ArgumentTypeError,
        "as in PyTorch 1.4",
    ),
    "geometry of a linear weight": (
        lambda: ops.conv2d_stride(LINEAR),
        ArgumentTypeError,
        "conv2d_prepack",
    ),
    "float input": (lambda: ops.linear(zeros(2, 5), LINEAR, 1.0, 0), QuantizerError, "QuantStub"),
    "float image": (
        lambda: ops.conv2d(zeros(1, 3, 5, 5), CONV, 1.0, 0),
        QuantizerError,
        "QuantStub",
    ),
    "qint8 input": (lambda: ops.linear(qint8(2, 5), LINEAR, 1.0, 0), DtypeError, "quint8"),
    "one dimension": (lambda: ops.linear(quint8(5), LINEAR, 1.0, 0), ShapeError, "unsqueeze"),
    "depth": (lambda: ops.linear(quint8(2, 4), LINEAR, 1.0, 0), ShapeError, "5"),
    "scale": (
        lambda: ops.linear(quint8(2, 5), LINEAR, 0.0, 0),
        QuantizationParameterError,
        "scale",
    ),
    "zero point": (
        lambda: ops.linear(quint8(2, 5), LINEAR, 1.0, 256),
        QuantizationParameterError,
        "0..255",
    ),
    "not packed": (
        lambda: ops.linear(quint8(2, 5), qint8(3, 5), 1.0, 0),
        ArgumentTypeError,
        "prepack",
    ),
    "packed for another": (
        lambda: ops.conv2d(quint8(1, 3, 5, 5), LINEAR, 1.0, 0),
        ArgumentTypeError,
        "conv2d_prepack",
    ),
    "float weight": (lambda: ops.linear_prepack(zeros(3, 5)), QuantizerError, "quantize"),
    "quint8 weight": (lambda: ops.linear_prepack(quint8(3, 5)), DtypeError, "qint8"),
    "rank of weight": (lambda: ops.linear_prepack(qint8(3, 5, 1)), ShapeError, "2 dimensions"),
    "axis of weight": (lambda: ops.linear_prepack(qint8(3, 5, axis=1)), QuantizerError, "axis=0"),
    "length of bias": (lambda: ops.linear_prepack(qint8(3, 5), zeros(4)), ShapeError, "(3,)"),
    "dtype of bias": (
        lambda: ops.linear_prepack(qint8(3, 5), refquant.tensor([1, 2, 3])),
        DtypeError,
        "float32",
    ),
    "rank of image": (
        lambda: ops.conv2d(quint8(3, 5, 5), CONV, 1.0, 0),
        ShapeError,
        "(N, C, H, W)",
    ),
    "channels": (lambda: ops.conv2d(quint8(1, 4, 5, 5), CONV, 1.0, 0), ShapeError, "3 channels"),
    "small image": (lambda: ops.conv2d(quint8(1, 3, 2, 5), CONV, 1.0, 0), ShapeError, "at least 3"),
    "stride": (lambda: conv(qint8(4, 3, 3, 3), stride=0), ArgumentError, "at least 1"),
    "padding": (lambda: conv(qint8(4, 3, 3, 3), padding=-1), ArgumentError, "at least 0"),
    "groups": (lambda: conv(qint8(4, 3, 3, 3), groups=3), ArgumentError, "divisor of 4"),
    "numbers of stride": (
        lambda: conv(qint8(4, 3, 3, 3), stride=[1, 1, 1]),
        ArgumentTypeError,
        "2",
    ),
    "scale in place of stride": (
        lambda: F.conv2d(quint8(1, 3, 5, 5), qint8(4, 3, 3, 3), zeros(4), 1.0, 0),
        ArgumentTypeError,
        "scale=",
    ),
    "padding mode": (
        lambda: F.conv2d(quint8(1, 3, 5, 5), qint8(4, 3, 3, 3), None, padding_mode="reflect"),
        NotSupportedError,
        "zeros",
    ),
    "rank in a module": (
        lambda: nn.quantized.Conv2d(3, 4, 3)(quint8(3, 5, 5)),
        ArgumentError,
        "(N, C, H, W)",
    ),
    "rank in a function": (
        lambda: F.conv3d(quint8(3, 5, 5), qint8(4, 3, 3, 3, 3), None),
        ArgumentError,
        "(N, C, D, H, W)",
    ),
    "groups of a module": (
        lambda: nn.quantized.Conv2d(3, 4, 3, groups=2),
        ArgumentError,
        "divisible",
    ),
    "quantized input of dynamic": (
        lambda: ops.linear_dynamic(quint8(2, 5), LINEAR),
        DtypeError,
        "dequantize",
    ),
    "float64": (
        lambda: ops.linear_dynamic(np.zeros((2, 5)), LINEAR),
        DtypeError,
        "float32",
    ),
    "NaN": (
        lambda: ops.linear_dynamic(zeros(1, 5) / 0, LINEAR),
        OperationError,
        "finite",
    ),
    "depth of float16": (
        lambda: ops.linear_dynamic_fp16(zeros(2, 4), ops.linear_prepack_fp16(zeros(3, 5))),
        ShapeError,
        "5",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_rejected(case):
    call, kind, words = REFUSED[case]
    with pytest.raises(kind) as caught:
        call()
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "call",
    [
        lambda: ops.linear(quint8(2, 5), LINEAR, 1.0, 0),
        lambda: ops.linear_dynamic(zeros(2, 5), LINEAR),
        lambda: ops.conv2d(quint8(1, 3, 5, 5), CONV, 1.0, 0),
    ],
)
def test_a_weight_runs_under_the_engine_that_packed_it_alone(call):
    with refquant.engines.using("qnnpack"), pytest.raises(EngineError, match="packed by engine"):
        call()
    call()


@pytest.mark.parametrize(
    ("call", "able"),
    [
        (lambda: ops.linear_prepack(qint8(3, 5, axis=0)), "fbgemm"),
        (lambda: ops.conv3d_prepack(qint8(4, 3, 1, 3, 3), None, 1, 0, 1, 1), "fbgemm"),
        (lambda: ops.linear_dynamic(zeros(2, 5), ops.linear_prepack(qint8(3, 5))), "fbgemm"),
        (lambda: ops.linear_prepack_fp16(zeros(3, 5)), "fbgemm"),
        # A multiplier of 0.5 * 0.5 / 0.25 = 1, then one that is too small.
        (lambda: ops.linear(quint8(2, 5), ops.linear_prepack(qint8(3, 5)), 0.25, 0), "qnnpack"),
        (lambda: ops.linear(quint8(2, 5), ops.linear_prepack(qint8(3, 5)), 1e12, 0), "qnnpack"),
    ],
)
def test_limits_of_qnnpack_1_4_name_an_engine_that_can(call, able):
    with refquant.engines.using("qnnpack-1.4"), pytest.raises(EngineError) as caught:
        call()
    assert f"'{able}'" in caught.value.hint
    with refquant.engines.using(able):
        call()


def test_qnnpack_ignores_reduce_range_and_says_so():
    with refquant.engines.using("qnnpack"):
        packed = ops.linear_prepack(qint8(3, 5))
        with pytest.warns(UserWarning, match="ignores reduce_range"):
            ops.linear_dynamic(zeros(2, 5), packed, True)


def test_a_state_that_does_not_fit_changes_nothing():
    module = nn.quantized.Linear(5, 3)
    module.scale = 0.25
    state = nn.quantized.Linear(6, 3).state_dict()
    with pytest.raises(StateError, match=r"_packed_params\.weight"):
        module.load_state_dict(state)
    assert module.scale == 0.25


def test_from_float_needs_the_exact_type_and_a_recipe():
    with pytest.raises(ArgumentError, match="exactly a Linear"):
        nn.quantized.Linear.from_float(nn.ReLU())
    with pytest.raises(ArgumentError, match="QConfig"):
        nn.quantized.Linear.from_float(nn.Linear(2, 2))


@pytest.mark.parametrize(
    ("engine", "call", "message"),
    [
        ("fbgemm", lambda: transposed(qint8(4, 3, 3, 3, axis=1)), "one scale"),
        ("fbgemm", lambda: transposed(qint8(4, 3, 3, 3, axis=0)), "one scale"),
        ("qnnpack", lambda: transposed(qint8(4, 3, 3, 3, axis=1), groups=2), "groups"),
        (
            "qnnpack",
            lambda: ops.conv_transpose3d_prepack(qint8(4, 3, 1, 1, 1), None, 1, 0, 0, 1, 1),
            "memory that it never wrote",
        ),
        (
            "qnnpack",
            lambda: ops.conv2d_relu(quint8(1, 4, 2, 2), transposed(qint8(4, 3, 1, 1)), 1.0, 0),
            "with ReLU",
        ),
        ("onednn", lambda: transposed(qint8(4, 3, 3, 3), output_padding=1), "output padding"),
    ],
)
def test_what_an_engine_lacks_of_transposed_convolutions(engine, call, message):
    with refquant.engines.using(engine), pytest.raises(EngineError, match=message):
        call()


def test_weights_of_transposed_convolutions_have_their_outputs_along_axis_1():
    with (
        refquant.engines.using("qnnpack"),
        pytest.raises(QuantizerError, match="quantized along axis 1"),
    ):
        transposed(qint8(4, 3, 3, 3, axis=0))
