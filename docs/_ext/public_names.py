"""Which names are public, and where each is defined; needs refquant alone."""

import importlib
import inspect
import pkgutil
import sys
import types

# The documented faces. What lies below them is reached through them.
FACES = (
    "refquant",
    "refquant.ops.quantized",
    "refquant.nn",
    "refquant.nn.functional",
    "refquant.nn.init",
    "refquant.nn.utils",
    "refquant.nn.utils.rnn",
    "refquant.nn.quantized",
    "refquant.nn.quantized.functional",
    "refquant.nn.quantized.dynamic",
    "refquant.nn.quantized.reference",
    "refquant.nn.quantizable",
    "refquant.nn.intrinsic",
    "refquant.nn.intrinsic.qat",
    "refquant.nn.intrinsic.quantized",
    "refquant.nn.intrinsic.quantized.dynamic",
    "refquant.nn.qat",
    "refquant.nn.qat.dynamic",
    "refquant.quantization",
    "refquant.optim",
    "refquant.optim.lr_scheduler",
    "refquant.autograd",
    "refquant.utils.data",
    "refquant.cuda",
    "refquant.accelerator",
    "refquant.random",
    "refquant.backends.mps",
    "refquant.backends.cudnn",
    "refquant.engines",
    "refquant.interop.c",
    "refquant.interop.onnx",
    "refquant.interop.tflite",
    "refquant.kernels",
    "refquant.oracle",
    "refquant.oracle.graphs",
    "refquant.plotting",
    "refquant.reporting",
    "refquant.course",
    "refquant.ptq",
)
_LAZY = {"refquant": ("from_torch", "load", "report", "save", "show_config", "to_torch")}


def public(face: str) -> dict[str, object]:
    """Collect the public names of a face: its ``__all__``, or what it took from the package."""
    module = importlib.import_module(face)
    names = getattr(module, "__all__", None)
    if names is None:
        names = [*(n for n in vars(module) if not n.startswith("_")), *_LAZY.get(face, ())]
    found = {
        name: getattr(module, name)
        for name in sorted(set(names), key=lambda name: (name.lower(), name))
    }
    return {
        name: value
        for name, value in found.items()
        if not isinstance(value, types.ModuleType)
        and (getattr(value, "__module__", None) or "refquant").startswith("refquant")
        and not is_class_of_a_parent(face, name, value)
    }


def is_class_of_a_parent(face: str, name: str, value: object) -> bool:
    """Whether a package re-exports a class of the package above it, where it is described."""
    parent = face.rpartition(".")[0]
    return inspect.isclass(value) and getattr(sys.modules.get(parent), name, None) is value


def home(value: object) -> str:
    """Name the module that defines something; that of its class for a constant."""
    return value.__module__ if is_described(value) else type(value).__module__


def is_described(value: object) -> bool:
    """Return whether a name is a function or class, which has its own docstring."""
    return inspect.isclass(value) or inspect.isroutine(value)


def definitions() -> list[str]:
    """List the modules of the definitions."""
    package = importlib.import_module("refquant.reference")
    return [module.name for module in pkgutil.iter_modules(package.__path__)]
