"""Mappings from types of modules to the types that replace them.

The three ``DEFAULT_..._MAPPING`` are built on first use, when their types are imported.

Types are looked up exactly: a subclass of `refquant.nn.Linear` is not a `refquant.nn.Linear`.
"""

from importlib import import_module

__all__ = ["configurable_types", "default", "integer_types", "quantized_types"]

Mapping = dict[type, type]

# Names of types below refquant.nn, or full paths.
_STATIC = {
    "refquant.quantization.stubs.QuantStub": "quantized.Quantize",
    "refquant.quantization.stubs.DeQuantStub": "quantized.DeQuantize",
    "Linear": "quantized.Linear",
    "Conv2d": "quantized.Conv2d",
    "Conv3d": "quantized.Conv3d",
    "ReLU": "quantized.ReLU",
    "ReLU6": "quantized.ReLU6",
    "quantized.FloatFunctional": "quantized.QFunctional",
    "intrinsic.ConvReLU2d": "intrinsic.quantized.ConvReLU2d",
    "intrinsic.ConvReLU3d": "intrinsic.quantized.ConvReLU3d",
    "intrinsic.LinearReLU": "intrinsic.quantized.LinearReLU",
    "qat.Linear": "quantized.Linear",
    "qat.Conv2d": "quantized.Conv2d",
    "intrinsic.qat.ConvReLU2d": "intrinsic.quantized.ConvReLU2d",
    "intrinsic.qat.LinearReLU": "intrinsic.quantized.LinearReLU",
    "intrinsic.qat.ConvBn2d": "quantized.Conv2d",
    "intrinsic.qat.ConvBn3d": "quantized.Conv3d",
    "intrinsic.qat.ConvBnReLU2d": "intrinsic.quantized.ConvReLU2d",
    "intrinsic.qat.ConvBnReLU3d": "intrinsic.quantized.ConvReLU3d",
}
_QAT = {
    "Linear": "qat.Linear",
    "Conv2d": "qat.Conv2d",
    "intrinsic.ConvReLU2d": "intrinsic.qat.ConvReLU2d",
    "intrinsic.LinearReLU": "intrinsic.qat.LinearReLU",
    "intrinsic.ConvBn2d": "intrinsic.qat.ConvBn2d",
    "intrinsic.ConvBn3d": "intrinsic.qat.ConvBn3d",
    "intrinsic.ConvBnReLU2d": "intrinsic.qat.ConvBnReLU2d",
    "intrinsic.ConvBnReLU3d": "intrinsic.qat.ConvBnReLU3d",
}
_DYNAMIC = {
    "Linear": "quantized.dynamic.Linear",
    "LSTM": "quantized.dynamic.LSTM",
}
_TABLES = {
    "DEFAULT_MODULE_MAPPING": _STATIC,
    "DEFAULT_QAT_MODULE_MAPPING": _QAT,
    "DEFAULT_DYNAMIC_MODULE_MAPPING": _DYNAMIC,
}


def _type(path: str) -> type:
    full = path if path.startswith("refquant.") else f"refquant.nn.{path}"
    home, name = full.rsplit(".", 1)
    return getattr(import_module(home), name)


def __getattr__(name: str) -> Mapping:
    if name in _TABLES:
        mapping = {_type(old): _type(new) for old, new in _TABLES[name].items()}
        globals()[name] = mapping
        return mapping
    raise AttributeError(f"module 'refquant.quantization.mappings' has no attribute {name!r}")


def default(name: str) -> Mapping:
    """Get one of the three mappings by its name."""
    return globals().get(name) or __getattr__(name)


def integer_types() -> set[type]:
    """Collect the types of modules that compute with quantized tensors."""
    return set(default("DEFAULT_MODULE_MAPPING").values())


def quantized_types() -> set[type]:
    """Collect the types of modules that conversion creates, of any kind."""
    return integer_types() | set(default("DEFAULT_DYNAMIC_MODULE_MAPPING").values())


def configurable_types() -> set[type]:
    """Collect the types of modules that inherit a QConfig.

    These are the types that one of the mappings replaces, and plain `Sequential`. `DeQuantStub` is
    excluded, because its output is not quantized.
    """
    types = {kind for table in _TABLES for kind in default(table)}
    return (types | {_type("Sequential")}) - {_type("refquant.quantization.stubs.DeQuantStub")}
