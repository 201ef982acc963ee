"""Which operations of which runtimes are judged, and what their files can hold."""

from pathlib import Path

from oracle.runtime_cases import INT16, PRODUCTS, Case, without_zero_points

RECORDED = Path(__file__).with_name("recorded")
# Operations that kernels of each runtime compute.
_ALL = (
    *PRODUCTS, "sub", "requantize", "quantize", "dequantize", "sigmoid", "tanh", "leaky_relu",
    "max_pool2d", "mean", "cat", "resize_bilinear",
)  # fmt: skip
_TFLITE = (*_ALL, "hardswish", "softmax", "avg_pool2d", "resize_nearest", "conv_transposed", *INT16)
_LINEAR = ("requantize", "quantize", "dequantize", "max_pool2d")
_INTEGERS = ("dynamic_quantize", "conv_integer", "matmul_integer")
JUDGED = {
    "litert-2.3-reference": _TFLITE,
    "litert-2.3-optimized-x86": (*_TFLITE, "elu"),
    "tflite-2.14-reference": _TFLITE,
    "tflite-2.14-optimized-x86": (*_TFLITE, "elu"),
    "tflite-micro": (*_TFLITE, "elu"),
    "xnnpack": (*_ALL, "conv_transposed"),
    "onnx": (
        *PRODUCTS, *_LINEAR, "sigmoid", "leaky_relu", "softmax", "avg_pool2d", "global_avg_pool2d",
        "concat", "conv_u8", *_INTEGERS,
    ),
    "onnxruntime-qdq-float": (
        *PRODUCTS, *_LINEAR, "sub", "sigmoid", "tanh", "elu", "hardswish", "leaky_relu", "softmax",
        "avg_pool2d", "global_avg_pool2d", "mean", "cat", "concat", "resize_bilinear", "conv_u8",
        "resize_nearest",
    ),
    "onnx-reference": ("linear", "conv", "depthwise", "conv_u8", *_LINEAR, *_INTEGERS),
    "openvino-u8": ("conv_u8", *_LINEAR),
    "ncnn": ("linear", "conv", "depthwise", "requantize", "quantize", "dequantize"),
    "tosa-double": (*PRODUCTS, "sub", "requantize"),
    "tosa-single": (*PRODUCTS, "sub", "requantize"),
}  # fmt: skip
# Elements that are known to differ from the engine; the page of runtimes says what is known.
OPEN = {("openvino-u8", "conv_u8"): 21}
ONNX = ("onnx", "onnxruntime-qdq-float", "onnx-reference", "openvino-u8")
TOSA = ("tosa-double", "tosa-single")
PAIRS = [(runtime, operation) for runtime, names in JUDGED.items() for operation in names]


def as_held(runtime: str, case: Case) -> Case:
    """Return a case as the files of a runtime can hold it."""
    if runtime == "ncnn":
        return without_zero_points(case)
    return case.plain(bias=runtime in TOSA) if runtime in (*ONNX, *TOSA) else case
