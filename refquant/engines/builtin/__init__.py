"""Records of the engines that are built in: each module lists its own as ``ENGINES``.

`refquant.engines.registry` finds the modules by itself, so a new runtime that is made of known
rules is one new module.
"""

SHORT_NAMES = {  # of the newest release of each runtime
    "litert-reference": "litert-2.3-reference",
    "litert-optimized-x86": "litert-2.3-optimized-x86",
    "tflite-reference": "tflite-2.14-reference",
    "tflite-optimized-x86": "tflite-2.14-optimized-x86",
    "onnxruntime-qlinear": "onnx",
    "openvino": "openvino-u8",
}
