"""One name for plain and quantized tensors: the first operand decides which operation runs."""

import pytest

import refquant
from refquant import nn
from refquant.errors import QuantizerError

F = nn.functional


def quantized(shape=(1, 2, 6, 6)):
    return refquant.quantize_per_tensor(refquant.ones(shape), 0.5, 3, refquant.quint8)


BOTH = {
    "relu": refquant.relu,
    "F.relu": F.relu,
    "F.relu in place": lambda x: F.relu(x, inplace=True),
    "F.relu6": F.relu6,
    "F.hardtanh": F.hardtanh,
    "nn.ReLU": lambda x: nn.ReLU(inplace=True)(x),
    "nn.ReLU6": lambda x: nn.ReLU6()(x),
    "clamp": lambda x: x.clamp(0, 1),
    "max_pool1d": lambda x: refquant.max_pool1d(x[0], 2),
    "avg_pool1d": lambda x: refquant.avg_pool1d(x[0], 2),
    "adaptive_avg_pool1d": lambda x: F.adaptive_avg_pool1d(x[0], 2),
    "max_pool3d": lambda x: F.max_pool3d(x[None], (1, 2, 2)),
    "avg_pool3d": lambda x: F.avg_pool3d(x[None], (1, 2, 2)),
    "adaptive_avg_pool3d": lambda x: F.adaptive_avg_pool3d(x[None], 1),
    "grid_sample": lambda x: F.grid_sample(x, refquant.zeros(1, 2, 2, 2), align_corners=True),
    "interpolate by areas": lambda x: F.interpolate(x, (3, 2), mode="area"),
    "interpolate a volume": lambda x: F.interpolate(x[None], (1, 3, 2), mode="nearest-exact"),
    "pad": lambda x: F.pad(x, (1, 1), value=1.0),
    "pad by reflection": lambda x: F.pad(x, (1, 1, 1, 1), "reflect"),
    "flip": lambda x: x.flip(0, -1),
    "rot90": lambda x: refquant.rot90(x, 1, (2, 3)),
    "repeat": lambda x: x.repeat(2, 1, 1, 1),
    "tile": lambda x: refquant.tile(x, (2,)),
    "repeat_interleave": lambda x: x.repeat_interleave(2, 1),
    "channel_shuffle": lambda x: F.channel_shuffle(x, 2),
    "nn.PixelUnshuffle": lambda x: nn.PixelUnshuffle(2)(x),
    "masked_fill": lambda x: x.masked_fill(refquant.tensor([True]), 1.0),
    "index_put": lambda x: x.index_put((refquant.tensor([0]),), refquant.tensor(1.0)),
    "unfold": lambda x: x.unfold(3, 2, 2),
    "max_pool2d": lambda x: F.max_pool2d(x, 2),
    "avg_pool2d": lambda x: F.avg_pool2d(x, 2),
    "adaptive_avg_pool2d": lambda x: F.adaptive_avg_pool2d(x, 2),
    "nn.MaxPool2d": lambda x: nn.MaxPool2d(2)(x),
    "nn.AvgPool2d": lambda x: nn.AvgPool2d(2)(x),
    "nn.AdaptiveAvgPool2d": lambda x: nn.AdaptiveAvgPool2d(1)(x),
    "interpolate": lambda x: F.interpolate(x, scale_factor=2),
    "upsample": lambda x: F.upsample(x, size=(3, 3), mode="bilinear"),
    "upsample_nearest": lambda x: F.upsample_nearest(x, scale_factor=2),
    "nn.Upsample": lambda x: nn.Upsample(size=(4, 4))(x),
    "nn.Flatten": lambda x: nn.Flatten()(x),
    "clone": lambda x: x.clone(),
    "copy_": lambda x: x.copy_(refquant.ones(1)),
    "max": lambda x: x.max(),
    "min over a dimension": lambda x: refquant.min(x, 1)[0],
    "mean": lambda x: refquant.mean(x, dim=1),
    "sort": lambda x: refquant.sort(x)[0],
    "topk": lambda x: x.topk(2).values,
    "nn.Identity": lambda x: nn.Identity()(x),
}


@pytest.mark.parametrize("name", BOTH)
def test_both_kinds(name):
    for x in (refquant.ones(1, 2, 6, 6), quantized()):
        made = BOTH[name](x)
        assert made.is_quantized is x.is_quantized
        # Ones stay ones under all of these.
        assert (made.dequantize().numpy() == 1).all()


def test_comparisons_of_mixed_operands():
    q, x = quantized((2,)), refquant.tensor([1.0, 2.0])
    assert (q == x).tolist() == [True, False]
    assert (x == q).tolist() == [True, False]
    assert (x > q).tolist() == [False, True]
    assert refquant.lt(q, 1.5).tolist() == [True, True]
    assert not refquant.equal(q, x)
    assert not refquant.equal(x, q)
    assert refquant.equal(q, quantized((2,)))


FLOAT_ONLY = {
    "sum": lambda q: q.sum(),
    "softmax": lambda q: F.softmax(q, 1),
    "linear": lambda q: nn.Linear(6, 2)(q),
    "conv2d": lambda q: nn.Conv2d(2, 3, 1)(q),
    "weight": lambda q: F.conv2d(refquant.ones(1, 2, 6, 6), q),
    "batch_norm": lambda q: nn.BatchNorm2d(2)(q),
    "dropout": lambda q: nn.Dropout()(q),
    "LSTM": lambda q: nn.LSTM(6, 2)(q),
    "cat": lambda q: refquant.cat([refquant.ones(1, 2, 6, 6), q]),
    "mse_loss": lambda q: F.mse_loss(refquant.ones(1), q),
    "where": lambda q: refquant.where(q > 0, q, 1.0),
    "float": lambda q: q.float(),
    "copy to a plain tensor": lambda q: refquant.zeros(1, 2, 6, 6).copy_(q),
    "exp": lambda q: q.exp(),
    "F.elu": F.elu,
    "add": lambda q: q + 1,
    "mul": lambda q: 2 * q,
    "matmul": lambda q: q @ q,
    "neg": lambda q: -q,
    "add_": lambda q: q.add_(1),
}


@pytest.mark.parametrize("name", FLOAT_ONLY)
def test_operations_that_only_plain_tensors_have_say_what_to_do(name):
    with pytest.raises(QuantizerError) as caught:
        FLOAT_ONLY[name](quantized())
    assert "dequantize()" in caught.value.hint
