"""``.tflite`` files of one operator, made of the cases of `oracle.runtime_cases`."""

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from oracle.runtime_cases import ACTIVATIONS, Case

# Operator, version, and the name of its options.
OPERATORS = {
    "linear": ("FULLY_CONNECTED", 4, "FullyConnected"),
    "conv": ("CONV_2D", 3, "Conv2D"),
    "depthwise": ("DEPTHWISE_CONV_2D", 5, "DepthwiseConv2D"),
    "add": ("ADD", 2, "Add"),
    "sub": ("SUB", 2, "Sub"),
    "mul": ("MUL", 2, "Mul"),
    "requantize": ("QUANTIZE", 2, "Quantize"),
    "quantize": ("QUANTIZE", 1, "Quantize"),
    "dequantize": ("DEQUANTIZE", 2, "Dequantize"),
    "sigmoid": ("LOGISTIC", 2, None),
    "tanh": ("TANH", 2, None),
    "elu": ("ELU", 1, None),
    "hardswish": ("HARD_SWISH", 1, "HardSwish"),
    "leaky_relu": ("LEAKY_RELU", 2, "LeakyRelu"),
    "softmax": ("SOFTMAX", 2, "Softmax"),
    "avg_pool2d": ("AVERAGE_POOL_2D", 2, "Pool2D"),
    "max_pool2d": ("MAX_POOL_2D", 2, "Pool2D"),
    "mean": ("MEAN", 2, "Reducer"),
    "cat": ("CONCATENATION", 2, "Concatenation"),
    "resize_bilinear": ("RESIZE_BILINEAR", 3, "ResizeBilinear"),
    "resize_nearest": ("RESIZE_NEAREST_NEIGHBOR", 3, "ResizeNearestNeighbor"),
    "conv_transposed": ("TRANSPOSE_CONV", 3, "TransposeConv"),
}
# It has all of these operations: what it computes has the shape of the result.
ENGINE = "tflite-micro"
FUSED = dict(zip(ACTIVATIONS, (0, 1, 3, 2), strict=True))
SAME = 0
_WINDOW = {
    "conv": {"padding": SAME, "strideH": 2, "strideW": 2, "dilationHFactor": 1,
             "dilationWFactor": 1},
    "depthwise": {"padding": SAME, "strideH": 1, "strideW": 1, "dilationHFactor": 1,
                  "dilationWFactor": 1, "depthMultiplier": 1},
}  # fmt: skip


def _centers(c) -> dict:
    return {"alignCorners": c["align_corners"], "halfPixelCenters": c["half_pixel"]}


def _options(case: Case) -> dict:
    c, name = case.operands, case.operation.removesuffix("_int16")
    fused = {"fusedActivationFunction": FUSED[c.get("activation", "none")]}
    if name == "conv" and c["x"].dtype == np.int16:
        kind = getattr(schema.TensorType, c["b"].dtype.name.upper())
        return {**_WINDOW[name], "quantizedBiasType": kind, **fused}
    if name in _WINDOW:
        return {**_WINDOW[name], **fused}
    if name == "linear" and c["x"].dtype == np.int16:
        kind = getattr(schema.TensorType, c["b"].dtype.name.upper())
        return {"quantizedBiasType": kind, **fused}
    if name in ("linear", "add", "sub", "mul"):
        return fused
    if name in ("avg_pool2d", "max_pool2d"):
        (height, width), (down, right) = c["kernel"], c["stride"]
        return {"padding": SAME, "filterHeight": height, "filterWidth": width, "strideH": down,
                "strideW": right, **fused}  # fmt: skip
    return {
        "leaky_relu": lambda: {"alpha": float(c["slope"])},
        "softmax": lambda: {"beta": 1.0},
        "mean": lambda: {"keepDims": c["keepdims"]},
        "cat": lambda: {"axis": 2, **fused},
        "resize_bilinear": lambda: _centers(c),
        "resize_nearest": lambda: _centers(c),
        "conv_transposed": lambda: {"padding": SAME, "strideH": 2, "strideW": 2},
    }.get(name, dict)()


