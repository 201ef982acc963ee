"""Mappings from types of modules to the types that replace them.

The constants are built on first use, when their types are imported: ``DEFAULT_..._MAPPING`` are
those of PyTorch 1.4, ``DEFAULT_..._MAPPINGS`` those of 2.13; the functions choose by the engine.

Types are looked up exactly: a subclass of `refquant.nn.Linear` is not a `refquant.nn.Linear`.
"""

from importlib import import_module
from typing import Any

from refquant import engines
from refquant._documentation import documented

__all__ = [
    "configurable_types",
    "default",
    "default_custom",
    "get_default_compare_output_module_list",
    "get_default_dynamic_quant_module_mappings",
    "get_default_qat_module_mappings",
    "get_default_qconfig_propagation_list",
    "get_default_static_quant_module_mappings",
    "get_default_static_quant_reference_module_mappings",
    "get_embedding_qat_module_mappings",
    "get_embedding_static_quant_module_mappings",
    "integer_types",
    "no_observer_set",
    "quantized_types",
    "reference",
    "tuple_types",
]

Mapping = dict[type, type]

# Names of types below refquant.nn, or full paths.
_STUBS = {
    "refquant.quantization.stubs.QuantStub": "quantized.Quantize",
    "refquant.quantization.stubs.DeQuantStub": "quantized.DeQuantize",
}
# By PyTorch 1.4; with the volumes that it forgot.
_STATIC_1_4 = {
    **_STUBS,
    **{name: f"quantized.{name}" for name in ("Linear", "Conv2d", "Conv3d", "ReLU", "ReLU6")},
    "quantized.FloatFunctional": "quantized.QFunctional",
    **{
        f"intrinsic.{name}": f"intrinsic.quantized.{name}"
        for name in ("ConvReLU2d", "ConvReLU3d", "LinearReLU")
    },
    "qat.Linear": "quantized.Linear",
    "qat.Conv2d": "quantized.Conv2d",
    "intrinsic.qat.ConvReLU2d": "intrinsic.quantized.ConvReLU2d",
    "intrinsic.qat.LinearReLU": "intrinsic.quantized.LinearReLU",
    "intrinsic.qat.ConvBn2d": "quantized.Conv2d",
    "intrinsic.qat.ConvBn3d": "quantized.Conv3d",
    "intrinsic.qat.ConvBnReLU2d": "intrinsic.quantized.ConvReLU2d",
    "intrinsic.qat.ConvBnReLU3d": "intrinsic.quantized.ConvReLU3d",
}
_QAT_1_4 = {
    "Linear": "qat.Linear",
    "Conv2d": "qat.Conv2d",
    **{
        f"intrinsic.{name}": f"intrinsic.qat.{name}"
        for name in (
            "ConvReLU2d", "LinearReLU", "ConvBn2d", "ConvBn3d", "ConvBnReLU2d", "ConvBnReLU3d",
        )
    },
}  # fmt: skip
_DYNAMIC_1_4 = {"Linear": "quantized.dynamic.Linear", "LSTM": "quantized.dynamic.LSTM"}
_EMBEDDINGS = ("Embedding", "EmbeddingBag")
_STATIC_2_13 = {
    **_STATIC_1_4,
    **{
        name: f"quantized.{name}"
        for name in (
            "BatchNorm2d", "BatchNorm3d", "Dropout", "Conv1d", "ConvTranspose1d",
            "ConvTranspose2d", "ConvTranspose3d", "ELU", *_EMBEDDINGS, "GroupNorm", "Hardswish",
            "InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d", "LayerNorm", "LeakyReLU", "PReLU",
        )
    },
    **{
        f"intrinsic.{name}": f"intrinsic.quantized.{name}"
        for name in (
            "BNReLU2d", "BNReLU3d", "ConvReLU1d", "ConvAdd2d", "ConvAddReLU2d", "LinearLeakyReLU",
            "LinearTanh",
        )
    },
    "qat.Conv3d": "quantized.Conv3d",
    "intrinsic.qat.ConvReLU3d": "intrinsic.quantized.ConvReLU3d",
    "intrinsic.qat.ConvBn1d": "quantized.Conv1d",
    "intrinsic.qat.ConvBnReLU1d": "intrinsic.quantized.ConvReLU1d",
    "intrinsic.qat.LinearBn1d": "quantized.Linear",
}  # fmt: skip
del _STATIC_2_13["ReLU"]  # which takes quantized tensors as it is
_QAT_2_13 = {
    **_QAT_1_4,
    "Conv3d": "qat.Conv3d",
    **{
        f"intrinsic.{name}": f"intrinsic.qat.{name}"
        for name in ("ConvReLU3d", "ConvBn1d", "ConvBnReLU1d", "LinearBn1d")
    },
}
_DYNAMIC_2_13 = {
    **{
        name: f"quantized.dynamic.{name}"
        for name in ("Linear", "LSTM", "GRU", "LSTMCell", "GRUCell", "RNNCell")
    },
    "qat.dynamic.Linear": "quantized.dynamic.Linear",
    "intrinsic.LinearReLU": "intrinsic.quantized.dynamic.LinearReLU",
    **{name: f"quantized.{name}" for name in _EMBEDDINGS},
}
# Float arithmetic over weights that are quantized and dequantized.
_REFERENCE = {
    **_STUBS,
    **{
        name: f"quantized.reference.{name}"
        for name in (
            "Linear", "Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d",
            "ConvTranspose3d", *_EMBEDDINGS, "GRUCell", "LSTMCell", "RNNCell", "LSTM",
        )
    },
}  # fmt: skip
# Layers that are taken apart to be observed.
_IN_STEPS = ("LSTM", "MultiheadAttention")
_TABLES = {
    "DEFAULT_MODULE_MAPPING": _STATIC_1_4,
    "DEFAULT_QAT_MODULE_MAPPING": _QAT_1_4,
    "DEFAULT_DYNAMIC_MODULE_MAPPING": _DYNAMIC_1_4,
    "DEFAULT_STATIC_QUANT_MODULE_MAPPINGS": _STATIC_2_13,
    "DEFAULT_QAT_MODULE_MAPPINGS": _QAT_2_13,
    "DEFAULT_DYNAMIC_QUANT_MODULE_MAPPINGS": _DYNAMIC_2_13,
    "DEFAULT_REFERENCE_STATIC_QUANT_MODULE_MAPPINGS": _REFERENCE,
}
# By the kind of quantization: for PyTorch 1.4, for 2.13.
_KINDS = {
    "static": ("DEFAULT_MODULE_MAPPING", "DEFAULT_STATIC_QUANT_MODULE_MAPPINGS"),
    "qat": ("DEFAULT_QAT_MODULE_MAPPING", "DEFAULT_QAT_MODULE_MAPPINGS"),
    "dynamic": ("DEFAULT_DYNAMIC_MODULE_MAPPING", "DEFAULT_DYNAMIC_QUANT_MODULE_MAPPINGS"),
}


