"""What the pages state about how PyTorch 2.13 and 1.4 differ; refquant's side is 1.4 here."""

import numpy as np
import pytest
from documentation.claims import says

import refquant
from refquant import quantization

pytestmark = [pytest.mark.torch, pytest.mark.usefixtures("release_1_4")]
PAGE = "docs/from_pytorch/index.rst"


def chosen(torch, theirs, ours, *batches):
    """Scale and zero point of both after the same batches."""
    for batch in batches:
        array = np.asarray(batch, np.float32)
        theirs(torch.from_numpy(array))
        ours(refquant.from_numpy(array))
    return theirs.calculate_qparams(), ours.calculate_qparams()


@pytest.mark.parametrize(
    ("dtype", "scheme", "zero_point"),
    [
        ("quint8", "per_tensor_affine", 0),
        ("qint8", "per_tensor_affine", -128),
        ("quint8", "per_tensor_symmetric", 128),
        ("qint8", "per_tensor_symmetric", 0),
    ],
)
@pytest.mark.parametrize("name", ["MinMaxObserver", "HistogramObserver"])
def test_data_that_are_all_zero(torch, name, dtype, scheme, zero_point):
    assert says(PAGE, "Data that are all zero give scale 1 and zero point 0 in 1.4")
    assert says("docs/learn/choosing.rst", "those of PyTorch 2.13 take :math:`s = 2^{-23}`")
    theirs, ours = chosen(
        torch,
        getattr(torch.ao.quantization, name)(
            dtype=getattr(torch, dtype), qscheme=getattr(torch, scheme)
        ),
        getattr(quantization, name)(
            dtype=getattr(refquant, dtype), qscheme=getattr(refquant, scheme)
        ),
        [0, 0, 0],
    )
    assert [v.item() for v in theirs] == [2.0**-23, zero_point]
    assert [v.item() for v in ours] == [1.0, 0]


def test_scales_of_minimum_and_maximum_differ_in_the_last_bit_at_most(torch):
    assert says(PAGE, "Minimum and maximum give scales that can differ in the last bit")
    rng = np.random.default_rng(0)
    ratios = []
    for _ in range(200):
        theirs, ours = chosen(
            torch,
            torch.ao.quantization.MinMaxObserver(),
            quantization.MinMaxObserver(),
            rng.normal(size=5) * 10 ** rng.uniform(-3, 2),
        )
        ratios.append(theirs[0].item() / ours[0].item() - 1)
    assert 0 < np.abs(ratios).max() <= 2.0**-23


def test_histograms_of_one_batch_are_equal_and_of_several_not(torch):
    assert says(PAGE, "gives the same range after one batch, and often another after two or more")
    rng = np.random.default_rng(0)
    differ = []
    for count in (1, 1, 3, 3, 3, 3):
        batches = [rng.normal(size=300) * rng.uniform(0.5, 2) for _ in range(count)]
        theirs, ours = chosen(
            torch,
            torch.ao.quantization.HistogramObserver(bins=512),
            quantization.HistogramObserver(bins=512),
            *batches,
        )
        differ.append(theirs[0].item() != ours[0].item())
    assert differ[:2] == [False, False]
    assert sum(differ[2:]) >= 3


@pytest.mark.filterwarnings("ignore:Please use quant_min and quant_max:UserWarning")
def test_histograms_of_1_4_are_stretched(torch):
    assert says(PAGE, "does not stretch the range")
    options = {"bins": 8, "reduce_range": True}
    theirs = torch.ao.quantization.HistogramObserver(dtype=torch.quint8, **options)
    ours = quantization.HistogramObserver(dtype=refquant.quint8, **options)
    found = chosen(torch, theirs, ours, [0, 0.3, 1.2, 1.7], [0.1, 1.3, 2.0, 2.7])
    assert [scale.item() for scale, _ in found] == [0.018602361902594566, 0.018666954711079597]
    assert theirs.min_val.item() == 0.0
    assert ours.min_val.item() == np.float32(-0.00468754768371582)


@pytest.mark.parametrize(("largest", "divisor"), [(1.27, 127), (-1.28, 128)])
def test_scales_of_weights_in_training(torch, largest, divisor):
    assert says(
        PAGE, "divides the largest magnitude of a weight by 127 if it is that of a positive"
    )
    weight = np.float32([[largest, 0.5, -0.25]])
    for engine in ("fbgemm", "qnnpack"):
        theirs = torch.ao.quantization.get_default_qat_qconfig(engine).weight()
        theirs(torch.from_numpy(weight))
        ours = quantization.get_default_qat_qconfig(f"{engine}-1.4").weight()
        ours(refquant.from_numpy(weight))
        assert theirs.scale.item() == pytest.approx(abs(largest) / divisor, rel=1e-6)
        assert ours.scale.item() == pytest.approx(abs(largest) / 127.5, rel=1e-6)
