"""Lab 4: an int8 network for digits, from nothing, with the bits of refquant."""

import numpy as np

import refquant
from refquant import engines
from refquant.course.records import Mistake, Question
from refquant.engines.rules.accumulate import EXACT
from refquant.engines.rules.quantize import ROUND_THEN_ADD
from refquant.engines.rules.requantize import BIAS_DIVIDED, FLOAT_PRODUCT, QUOTIENT
from refquant.reference.convolution import gather
from refquant.reference.folding import fold_batch_norm
from refquant.reference.operands import Geometry

__all__ = ["QUESTIONS"]

_RNG = np.random.default_rng(4)
_ENGINE = "fbgemm"


def _floats(*shape, low=-1.0, high=1.0):
    return _RNG.uniform(low, high, shape).astype(np.float32)


def _bytes(*shape):
    return _RNG.integers(0, 256, shape).astype(np.uint8)


def _weights(*shape):
    return _RNG.integers(-128, 128, shape).astype(np.int8)


def _fold_case(*shape, eps):
    n = shape[0]
    return _floats(*shape), *(_floats(n) for _ in range(4)), _floats(n, low=0.2, high=2), eps


def _layer(*shape, scale, zero_point):
    return {
        "q_w": _weights(*shape),
        "s_w": _RNG.uniform(0.002, 0.01, shape[0]),
        "bias": _floats(shape[0]),
        "scale": scale,
        "zero_point": zero_point,
    }


_NETWORK = {
    "scale": 1 / 127,
    "zero_point": 0,
    "conv1": _layer(4, 3, 3, 1, scale=0.013, zero_point=7),
    "conv2": _layer(6, 3, 3, 4, scale=0.05, zero_point=0),
    "fc1": _layer(8, 24, scale=0.11, zero_point=30),
    "fc2": _layer(5, 8, scale=0.12, zero_point=120),
}
_HIDDEN = ("conv1", "conv2", "fc1")

# -- right answers, by refquant ------------------------------------------------------------------


def fold(w, b, gamma, beta, mean, var, eps):
    """Fold a batch normalization into weight and bias."""
    weight, bias = fold_batch_norm(w.reshape(len(w), -1), b, mean, var, eps, gamma, beta)
    return weight.reshape(w.shape), bias


def quantize_pixels(x, scale):
    """Return the integers of pixels, with the zero point 0."""
    return ROUND_THEN_ADD(x, scale, 0, 0, 255).astype(np.uint8)


def patches(image, zero_point):
    """Return the pixels under a filter of 3 x 3 at each place."""
    geometry = Geometry((1, 3, 3), stride=(1, 1, 1), padding=(0, 1, 1), dilation=(1, 1, 1))
    height, width, channels = image.shape
    return gather(image[None], zero_point, geometry).reshape(height, width, 9 * channels)


def accumulate(rows, q_w, z_x):
    """Return the exact sums of products."""
    flat = EXACT(rows.reshape(-1, rows.shape[-1]), q_w, z_x, np.zeros(len(q_w), np.int32))
    return flat.astype(np.int64).reshape(*rows.shape[:-1], len(q_w))


def add_bias(acc, bias, s_x, s_w):
    """Return sums with the bias, by the rule of fbgemm for channels."""
    return BIAS_DIVIDED(acc, bias, s_x, s_w)


def requantize(total, s_x, s_w, s_o, z_o, relu):
    """Return outputs in quint8, by the rule of fbgemm."""
    low = z_o if relu else 0
    return FLOAT_PRODUCT(total, QUOTIENT(s_x, s_w, s_o), z_o, low, 255).astype(np.uint8)


def max_pool(image):
    """Return the largest of each 2 x 2 pixels."""
    q = refquant._make_per_tensor_quantized_tensor(
        refquant.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)[None])), 1.0, 0
    )
    pooled = refquant.nn.functional.max_pool2d(q, 2).int_repr().numpy()
    return pooled[0].transpose(1, 2, 0)


