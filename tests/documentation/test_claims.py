"""Numbers that lectures state in their text, measured: affine map, products, rounding, sums."""

import importlib.util

import numpy as np
import pytest
from documentation.claims import ROOT, says

import refquant
from refquant import nn, quantization
from refquant.engines.rules.requantize import FIXED_POINT, QUOTIENT, TIMES_RECIPROCAL

f32 = np.float32
ops = refquant.ops.quantized


def decibels(exact, y, **axis):
    return 10 * np.log10((exact**2).sum(**axis) / ((y - exact) ** 2).sum(**axis))


# -- choosing, affine ----------------------------------------------------------------------------


def test_integers_of_8_bits_come_back_and_large_ones_of_32_do_not():
    assert says("docs/learn/affine.rst", "the integer 16777217 comes back as 16777216.")
    codes = refquant.tensor([16777217], dtype=refquant.int32)
    q = refquant._make_per_tensor_quantized_tensor(codes, 0.1, 0)
    again = refquant.quantize_per_tensor(q.dequantize(), 0.1, 0, refquant.qint32)
    assert again.int_repr().tolist() == [16777216]
    for dtype, plain in ((refquant.quint8, np.uint8), (refquant.qint8, np.int8)):
        codes = np.arange(256, dtype=np.uint8).view(plain)
        q = refquant._make_per_tensor_quantized_tensor(refquant.from_numpy(codes), 0.1, 5)
        again = refquant.quantize_per_tensor(q.dequantize(), 0.1, 5, dtype)
        assert np.array_equal(again.int_repr().numpy(), codes)


@pytest.mark.parametrize("dtype", [refquant.quint8, refquant.qint8])
@pytest.mark.parametrize("scheme", [refquant.per_tensor_affine, refquant.per_tensor_symmetric])
def test_scales_of_zeros_and_of_nearly_zeros(dtype, scheme):
    assert says("docs/learn/choosing.rst", "PyTorch 1.4 take :math:`s = 1`, :math:`z = 0`")
    middle = 0 if dtype is refquant.qint8 else 128
    zero_point = middle if scheme.is_symmetric else dtype.quant_min
    for engine, chosen in (("fbgemm-1.4", [1.0, 0]), ("fbgemm", [2.0**-23, zero_point])):
        with refquant.engines.using(engine):
            for make in (quantization.MinMaxObserver, quantization.HistogramObserver):
                observer = make(dtype=dtype, qscheme=scheme)
                observer(refquant.zeros(4))
                assert [v.item() for v in observer.calculate_qparams()] == chosen
            observer = quantization.MinMaxObserver(dtype=dtype, qscheme=scheme)
            observer(refquant.tensor([-1e-9, 1e-9]))
            assert observer.calculate_qparams()[0].item() == 2.0**-23 == np.finfo(f32).eps
    # The scale could be smaller and still have an ordinary reciprocal.
    assert np.isfinite(f32(1) / f32(2.0**-126))


# -- products, saturation, channels --------------------------------------------------------------


@pytest.mark.parametrize(("largest", "depth"), [(255 * 128, 65793), (255 * 255, 33025)])
def test_depths_at_which_an_accumulator_leaves_int32(largest, depth):
    assert says("docs/learn/products.rst", "65793", ":math:`K \\le 33025`")
    assert largest * depth < 2**31 <= largest * (depth + 1)


def test_zero_points_make_factors_of_255():
    from refquant.engines.rules.accumulate import WRAPPED

    # K = 33026: one product more than is safe, so that the sum wraps around.
    x, w = np.full((1, 33026), 255, np.uint8), np.full((1, 33026), 127, np.int8)
    sums = WRAPPED(x, w, 0, np.int32([-128]))
    assert int(sums[0, 0]) == 33026 * 255 * 255 - 2**32
    sums = WRAPPED(x[:, 1:], w[:, 1:], 0, np.int32([-128]))
    assert int(sums[0, 0]) == 33025 * 255 * 255


