"""What holds for every operation: any layout and size, kernels equal definitions, no warnings."""

import contextlib

import numpy as np
import pytest
from cases import registry
from cases.operands import STORAGE, Draw, integers
from parity.bits import difference

import refquant
from refquant import dtypes, errors, kernels
from refquant.ops import layout as memory

OPERATIONS = registry.load()
POINTWISE = [n for n, o in OPERATIONS.items() if o.pointwise and o.takes == "integers"]
ON_IMAGES = [n for n, o in OPERATIONS.items() if o.takes in ("integers", "image", "bytes")]
ENGINES = (*refquant.engines.names(), *refquant.engines.other_runtimes())
COUNT = 1_000_003  # odd: there is a tail
FORMATS = {"contiguous": "contiguous_format", "channels_last": "channels_last"}
LAYOUTS = ("contiguous", "channels_last", "transposed", "strided", "empty_batch", "one_pixel")


def drawing(seed):
    """Draw what the engine of the moment supports, and its release of PyTorch."""
    engine, _, release = refquant.engines.current().name.partition("-")
    return Draw(refquant, seed, engine, release or "2.13")


def results(name, x, seed, choice=None):
    """Run an operation by some kernels."""
    with kernels.using(choice or kernels.current()):
        found = OPERATIONS[name].results(drawing(seed), x)
    return [q for q in found if hasattr(q, "array")]


def check(name, x, seed):
    """Compare kernels with definitions; returns what the kernels gave."""
    got, wanted = results(name, x, seed), results(name, x, seed, kernels.REFERENCE)
    found = difference([q.array for q in wanted], [q.array for q in got])
    assert found is None, found
    return got


def like(x, memory_format, name):
    """Whether all operands of a call have the shape and the memory format."""
    operands = [a for c in OPERATIONS[name].calls(drawing(1), x) for a in c.arguments]
    return all(
        q.shape == x.shape and memory.is_contiguous(q.array, memory_format)
        for q in operands
        if hasattr(q, "array")
    )


def image(layout):
    """Make an image of 2 x 8 x 5 x 9 in a layout, or a smaller one."""
    shape = {"empty_batch": (0, 8, 5, 9), "one_pixel": (1, 8, 1, 1)}.get(layout, (2, 8, 5, 9))
    if layout == "transposed":
        shape = (2, 8, 9, 5)
    elif layout == "strided":
        shape = (2, 8, 5, 18)
    codes = integers(np.random.default_rng(0), shape, "uint8")
    q = refquant.QuantizedTensor(codes, refquant.quint8, 0.5, 100)
    if layout == "channels_last":
        return q.contiguous(memory_format=refquant.channels_last)
    if layout == "transposed":
        return q.transpose(2, 3)
    return q[..., ::2] if layout == "strided" else q


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ON_IMAGES)
def test_every_layout(engine, name, layout):
    x, operation = image(layout), OPERATIONS[name]
    try:
        got = check(name, x, 1)
    except errors.RefquantError:
        # One pixel may be too few; a release may lack the operation.
        release = (engine.partition("-")[2] or "2.13", engine.partition("-")[0])
        assert layout == "one_pixel" or release not in operation.peers
        return
    dense = results(name, x.contiguous(), 1)
    for one, other in zip(got, dense, strict=True):
        assert one.shape == other.shape
        if (
            operation.pointwise and one.array.size
        ):  # vectors and the rest may round apart, by a step
            step = 1 if one.is_quantized else 1e-4
            apart = np.abs(one.array.astype(float) - other.array.astype(float)).max()
            assert apart <= step
    # PyTorch 1.4 makes most results row-major.
    if operation.keeps_format and layout in FORMATS and "1.4" not in engine:
        wanted = getattr(dtypes, FORMATS[layout])
        if like(x, wanted, name):
            assert all(memory.is_contiguous(one.array, wanted) for one in got)


@pytest.mark.parametrize("shape", [(), (1,), (1, 1, 1, 1), (0,)])
@pytest.mark.parametrize("name", POINTWISE)
def test_one_element_and_none(engine, name, shape):
    x = refquant.QuantizedTensor(np.full(shape, 103, np.uint8), refquant.quint8, 0.5, 100)
    assert all(q.shape == shape for q in check(name, x, 2))


@pytest.mark.skipif(len(kernels.available()) == 1, reason="there are no kernels")
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("name", POINTWISE)
def test_a_million_elements(name, seed):
    d = Draw(refquant, seed)
    dtype = d.pick(*STORAGE)
    codes = integers(d.rng, (COUNT,), dtype, 1000)
    x = refquant.QuantizedTensor(codes, getattr(refquant, dtype), d.scale(), d.zero_point(dtype))
    with refquant.engines.using(("fbgemm", "qnnpack", "fbgemm-1.4")[seed % 3]):
        assert check(name, x, seed)


@pytest.mark.filterwarnings("ignore:.*ignores reduce_range:UserWarning")
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", OPERATIONS)
def test_extreme_operands_give_results_without_warnings(name, engine):
    """The suite turns warnings into errors, also those of NumPy about overflow."""
    with refquant.engines.using(engine):
        for seed in range(12):
            d = Draw(refquant, [seed, 7], wild=0.7, most=120)
            # Rejected are scales too far apart, and what the engine does not support.
            with contextlib.suppress(errors.RefquantError):
                OPERATIONS[name].results(d)
