"""Layer by layer, quantization-aware training computes what the integers will compute.

Each converted layer is fed the very numbers that its twin in training was fed. Twin and layer
round the same real number, reached by floats and by integers, so they may part only where that
number lies within the errors of both at an edge between two integers. Every element that parts is
counted and has to be explained so; none may remain.
"""

from dataclasses import dataclass, field

import numpy as np
import pytest
from workflow.models import FUSE, Net, floats, normalization, randomize

import refquant
from refquant import engines, nn, quantization
from refquant.quantization import QConfig

EPS = 2.0**-24  # half a unit in the last place of a float32, relative


class Pooled(nn.Module):
    """Convolution and ReLU, average pooling, Linear: nothing to fold."""

    def __init__(self):
        super().__init__()
        self.quant, self.dequant = quantization.QuantStub(), quantization.DeQuantStub()
        self.conv, self.relu, self.pool = nn.Conv2d(3, 5, 3), nn.ReLU(), nn.AvgPool2d(2)
        self.last = nn.Linear(5 * 9, 4)

    def forward(self, x):
        x = self.pool(self.relu(self.conv(self.quant(x))))
        return self.dequant(self.last(x.reshape(x.shape[0], -1)))


NETS = {"Net": (Net, FUSE), "Pooled": (Pooled, [["conv", "relu"]])}
LAYERS = {
    "Net": ["block.conv", "block.conv2", "block.sum", "fc", "last"],
    "Pooled": ["conv", "last"],
}


def learned(name, weight, steps=25):
    """A network after quantization-aware training, in evaluation and with its ranges fixed."""
    kind, fuse = NETS[name]
    model = quantization.fuse_modules_qat(randomize(kind()).train(), fuse)
    activation = quantization.get_default_qat_qconfig("fbgemm", version=0).activation
    model.qconfig = QConfig(activation, weight)
    quantization.prepare_qat(model, inplace=True)
    optimizer = refquant.optim.SGD(model.parameters(), lr=0.02)
    x, y = floats(16, 3, 8, 8, seed=1), floats(16, 4, seed=2)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = nn.MSELoss()(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-3:]) < 0.8 * np.mean(losses[:3])
    model.eval().apply(quantization.disable_observer)
    return model


@dataclass
class Count:
    """Elements compared, those that may part, those that do, and of these the unexplained."""

    elements: int = 0
    near: int = 0
    parted: int = 0
    unexplained: list = field(default_factory=list)

    def add(self, place, parted, explained):
        """Count one tensor, given where the two part and where that would be explained."""
        self.elements += parted.size
        self.near += int(explained.sum())
        self.parted += int(parted.sum())
        self.unexplained += [(place, *index) for index in np.argwhere(parted & ~explained)]


def runs(model, x, names):
    """Inputs and outputs of some modules while a model runs."""
    seen, handles = {}, []
    for name in names:
        module = model.get_submodule(name)
        if hasattr(module, "add_relu"):
            original = module.add_relu

            def call(*inputs, name=name, original=original):
                seen[name] = inputs, original(*inputs)
                return seen[name][1]

            module.__dict__["add_relu"] = call
        else:
            hook = module.register_forward_hook(
                lambda m, inputs, output, name=name: seen.update({name: (inputs, output)})
            )
            handles.append(hook)
    with refquant.no_grad():
        model(x)
    for handle in handles:
        handle.remove()
    for name in names:
        model.get_submodule(name).__dict__.pop("add_relu", None)
    return seen


def edge_within(low, high):
    """Return whether some k + 1/2 is in low..high."""
    return np.floor(high - 0.5) >= np.ceil(low - 0.5)


def over_channels(vector, dims):
    return np.reshape(vector, (-1, *[1] * (dims - 1)))


def products(x, weight):
    """Linear or convolution (stride 1, no padding) in float64."""
    if weight.ndim == 2:
        return x @ weight.T
    windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], axis=(2, 3))
    return np.einsum("nchwij,ocij->nohw", windows, weight)