def _type(path: str) -> Any:
    """Look a type up; None where an operation, and so its module, is missing."""
    full = path if path.startswith("refquant.") else f"refquant.nn.{path}"
    home, name = full.rsplit(".", 1)
    try:
        return getattr(import_module(home), name, None)
    except ModuleNotFoundError as error:
        if not home.startswith(error.name or ""):  # what is missing is something else
            raise
        return None


def _types(table: dict[str, str]) -> Mapping:
    pairs = [(_type(old), _type(new)) for old, new in table.items()]
    return {old: new for old, new in pairs if old is not None and new is not None}


def __getattr__(name: str) -> Mapping:
    if name in _TABLES:
        mapping = _types(_TABLES[name])
        globals()[name] = mapping
        return mapping
    raise AttributeError(f"module 'refquant.quantization.mappings' has no attribute {name!r}")


def default(kind: str, workflow: engines.Workflow | None = None) -> Mapping:
    """Get the mapping of a kind (static, qat, dynamic) for a workflow, or for that of now."""
    workflow = workflow or engines.current().workflow
    name = _KINDS[kind][not workflow.swaps_relu]
    return globals().get(name) or __getattr__(name)


def _all(kind: str) -> Mapping:
    """Get what any release replaces."""
    return {
        old: new
        for name in _KINDS[kind]
        for old, new in (globals().get(name) or __getattr__(name)).items()
    }


def reference() -> Mapping:
    """Get the mapping to reference modules."""
    name = "DEFAULT_REFERENCE_STATIC_QUANT_MODULE_MAPPINGS"
    return globals().get(name) or __getattr__(name)


def default_custom(kind: str) -> Mapping:
    """Get which modules of several steps replace others: observed ones, or quantized ones."""
    source, target = ("", "quantizable.") if kind == "observed" else ("quantizable.", "quantized.")
    return _types({f"{source}{name}": f"{target}{name}" for name in _IN_STEPS})


def tuple_types() -> set[type]:
    """Collect the types of float modules that hand over a tuple of output and state."""
    return {_type("GRU"), _type("LSTM"), _type("LSTMCell")}


