"""Everything that prepares and quantizes models, under its documented names.

A face: names are taken from `refquant.observers` and `refquant.workflow` when first used.
"""

from importlib import import_module

# Where each name is defined.
_HOMES = {
    "refquant.quantization.observers.base": ("Observer", "ObserverBase"),
    "refquant.quantization.observers.minmax": ("MinMaxObserver",),
    "refquant.quantization.observers.per_channel": ("PerChannelMinMaxObserver",),
    "refquant.quantization.observers.moving_average": (
        "MovingAverageMinMaxObserver",
        "MovingAveragePerChannelMinMaxObserver",
    ),
    "refquant.quantization.observers.histogram": ("HistogramObserver",),
    "refquant.quantization.observers.recording": ("RecordingObserver",),
    "refquant.quantization.observers.noop": ("NoopObserver",),
    "refquant.quantization.observers.defaults": (
        "default_debug_observer",
        "default_histogram_observer",
        "default_observer",
        "default_per_channel_weight_observer",
        "default_weight_observer",
    ),
    "refquant.quantization.fake_quantize": (
        "FakeQuantize",
        "default_fake_quant",
        "default_histogram_fake_quant",
        "default_per_channel_weight_fake_quant",
        "default_weight_fake_quant",
        "disable_fake_quant",
        "disable_observer",
        "enable_fake_quant",
        "enable_observer",
    ),
    "refquant.quantization.qconfig": (
        "QConfig",
        "QConfigDynamic",
        "default_activation_only_qconfig",
        "default_debug_qconfig",
        "default_dynamic_qconfig",
        "default_per_channel_qconfig",
        "default_qat_qconfig",
        "default_qconfig",
        "default_weight_only_qconfig",
        "float16_dynamic_qconfig",
        "get_default_qat_qconfig",
        "get_default_qconfig",
        "per_channel_dynamic_qconfig",
    ),
    "refquant.quantization.mappings": (
        "DEFAULT_DYNAMIC_MODULE_MAPPING",
        "DEFAULT_MODULE_MAPPING",
        "DEFAULT_QAT_MODULE_MAPPING",
    ),
    "refquant.quantization.stubs": ("DeQuantStub", "QuantStub", "QuantWrapper", "add_quant_dequant"),
    "refquant.quantization.fusion": ("fuse_known_modules", "fuse_modules"),
    "refquant.quantization.preparation": (
        "add_observer_",
        "prepare",
        "prepare_qat",
        "propagate_qconfig_",
    ),
    "refquant.quantization.conversion": ("convert", "swap_module"),
    "refquant.quantization.quantize": (
        "default_eval_fn",
        "quantize",
        "quantize_dynamic",
        "quantize_qat",
    ),
    "refquant.quantization.calibration": ("calibrate",),
    "refquant.quantization.inspection": ("get_observer_dict", "summary"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}
_FACES = ("fake_quantize", "observer", "qconfig")

__all__ = [*_HOME]


def __getattr__(name: str):
    if name in _HOME:
        found = globals()[name] = getattr(import_module(_HOME[name]), name)
        return found
    if name in _FACES:
        return import_module(f"refquant.quantization.{name}")
    raise AttributeError(f"module 'refquant.quantization' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_HOME, *_FACES})