def folded(module):
    """Weight and bias in float64, and a bound on the error of each in float32."""
    weight = module.weight.detach().numpy().astype(np.float64)
    if not hasattr(module, "freeze_bn"):
        bias = module.bias.detach().numpy().astype(np.float64)
        return weight, 0 * weight, bias, 0 * bias
    norm = normalization(module)
    gamma, beta, mean, variance = (
        t.detach().numpy().astype(np.float64)
        for t in (norm.weight, norm.bias, norm.running_mean, norm.running_var)
    )
    factor = gamma / np.sqrt(variance + norm.eps)
    if module.bias is not None:
        mean = mean - module.bias.detach().numpy().astype(np.float64)
    weight = weight * over_channels(factor, weight.ndim)
    # Sum, root, quotient, product: at most six roundings on either way.
    shift = np.abs(beta) + np.abs(mean * factor)
    return weight, 8 * EPS * np.abs(weight), beta - mean * factor, 8 * EPS * shift


def check_weight(name, twin, layer, count):
    """Compare the integers of a weight; return those of the twin and their scales."""
    exact, error, _, _ = folded(twin)
    fake = twin.weight_fake_quant
    scale = np.float64(fake.scale.numpy())
    weight = layer.weight()
    assert np.array_equal(np.broadcast_to(weight.scale, scale.shape), scale)
    assert not np.any(weight.zero_point)
    scale = over_channels(scale, exact.ndim)
    with refquant.no_grad():
        used = twin.weight
        if hasattr(twin, "freeze_bn"):
            norm = normalization(twin)
            factor = norm.weight / (norm.running_var + norm.eps).sqrt()
            used = used * factor.reshape(-1, *[1] * (exact.ndim - 1))
        rounded = fake(used).numpy()
    integers = np.rint(rounded / scale)
    steps, spread = exact / scale, error / scale + 4 * EPS * np.abs(exact / scale)
    parted = integers != weight.int_repr().numpy()
    count.add(name + ".weight", parted, edge_within(steps - spread, steps + spread))
    return integers, scale


def check_output(name, got, want, exact, spread, scale, zero_point, ends, count):
    """Compare integers of an output; `exact` holds what both mean to round, in real numbers.

    `exact` and `spread` have two rows: the twin's number and the layer's, each with its error. The
    twin clamps to the range that its observer leaves, the layer to that of its dtype: what lies
    beyond either of `ends` counts as equal.
    """
    got = np.clip(got, *ends)
    steps = exact / scale + zero_point
    spread = spread / scale + 8 * EPS * (np.abs(exact / scale) + zero_point)
    # Clamping is the same on both sides, and beyond it nothing is rounded.
    low = np.clip((steps - spread).min(axis=0), *ends)
    high = np.clip((steps + spread).max(axis=0), *ends)
    integers = np.rint(want / scale) + zero_point
    assert np.abs(want / scale + zero_point - integers).max() < 1e-3
    parted = got != integers
    count.add(name, parted, edge_within(low, high))


