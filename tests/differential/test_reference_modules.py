"""Reference modules and float forms of trained modules beside an installed PyTorch."""

import warnings

import numpy as np
import pytest

import refquant

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore:.*ao.quantization is deprecated:DeprecationWarning"),
]
# Class, arguments, axis of the output channels, input.
LAYERS = {
    "Linear": ((7, 5), 0, (3, 7)),
    "Conv1d": ((4, 6, 3), 0, (2, 4, 9)),
    "Conv2d": ((4, 6, 3, 2, 1, 1, 2), 0, (2, 4, 9, 8)),
    "Conv3d": ((2, 3, 2), 0, (1, 2, 4, 5, 3)),
    "ConvTranspose1d": ((4, 6, 3), 1, (2, 4, 9)),
    "ConvTranspose2d": ((4, 6, 3, 2, 1, 1, 2), 1, (2, 4, 5, 4)),
    "ConvTranspose3d": ((2, 3, 2), 1, (1, 2, 4, 5, 3)),
    "Embedding": ((9, 6), 0, None),
    "EmbeddingBag": ((9, 6), 0, None),
}
CELLS = {"RNNCell": (7, 5), "LSTMCell": (7, 5), "GRUCell": (7, 5)}
SEQUENCES = {"LSTM": (7, 5, 2), "GRU": (7, 5, 2)}
SCHEMES = ("none", "half", "tensor", "channel", "float_qparams")