def integer_types() -> set[type]:
    """Collect the types of modules that compute with quantized tensors."""
    return set(_all("static").values())


def quantized_types() -> set[type]:
    """Collect the types of modules that conversion creates, of any kind."""
    custom = set(default_custom("quantized").values())
    return integer_types() | set(_all("dynamic").values()) | set(reference().values()) | custom


def configurable_types() -> set[type]:
    """Collect the types of modules that inherit a QConfig.

    These are the types that one of the mappings replaces, and plain `Sequential`. `DeQuantStub` is
    excluded, because its output is not quantized.
    """
    types = {old for kind in _KINDS for old in default(kind)}
    return (types | {_type("Sequential")}) - {_type("refquant.quantization.stubs.DeQuantStub")}


@documented()
def get_default_static_quant_module_mappings() -> Mapping:
    """Get what ``convert`` replaces by quantized modules.

    %(mapping_of_now)s

    Examples
    --------
    >>> from refquant import nn, quantization
    >>> nn.ReLU in quantization.get_default_static_quant_module_mappings()
    False
    """
    return dict(default("static"))


@documented()
def get_default_qat_module_mappings() -> Mapping:
    """Get what ``prepare_qat`` replaces by modules for quantization-aware training.

    %(mapping_of_now)s

    Examples
    --------
    >>> from refquant import nn, quantization
    >>> quantization.get_default_qat_module_mappings()[nn.Linear].__module__
    'refquant.nn.qat.linear'
    """
    return dict(default("qat"))


@documented()
def get_default_dynamic_quant_module_mappings() -> Mapping:
    """Get what ``quantize_dynamic`` replaces.

    %(mapping_of_now)s

    Examples
    --------
    >>> from refquant import nn, quantization
    >>> nn.LSTM in quantization.get_default_dynamic_quant_module_mappings()
    True
    """
    return dict(default("dynamic"))


@documented()
def get_embedding_static_quant_module_mappings() -> Mapping:
    """Get what ``convert`` replaces if embeddings were trained with rounding, too.

    %(mapping_of_now)s

    Examples
    --------
    >>> from refquant import nn, quantization
    >>> nn.Linear in quantization.get_embedding_static_quant_module_mappings()
    True
    """
    return default("static") | _types({f"qat.{name}": f"quantized.{name}" for name in _EMBEDDINGS})


@documented()
def get_embedding_qat_module_mappings() -> Mapping:
    """Get what ``prepare_qat`` replaces if embeddings are to be trained with rounding, too.

    %(mapping_of_now)s

    Examples
    --------
    >>> from refquant import nn, quantization
    >>> nn.Linear in quantization.get_embedding_qat_module_mappings()
    True
    """
    return default("qat") | _types({name: f"qat.{name}" for name in _EMBEDDINGS})


def get_default_static_quant_reference_module_mappings() -> Mapping:
    """Get what ``convert`` replaces by reference modules, if `is_reference` is set.

    Returns
    -------
    dict of type to type
        A copy. Fused pairs are not in it.

    Examples
    --------
    >>> from refquant import nn, quantization
    >>> quantization.get_default_static_quant_reference_module_mappings()[nn.Linear].__module__
    'refquant.nn.quantized.reference.linear'
    """
    return dict(reference())


def get_default_qconfig_propagation_list() -> set[type]:
    """Get the types of modules that ``prepare`` observes if they have no submodules.

    Returns
    -------
    set of type

    Examples
    --------
    >>> from refquant import nn, quantization
    >>> nn.Linear in quantization.get_default_qconfig_propagation_list()
    True
    """
    return {old for kind in _KINDS for old in default(kind)} | {_type("Sequential")}


def get_default_compare_output_module_list() -> set[type]:
    """Get the types of modules whose outputs the numeric suite records.

    Returns
    -------
    set of type

    Examples
    --------
    >>> from refquant import nn, quantization
    >>> nn.quantized.Linear in quantization.get_default_compare_output_module_list()
    True
    """
    types = {kind for name in _KINDS for pair in default(name).items() for kind in pair}
    return types | {_type("Sequential")}


def no_observer_set() -> set[type]:
    """Get the types of modules that are never observed themselves, but inside.

    Returns
    -------
    set of type

    Examples
    --------
    >>> from refquant import quantization
    >>> sorted(kind.__name__ for kind in quantization.no_observer_set())
    ['LSTM', 'MultiheadAttention']
    """
    return {_type(f"quantizable.{name}") for name in _IN_STEPS}
