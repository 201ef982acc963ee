"""Fake quantization of PyTorch 2.13, compared with an installed one to the last bit."""

import numpy as np
import pytest
from differential.test_observers import cases, engine, same  # noqa: F401  fixtures

import refquant
from refquant import quantization as q
from refquant.ops.quantized.fused_fake_quantization import learned_per_channel, learned_per_tensor
from refquant.reference.qparams import qparams_of_operation

pytestmark = [
    pytest.mark.torch,
    # PyTorch wants to be given ranges instead.
    pytest.mark.filterwarnings("ignore:Please use quant_min and quant_max:UserWarning"),
]

RANGES = [
    *((0, 255), (-128, 127), (0, 127), (-64, 63), (0, 15), (-8, 7), (-1000, 1000)),
    *((0, 2**24 + 10), (-(2**31), 2**31 - 1)),
]
HOSTILE = (np.nan, np.inf, -np.inf, 1e30, -3e9)


def numbers(rng, shape, scale, zero_point, limits, case):
    """Draw ties, ordinary numbers and numbers of any size."""
    low, high = limits
    if case % 3 == 0:
        integers = rng.integers(low - 20, min(high, low + 600) + 20, size=shape)
        x = (integers - zero_point + 0.5) * scale
    elif case % 3 == 1:
        x = rng.normal(size=shape) * scale * min(high - low, 500) / 2
    else:
        x = rng.normal(size=shape) * 10.0 ** rng.uniform(-3, 12)
    if case % 5 == 0:
        x = np.where(rng.random(shape) < 0.1, rng.choice(HOSTILE), x)
    return x


def both(torch, array, grad=True):
    """Make a tensor of PyTorch and one of refquant."""
    theirs = torch.from_numpy(array.copy())
    ours = refquant.from_numpy(array.copy())
    return theirs.requires_grad_(grad), ours.requires_grad_(grad)


def compare(theirs, ours, x, y):
    """Compare two results and the gradients of what they came from."""
    same(theirs, ours)
    theirs.backward(theirs.detach() * 0 + 1)
    ours.backward(ours.detach() * 0 + 1)
    same(x.grad, y.grad)


@pytest.mark.parametrize("storage", [np.float32, np.float16, np.float64])
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_values_and_gradients_of_rounding(torch, cases, storage):  # noqa: F811
    rng = np.random.default_rng(71)
    for case in range(cases(150)):
        low, high = RANGES[case % len(RANGES)]
        channels = int(rng.integers(1, 5))
        scale = rng.uniform(1e-3, 0.5, size=(channels, 1)).astype(np.float32)
        point = rng.integers(low, min(high, low + 300) + 1, size=(channels, 1)).astype(np.int32)
        shape = channels, int(rng.choice([1, 5, 8, 33, 100]))
        x = numbers(rng, shape, scale.astype(np.float64), point, (low, high), case).astype(storage)
        one, two = both(torch, x[0])
        parameters = float(scale[0, 0]), int(point[0, 0]), low, high
        theirs = torch.fake_quantize_per_tensor_affine(one, *parameters)
        compare(theirs, refquant.fake_quantize_per_tensor_affine(two, *parameters), one, two)
        for points in (point[:, 0], (point[:, 0] % 3000 + rng.random(channels))):
            points = np.asarray(points, np.int32 if points.dtype.kind == "i" else np.float32)
            if points.dtype == np.float32 and case % 2:
                points = points.astype(np.float16)
            one, two = both(torch, x)
            theirs = torch.fake_quantize_per_channel_affine(
                one, torch.from_numpy(scale[:, 0].copy()), torch.from_numpy(points), 0, low, high
            )
            ours = refquant.fake_quantize_per_channel_affine(
                two, refquant.from_numpy(scale[:, 0].copy()), refquant.tensor(points), 0, low, high
            )
            compare(theirs, ours, one, two)


