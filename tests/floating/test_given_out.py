"""Results that are written into a given tensor, operations on bits, and switches of programs."""

import pytest

import refquant
from refquant.errors import ArgumentError, ArgumentTypeError, DtypeError, GradientError, ShapeError
from refquant.nn import utils

ONES = refquant.ones(2, 2)


def test_products_are_written_into_the_given_tensor():
    wide, same = refquant.empty(2, 2, dtype=refquant.float64), refquant.empty(2, 2)
    assert refquant.mul(ONES, 3, out=wide) is wide
    assert wide.tolist() == [[3.0, 3.0], [3.0, 3.0]]
    assert refquant.matmul(ONES, ONES, out=same) is same
    assert same.tolist() == [[2.0, 2.0], [2.0, 2.0]]


def test_integers_that_a_given_dtype_does_not_hold_wrap_around():
    numbers, small = refquant.tensor([3, 300]), refquant.zeros(2, dtype=refquant.uint8)
    assert refquant.mul(numbers, 2, out=small).tolist() == [6, 88]
    assert refquant.tensor([3, 30], dtype=refquant.uint8).mul_(numbers).tolist() == [9, 40]


@pytest.mark.parametrize("name", ["mul", "mul_", "matmul", "__matmul__"])
def test_methods_take_no_tensor_for_the_result(name):
    with pytest.raises(TypeError, match="unexpected keyword argument 'out'"):
        getattr(refquant.ones(2), name)(refquant.ones(2), out=refquant.ones(2))


def test_a_given_tensor_takes_the_shape_of_the_result():
    assert refquant.mul(ONES, 3, out=refquant.empty(0)).shape == (2, 2)
    with pytest.warns(UserWarning, match=r"takes the shape \(2, 2\)"):
        assert refquant.mul(ONES, 3, out=refquant.empty(3)).shape == (2, 2)


@pytest.mark.parametrize(
    ("multiply", "out", "error"),
    [
        (refquant.mul, refquant.empty(2, 2, dtype=refquant.int64), DtypeError),
        (refquant.matmul, refquant.empty(2, 2, dtype=refquant.float64), DtypeError),
        (refquant.matmul, refquant.empty(2, 2, requires_grad=True), GradientError),
        (refquant.mul, [0.0], ArgumentTypeError),
    ],
)
def test_tensors_that_cannot_take_a_product_are_rejected(multiply, out, error):
    with pytest.raises(error, match="`out`"):
        multiply(ONES, ONES, out=out)


def test_nothing_is_written_where_gradients_are_recorded():
    x, out = refquant.ones(2, requires_grad=True), refquant.zeros(2)
    with pytest.raises(GradientError):
        refquant.mul(x, 2, out=out)
    assert out.tolist() == [0.0, 0.0]
    with refquant.no_grad():
        assert refquant.mul(x, 2, out=out).tolist() == [2.0, 2.0]


@pytest.mark.parametrize("name", ["and", "or", "xor"])
def test_operations_on_bits_are_the_operators(name):
    x, y = refquant.tensor([6, -3, 0]), refquant.tensor([5, 7, 1], dtype=refquant.uint8)
    wanted = [getattr(int(a), f"__{name}__")(int(b)) for a, b in zip(x, y, strict=True)]
    operation = getattr(refquant, f"bitwise_{name}")
    assert operation(x, y).tolist() == wanted
    assert getattr(x.clone(), f"bitwise_{name}_")(y).tolist() == wanted
    assert operation(6, y).tolist() == operation(y, 6).tolist()
    with pytest.raises(DtypeError, match="`input` must be bool or integer"):
        operation(ONES, 1)
    with pytest.raises(DtypeError, match="`other` must be bool or integer"):
        operation(x, ONES[0, 0])


def test_bits_are_inverted():
    assert refquant.bitwise_not(refquant.tensor([0, -3])).tolist() == [-1, 2]
    assert refquant.bitwise_not(refquant.tensor([True])).tolist() == [False]


def test_a_list_of_tensors_has_a_scale_and_a_zero_point_each():
    scales, zero_points = refquant.tensor([0.5, 0.25]), refquant.tensor([0, 3])
    a, b = refquant.quantize_per_tensor([ONES, ONES[0]], scales, zero_points, refquant.quint8)
    assert (a.q_scale(), a.q_zero_point(), a.int_repr().tolist()) == (0.5, 0, [[2, 2], [2, 2]])
    assert (b.q_scale(), b.q_zero_point(), b.int_repr().tolist()) == (0.25, 3, [7, 7])
    with pytest.raises(IndexError, match="`scale`"):
        refquant.quantize_per_tensor([ONES] * 3, scales, zero_points, refquant.quint8)
    with pytest.raises(IndexError, match="`scale`"):
        refquant.quantize_per_tensor([ONES], scales[0], zero_points, refquant.quint8)
    with pytest.raises(TypeError, match="`scale`"):
        refquant.quantize_per_tensor([ONES], [0.5], [0], refquant.quint8)
    with pytest.raises(RuntimeError, match="`zero_point` must be of finite numbers"):
        refquant.quantize_per_tensor([ONES], scales, scales * float("nan"), refquant.quint8)


def test_numbers_of_a_block_leave_no_trace():
    refquant.random.manual_seed(3)
    wanted = refquant.rand(2).tolist()
    refquant.random.manual_seed(3)
    with refquant.random.fork_rng(devices=[], device_type="cuda"):
        refquant.rand(5)
    assert refquant.rand(2).tolist() == wanted
    refquant.random.manual_seed(3)
    with refquant.random.fork_rng(enabled=False):
        refquant.rand(5)
    assert refquant.rand(2).tolist() != wanted


def test_the_switch_for_deterministic_algorithms_is_kept():
    refquant.use_deterministic_algorithms(True, warn_only=True)
    try:
        assert refquant.are_deterministic_algorithms_enabled()
        assert refquant.is_deterministic_algorithms_warn_only_enabled()
        with pytest.raises(ArgumentTypeError):
            refquant.use_deterministic_algorithms("yes")
        refquant.use_deterministic_algorithms(False, warn_only=True)
        assert refquant.is_deterministic_algorithms_warn_only_enabled()
    finally:
        refquant.use_deterministic_algorithms(False)
    assert not refquant.are_deterministic_algorithms_enabled()


def test_parameters_go_into_a_vector_and_back():
    layer = refquant.nn.Linear(2, 1)
    vector = utils.parameters_to_vector(layer.parameters())
    assert vector.requires_grad
    assert vector.tolist() == [*layer.weight[0].tolist(), *layer.bias.tolist()]
    utils.vector_to_parameters(refquant.tensor([1.0, 2.0, 3.0]), layer.parameters())
    assert (layer.weight.tolist(), layer.bias.tolist()) == ([[1.0, 2.0]], [3.0])
    with pytest.raises(ShapeError, match="3 elements"):
        utils.vector_to_parameters(refquant.ones(2), layer.parameters())
    with pytest.raises(ShapeError, match="strides"):
        utils.parameters_to_vector([refquant.ones(2, 3).t()])
    with pytest.raises(ArgumentError, match="at least one"):
        utils.parameters_to_vector([])
