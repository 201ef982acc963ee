"""Paths of PyTorch that have no file here, and names of PyTorch that are not here.

PyTorch keeps the same names under several paths. Here each has one home; a finder imports every
other path as a module that hands on the names of its home. What refquant does not have is listed
with the reason and with what to use, which errors say.
"""

import sys
from functools import partial
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from refquant.errors import MissingNameError, MissingPathError, RefquantError

__all__ = ["HOMES", "MISSING", "absent", "no_attribute"]

# Below `refquant`: a home, the package that PyTorch puts it in, and the files of that package.
_LAYOUT = """\
nn                          nn.modules                  activation batchnorm container conv \
dropout flatten instancenorm linear loss module normalization padding pooling rnn upsampling
nn.intrinsic                nn.intrinsic.modules        fused
nn.intrinsic.qat            nn.intrinsic.qat.modules    conv_fused linear_fused linear_relu
nn.intrinsic.quantized      nn.intrinsic.quantized.modules  bn_relu conv_add conv_relu linear_relu
nn.intrinsic.quantized.dynamic  nn.intrinsic.quantized.dynamic.modules  linear_relu
nn.qat                      nn.qat.modules              conv embedding_ops linear
nn.qat.dynamic              nn.qat.dynamic.modules      linear
nn.quantized                nn.quantized.modules        activation batchnorm conv dropout \
embedding_ops functional_modules linear normalization rnn utils
nn.quantizable              nn.quantizable.modules      activation rnn
nn.quantized.dynamic        nn.quantized.dynamic.modules  conv linear rnn
quantization                quantization                fuse_modules fuser_method_mappings \
quant_type quantization_mappings quantize utils
quantization.numeric_suite  quantization._numeric_suite
quantization.equalize       quantization._equalize
quantization.correct_bias   quantization._correct_bias
autograd                    autograd                    function
utils.data                  utils.data                  dataloader
"""
HOMES = {
    path: home
    for home, package, *files in map(str.split, _LAYOUT.strip().splitlines())
    for path in (package, *(f"{package}.{file}" for file in files))
    if path != home
}
# PyTorch 2 keeps its quantization below `refquant.ao`, in the same order as before.
_MOVED = {"ao.nn": "nn", "ao.ns": "quantization", "ao.quantization": "quantization"}

_GRAPH = "refquant defines eager mode, and there is no graph mode"
_EAGER = "use refquant.quantization.prepare() and convert()"
_NUMERIC = "use refquant.quantization.numeric_suite"
_DEVICE = "the processor is the only device"
_ONE = "leave the call out: one process computes, on several threads"
_RUN = "leave it out: the model runs as it is"
_REASONS = {
    (_GRAPH, _EAGER): "fx quantization.fx quantization.quantize_fx quantization.quantize_jit "
    "quantization.pt2e quantization.quantize_pt2e quantization.quantizer quantization.experimental "
    "quantization.prepare_fx quantization.prepare_qat_fx quantization.convert_fx "
    "quantization.prepare_jit quantization.convert_jit quantization.prepare_dynamic_jit "
    "quantization.convert_dynamic_jit quantization.quantize_dynamic_jit "
    "quantization.script_qconfig quantization.script_qconfig_dict quantization.fuse_conv_bn_jit",
    (_GRAPH, "set the attribute qconfig of modules, or give prepare() a qconfig_dict"):
    "quantization.qconfig_mapping quantization.QConfigMapping "
    "quantization.get_default_qconfig_mapping quantization.get_default_qat_qconfig_mapping "
    "quantization.backend_config",
    (_GRAPH, _NUMERIC): "quantization._numeric_suite_fx",
    ("there is no TorchScript", f"{_RUN}, and refquant.save() keeps its state_dict()"): "jit",
    ("nothing exports graphs", "refquant.save() keeps a state_dict()"): "export _export",
    ("ONNX files are not written", "export what refquant.to_torch() gives"): "onnx",
    ("models are not compiled", _RUN): "compile _dynamo _inductor",
    (_DEVICE, "leave the call out, or write 'cpu'"): "mps xpu Tensor.cuda Module.cuda "
    "Tensor.xpu Module.xpu backends.cuda",
    ("there is no oneDNN library behind the float operations", "leave the line out"):
    "backends.mkldnn backends.mkl backends.openmp Tensor.to_mkldnn",
    ("nothing runs on several devices or machines", _ONE):
    "distributed nn.parallel nn.DataParallel nn.SyncBatchNorm",
    ("nothing is pruned", "set weights to zero before prepare()"): "nn.utils.prune ao.pruning",
    ("there are no sparse tensors", "use the dense modules of refquant.nn"):
    "sparse nn.sparse nn.quantized.sparse",
    ("nothing computes in mixed precision", _RUN): "amp autocast cuda.amp",
    ("models are not downloaded", "build the model, and load a state_dict() with refquant.load()"):
    "hub",
    ("nothing is written for TensorBoard", "plot numbers with refquant.plotting or a library of "
    "your choice"): "utils.tensorboard",
    ("operations are not timed one by one", "use the profiler of Python, cProfile"):
    "profiler autograd.profiler",
    ("all results are kept for the backward pass", "call the function itself"): "utils.checkpoint",
}  # fmt: skip
# Name below `refquant` (or `Tensor` and `Module`): why it is not there, and what to use instead.
MISSING = {name: reason for reason, names in _REASONS.items() for name in names.split()}


