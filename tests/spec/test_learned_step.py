"""Learned step sizes: the gradient by hand, numerically, and beside the formula of the paper."""

import numpy as np
import pytest

import refquant
from refquant import errors, nn, optim, quantization
from refquant.ptq import LearnedStepFakeQuantize

f32 = np.float32


def paper(x, s, low, high):
    v = x / s
    inside = np.rint(v) - v
    return np.where(v <= low, low, np.where(v >= high, high, inside))


def module_of(low, high, dtype=refquant.qint8):
    return LearnedStepFakeQuantize(low, high, dtype=dtype)


@pytest.mark.parametrize(("low", "high", "dtype"), [(-8, 7, "qint8"), (0, 15, "quint8")])
def test_the_gradient_of_the_scale_is_that_of_the_paper(low, high, dtype):
    rng = np.random.default_rng(0)
    x, weights = rng.normal(size=500).astype(f32), rng.normal(size=500).astype(f32)
    module = module_of(low, high, getattr(refquant, dtype))
    y = module(refquant.from_numpy(x))
    (y * refquant.from_numpy(weights)).sum().backward()
    s = module.scale.item()
    assert s == pytest.approx(2 * np.abs(x).mean() / high**0.5, rel=1e-6)
    near_an_end = np.abs(np.abs(x / s - np.array([[low], [high]])).min(axis=0)) < 0.5
    wanted = weights * paper(x, s, low, high)
    # Half a step beyond the ends, PyTorch counts values as inside, where the paper clips them.
    inside = (np.rint(x / s) >= low) & (np.rint(x / s) <= high) & near_an_end
    wanted[inside] = (weights * (np.rint(x / s) - x / s))[inside]
    factor = 1 / np.sqrt(x.size * high)
    assert module.scale.grad.item() == pytest.approx(wanted.sum() * factor, rel=1e-4)


def test_the_gradient_is_the_slope_of_the_average_over_steps():
    """With everything scaled, the rounding error averages out: the slope of E[x_hat^2] / 2."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, 200_000).astype(f32)
    tensor = refquant.from_numpy(x)

    def loss_of(scale):
        y = refquant.fake_quantize_per_tensor_affine(tensor, float(scale), 0, -4, 3)
        return float(((y.numpy() - x) ** 2).mean(dtype=np.float64) / 2)

    module = module_of(-4, 3)
    module(tensor)
    for scale in (0.1, 0.15, 0.2):  # where clipping decides, and where it does not
        module.scale.array[...] = scale
        module.scale.grad = None
        y = module(tensor)
        ((y - tensor) ** 2 / 2).mean().backward()
        got = module.scale.grad.item() * np.sqrt(x.size * 3)
        numeric = (loss_of(scale * 1.02) - loss_of(scale * 0.98)) / (0.04 * scale)
        assert got == pytest.approx(numeric, rel=0.15, abs=0.01)


def test_training_finds_the_scale_of_least_error():
    x = refquant.from_numpy(np.random.default_rng(0).normal(size=4000).astype(f32))
    module = module_of(-8, 7)
    module(x)
    optimizer = optim.Adam([module.scale], lr=0.01)
    for _ in range(200):
        optimizer.zero_grad()
        ((module(x) - x) ** 2).mean().backward()
        optimizer.step()
    observer = quantization.MSEObserver(512, refquant.qint8, refquant.per_tensor_symmetric,
                                        quant_min=-8, quant_max=7)  # fmt: skip
    observer(x)
    assert module.scale.item() == pytest.approx(observer.calculate_qparams()[0].item(), rel=0.1)


def test_it_is_a_recipe_of_the_workflow():
    refquant.manual_seed(0)
    model = quantization.QuantWrapper(nn.Sequential(nn.Linear(6, 4), nn.ReLU()))
    model.qconfig = quantization.QConfig(
        quantization.default_fake_quant,
        LearnedStepFakeQuantize.with_args(
            quant_min=-8, quant_max=7, dtype=refquant.qint8, qscheme=refquant.per_tensor_symmetric
        ),
    )
    prepared = quantization.prepare_qat(model.train())
    x = refquant.randn(32, 6)
    prepared(x).sum().backward()
    assert prepared.module[0].weight_fake_quant.scale.grad is not None
    quantized = quantization.convert(prepared.eval())
    weight = quantized.module[0].weight()
    assert weight.q_scale() == pytest.approx(prepared.module[0].weight_fake_quant.scale.item())
    assert np.abs(weight.int_repr().numpy().astype(int)).max() <= 8


def test_a_state_goes_on_where_it_stopped():
    module, other = module_of(-8, 7), module_of(-8, 7)
    module(refquant.tensor([1.0, 2.0]))
    other.load_state_dict(module.state_dict())
    other(refquant.tensor([100.0]))
    assert other.scale.item() == module.scale.item()


def test_integers_that_end_at_zero():
    with pytest.raises(errors.ArgumentError, match="quant_max"):
        module_of(-8, 0)