def flatten(image):
    """Return pixels in the order of PyTorch: channels, rows, columns."""
    return np.ascontiguousarray(image.transpose(2, 0, 1)).reshape(-1)


def infer(network, image):
    """Return the integers of the outputs, by quantized operations."""
    with engines.using(_ENGINE):
        x = refquant.from_numpy(image[None, None])
        x = refquant.quantize_per_tensor(
            x, network["scale"], network["zero_point"], refquant.quint8
        )
        for name in ("conv1", "conv2"):
            layer = network[name]
            weight = _quantized(layer, layer["q_w"].transpose(0, 3, 1, 2))
            packed = refquant.ops.quantized.conv2d_prepack(
                weight, refquant.from_numpy(layer["bias"]), [1, 1], [1, 1], [1, 1], 1
            )
            x = refquant.ops.quantized.conv2d_relu(x, packed, layer["scale"], layer["zero_point"])
            x = refquant.nn.functional.max_pool2d(x, 2)
        x = x.reshape(1, -1)
        for name in ("fc1", "fc2"):
            layer = network[name]
            weight, bias = _quantized(layer, layer["q_w"]), refquant.from_numpy(layer["bias"])
            linear = getattr(refquant.ops.quantized, "linear_relu" if name == "fc1" else "linear")
            rows = refquant.ops.quantized.linear_prepack(weight, bias)
            x = linear(x, rows, layer["scale"], layer["zero_point"])
        return x.int_repr().numpy()[0]


def _quantized(layer, integers):
    zero_points = refquant.zeros(len(integers)).to(refquant.int64)
    return refquant._make_per_channel_quantized_tensor(
        refquant.from_numpy(np.ascontiguousarray(integers)),
        refquant.from_numpy(layer["s_w"]),
        zero_points,
        0,
    )


# -- what goes wrong -----------------------------------------------------------------------------


def _folded(w, b, gamma, beta, mean, factor):
    return w * factor.reshape(-1, *[1] * (w.ndim - 1)), (b - mean) * factor + beta


def _network_answer(flat=flatten, relu=_HIDDEN, pad=None):
    """Make the whole network, with one part of it as wished."""

    def answer(network, image):
        s_x, z_x = network["scale"], network["zero_point"]
        x = quantize_pixels(image, s_x)[:, :, None]
        for name in ("conv1", "conv2", "fc1", "fc2"):
            layer = network[name]
            q_w = layer["q_w"].reshape(len(layer["q_w"]), -1)
            if name.startswith("conv"):
                x = patches(x, z_x if pad is None else pad)
            elif name == "fc1":
                x = flat(x)
            total = add_bias(accumulate(x, q_w, z_x), layer["bias"], s_x, layer["s_w"])
            s_o, z_o = layer["scale"], layer["zero_point"]
            x = requantize(total, s_x, layer["s_w"], s_o, z_o, name in relu)
            x = max_pool(x) if name.startswith("conv") else x
            s_x, z_x = s_o, z_o
        return x

    return answer


def _reordered(image, zero_point, axes):
    under = patches(image, zero_point)
    parts = under.reshape(*under.shape[:2], 3, 3, image.shape[2]).transpose(axes)
    return np.ascontiguousarray(parts).reshape(under.shape)


def _steps(total, s_x, s_w, s_o):
    return total * QUOTIENT(s_x, s_w, s_o)


def _in_range(q, low=0):
    return np.clip(q, low, 255).astype(np.uint8)


_IMAGES = ((_bytes(4, 4, 2), 7), (_bytes(2, 3, 1), 255), (_bytes(3, 3, 3), 60))
_HALVES = np.arange(-40, 400, 3).reshape(-1, 3).astype(np.float32)
_NO_SCALES = np.array([1.0, 1.0, 3.0])

