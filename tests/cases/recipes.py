"""Observers and fake quantization as PyTorch 2.13 computes them."""

import numpy as np
from cases.observation import LIMITS, differentiated, faking, observing, seen
from cases.operands import floats
from cases.registry import operation

# The recipe is that of the release under every engine.
NEW = {"releases": ("2.13",), "engines": ("fbgemm",)}


def narrowed(d, name):
    """Draw a range of integers for a dtype, or none."""
    ranges = {"quint8": [(0, 127), (0, 15)], "qint8": [(-127, 127), (-8, 7)]}[name]
    low, high = d.pick(*ranges)
    limits = {"quant_min": low, "quant_max": high, "reduce_range": False}
    return d.pick({}, {**limits, "eps": d.pick(2.0**-23, 2.0**-12)})


def observed(d, x, least=0):
    """Draw batches without -0: which zero is the smallest depends in PyTorch on the order."""
    batches, shape = seen(d, x, least=least)
    return [x + np.float32(0.0) for x in batches], shape


@operation(None, recorded=60, **NEW)
def min_max_of_2(d, x):
    name = d.pick("quint8", "qint8")
    scheme = getattr(d.T, d.pick("per_tensor_affine", "per_tensor_symmetric"))
    more = {"reduce_range": False, **narrowed(d, name)}
    more.update(dtype=getattr(d.T, name), qscheme=scheme)
    return observing(d, "MinMaxObserver", observed(d, x)[0], **more)


@operation(None, recorded=60, **NEW)
def averages_per_channel_of_2(d, x):
    batches, shape = observed(d, x, least=2)
    name, axis = d.pick("quint8", "qint8"), d.whole(0, len(shape) - 1)
    scheme = getattr(d.T, d.pick("per_channel_affine", "per_channel_symmetric"))
    more = {"reduce_range": False, "ch_axis": axis, **narrowed(d, name)}
    more.update(dtype=getattr(d.T, name), qscheme=scheme)
    if d.chance(0.5):
        return observing(d, "PerChannelMinMaxObserver", batches, **more)
    more["averaging_constant"] = d.pick(0.01, 1, d.fraction())
    return observing(d, "MovingAveragePerChannelMinMaxObserver", batches, **more)


@operation(None, recorded=200, **NEW)
def ranges_of_2(d, x):
    """Choose parameters for ranges whose zero points lie on ties or near them, and for zeros."""
    shift = d.pick(0.0, 0.5, d.fraction())
    scale = d.pick(0.0, 1.0, 0.25, 2.0**-26, 1 / 3.0)
    ends = np.array([d.whole(-600, 599) + shift, d.whole(-600, 599)]) * scale
    ends += 0.0  # the sign of zero depends on the order of elements in PyTorch
    return observing(d, "MinMaxObserver", [ends.astype(np.float32)])


@operation(None, recorded=24, **NEW)
def histograms_of_2(d, x):
    """Keep histograms over ranges that grow a little or much, constant batches among them."""
    spread, size, batches = 2.0 ** d.whole(-6, 5), d.whole(300, 324), []
    growth, rectified = d.pick(9.0, *[0.3] * 6), d.chance(0.3)
    for _ in range(d.whole(1, 5)):
        x = d.bell((size,), spread, spread * (d.fraction() - 0.5))
        x = np.full_like(x, x[0]) if d.chance(0.2) else x
        batches.append(np.maximum(x, np.float32(0)) if rectified else x)
        spread *= 1.0 + d.fraction() * growth
    name = d.pick("quint8", "qint8")
    more = {"reduce_range": d.chance(0.5), **narrowed(d, name)}
    more.update(dtype=getattr(d.T, name), qscheme=d.T.per_tensor_affine)
    kept = ("min_val", "max_val", "histogram")
    bins = d.pick(8, 77, 100, 256, 500, 2048)
    return observing(d, "HistogramObserver", batches, kept, bins=bins, **more)


@operation(None, recorded=60, **NEW)
def fake_quantize_of_2(d, x):
    """Round numbers of float32, float16 and float64, with their gradients."""
    low, high = d.pick(*LIMITS)
    scale, zero_point = d.scale(), d.whole(low, high)
    storage = "qint8" if low else "quint8"
    x = floats(d.rng, (3, d.whole(1, 69)), scale, zero_point, storage, special=False)
    with np.errstate(over="ignore"):
        x = x.astype(d.pick("float32", "float16", "float64"))
    path = "fake_quantize_per_tensor_affine"
    return faking(d, path, d.tensor(x), scale, zero_point, low, high)


@operation(None, recorded=12, **NEW)
def fake_quantize_modules_of_2(d, x):
    """Train with the default modules, switch observing off, then rounding."""
    name = d.pick(
        *("default_fake_quant", "default_weight_fake_quant", "default_fused_act_fake_quant"),
        *("default_per_channel_weight_fake_quant", "default_fused_wt_fake_quant"),
        *("default_fused_per_channel_wt_fake_quant", "default_histogram_fake_quant"),
    )
    batches = [d.bell((4, 3, 5), 1.0 + n) for n in range(6)]
    gradients = [d.tensor(d.bell((4, 3, 5))) for _ in batches]

    def trained(batches):
        module, results = getattr(d.T.quantization, name)(), []
        for step, (x, gradient) in enumerate(zip(batches, gradients)):  # noqa: B905
            if step == 4:
                module.disable_observer()
            if step == 5:
                module.disable_fake_quant()
            results += differentiated(module, x, gradient)
        return [*results, module.scale, module.zero_point, *module.calculate_qparams()]

    return d.by("quantization." + name, trained, [d.tensor(x) for x in batches])
