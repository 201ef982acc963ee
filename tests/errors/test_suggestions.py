"""A name that is nearly right gets the right one suggested, wherever names are taken."""

import pytest

import refquant
from refquant import engines, kernels, nn, oracle, quantization
from refquant.errors import RefquantError


def model():
    return nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.ReLU6()).eval()


def named():
    return nn.ModuleDict({"first": nn.ReLU(), "second": nn.ReLU()})


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: engines.use("fbgem"), "fbgemm"),
        (lambda: kernels.use("referense"), "reference"),
        (lambda: quantization.get_default_qconfig("qnpack"), "qnnpack"),
        (lambda: oracle.arithmetic_of("fbgem"), "fbgemm"),
        (lambda: oracle.Arithmetic(clamp="befor"), "before"),
        (lambda: oracle.write_vectors("lineer", "unused"), "linear"),
        (lambda: engines.get("fbgemm").rule("bordr"), "border"),
        (lambda: named()["frist"], "first"),
        (lambda: named().get_submodule("secnd"), "second"),
    ],
)
def test_names_in_calls(call, name):
    with pytest.raises(RefquantError, match=f"did you mean {name!r}"):
        call()


@pytest.mark.parametrize(
    ("owner", "wrong"),
    [
        (refquant, "quantize_per_tensro"),
        (refquant.nn, "Linaer"),
        (refquant.quantization, "calibrat"),
        (refquant.ops.quantized, "linaer"),
        (refquant.backends.quantized, "engin"),
        (refquant.oracle, "chek"),
    ],
)
def test_attributes_tell_python_what_was_looked_for(owner, wrong):
    # From these two, Python adds "Did you mean" to the message of an error that ends a program.
    with pytest.raises(AttributeError) as caught:
        getattr(owner, wrong)
    assert caught.value.name == wrong
    assert caught.value.obj is owner


def test_sequences_that_nearly_fuse():
    with pytest.raises(RefquantError, match=r"make 2 an nn\.ReLU, or fuse \['0', '1'\] without 2"):
        quantization.fuse_modules(model(), ["0", "1", "2"])
    layers = nn.Sequential(nn.Linear(2, 2), nn.ReLU6())
    with pytest.raises(RefquantError, match=r"make 1 an nn\.ReLU, or leave it out"):
        quantization.fuse_modules(layers.eval(), ["0", "1"])
    layers = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
    with pytest.raises(RefquantError, match=r"fuse \['0', '1'\] without 2"):
        quantization.fuse_modules(layers.eval(), ["0", "1", "2"])


def test_no_modules_at_all():
    with pytest.raises(RefquantError, match="leave it out of modules_to_fuse"):
        quantization.get_fuser_method([])
