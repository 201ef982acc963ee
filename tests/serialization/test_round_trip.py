"""Saving and loading: every value is restored, and only plain values are accepted."""

import io
import math
from collections import OrderedDict

import numpy as np
import pytest
from serialization.values import again, per_channel, per_tensor, same, written

import refquant
from refquant import nn
from refquant.errors import ArgumentTypeError, OperationError

VALUES = [
    None,
    True,
    False,
    0,
    -1,
    2**200,
    0.1,
    -0.0,
    math.inf,
    -math.inf,
    math.nan,
    1e-320,
    "",
    "ä\ud800\n",
    [],
    (),
    {},
    OrderedDict(),
    [1, [2, (3, {"a": [None]})]],
    {1: "a", None: 2, (1, "x"): 3, 0.5: 4},
    OrderedDict([("b", 1), ("a", 2)]),
    refquant.Size((2, 3)),
    refquant.quint8,
    refquant.per_channel_affine,
    refquant.channels_last,
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_come_back(value):
    assert same(again(value), value)


def test_negative_zero_keeps_its_sign():
    assert math.copysign(1, again(-0.0)) == -1


@pytest.mark.parametrize("dtype", refquant.dtypes.PLAIN, ids=str)
@pytest.mark.parametrize("shape", [(), (0,), (1,), (3,), (2, 0, 3), (2, 3, 4, 5)])
def test_tensors_come_back(dtype, shape):
    array = np.arange(math.prod(shape)).reshape(shape).astype(dtype.numpy)
    assert same(again(refquant.from_numpy(array)), refquant.from_numpy(array))


def test_special_floats_keep_every_bit():
    bits = np.array([0x7FC00001, 0xFFC12345, 0x7F800000, 0x80000000, 1], np.uint32)
    assert again(refquant.from_numpy(bits.view(np.float32))).array.tobytes() == bits.tobytes()


@pytest.mark.parametrize(
    "shape", [(2, 3, 4, 5), (2, 5, 1, 1), (1, 5, 1, 1), (2, 1, 4, 5), (1, 1, 1, 1)]
)
def test_memory_formats_come_back(shape):
    x = refquant.from_numpy(np.arange(math.prod(shape), dtype=np.float32).reshape(shape))
    x = (
        refquant.Tensor(
            np.empty((shape[0], shape[2], shape[3], shape[1]), np.float32).transpose(0, 3, 1, 2)
        )
        if math.prod(shape) == 1
        else x.contiguous(memory_format=refquant.channels_last)
    )
    assert again(x).stride() == x.stride()


def test_strides_of_permutations_come_back_and_gaps_close():
    x = refquant.from_numpy(np.arange(24, dtype=np.int32).reshape(2, 3, 4))
    assert same(again(x.permute(2, 0, 1)), x.permute(2, 0, 1))
    assert again(x[:, ::2]).array.tolist() == x[:, ::2].array.tolist()
    assert again(x[:, ::2]).stride() == (8, 4, 1)
    assert again(x[:1].expand(5, 3, 4)).array.tolist() == x[:1].expand(5, 3, 4).array.tolist()


@pytest.mark.parametrize("dtype", refquant.dtypes.QUANTIZED, ids=str)
def test_quantized_tensors_come_back(dtype):
    assert same(again(per_tensor(dtype)), per_tensor(dtype))
    assert same(again(per_channel()), per_channel())


def test_requires_grad_comes_back():
    assert again(refquant.tensor([1.0], requires_grad=True)).requires_grad


def test_shared_storage_is_written_once_and_shared_again():
    x = refquant.from_numpy(np.zeros(1000, np.float32))
    data = written({"a": x, "b": x.detach()})
    assert len(data) < 5000
    back = refquant.load(io.BytesIO(data))
    back["a"].array[0] = 5
    assert back["b"].array[0] == 5


def test_equal_values_give_equal_files():
    assert written({"a": per_channel(), "b": [1]}) == written({"a": per_channel(), "b": [1]})


def test_loaded_tensors_can_be_written_to():
    assert again(refquant.tensor([1.0])).array.flags.writeable


def test_paths_strings_and_open_files(tmp_path):
    for f in (tmp_path / "a.rq", str(tmp_path / "b.rq")):
        refquant.save([1], f)
        assert refquant.load(f) == [1]
    with (tmp_path / "c.rq").open("wb") as file:
        file.write(b"before")
        refquant.save([2], file)
    with (tmp_path / "c.rq").open("rb") as file:
        assert file.read(6) == b"before"
        assert refquant.load(file) == [2]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.rq", "b.rq", "c.rq"]


def test_a_model_goes_through_its_state_dict(tmp_path):
    model, other = (
        nn.Sequential(nn.Identity(), nn.quantized.QFunctional()),
        nn.Sequential(nn.Identity(), nn.quantized.QFunctional()),
    )
    model[1].scale, model[1].zero_point = 0.25, 3
    refquant.save(model.state_dict(), tmp_path / "model.rq")
    other.load_state_dict(refquant.load(tmp_path / "model.rq"))
    assert (other[1].scale, other[1].zero_point) == (0.25, 3)


# -- what is rejected when saving ---------------------------------------------------------------


class Fake(dict):
    pass


@pytest.mark.parametrize(
    "value",
    [
        object(),
        {1, 2},
        b"bytes",
        np.float32(1),
        np.zeros(2),
        1j,
        Fake(),
        print,
        int,
        1 << 5000,
        {"a": [object()]},
        {frozenset(): 1},
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_values_are_rejected_and_named(value, tmp_path):
    with pytest.raises(ArgumentTypeError, match="obj"):
        refquant.save(value, tmp_path / "x.rq")
    assert not list(tmp_path.iterdir())


def test_a_whole_module_is_rejected_with_the_hint(tmp_path):
    with pytest.raises(ArgumentTypeError, match=r"state_dict\(\)"):
        refquant.save(nn.Identity(), tmp_path / "x.rq")
    with pytest.raises(ArgumentTypeError, match=r"obj\['model'\].*state_dict\(\)"):
        refquant.save({"model": nn.Identity()}, tmp_path / "x.rq")


def test_values_that_hold_themselves_are_rejected():
    endless = []
    endless.append(endless)
    with pytest.raises(OperationError, match="inside one"):
        written(endless)


@pytest.mark.parametrize("f", [None, 3, b"path"])
def test_what_is_no_file_is_rejected(f):
    with pytest.raises(ArgumentTypeError):
        refquant.save(1, f)
    with pytest.raises(ArgumentTypeError):
        refquant.load(f)


def test_text_files_are_rejected():
    with pytest.raises(ArgumentTypeError, match="binary"):
        refquant.load(io.StringIO("x"))


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        refquant.load(tmp_path / "nothing.rq")