def absent(name: str, kind: type[RefquantError], owner: str = "refquant") -> RefquantError | None:
    """Make the error for a name below `refquant` that is listed as missing, or None.

    Examples
    --------
    >>> from refquant._paths import absent
    >>> from refquant.errors import MissingNameError
    >>> print(absent("jit", MissingNameError))
    refquant.jit is not here: there is no TorchScript; leave it out: the model runs as it is, and \
refquant.save() keeps its state_dict()
    """
    place = name
    for moved, home in _MOVED.items():
        if f"{name}.".startswith(f"{moved}."):
            place = home + name.removeprefix(moved)
    parts = place.split(".")
    for count in range(len(parts), 0, -1):
        reason = MISSING.get(".".join(parts[:count]))
        if reason is not None:
            why, instead = reason
            return kind(f"{owner}.{name} is not here: {why}", hint=instead, op=f"{owner}.{name}")
    return None


class Absent:
    """A name that PyTorch's class has: looking it up raises the reason why it is not here.

    A class with ``__getattr__`` could do so too, but then Python 3.11 looks up all other names of
    its instances three times as slowly.

    Examples
    --------
    >>> import refquant
    >>> hasattr(refquant.ones(2), "cuda")
    False
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        error = absent(self.name, MissingNameError)
        raise AttributeError(self.name) if error is None else error


def put_absent(owner: type) -> None:
    """Give a class below `refquant` the names that are listed as missing in it."""
    for name in MISSING:
        place, _, own = name.rpartition(".")
        if place == owner.__name__:
            setattr(owner, own, Absent(name))


def no_attribute(package: str, name: str) -> AttributeError:
    """Make the error for a name that a package does not have."""
    place = f"{package}.{name}".removeprefix("refquant.")
    error = absent(place, MissingNameError)
    plain = AttributeError(f"module {package!r} has no attribute {name!r}")
    return error if isinstance(error, AttributeError) else plain


class _Paths:
    """Finder and loader of the paths."""

    def find_spec(self, name: str, path=None, target=None) -> ModuleSpec | None:
        if not name.startswith("refquant."):
            return None
        loader: Any = self
        place = name.removeprefix("refquant.")
        if place in HOMES:
            return ModuleSpec(name, loader, is_package=True)
        for moved, home in _MOVED.items():
            if place == moved:
                return ModuleSpec(name, loader, loader_state=home)
            if place.startswith(f"{moved}.") and absent(place, MissingPathError) is None:
                return ModuleSpec(name, loader, loader_state=home + place.removeprefix(moved))
        error = absent(place, MissingPathError)
        if error is not None:
            raise error
        return None

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        spec = module.__spec__
        if spec is not None and spec.loader_state is not None:  # one module under two paths
            sys.modules[spec.name] = import_module(f"refquant.{spec.loader_state}")
            return
        home = import_module(f"refquant.{HOMES[module.__name__.removeprefix('refquant.')]}")
        public = [name for name in dir(home) if not name.startswith("_")]
        names = {
            "__all__": getattr(home, "__all__", public),
            "__dir__": partial(dir, home),
            "__doc__": home.__doc__,
            "__getattr__": partial(getattr, home),
        }
        vars(module).update(names)


# First, because the stubs of these paths lie in folders that look like packages without files.
sys.meta_path.insert(0, _Paths())
