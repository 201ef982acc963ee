"""What quantized operations reject, with which exception, and what they say."""

import numpy as np
import pytest

import refquant
from refquant import errors, nn
from refquant.ops import quantized as ops


def q(values=(1.0, 2.0), scale=0.5, zero_point=3, dtype=refquant.quint8):
    return refquant.quantize_per_tensor(refquant.tensor(list(values)), scale, zero_point, dtype)


def channels():
    return refquant.quantize_per_channel(
        refquant.tensor([1.0, 2.0]),
        refquant.tensor([0.5, 1.0]),
        refquant.tensor([0, 0]),
        0,
        refquant.quint8,
    )


@pytest.mark.parametrize("engine", ["fbgemm-1.4", "qnnpack-1.4"])
def test_engines_that_cannot_broadcast_say_so(engine):
    with refquant.engines.using(engine), pytest.raises(errors.EngineError, match=r"'fbgemm'"):
        ops.add(q(), q((1.0,)), 1.0, 0)


def test_fixed_point_rejects_scales_far_apart():
    with refquant.engines.using("qnnpack"):
        with pytest.raises(errors.EngineError, match=r"qa\.q_scale"):
            ops.add(q(scale=256.0), q(), 1.0, 0)
        with pytest.raises(errors.EngineError, match=r"qb\.q_scale"):
            ops.add(q(), q(scale=2.0**-15), 1.0, 0)


@pytest.mark.parametrize(
    ("pieces", "dim", "kind"),
    [
        ([], 0, errors.ArgumentTypeError),
        (q(), 0, errors.ArgumentTypeError),
        ([q(), refquant.tensor([1.0])], 0, errors.QuantizerError),
        ([q(), channels()], 0, errors.QuantizerError),
        ([q(), q(dtype=refquant.qint8)], 0, errors.DtypeError),
        ([q(), q().view(1, 2)], 0, errors.ShapeError),
        ([q().view(1, 2), q((1.0,)).view(1, 1)], 0, errors.ShapeError),
        ([q()[0]], 0, errors.ShapeError),
        ([q()], 1, errors.IndexRangeError),
    ],
)
def test_cat(pieces, dim, kind):
    with pytest.raises(kind):
        ops.cat(pieces, dim, 1.0, 0)


@pytest.mark.parametrize(
    "call",
    [
        lambda t: t.max(),
        lambda t: t.sort(),
        lambda t: t.topk(1),
        lambda t: t.mean(),
        lambda t: t.resize_(1),
        lambda t: t.fill_(1.0),
        refquant.relu_,
    ],
)
def test_operations_that_need_one_scale(call):
    with pytest.raises(errors.QuantizerError, match="per tensor"):
        call(channels())


def test_topk_of_too_many():
    with pytest.raises(RuntimeError, match=r"0\.\.2"):
        q().topk(3)


def test_reductions_of_nothing():
    empty = q(())
    for call in (empty.max, empty.min, empty.mean):
        with pytest.raises(errors.OperationError, match="elements"):
            call()


def test_mean_over_other_dimensions_on_old_qnnpack():
    with refquant.engines.using("qnnpack-1.4"), pytest.raises(errors.EngineError, match="mean"):
        q().mean()


def test_nothing_is_copied_where_types_differ():
    target = q()
    before = target.int_repr().tolist()
    for source in (q(dtype=refquant.qint8), refquant.tensor([1, 2]), q((1.0, 2.0, 3.0))):
        with pytest.raises(errors.OperationError):
            target.copy_(source)
    assert target.int_repr().tolist() == before
    with pytest.raises(errors.QuantizerError):
        refquant.tensor([1.0, 2.0]).copy_(q())


def test_qfunctional_takes_no_arguments():
    with pytest.raises(TypeError, match=r"QFunctional\(\)"):
        nn.quantized.QFunctional("add")


@pytest.mark.parametrize("kind", [nn.quantized.FloatFunctional, nn.quantized.QFunctional])
def test_functional_modules_cannot_be_called(kind):
    with pytest.raises(RuntimeError, match=r"\.add\(x, y\)"):
        kind()(q(), q())


def test_modules_from_float_need_their_float_counterpart_and_an_observer():
    with pytest.raises(TypeError, match="FloatFunctional"):
        nn.quantized.QFunctional.from_float(nn.Identity())
    with pytest.raises(TypeError, match="prepare"):
        nn.quantized.QFunctional.from_float(nn.quantized.FloatFunctional())
    with pytest.raises(TypeError, match="observer"):
        nn.quantized.Quantize.from_float(nn.Identity())


@pytest.mark.parametrize(
    "arguments",
    [
        (0.0, 0, refquant.quint8),
        (1.0, 256, refquant.quint8),
        (1.0, 0, refquant.float32),
    ],
)
def test_quantize_checks_its_parameters(arguments):
    with pytest.raises(RuntimeError, match="Quantize"):
        nn.quantized.Quantize(*arguments)


def test_targets_of_cat_are_quantized():
    with pytest.raises(errors.QuantizerError, match="out"):
        ops.cat_out([q()], 0, refquant.tensor([1.0]))


def test_elu_of_quantized_tensors_needs_parameters():
    with pytest.raises(errors.QuantizerError, match=r"nn\.quantized\.functional\.elu"):
        nn.functional.elu(q())


@pytest.mark.parametrize(
    ("arguments", "kind", "named"),
    [
        ((0.1, False, 0.0, 3), errors.QuantizationParameterError, "output_scale"),
        ((0.1, False, 0.5, 256), errors.QuantizationParameterError, "output_zero_point"),
        ((float("nan"), False, 0.5, 3), errors.ArgumentError, "negative_slope"),
        ((0.1, "yes", 0.5, 3), errors.ArgumentTypeError, "inplace"),
    ],
)
def test_leaky_relu(arguments, kind, named):
    with pytest.raises(kind, match=rf"quantized\.leaky_relu[\s\S]*{named}"):
        ops.leaky_relu(q(), *arguments)


def test_leaky_relu_keeps_its_operand_where_parameters_are_given():
    x = q()
    before = x.int_repr().tolist()
    with pytest.raises(errors.ArgumentError, match=r"quantized\.leaky_relu[\s\S]*inplace"):
        nn.quantized.functional.leaky_relu(x, 0.1, True, 0.5, 3)
    with pytest.warns(UserWarning, match="inplace"):
        ops.leaky_relu(x, 0.1, True, 0.5, 3)
    assert x.int_repr().tolist() == before


def test_sums_with_a_number_beyond_float32_warn_of_nothing():
    q = refquant.QuantizedTensor(np.uint8([0, 17, 30, 255]), refquant.quint8, 1e37, 0)
    with refquant.engines.using("exact"):
        for add in (refquant.ops.quantized.add_scalar, refquant.ops.quantized.add_scalar_relu):
            found = add(q, 3e38)
            assert found.int_repr().tolist() == sorted(found.int_repr().tolist())