def check_layer(name, model, done, seen, inside, count):
    """Feed a converted layer what its twin was fed."""
    twin, layer = model.get_submodule(name), done.get_submodule(name)
    inputs, output = seen[name]
    quantized = [
        refquant.quantize_per_tensor(x, q.q_scale(), q.q_zero_point(), refquant.quint8)
        for x, q in zip(inputs, inside[name][0], strict=True)
    ]
    xs = [
        (q.int_repr().numpy().astype(np.float64) - q.q_zero_point()) * q.q_scale()
        for q in quantized
    ]
    if hasattr(layer, "add_relu"):
        result = layer.add_relu(*quantized)
        exact = np.stack([xs[0] + xs[1]] * 2)
        # Two products and a sum; qnnpack has multipliers of 22 bits instead.
        size = np.abs(xs[0]) + np.abs(xs[1])
        coarse = 2 * 255 * max(q.q_scale() for q in quantized) * 2.0**-21
        qnnpack = engines.current().name.startswith("qnnpack")
        spread = np.stack([4 * EPS * size, 4 * EPS * size + (coarse if qnnpack else 0)])
    else:
        result = layer(*quantized)
        x = xs[0]
        ours, scale = check_weight(name, twin, layer, count)
        theirs = layer.weight().int_repr().numpy().astype(np.float64)
        _, _, bias, bias_error = folded(twin)
        bias, bias_error = (over_channels(b, exact_dims(x, ours)) for b in (bias, bias_error))
        exact = np.stack([products(x, w * scale) + bias for w in (ours, theirs)])
        size = products(np.abs(x), np.abs(ours * scale)) + np.abs(bias)
        terms = ours[0].size + 4
        # The bias may be rounded to a step of the accumulator.
        step = over_channels(np.ravel(scale), exact_dims(x, ours)) * quantized[0].q_scale()
        spread = np.stack(
            [terms * EPS * size + bias_error, 0.5 * step + 4 * EPS * size + bias_error]
        )
    zero_point = result.q_zero_point()
    floor = zero_point if "ReLU" in type(layer).__name__ or len(xs) == 2 else 0
    check_output(
        name,
        result.int_repr().numpy().astype(np.float64),
        output.numpy().astype(np.float64),
        exact,
        spread,
        result.q_scale(),
        zero_point,
        (floor, twin.activation_post_process.quant_max),
        count,
    )


def exact_dims(x, weight):
    """Dimensions of an output from its channels on."""
    return 1 if weight.ndim == 2 else x.ndim - 1


WEIGHTS = {
    "per tensor": quantization.default_weight_fake_quant,
    "per channel": quantization.default_per_channel_weight_fake_quant,
}


@pytest.fixture(scope="module", params=[(n, w) for n in NETS for w in WEIGHTS], ids="-".join)
def network(request):
    name, weight = request.param
    return name, learned(name, WEIGHTS[weight])


@pytest.mark.parametrize("engine", ["fbgemm", "qnnpack"])
def test_every_layer_agrees_with_its_twin(network, engine):
    name, model = network
    count = Count()
    with engines.using(engine):
        done = quantization.convert(model)
        for batch in range(6):
            x = floats(16, 3, 8, 8, seed=50 + batch, spread=1 + batch / 4)
            seen, inside = (runs(m, x, LAYERS[name]) for m in (model, done))
            with refquant.no_grad():
                for layer in LAYERS[name]:
                    if (name, layer) != ("Pooled", "last"):  # its input is not on a grid
                        check_layer(layer, model, done, seen, inside, count)
    print(f"{name}, {engine}: {count}")
    assert count.unexplained == []
    assert count.elements > 10_000
    # The errors are small: hardly an element would be excused if it parted.
    assert count.near < 0.01 * count.elements


@pytest.mark.parametrize("engine", ["fbgemm", "qnnpack"])
def test_average_pooling_alone_is_not_rounded_in_training(engine):
    model = learned("Pooled", WEIGHTS["per tensor"], steps=10)
    with engines.using(engine), refquant.no_grad():
        done = quantization.convert(model)
        (inputs, output) = runs(model, floats(16, 3, 8, 8, seed=9), ["pool"])["pool"]
        scale, zero_point = done.conv.scale, done.conv.zero_point
        x = refquant.quantize_per_tensor(inputs[0], scale, zero_point, refquant.quint8)
        pooled = done.pool(x).int_repr().numpy()
    steps = output.numpy().astype(np.float64) / scale + zero_point
    assert (np.abs(steps - np.rint(steps)) > 0.2).mean() > 0.3  # quarters of a step
    assert np.abs(steps - pooled).max() <= 0.5 + 1e-3


def test_an_edge_is_found_and_a_difference_without_one_is_not_excused():
    low, high = np.array([0.4, 0.6, 1.5, -0.6]), np.array([0.6, 1.4, 1.5, -0.4])
    assert edge_within(low, high).tolist() == [True, False, True, True]
    count = Count()
    count.add("here", np.array([True, True]), np.array([True, False]))
    assert (count.elements, count.near, count.parted) == (2, 1, 2)
    assert count.unexplained == [("here", 1)]