@pytest.mark.parametrize(
    ("depth", "bell", "of_pairs", "of_outputs"),
    [(64, False, 0.036, 0.69), (576, False, 0.036, 1.0), (64, True, 1.3e-4, 0.004),
     (576, True, 1.3e-4, 0.036)],
)  # fmt: skip
def test_random_tests_do_find_saturated_pairs(depth, bell, of_pairs, of_outputs):
    assert says("docs/learn/saturation.rst", "finds the fault at the first try")
    rng = np.random.default_rng(depth)
    x = rng.integers(0, 256, (2_560_000 // depth, depth), dtype=np.int32)
    w = rng.integers(-128, 128, x.shape, dtype=np.int32)
    if bell:
        w = np.clip(np.rint(rng.normal(size=x.shape) * 32), -128, 127).astype(np.int32)
    pairs = (x * w).reshape(len(x), -1, 2).sum(axis=2)
    outside = (pairs > 2**15 - 1) | (pairs < -(2**15))
    assert outside.mean() == pytest.approx(of_pairs, rel=0.3)
    assert outside.any(axis=1).mean() == pytest.approx(of_outputs, abs=0.01)
    assert 1 - (1 - of_pairs) ** (depth / 2) == pytest.approx(of_outputs, abs=0.02)


def test_calibrated_activations_hide_saturated_pairs():
    rng = np.random.default_rng(0)
    x = np.maximum(rng.normal(size=(5000, 576)), 0)
    w = rng.normal(size=x.shape)
    x = np.rint(x / x.max() * 255)
    w = np.clip(np.rint(w / np.abs(w).max() * 127.5), -128, 127)
    pairs = (x * w).reshape(len(x), -1, 2).sum(axis=2)
    assert np.abs(pairs).max() < 2**15


def test_a_scale_for_each_row_of_activations_leaves_the_sum():
    assert says("docs/learn/per_channel.rst", "Activations may have a scale for each *row*")
    rng = np.random.default_rng(1)
    sizes = np.array([[1], [10], [0.1], [5]])
    x = sizes * rng.uniform(-1, 1, (4, 256))
    w = np.rint(127 * rng.uniform(-1, 1, (500, 256)))

    def quantized(scale):
        return scale * (np.clip(np.rint(x / scale), -128, 127) @ w.T)

    rows = decibels(x @ w.T, quantized(np.abs(x).max(axis=1, keepdims=True) / 127.5), axis=1)
    one = decibels(x @ w.T, quantized(np.abs(x).max() / 127.5), axis=1)
    assert rows == pytest.approx([48.1] * 4, abs=1)  # as a weight of 8 bits, step 1 of the page
    assert rows - one == pytest.approx(20 * np.log10(10 / sizes[:, 0]), abs=2)


# -- requantization, bias, rounding --------------------------------------------------------------


def test_three_roundings_err_by_at_most_three_units():
    assert says("docs/learn/requantization.rst", "which is :math:`1.5 \\cdot 2^{-23}`")
    rng = np.random.default_rng(0)
    scales = rng.uniform(1e-3, 1, (3, 100_000)).astype(f32)
    multipliers = scales[0] * scales[1] / scales[2]
    for s_x, s_w, s_o in scales[:, :50].T:
        assert QUOTIENT(float(s_x), np.float64(s_w), float(s_o)) == f32(f32(s_x * s_w) / s_o)
    a = rng.integers(1, 2**24, multipliers.shape)
    # Relative errors of float64 are far below those of float32.
    exact = scales[0].astype(float) * scales[1] / scales[2] * a
    errors = np.abs((a.astype(f32) * multipliers) / exact - 1).max() * 2.0**23
    assert 1.1 < errors <= 1.5
    # With the reciprocal of the output scale there is one rounding more.
    multipliers = scales[0] * scales[1] * (f32(1) / scales[2])
    for s_x, s_w, s_o in scales[:, :50].T:
        found = TIMES_RECIPROCAL(float(s_x), np.float64(s_w), float(s_o))
        assert found == f32(f32(s_x * s_w) * f32(f32(1) / s_o))
    errors = np.abs((a.astype(f32) * multipliers) / exact - 1).max() * 2.0**23
    assert 1.5 < errors <= 2


@pytest.mark.parametrize("shift", [2, 3, 4])
def test_rounding_twice_has_a_mean_error_for_outputs_of_one_sign_only(shift):
    assert says("docs/learn/requantization.rst", "for outputs of both signs alike the means cancel")
    rng = np.random.default_rng(shift)
    multiplier = f32(rng.uniform(0.5, 1)) * f32(2.0**-shift)
    a = rng.integers(-(2 ** (8 + shift)), 2 ** (8 + shift) + 1, 200_000)
    error = FIXED_POINT(a, multiplier, 0, -(2**31), 2**31 - 1) - a * np.float64(multiplier)
    law = 2.0 ** -(shift + 1)
    assert error[a > 0].mean() == pytest.approx(law, abs=0.004)
    assert error[a < 0].mean() == pytest.approx(-law, abs=0.004)
    assert abs(error.mean()) < 0.004


def test_the_sum_of_products_is_exact_and_the_bias_is_not():
    assert says(
        "tutorials/plot_03_convolution_by_hand.py",
        "The sum of products is exact. Engines can differ only in the bias and in the "
        "requantization",
    )
    rng = np.random.default_rng(0)
    x = refquant.from_numpy(rng.integers(120, 137, (200, 64), dtype=np.uint8))
    w = refquant.from_numpy(rng.integers(-8, 9, (50, 64), dtype=np.int8))
    # Powers of two: the multiplier is exactly 1/8, and so the rest of the requantization is exact.
    x = refquant._make_per_tensor_quantized_tensor(x, 2.0**-5, 128)
    w = refquant._make_per_tensor_quantized_tensor(w, 2.0**-7, 0)
    bias = refquant.from_numpy(rng.uniform(-0.01, 0.01, 50).astype(f32))

    def outputs(engine, bias):
        with refquant.engines.using(engine):
            y = ops.linear(x, ops.linear_prepack(w, bias), 2.0**-9, 128)
            return y.int_repr().numpy().astype(int)

    sums = (x.int_repr().numpy().astype(int) - 128) @ w.int_repr().numpy().astype(int).T
    exact = np.clip(np.rint(sums / 8) + 128, 0, 255)
    for engine in ("fbgemm", "qnnpack"):
        assert np.array_equal(outputs(engine, None), exact)
    # The one adds the bias in float32, the other rounds it to whole units of s_x s_w first.
    differ = outputs("fbgemm", bias) != outputs("qnnpack", bias)
    assert 0.01 < differ.mean() < 0.1


def test_a_scale_that_is_a_power_of_two_makes_the_reciprocal_harmless():
    from refquant.engines.rules.quantize import ADD_THEN_ROUND, FUSED, ROUND_THEN_ADD

    assert says("docs/learn/rounding.rst", "In step 6 fused and unfused agree, too")
    rng = np.random.default_rng(0)
    x = (rng.integers(-(2**24), 2**24, 100_000) * 2.0**-20).astype(f32)
    x = np.append(x, f32(0.5 + 2.0**-24))
    assert np.array_equal(x / f32(0.125), x * (f32(1) / f32(0.125)))
    made = [rule(x, 0.125, 128, 0, 255) for rule in (ADD_THEN_ROUND, FUSED)]
    assert np.array_equal(*made)
    tie = f32([0.5 + 2.0**-24])
    made = [rule(tie, 1.0, 128, 0, 255)[0] for rule in (ROUND_THEN_ADD, ADD_THEN_ROUND, FUSED)]
    assert made == [129, 128, 128]


# -- branches, training, networks ----------------------------------------------------------------


def test_a_branch_of_small_values_can_be_equalized():
    assert says("docs/learn/elementwise.rst", "then no bits are lost.")
    rng = np.random.default_rng(0)
    small, large = rng.uniform(0, 0.1, (500, 8)), rng.uniform(0, 10, (500, 8))
    w = rng.normal(size=(4, 16))
    w[:, :8] *= 100  # so that both branches matter

    def rounded(x):
        return np.clip(np.rint(x * 255 / 10), 0, 255) * 10 / 255

    exact = np.hstack([small, large]) @ w.T
    shared = np.hstack([rounded(small), rounded(large)]) @ w.T
    factors = np.repeat([1 / 100, 1], 8)
    equalized = np.hstack([rounded(100 * small), rounded(large)]) @ (w * factors).T
    assert decibels(exact, equalized) > decibels(exact, shared) + 20
    assert np.log2(100) == pytest.approx(6.64, abs=0.01)  # bits


def test_no_value_of_the_concatenation_is_a_tie():
    q = refquant.quantize_per_tensor(
        refquant.tensor([0.012, 0.02, 0.032]), 0.001, 0, refquant.quint8
    )
    assert says("docs/learn/elementwise.rst", "[0.012, 0.02, 0.032]")
    quotients = q.int_repr().numpy() * 0.001 / 0.02
    assert not np.isclose(quotients % 1, 0.5).any()
    made = ops.cat([q], 0, 0.02, 0).int_repr().numpy()
    assert made.tolist() == np.rint(quotients).tolist() == [1, 1, 2]


def test_fake_quantization_rounds_before_it_adds():
    assert says("tutorials/plot_08_quantization_aware_training.py", r"\mathrm{round}(x / s) + z")
    assert says("docs/learn/training.rst", r"\operatorname{round}(x / s) + z")
    assert says("docs/from_pytorch/index.rst", "adds the zero point before it rounds in 1.4")
    x = np.arange(-10, 30, dtype=f32) / 4  # half of them ties
    after = (np.clip(np.rint(x / 0.5) + 3, 0, 15) - 3) * 0.5
    before = (np.clip(np.rint(x / 0.5 + 3), 0, 15) - 3) * 0.5
    assert not np.array_equal(after, before)
    for engine, wanted in (("fbgemm", after), ("fbgemm-1.4", before)):
        with refquant.engines.using(engine):
            y = refquant.fake_quantize_per_tensor_affine(refquant.from_numpy(x), 0.5, 3, 0, 15)
        assert np.array_equal(y.numpy(), wanted)


def test_the_gradient_reaches_half_a_step_beyond_the_range():
    assert says("docs/learn/training.rst", "extended by half a step at either end")
    x = refquant.linspace(-2, 2, 4001, requires_grad=True)
    refquant.fake_quantize_per_tensor_affine(x, 0.5, 0, -2, 1).sum().backward()
    passed = x.detach().numpy()[x.grad.numpy() == 1]
    assert (passed.min(), passed.max()) == pytest.approx((-1.25, 0.75), abs=0.002)


def test_a_channel_without_gamma_stops_training_with_an_error_about_nan():
    assert says("docs/learn/training.rst", "it is 0/0, and the observer behind the layer stops")
    net = nn.Sequential(nn.Conv2d(1, 2, 3, bias=False), nn.BatchNorm2d(2), nn.ReLU())
    net = quantization.fuse_modules_qat(net, ["0", "1", "2"])
    net.qconfig = quantization.get_default_qat_qconfig("fbgemm")
    net = quantization.prepare_qat(net)
    with refquant.no_grad():
        net[0].bn.weight[1] = 0.0
    with pytest.raises(refquant.errors.OperationError, match="was given NaN"):
        net(refquant.rand(2, 1, 5, 5))


@pytest.mark.parametrize("shape", [(64, 16), (16, 64), (32, 32)])
def test_the_gain_of_a_layer_for_white_noise(shape):
    assert says("docs/learn/networks.rst", "divided by the number of outputs")
    rng = np.random.default_rng(0)
    jacobian = rng.normal(size=shape)
    noise = rng.normal(size=(shape[1], 20_000))
    measured = np.mean((jacobian @ noise) ** 2) / np.mean(noise**2)
    assert measured == pytest.approx((jacobian**2).sum() / shape[0], rel=0.02)
    singular = np.mean(np.linalg.svd(jacobian)[1] ** 2)
    assert (singular == pytest.approx(measured, rel=0.02)) == (shape[0] <= shape[1])


def test_layers_with_relu_leave_the_law():
    assert says(
        "docs/learn/networks.rst", "up to 6.5 dB below it, with other weights up to 2 dB above"
    )
    assert says("docs/learn/networks.rst", "(their mean cosine is 0.8)")
    path = ROOT / "docs" / "learn" / "pictures" / "networks.py"
    spec = importlib.util.spec_from_file_location("networks", path)
    picture = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(picture)
    away, cosines = [], []
    for seed in (0, 4):
        rng = np.random.default_rng(seed)
        normal = [rng.normal(size=(64, 64)).astype(f32) for _ in range(64)]
        rotations = [np.linalg.qr(w)[0] for w in normal[:1]]
        layers = [w * f32(np.sqrt(2 / 64)) for w in normal]
        # As in the picture, the chain of rotations takes its input first.
        state = rng.bit_generator.state
        rng.normal(size=(128, 64))
        start = rng.bit_generator.state
        rng.bit_generator.state = state
        first = next(iter(picture.chain(rng, rotations, lambda x: x, picture.rounded)))
        rng.bit_generator.state = start
        relu = list(picture.chain(rng, layers, lambda x: np.maximum(x, 0), picture.rounded))
        away.append(np.array(relu) - (first - 10 * np.log10(np.arange(1, 65))))
        y = np.random.default_rng(0).normal(size=(128, 64)).astype(f32)
        for w in layers[:8]:
            y = np.maximum(y @ w, 0)
        y /= np.linalg.norm(y, axis=1, keepdims=True)
        cosines.append(float((y @ y.T).mean()))
    assert away[0].min() == pytest.approx(-6.5, abs=0.2)
    assert away[1].max() == pytest.approx(2.1, abs=0.3)
    assert cosines[0] == pytest.approx(0.8, abs=0.05)
    assert min(cosines) > 0.6