def test_parameters_may_be_tensors_whose_zero_point_is_not_checked(torch):
    x = np.linspace(-3, 3, 50, dtype=np.float32)
    one, two = both(torch, x)
    theirs = torch.fake_quantize_per_tensor_affine(
        one, torch.tensor([0.1]), torch.tensor([20]), 0, 15
    )
    ours = refquant.fake_quantize_per_tensor_affine(
        two, refquant.tensor([0.1]), refquant.tensor([20]), 0, 15
    )
    compare(theirs, ours, one, two)


KINDS = [
    *((-128, 127, "qint8"), (0, 255, "quint8"), (0, 127, "quint8"), (-127, 127, "qint8")),
    *((0, 15, "quint8"), (-8, 7, "qint8")),
]


@pytest.mark.parametrize("cls", ["FakeQuantize", "FusedMovingAvgObsFakeQuantize"])
def test_modules_follow_pytorch_whatever_is_switched_on(torch, cases, cls):  # noqa: F811
    rng = np.random.default_rng(72)
    for case in range(cases(120)):
        per_channel, symmetric = case % 2, rng.integers(2)
        low, high, name = KINDS[rng.integers(len(KINDS))]
        kind = "MovingAveragePerChannel" if per_channel else "MovingAverage"
        scheme = f"per_{'channel' if per_channel else 'tensor'}_"
        scheme += "symmetric" if symmetric else "affine"
        constant = (0.01, 0.01, 1.0, 0.1, 0.5)[rng.integers(5)]
        made = [
            getattr(space.quantization if space is refquant else space.ao.quantization, cls)(
                observer=getattr(
                    (space if space is refquant else space.ao).quantization,
                    f"{kind}MinMaxObserver",
                ),
                quant_min=low,
                quant_max=high,
                dtype=getattr(space, name),
                qscheme=getattr(space, scheme),
                averaging_constant=constant,
            )
            for space in (torch, refquant)
        ]
        shape = tuple(rng.integers(1, 6, size=rng.integers(2 if per_channel else 1, 5)))
        sign, size = case % 4, 10.0 ** rng.uniform(-7, 3)
        for number in range(rng.integers(1, 6)):
            x = (rng.normal(size=shape) * size).astype(np.float32)
            x = (x, np.abs(x), -np.abs(x), x * (number > 0))[sign].astype(np.float32)
            observe = not (number and rng.integers(4) == 0)
            fake = not (number and rng.integers(6) == 0)
            for module in made:
                module.enable_observer(observe)
                module.enable_fake_quant(fake)
            one, two = both(torch, x)
            compare(made[0](one), made[1](two), one, two)
            same(made[0].scale, made[1].scale)
            same(made[0].zero_point, made[1].zero_point)
            theirs, ours = (module.state_dict() for module in made)
            assert list(theirs) == list(ours)
            for key, value in theirs.items():
                same(value, ours[key])
            for wanted, got in zip(*(module.calculate_qparams() for module in made), strict=True):
                same(wanted, got)


@pytest.mark.parametrize("symmetric", [False, True])
def test_scales_and_zero_points_near_ties_in_training(torch, cases, symmetric):  # noqa: F811
    rng = np.random.default_rng(74)
    for low, high, _ in KINDS:
        n, steps = cases(2000), high - low
        width = (rng.random(n) * 10.0 ** rng.uniform(-6, 3, size=n)).astype(np.float32)
        below = (-(rng.integers(0, steps, size=n) + 0.5) * width.astype(np.float64)) / steps
        lower = below.astype(np.float32)
        upper = (width.astype(np.float64) + lower).astype(np.float32)
        lower[::7] = -upper[::7]
        flags = torch.zeros(1, dtype=torch.long), torch.ones(1, dtype=torch.long)
        kept = [torch.from_numpy(end.copy()) for end in (lower, upper)]
        kept += [torch.ones(n), torch.zeros(n, dtype=torch.int32)]
        rest = 0.01, low, high, 0, True, symmetric
        torch.fused_moving_avg_obs_fake_quant(torch.zeros(n, 1), *flags, *kept, *rest)
        found = qparams_of_operation(lower, upper, low, high, symmetric)
        for wanted, got in zip(kept[2:], found, strict=True):
            np.testing.assert_array_equal(wanted.numpy(), got)


