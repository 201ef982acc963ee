"""Stacking quantized tensors, and errors that PyTorch raises as one kind or the other."""

import pytest

import refquant
from refquant import nn, optim
from refquant.errors import ShapeError, StateError
from refquant.utils.data import RandomSampler


@pytest.mark.parametrize("dim", [0, 1, 2, -1])
def test_stacking_quantized_tensors(dim):
    x, y = refquant.tensor([[0.5, 1.0]]), refquant.tensor([[2.0, -1.0]])
    a = refquant.quantize_per_tensor(x, 0.5, 10, refquant.quint8)
    b = refquant.quantize_per_tensor(y, 0.25, 20, refquant.quint8)
    q = refquant.stack([a, b], dim)
    assert (q.q_scale(), q.q_zero_point(), q.dtype) == (0.5, 10, refquant.quint8)
    codes = [refquant.tensor([[11, 12]]), refquant.tensor([[14, 8]])]
    assert q.int_repr().tolist() == refquant.stack(codes, dim).tolist()


def test_stacking_what_does_not_match():
    q = refquant.quantize_per_tensor(refquant.ones(2), 0.5, 10, refquant.quint8)
    with pytest.raises(ShapeError, match="equal shape"):
        refquant.stack([q, q[:1]])
    with pytest.raises(RuntimeError, match="tensors"):
        refquant.stack([q, refquant.ones(2)])


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:All inputs of this cat operator")  # PyTorch advises against it
def test_an_installed_pytorch_stacks_the_same(torch):
    def stacked(library):
        x = library.arange(24.0).reshape(2, 3, 4)
        a = library.quantize_per_tensor(x, 0.5, 3, library.quint8)
        b = library.quantize_per_tensor(x - 7, 0.3, 40, library.quint8)
        results = [library.stack([a, b, a], dim) for dim in (0, 1, 3, -2)]
        return [(q.int_repr().tolist(), q.q_scale(), q.q_zero_point()) for q in results]

    assert stacked(refquant) == stacked(torch)


def test_a_state_of_other_groups_is_a_value_error():
    layer = nn.Linear(2, 2)
    state = optim.SGD(layer.parameters(), lr=0.1).state_dict()
    with pytest.raises(ValueError, match="param_groups") as raised:
        optim.SGD([layer.weight], lr=0.1).load_state_dict(state)
    assert isinstance(raised.value, StateError)


@pytest.mark.parametrize("kind", [ValueError, RuntimeError, ShapeError])
def test_shapes_that_do_not_fit_are_of_both_kinds(kind):
    with pytest.raises(kind, match="one value for each channel"):
        nn.BatchNorm1d(2)(refquant.ones(1, 2))


@pytest.mark.parametrize("convert", [bool, float, int, refquant.Tensor.item])
def test_a_number_of_several_elements_is_a_runtime_error(convert):
    with pytest.raises(RuntimeError, match="one element"):
        convert(refquant.ones(2))


def test_several_elements_are_no_index():
    with pytest.raises(TypeError, match="an integer tensor of one element"):
        [1, 2][refquant.tensor([0, 1])]


def test_results_are_not_learned():
    x = refquant.ones(2, requires_grad=True) * 2
    with pytest.raises(ValueError, match="leaves"):
        optim.SGD([x], lr=0.1)


def test_devices_print_their_index():
    assert (str(refquant.device("cpu:0")), f"{refquant.device('cpu')}") == ("cpu:0", "cpu")


@pytest.mark.parametrize(
    "draw",
    [
        lambda: refquant.multinomial(refquant.zeros(3), 1),
        lambda: refquant.multinomial(refquant.tensor([1.0, -1.0]), 1),
        lambda: refquant.multinomial(refquant.ones(3), 0),
        lambda: refquant.multinomial(refquant.ones(3), 4),
        lambda: refquant.randint(3, 1, (2,)),
        lambda: refquant.ones(2).random_(3, 1),
        lambda: refquant.randint(0, 300, (2,), dtype=refquant.uint8),
    ],
)
def test_ranges_without_numbers_are_runtime_errors(draw):
    with pytest.raises(RuntimeError):
        draw()


@pytest.mark.parametrize("options", [{}, {"replacement": True}, {"num_samples": 0}])
def test_nothing_to_draw_from_is_a_value_error(options):
    with pytest.raises(ValueError, match="at least"):
        RandomSampler([], **options)


def test_a_schedule_without_a_first_step_size_is_a_key_error():
    optimizer = optim.SGD(nn.Linear(2, 2).parameters(), lr=0.1)
    with pytest.raises(KeyError, match="initial_lr"):
        optim.lr_scheduler.StepLR(optimizer, 2, last_epoch=3)