def feeds(case: Case) -> list[np.ndarray]:
    """List the arrays that a model is fed with."""
    names = "ab" if case.operation in ("add", "sub", "mul", "cat") else "x"
    return [case.operands[name] for name in names]


class _Graph:
    """Tensors and buffers of a model."""

    def __init__(self):
        self.graph, self.made = schema.SubGraphT(), schema.ModelT()
        self.graph.tensors, self.made.buffers = [], [schema.BufferT()]

    def add(self, shape, dtype, scale=None, zero=0, axis=0, data=None) -> int:
        tensor = schema.TensorT()
        tensor.name, tensor.shape = f"t{len(self.graph.tensors)}", list(shape)
        tensor.type = getattr(schema.TensorType, np.dtype(dtype).name.upper())
        if scale is not None:
            scales = np.atleast_1d(np.float32(scale))
            quantization = schema.QuantizationParametersT()
            quantization.scale, quantization.quantizedDimension = scales.tolist(), axis
            quantization.zeroPoint = [int(zero)] * scales.size
            tensor.quantization = quantization
        tensor.buffer = len(self.made.buffers)
        buffer = schema.BufferT()
        if data is not None:
            buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
        self.made.buffers.append(buffer)
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1


def _inputs(case: Case, graph: _Graph) -> tuple[list[int], int]:
    """Add the operands; returns their indices, and how many of them are fed."""
    c, name = case.operands, case.operation.removesuffix("_int16")
    if name in ("add", "sub", "mul", "cat"):
        own = name != "cat"
        scales = [(c[f"s_{n}"], c[f"z_{n}"]) if own else (c["s_x"], c["z_x"]) for n in "ab"]
        pairs = zip("ab", scales, strict=True)
        return [graph.add(c[n].shape, np.int8, *quantizer) for n, quantizer in pairs], 2
    if name == "quantize":
        return [graph.add(c["x"].shape, np.float32)], 1
    inputs = [graph.add(c["x"].shape, c["x"].dtype, c["s_x"], c["z_x"])]
    if "w" in c:
        axis = 3 if name == "depthwise" else 0
        inputs.append(graph.add(c["w"].shape, np.int8, c["s_w"], 0, axis, c["w"]))
        inputs.append(graph.add(c["b"].shape, c["b"].dtype, c["s_x"] * c["s_w"], data=c["b"]))
    if name == "conv_transposed":  # the shape of the result comes first, the image third
        shape = np.int32(case.problem().shape)
        x, w, b = inputs
        return [graph.add(shape.shape, np.int32, data=shape), w, x, b], 1
    for parameter in ("axes", "size"):
        if parameter in c:
            values = np.int32(c[parameter])
            inputs.append(graph.add(values.shape, np.int32, data=values))
    return inputs, 1


def model(case: Case) -> bytes:
    """Write a model of one operator."""
    c, graph = case.operands, _Graph()
    shape = case.problem().run(ENGINE).shape
    inputs, fed = _inputs(case, graph)
    if case.operation == "dequantize":
        output = graph.add(shape, np.float32)
    elif "s_y" in c:
        dtype = np.int16 if case.operation.endswith("_int16") else np.int8
        output = graph.add(shape, dtype, c["s_y"], c["z_y"])
    else:
        output = graph.add(shape, np.int8, c["s_x"], c["z_x"])
    name, version, kind = OPERATORS[case.operation.removesuffix("_int16")]
    operator, code = schema.OperatorT(), schema.OperatorCodeT()
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, inputs, [output]
    if kind is not None:
        options = getattr(schema, f"{kind}OptionsT")()
        for option, value in _options(case).items():
            setattr(options, option, value)
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, f"{kind}Options")
        operator.builtinOptions = options
    code.builtinCode, code.version = getattr(schema.BuiltinOperator, name), version
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    given = inputs[2:3] if case.operation == "conv_transposed" else inputs[:fed]
    graph.graph.inputs, graph.graph.outputs = given, [output]
    graph.graph.operators = [operator]
    made = graph.made
    made.version, made.subgraphs, made.operatorCodes = 3, [graph.graph], [code]
    builder = flatbuffers.Builder(1024)
    builder.Finish(made.Pack(builder), b"TFL3")
    return bytes(builder.Output())
