"""Run ``.onnx`` files by ONNX Runtime, the evaluator of onnx or OpenVINO; see `tflite_runners`."""

import sys
from pathlib import Path

import numpy as np


def answer(runtime, content, feeds):
    """Run a model by a runtime."""
    fed = {f"x{k}": array for k, array in enumerate(feeds)}
    if runtime == "onnx-reference":
        import onnx
        from onnx.reference import ReferenceEvaluator

        return np.asarray(ReferenceEvaluator(onnx.load_from_string(content)).run(None, fed)[0])
    if runtime == "openvino-u8":
        import openvino

        core = openvino.Core()
        compiled = core.compile_model(core.read_model(content), "CPU")
        return np.asarray(compiled(feeds)[0])
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    if runtime == "onnxruntime-qdq-float":
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return session.run(None, fed)[0]


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))  # not there where Python's path is safe
    from tflite_runners import main

    main(*sys.argv[1:], answer=answer)