@pytest.fixture(autouse=True)
def fbgemm(torch):
    torch.backends.quantized.engine = "fbgemm"
    with refquant.engines.using("fbgemm"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def place(T, path):
    return path_of(T.nn if T is refquant else T.ao.nn, path)


def path_of(at, path):
    for name in path.split("."):
        at = getattr(at, name)
    return at


def quantizer(T, scheme, dtype, channels, axis, seed):
    """Make the parameters of a weight; scales lie near those of an observer."""
    rng = np.random.default_rng(seed)
    if scheme == "none":
        return {"qscheme": None, "dtype": T.float16}
    if scheme == "half":
        # PyTorch's recurrent modules want a quantizer, too, which is not used.
        unused = {"scale": 1.0, "zero_point": 0}
        return {"qscheme": T.per_tensor_affine, "dtype": T.float16, **unused}
    found = {"dtype": getattr(T, dtype)}
    if scheme == "tensor":
        zero_point = int(rng.integers(0, 100))
        return {"qscheme": T.per_tensor_affine, "scale": 0.01, "zero_point": zero_point, **found}
    scales = rng.uniform(0.003, 0.02, channels).astype(np.float32)
    if scheme == "channel":
        zero_points, kind = rng.integers(0, 10, channels), T.per_channel_affine
    else:
        zero_points = rng.uniform(0, 9, channels).astype(np.float32)
        kind = T.per_channel_affine_float_qparams
    zero_points = T.from_numpy(zero_points)
    return {
        "qscheme": kind,
        "scale": T.from_numpy(scales),
        "zero_point": zero_points,
        "axis": axis,
        **found,
    }


def fill(module, T, seed):
    """Give the parameters of a module numbers, many of them near ties of a step of 0.01."""
    rng = np.random.default_rng(seed)
    for parameter in module.parameters():
        shape = tuple(parameter.shape)
        steps = rng.integers(-90, 90, shape) / 2 * 0.01
        noise = rng.integers(-1, 2, shape) * 1e-9
        value = T.from_numpy((steps + noise).astype(np.float32))
        with T.no_grad():
            parameter.copy_(value)
    return module


def inputs(T, name, shape, seed=7):
    rng = np.random.default_rng(seed)
    if name == "Embedding":
        return [T.from_numpy(rng.integers(0, 9, (2, 4)))]
    if name == "EmbeddingBag":
        return [T.from_numpy(rng.integers(0, 9, 7)), T.from_numpy(np.array([0, 3, 3]))]
    return [T.from_numpy(rng.normal(size=shape).astype(np.float32))]


def array(tensor):
    tensor = tensor.detach()
    return tensor.int_repr().numpy() if tensor.is_quantized else tensor.numpy()


def flat(value):
    return [p for v in value for p in flat(v)] if isinstance(value, tuple) else [value]


def both(torch, function, rtol=0.0):
    """Run a function in both namespaces; its results have to agree."""
    theirs, ours = ([array(part) for part in function(T)] for T in (torch, refquant))
    assert len(theirs) == len(ours)
    for a, b in zip(theirs, ours, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(b, a, rtol, rtol)
    return sum(a.size for a in ours)


@pytest.mark.parametrize(
    ("name", "scheme", "dtype"),
    [
        (name, scheme, dtype)
        for name in LAYERS
        for scheme in SCHEMES
        for dtype in ("quint8", "qint8", *(["qint32"] if scheme in ("tensor", "channel") else []))
        if not (scheme == "float_qparams" and LAYERS[name][1])  # PyTorch has none along axis 1
    ]
    + [(name, "float_qparams", "quint4x2") for name in LAYERS if not LAYERS[name][1]],
)
def test_layers_round_their_weights_as_pytorch(torch, name, scheme, dtype):
    arguments, axis, shape = LAYERS[name]

    def made(T):
        module = fill(getattr(T.nn, name)(*arguments), T, 3)
        channels = module.weight.shape[axis]
        kind = place(T, f"quantized.reference.{name}")
        return kind.from_float(module, quantizer(T, scheme, dtype, channels, axis, 11))

    both(torch, lambda T: [made(T).get_weight()])
    if scheme != "none" and dtype != "quint4x2":
        both(torch, lambda T: [made(T).get_quantized_weight()])
    both(torch, lambda T: [made(T)(*inputs(T, name, shape))], rtol=1e-5)
    assert repr(made(torch)) == repr(made(refquant))


@pytest.mark.parametrize("dtype", ["quint8", "qint8"])
@pytest.mark.parametrize("scheme", ["none", "half", "tensor", "channel"])
@pytest.mark.parametrize("name", [*CELLS, *SEQUENCES])
def test_recurrent_layers_round_their_weights_as_pytorch(torch, name, scheme, dtype):
    arguments = CELLS.get(name) or SEQUENCES[name]

    def made(T):
        module = fill(getattr(T.nn, name)(*arguments), T, 3)
        weights = [n for n, _ in module.named_parameters() if n.startswith("weight")]
        parameters = {
            n: quantizer(T, scheme, dtype, getattr(module, n).shape[0], 0, i)
            for i, n in enumerate(weights)
        }
        kind = place(T, f"quantized.reference.{name}")
        return kind.from_float(module, {**parameters, "is_decomposed": False})

    def rounded(T):
        module = made(T)
        if name in SEQUENCES:
            parts = module.get_quantized_weight_bias_dict() if scheme != "none" else {}
            return [*module.get_flat_weights(), *parts.values()]
        codes = [module.get_quantized_weight_ih(), module.get_quantized_weight_hh()]
        return [module.get_weight_ih(), module.get_weight_hh(), *codes]

    both(torch, rounded)
    shape = (3, 7) if name in CELLS else (4, 3, 7)
    both(torch, lambda T: flat(made(T)(*inputs(T, name, shape))), rtol=1e-5)
    assert list(made(torch).state_dict()) == list(made(refquant).state_dict())


@pytest.mark.parametrize(
    ("name", "recipe"),
    [
        *((name, "default_qconfig") for name in ("Linear", "Conv1d", "Conv2d", "ConvTranspose2d")),
        *((name, "default_per_channel_qconfig") for name in ("Linear", "Conv1d", "Conv2d")),
    ],
)
def test_converted_models_are_those_of_pytorch(torch, name, recipe):
    arguments, _, shape = LAYERS[name]

    def converted(T):
        quantization = T.quantization if T is refquant else T.ao.quantization
        quant, dequant = quantization.QuantStub, quantization.DeQuantStub
        layer = fill(getattr(T.nn, name)(*arguments), T, 3)
        model = T.nn.Sequential(quant(), dequant(), layer, quant(), dequant()).eval()
        model.qconfig = getattr(quantization, recipe)
        model = quantization.prepare(model)
        model(*inputs(T, name, shape, seed=8))
        return quantization.convert(model, is_reference=True)

    x = inputs(torch, name, shape)[0], inputs(refquant, name, shape)[0]
    theirs, ours = converted(torch), converted(refquant)
    np.testing.assert_array_equal(array(theirs[2].get_weight()), array(ours[2].get_weight()))
    np.testing.assert_allclose(array(theirs(x[0])), array(ours(x[1])), atol=1e-6)
    assert list(theirs.state_dict()) == list(ours.state_dict())


TRAINED = {
    "qat.Linear": (3, 4),
    "qat.dynamic.Linear": (3, 4),
    "qat.Conv1d": (3, 4, 3),
    "qat.Conv2d": (3, 4, 3),
    "qat.Conv3d": (3, 4, 3),
    "intrinsic.qat.LinearReLU": (3, 4),
    "intrinsic.qat.ConvReLU1d": (3, 4, 3),
    "intrinsic.qat.ConvReLU2d": (3, 4, 3),
    "intrinsic.qat.ConvReLU3d": (3, 4, 3),
    "intrinsic.qat.ConvBn1d": (3, 4, 3),
    "intrinsic.qat.ConvBn2d": (3, 4, 3),
    "intrinsic.qat.ConvBn3d": (3, 4, 3),
    "intrinsic.qat.ConvBnReLU1d": (3, 4, 3),
    "intrinsic.qat.ConvBnReLU2d": (3, 4, 3),
    "intrinsic.qat.ConvBnReLU3d": (3, 4, 3),
    "intrinsic.qat.LinearBn1d": (3, 4),
}


@pytest.mark.parametrize("path", TRAINED)
def test_trained_modules_become_float_as_in_pytorch(torch, path):
    def made(T):
        quantization = T.quantization if T is refquant else T.ao.quantization
        recipe = "dynamic" if "dynamic" in path else ""
        name = f"default_{recipe}_qat_qconfig".replace("__", "_")
        module = place(T, path)(*TRAINED[path], qconfig=getattr(quantization, name))
        fill(module, T, 3)
        rng = np.random.default_rng(4)
        for name, buffer in module.named_buffers():
            if "running" in name:
                buffer.copy_(T.from_numpy(rng.uniform(0.5, 1.5, 4).astype(np.float32)))
        return module.eval().to_float()

    assert repr(made(torch)) == repr(made(refquant))
    both(torch, lambda T: list(made(T).parameters()))


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("path", ["LinearReLU", "qat"])
def test_layers_are_converted_dynamically_as_in_pytorch(torch, path, half):
    def made(T):
        quantization = T.quantization if T is refquant else T.ao.quantization
        name = "float16_dynamic_qconfig" if half else "default_dynamic_qconfig"
        recipe = getattr(quantization, name)
        if path == "qat":
            training = quantization.default_dynamic_qat_qconfig
            module = place(T, "qat.dynamic.Linear")(7, 5, qconfig=training)
            kind = place(T, "quantized.dynamic.Linear")
            module.qconfig = recipe
        else:
            module = place(T, "intrinsic.LinearReLU")(T.nn.Linear(7, 5), T.nn.ReLU())
            kind = place(T, "intrinsic.quantized.dynamic.LinearReLU")
            module.qconfig = module[0].qconfig = recipe
        fill(module, T, 3)
        return kind.from_float(module)

    both(torch, lambda T: [made(T)(*inputs(T, "", (6, 7)))], rtol=1e-6 if half else 0.0)


def integers(T, shape):
    rng = np.random.default_rng(9)
    return T._make_per_tensor_quantized_tensor(
        T.from_numpy(rng.integers(0, 256, shape, dtype=np.uint8)), 0.02, 100
    )


@pytest.mark.usefixtures("instructions_of_records")
@pytest.mark.parametrize(
    ("name", "scheme"),
    [(name, "tensor") for name in LAYERS if "Embedding" not in name]
    + [(name, "channel") for name in ("Linear", "Conv1d", "Conv2d", "Conv3d")]
    + [(name, "float_qparams") for name in ("Embedding", "EmbeddingBag")],
)
def test_reference_layers_become_quantized_ones_as_in_pytorch(torch, name, scheme):
    arguments, axis, shape = LAYERS[name]

    def computed(T):
        module = fill(getattr(T.nn, name)(*arguments), T, 3)
        dtype = "quint8" if scheme == "float_qparams" else "qint8"
        steps = quantizer(T, scheme, dtype, module.weight.shape[axis], axis, 11)
        meant = place(T, f"quantized.reference.{name}").from_float(module, steps)
        kind = place(T, f"quantized.{name}")
        if scheme == "float_qparams":
            return [kind.from_reference(meant)(*inputs(T, name, shape))]
        made = kind.from_reference(meant, 0.05, 30)
        assert (made.scale, made.zero_point) == (pytest.approx(0.05), 30)
        results = [made(integers(T, shape))]
        if name in ("Linear", "Conv2d"):
            pair = T.nn.Sequential(meant, T.nn.ReLU())
            path = {"Linear": "LinearReLU", "Conv2d": "ConvReLU2d"}[name]
            with_relu = place(T, f"intrinsic.quantized.{path}")
            results.append(with_relu.from_reference(pair, 0.05, 30)(integers(T, shape)))
        return results

    both(torch, computed)


@pytest.mark.parametrize("name", ["Linear", *CELLS, *SEQUENCES])
def test_reference_layers_become_dynamic_ones_as_in_pytorch(torch, name):
    arguments = {**CELLS, **SEQUENCES}.get(name, (7, 5))

    def computed(T):
        module = fill(getattr(T.nn, name)(*arguments), T, 3)
        weights = [n for n, _ in module.named_parameters() if n.startswith("weight")]
        steps = {"qscheme": T.per_tensor_affine, "dtype": T.qint8, "scale": 0.01, "zero_point": 0}
        given = {**dict.fromkeys(weights, steps), "is_decomposed": False}
        given = steps if name == "Linear" else given
        meant = place(T, f"quantized.reference.{name}").from_float(module, given)
        made = place(T, f"quantized.dynamic.{name}").from_reference(meant)
        shape = (4, 3, 7) if name in SEQUENCES else (3, 7)
        return flat(made(*inputs(T, name, shape)))

    both(torch, computed, rtol=0.0 if name == "Linear" else 1e-6)