def test_embeddings_in_training_have_zero_points_that_are_no_integers(torch, cases):  # noqa: F811
    rng = np.random.default_rng(75)
    for _ in range(cases(20)):
        theirs = torch.ao.quantization.default_embedding_fake_quant()
        ours = q.default_embedding_fake_quant()
        for _ in range(3):
            one, two = both(torch, (rng.normal(size=(5, 7)) + 0.5).astype(np.float32))
            compare(theirs(one), ours(two), one, two)
            same(theirs.scale, ours.scale)
            same(theirs.zero_point, ours.zero_point)
        wanted, got = theirs.state_dict(), q.default_embedding_fake_quant()
        state = {key: refquant.from_numpy(value.clone().numpy()) for key, value in wanted.items()}
        got.load_state_dict(state)
        same(theirs.zero_point, got.zero_point)


def test_a_fused_module_that_never_observed_rounds_as_pytorch_does(torch):
    for kind in ("default_fused_act_fake_quant", "default_fused_per_channel_wt_fake_quant"):
        theirs, ours = getattr(torch.ao.quantization, kind)(), getattr(q, kind)()
        theirs.disable_observer()
        ours.disable_observer()
        one, two = both(torch, np.linspace(-3, 3, 12, dtype=np.float32).reshape(3, 4))
        compare(theirs(one), ours(two), one, two)
        same(theirs.scale, ours.scale)
        same(theirs.zero_point, ours.zero_point)


def test_learned_parameters_get_the_gradients_of_pytorch(torch, cases):  # noqa: F811
    rng = np.random.default_rng(73)
    limits = [(0, 255), (-128, 127), (0, 15), (-8, 7), (-64, 63)]
    for case in range(cases(200)):
        low, high = limits[case % 5]
        channels = int(rng.integers(1, 40 if case % 2 else 6))
        shape, axis = [
            ((channels, int(rng.choice([1, 3, 8, 50, 700]))), 0),
            ((int(rng.integers(2, 5)), channels, int(rng.choice([2, 3, 8, 30, 100]))), 1),
            ((int(rng.choice([2, 5, 40, 300])), channels), 1),
        ][case % 3]
        if shape[0] == 1 or channels == 1:
            continue
        s = rng.uniform(0.01, 0.3, size=channels).astype(np.float32)
        z = rng.uniform(low - 3, high + 3, size=channels).astype(np.float32)
        if case % 2:
            z = np.floor(z) + np.float32(0.5)
        column = [-1 if d == axis else 1 for d in range(len(shape))]
        spread = s.reshape(column).astype(np.float64)
        centered = z.reshape(column).round()
        x = numbers(rng, shape, spread, centered, (low, high), case % 2).astype(np.float32)
        dy = rng.normal(size=shape).astype(np.float32)
        factor = float(rng.choice([1.0, 0.01]))
        pairs = [both(torch, v) for v in (x, s, z)]
        theirs = torch._fake_quantize_learnable_per_channel_affine(
            *(a for a, _ in pairs), axis, low, high, factor
        )
        ours = learned_per_channel(*(b for _, b in pairs), axis, (low, high), factor)
        same(theirs, ours)
        theirs.backward(torch.from_numpy(dy))
        ours.backward(refquant.from_numpy(dy))
        for one, two in pairs:
            same(one.grad, two.grad)
        pairs = [both(torch, v) for v in (x.reshape(-1), s[:1], z[:1])]
        theirs = torch._fake_quantize_learnable_per_tensor_affine(
            *(a for a, _ in pairs), low, high, factor
        )
        ours = learned_per_tensor(*(b for _, b in pairs), (low, high), factor)
        same(theirs, ours)
        theirs.backward(torch.from_numpy(dy.reshape(-1)))
        ours.backward(refquant.from_numpy(dy.reshape(-1)))
        for one, two in pairs:
            same(one.grad, two.grad)
