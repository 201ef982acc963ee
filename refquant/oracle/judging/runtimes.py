"""Runtimes that are packages of Python: each runs a file, and returns the wanted results."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from refquant.errors import OperationError
from refquant.extras import require_extra
from refquant.oracle.graphs.files import Read

__all__ = ["RUNTIMES", "Runtime"]

Arrays = Mapping[str, np.ndarray]
_ARENA = 1 << 24  # bytes of TensorFlow Lite Micro beside those of activations


class Runtime(NamedTuple):
    """A runtime.

    Attributes
    ----------
    files : str
        The ending of the files that it runs.
    engines : tuple of str
        Whose rules it has; of several, each layer has one.
    run : callable
        Takes what was read of the file, its content, inputs and names; returns arrays.
    fuses : bool
        Whether it adds to a convolution before it quantizes that, where nothing else needs it.
    """

    files: str
    engines: tuple[str, ...]
    run: Callable[[Read, bytes, Arrays, list[str]], dict[str, np.ndarray]]
    fuses: bool = False


def _litert(kernels: str) -> Callable[..., dict[str, np.ndarray]]:
    def run(read: Read, content: bytes, inputs: Arrays, names: list[str]) -> dict[str, np.ndarray]:
        litert = require_extra(
            "ai_edge_litert.interpreter", package="ai-edge-litert", extra="judges"
        )
        kind = getattr(litert.OpResolverType, kernels)
        made = litert.Interpreter(
            model_content=content, experimental_op_resolver_type=kind, num_threads=1
        )
        made.allocate_tensors()
        for name, array in inputs.items():
            made.set_tensor(read.places[name], array)
        made.invoke()
        return {name: made.get_tensor(read.places[name]).copy() for name in names}

    return run


def _micro(read: Read, content: bytes, inputs: Arrays, names: list[str]) -> dict[str, np.ndarray]:
    micro = require_extra(
        "tflite_micro.python.tflite_micro.runtime", package="tflite-micro", extra="judges"
    )
    made = micro.Interpreter.from_bytes(content, arena_size=_ARENA + 8 * len(content))
    for number, array in enumerate(inputs.values()):
        made.set_input(array, number)
    made.invoke()
    return {name: made.get_output(number).copy() for number, name in enumerate(names)}


def _onnxruntime(optimized: bool) -> Callable[..., dict[str, np.ndarray]]:
    def run(read: Read, content: bytes, inputs: Arrays, names: list[str]) -> dict[str, np.ndarray]:
        runtime = require_extra("onnxruntime", package="onnxruntime", extra="onnx")
        options = runtime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = 1
        if not optimized:
            options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        return dict(zip(names, session.run(names, dict(inputs)), strict=True))

    return run


def _openvino(read: Read, content: bytes, inputs: Arrays, names: list[str]) -> dict[str, Any]:
    openvino = require_extra("openvino", package="openvino", extra="judges")
    core = openvino.Core()
    # By default what is no product of integers is computed in bfloat16 where processors have it.
    precise = {"INFERENCE_PRECISION_HINT": "f32"}
    made = core.compile_model(core.read_model(model=content), "CPU", precise)
    found = made(dict(inputs))
    return {name: np.array(found[made.output(name)]) for name in names}


def _guarded(name: str, run: Callable[..., Any]) -> Callable[..., dict[str, np.ndarray]]:
    """Turn what a runtime raises into an error that names it."""

    def guarded(read: Read, content: bytes, inputs: Arrays, names: list[str]) -> Any:
        try:
            return run(read, content, inputs, names)
        except ImportError:
            raise
        except Exception as error:  # runtimes raise classes of their own
            text = " ".join(str(error).split())[:300]
            raise OperationError(f"oracle.judge: {name} does not run the model: {text}") from error

    return guarded


_OPTIMIZED = "litert-optimized-x86"
RUNTIMES: dict[str, Runtime] = {
    name: Runtime(files, engines, _guarded(name, run), name == "openvino")
    for name, files, engines, run in (
        ("litert", "tflite", ("xnnpack", _OPTIMIZED), _litert("AUTO")),
        (
            "litert-optimized", "tflite", (_OPTIMIZED,),
            _litert("BUILTIN_WITHOUT_DEFAULT_DELEGATES"),
        ),
        ("litert-reference", "tflite", ("litert-reference",), _litert("BUILTIN_REF")),
        ("tflite-micro", "tflite", ("tflite-micro",), _micro),
        ("onnxruntime", "onnx", ("onnx", "onnxruntime-qdq-float"), _onnxruntime(True)),
        ("onnxruntime-unfused", "onnx", ("onnxruntime-qdq-float", "onnx"), _onnxruntime(False)),
        ("openvino", "onnx", ("openvino-u8", "onnx", "onnxruntime-qdq-float"), _openvino),
    )
}  # fmt: skip