QUESTIONS = (
    Question(
        "4.1",
        "Folding batch normalization",
        "A layer with weight `w` (outputs along axis 0) and bias `b` is followed by a batch "
        "normalization, `gamma * (y - mean) / sqrt(var + eps) + beta`. Return the weight and the "
        "bias of the one layer that does both.",
        fold,
        (_fold_case(3, 4, eps=0.1), _fold_case(4, 3, 3, 2, eps=0.01)),
        "w is multiplied by gamma / sqrt(var + eps), the bias is (b - mean) times it, plus beta",
        "folding",
        (
            Mistake(
                "divides by the variance instead of its root",
                lambda w, b, gamma, beta, mean, var, eps: _folded(
                    w, b, gamma, beta, mean, gamma / (var + eps)
                ),
            ),
            Mistake(
                "adds eps after the root instead of before",
                lambda w, b, gamma, beta, mean, var, eps: _folded(
                    w, b, gamma, beta, mean, gamma / (np.sqrt(var) + eps)
                ),
            ),
            Mistake(
                "leaves out the mean",
                lambda w, b, gamma, beta, mean, var, eps: _folded(
                    w, b, gamma, beta, 0 * mean, gamma / np.sqrt(var + eps)
                ),
            ),
            Mistake(
                "loses the bias that the layer had",
                lambda w, b, gamma, beta, mean, var, eps: _folded(
                    w, 0 * b, gamma, beta, mean, gamma / np.sqrt(var + eps)
                ),
            ),
        ),
        (
            "put y = w @ x + b into the formula and collect what multiplies x",
            "the factor has one number for each output: give it the shape (n, 1, ...)",
        ),
    ),
    Question(
        "4.2",
        "The input",
        "Return the integers of quint8 for pixels `x` with the zero point 0. For the bits of "
        "fbgemm multiply by the reciprocal of the scale, both in float32; ties go to even.",
        quantize_pixels,
        (
            (np.arange(30, dtype=np.float32) / 2, 1.0),
            (np.array([0.33, 0.31, 0.7], np.float32), 0.02),
            (_floats(8, 8, low=-0.1, high=2.5), 1 / 127),
        ),
        "the integer is clip(round(x * (1 / scale)), 0, 255), in float32",
        "rounding",
        (
            Mistake(
                "cuts off instead of rounding",
                lambda x, scale: _in_range(np.floor(x * (np.float32(1) / np.float32(scale)))),
            ),
            Mistake(
                "rounds ties up instead of to the even integer",
                lambda x, scale: _in_range(
                    np.floor(x * (np.float32(1) / np.float32(scale)) + np.float32(0.5))
                ),
            ),
            Mistake(
                "divides by the scale, which is not the product with its rounded reciprocal",
                lambda x, scale: _in_range(np.rint(x / np.float32(scale))),
            ),
        ),
        ("question 1.9 with the zero point 0", "np.float32(1) / np.float32(scale)"),
    ),
    Question(
        "4.3",
        "The pixels under a filter",
        "`image[row, column, channel]` is uint8. Return for each place the 9 pixels under a filter "
        "of 3 x 3 around it, row by row, each with all of its channels: the shape is "
        "`(height, width, 9 * channels)`. Beyond the border the real number 0 is meant.",
        patches,
        _IMAGES,
        "a convolution gathers rows of (filter row, filter column, channel), padded by zero_point",
        "products",
        (
            Mistake(
                "pads with the integer 0 instead of the zero point",
                lambda image, zero_point: patches(image, 0),
            ),
            Mistake(
                "takes the columns of the filter before its rows",
                lambda image, zero_point: _reordered(image, zero_point, (0, 1, 3, 2, 4)),
            ),
            Mistake(
                "takes the channels before the pixels",
                lambda image, zero_point: _reordered(image, zero_point, (0, 1, 4, 2, 3)),
            ),
        ),
        (
            "pad the image by question 2.8, with its two first axes alone",
            "nine slices padded[dy : dy + height, dx : dx + width], for dy and dx from 0 to 2",
            "np.concatenate of the nine along the last axis",
        ),
    ),
    Question(
        "4.4",
        "The sums",
        "Return the sums of `(rows[..., k] - z_x) * q_w[n, k]` over `k`, as integers, with `n` as "
        "the last axis. The weight has the zero point 0.",
        accumulate,
        ((_bytes(2, 3, 9), _weights(4, 9), 7), (_bytes(40), _weights(3, 40), 255)),
        "the accumulator is the exact sum of (q_x - z_x) * q_w, in 32 bits",
        "products",
        (
            Mistake(
                "forgets the zero point of the input",
                lambda rows, q_w, z_x: accumulate(rows, q_w, 0),
            ),
            Mistake(
                "subtracts the zero point in uint8, which wraps around below 0",
                lambda rows, q_w, z_x: accumulate(rows - np.uint8(z_x), q_w, 0),
            ),
            Mistake(
                "sums in 16 bits, which wrap around",
                lambda rows, q_w, z_x: accumulate(rows, q_w, z_x).astype(np.int16).astype(np.int64),
            ),
        ),
        ("question 2.1", "rows.astype(np.int32) - z_x, then @ q_w.T"),
    ),
    Question(
        "4.5",
        "The bias, bit by bit",
        "Return sums with the bias by the rule of fbgemm for weights with a scale for each "
        "channel, all in float32: `s_x` times `s_w`, the bias over that, and the sum `acc` plus "
        "that. The last axis of `acc` is that of `s_w` and `bias`.",
        add_bias,
        (
            (np.arange(-3000, 3000, 1000).reshape(2, 3), _floats(3), 0.013, _NO_SCALES / 170),
            (np.array([[2**24 + 1, 5, 7]]), _floats(3), 0.02, _NO_SCALES / 300),
        ),
        "fbgemm adds the real bias: f32(f32(acc) + f32(bias / f32(s_x * s_w)))",
        "bias",
        (
            Mistake(
                "rounds the bias to an integer, which is the rule of qnnpack",
                lambda acc, bias, s_x, s_w: (
                    acc + np.rint(bias / (np.float32(s_x) * s_w.astype(np.float32)))
                ),
            ),
            Mistake(
                "computes in float64; each of the three steps is rounded to float32",
                lambda acc, bias, s_x, s_w: acc + bias / (s_x * s_w),
            ),
            Mistake(
                "multiplies the bias by the unit instead of dividing",
                lambda acc, bias, s_x, s_w: (
                    acc.astype(np.float32) + bias * (np.float32(s_x) * s_w.astype(np.float32))
                ),
            ),
        ),
        (
            "np.float32(s_x) and s_w.astype(np.float32) first",
            "acc.astype(np.float32), too: float32 plus int64 would be float64",
        ),
        exact=True,
    ),
    Question(
        "4.6",
        "Requantization, bit by bit",
        "Return outputs in quint8 for sums in float32, with `s_w` for each channel. The "
        "multiplier is `s_x` times `s_w` over `s_o`, in float32. Ties go to even, and the zero "
        "point is added after rounding. With `relu` nothing stays below the real number 0.",
        requantize,
        (
            (_HALVES, 0.5, _NO_SCALES, 1.0, 5, False),
            (_HALVES, 0.5, _NO_SCALES, 1.0, 7, True),
            (_HALVES * np.float32(3.7), 0.02, _NO_SCALES / 100, 0.001, 100, False),
        ),
        "the output is clip(round(total * m) + z_o), from z_o on if a ReLU follows",
        "requantization",
        (
            Mistake(
                "rounds ties up instead of to the even integer",
                lambda total, s_x, s_w, s_o, z_o, relu: _in_range(
                    np.floor(_steps(total, s_x, s_w, s_o) + 0.5) + z_o, z_o if relu else 0
                ),
            ),
            Mistake(
                "adds the zero point before it rounds: an odd one turns ties around",
                lambda total, s_x, s_w, s_o, z_o, relu: _in_range(
                    np.rint(_steps(total, s_x, s_w, s_o) + z_o), z_o if relu else 0
                ),
            ),
            Mistake(
                "has no ReLU, or clips at the integer 0, which is not the real number 0",
                lambda total, s_x, s_w, s_o, z_o, relu: requantize(
                    total, s_x, s_w, s_o, z_o, False
                ),
            ),
            Mistake(
                "always applies the ReLU",
                lambda total, s_x, s_w, s_o, z_o, relu: requantize(total, s_x, s_w, s_o, z_o, True),
            ),
        ),
        ("np.rint, then + z_o, then np.clip", "the lower end of np.clip is z_o for a ReLU, else 0"),
    ),
    Question(
        "4.7",
        "Pooling",
        "Return the largest of each 2 x 2 pixels of `image[row, column, channel]`, whose height "
        "and width are even.",
        max_pool,
        ((_bytes(4, 4, 3),), (_bytes(2, 6, 1),)),
        "the affine map is monotone, so the largest integer stands for the largest number",
        "elementwise",
        (
            Mistake("takes the upper left pixel", lambda image: image[::2, ::2]),
            Mistake(
                "averages",
                lambda image: np.rint(
                    (
                        image[::2, ::2].astype(int)
                        + image[1::2, ::2]
                        + image[::2, 1::2]
                        + image[1::2, 1::2]
                    )
                    / 4
                ).astype(np.uint8),
            ),
            Mistake(
                "takes the larger of two rows alone",
                lambda image: np.maximum(image[::2, ::2], image[1::2, ::2]),
            ),
        ),
        (
            "four images of half the size: image[::2, ::2] is the first of them",
            "or reshape to (height / 2, 2, width / 2, 2, channels), and .max over two axes",
        ),
    ),
    Question(
        "4.8",
        "The order of pixels",
        "A linear layer follows. Its weight was trained by PyTorch, where an image is stored by "
        "channels, rows, columns. Return `image[row, column, channel]` as a vector in that order.",
        flatten,
        ((_bytes(2, 2, 3),), (_bytes(3, 2, 4),)),
        "the order of the inputs is that with which the weight was trained: channel, row, column",
        "networks",
        (
            Mistake(
                "keeps the order in memory: row, column, channel",
                lambda image: image.reshape(-1),
            ),
            Mistake(
                "reverses all axes: columns come before rows",
                lambda image: image.transpose(2, 1, 0).reshape(-1),
            ),
            Mistake(
                "sorts by rows before channels",
                lambda image: image.transpose(0, 2, 1).reshape(-1),
            ),
        ),
        ("np.transpose, then reshape(-1)", "image.transpose(2, 0, 1)"),
    ),
    Question(
        "4.9",
        "The network",
        "Return the outputs of the whole network for `image`, 8 x 8 pixels in float32, as integers "
        "of quint8. `network` has `scale` and `zero_point` (0) of the input, and the layers "
        "`conv1`, `conv2`, `fc1` and `fc2`, each with `q_w`, `s_w` (for each output), `bias`, "
        "`scale` and `zero_point`. The weight of a convolution is `q_w[n, row, column, channel]`. "
        "All but `fc2` have a ReLU; max pooling follows each convolution.",
        infer,
        tuple((_NETWORK, _floats(8, 8, low=0.0)) for _ in range(4)),
        "each layer takes scale and zero point of the one before it as s_x and z_x",
        "networks",
        (
            Mistake(
                "hands the pixels to fc1 in the order in memory instead of that of question 4.8",
                lambda network, image: _network_answer(flat=lambda x: x.reshape(-1))(
                    network, image
                ),
            ),
            Mistake(
                "has no ReLU after fc1",
                lambda network, image: _network_answer(relu=("conv1", "conv2"))(network, image),
            ),
            Mistake(
                "has a ReLU after fc2, too, which loses all negative outputs",
                lambda network, image: _network_answer(relu=(*_HIDDEN, "fc2"))(network, image),
            ),
            Mistake(
                "pads with the integer 0 instead of the zero point of the layer before",
                lambda network, image: _network_answer(pad=0)(network, image),
            ),
        ),
        (
            "quantize the image and give it a last axis of one channel",
            "one layer is 4.3 (convolutions), 4.4, 4.5, 4.6, and 4.7 after a convolution",
            "q_w.reshape(len(q_w), -1) fits the rows of question 4.3",
        ),
    ),
)
