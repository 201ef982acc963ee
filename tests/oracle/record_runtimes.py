"""Record what runtimes that read ``.tflite`` files answer to `runtime_cases`.

Run where ``ai-edge-litert==2.3.0``, ``flatbuffers``, ``tflite-micro`` and refquant are installed::

    python tests/oracle/record_runtimes.py [SEED]

It writes ``recorded/runtimes.npz``, and prints how many elements differ from the engine of each
runtime; with a seed it draws other cases, prints, and writes nothing.
"""

import sys
from collections import Counter
from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

sys.path.insert(0, str(Path(__file__).parents[1]))

from oracle.runtime_cases import ACTIVATIONS, Case, cases, digest
from oracle.test_runtimes import ENGINES, RECORDED

CODES = {"linear": (9, 4), "conv": (3, 3), "depthwise": (4, 5), "add": (0, 2), "mul": (18, 2)}
FUSED = dict(zip(ACTIVATIONS, (0, 1, 3, 2), strict=True))
RESOLVERS = {
    "litert-2.3-reference": OpResolverType.BUILTIN_REF,
    "litert-2.3-optimized-x86": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    "xnnpack": OpResolverType.AUTO,
}
ARENA = 1 << 20


def options(case: Case):
    """Make the options of the operator, and their type."""
    name = {"linear": "FullyConnected", "conv": "Conv2D", "depthwise": "DepthwiseConv2D",
            "add": "Add", "mul": "Mul"}[case.operation] + "Options"  # fmt: skip
    made = getattr(schema, f"{name}T")()
    made.fusedActivationFunction = FUSED[case.operands.get("activation", "none")]
    if case.operation in ("conv", "depthwise"):
        made.padding = 0
        made.strideH = made.strideW = 2 if case.operation == "conv" else 1
        made.dilationHFactor = made.dilationWFactor = 1
    if case.operation == "depthwise":
        made.depthMultiplier = 1
    return getattr(schema.BuiltinOptions, name), made


def model(case: Case, shape: tuple[int, ...]) -> bytes:
    """Write a model of one operator."""
    c, graph, made = case.operands, schema.SubGraphT(), schema.ModelT()
    graph.tensors, made.buffers = [], [schema.BufferT()]

    def add(name, array_shape, kind, scale, zero, axis=0, data=None):
        tensor, quantization = schema.TensorT(), schema.QuantizationParametersT()
        scales = np.atleast_1d(np.float32(scale))
        quantization.scale, quantization.quantizedDimension = scales.tolist(), axis
        quantization.zeroPoint = [int(zero)] * scales.size
        tensor.name, tensor.shape, tensor.type = name, list(array_shape), kind
        tensor.quantization, tensor.buffer = quantization, len(made.buffers)
        buffer = schema.BufferT()
        if data is not None:
            buffer.data = np.frombuffer(data.tobytes(), np.uint8)
        made.buffers.append(buffer)
        graph.tensors.append(tensor)
        return len(graph.tensors) - 1

    int8, int32 = schema.TensorType.INT8, schema.TensorType.INT32
    if case.operation in ("add", "mul"):
        inputs = [add(n, c[n].shape, int8, c[f"s_{n}"], c[f"z_{n}"]) for n in "ab"]
        graph.inputs = list(inputs)
    else:
        axis = 3 if case.operation == "depthwise" else 0
        inputs = [
            add("x", c["x"].shape, int8, c["s_x"], c["z_x"]),
            add("w", c["w"].shape, int8, c["s_w"], 0, axis, c["w"]),
            add("b", c["b"].shape, int32, c["s_x"] * c["s_w"], 0, 0, c["b"]),
        ]
        graph.inputs = inputs[:1]
    output = add("y", shape, int8, c["s_y"], c["z_y"])
    operator, code = schema.OperatorT(), schema.OperatorCodeT()
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, inputs, [output]
    operator.builtinOptionsType, operator.builtinOptions = options(case)
    code.builtinCode, code.version = CODES[case.operation]
    code.deprecatedBuiltinCode = code.builtinCode
    graph.operators, graph.outputs = [operator], [output]
    made.version, made.subgraphs, made.operatorCodes = 3, [graph], [code]
    builder = flatbuffers.Builder(1024)
    builder.Finish(made.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def answer(runtime: str, content: bytes, feeds: list[np.ndarray]) -> np.ndarray:
    """Run a model by a runtime."""
    if runtime == "tflite-micro":
        from tflite_micro.python.tflite_micro import runtime as micro

        interpreter = micro.Interpreter.from_bytes(content, arena_size=ARENA)
        for number, feed in enumerate(feeds):
            interpreter.set_input(feed, number)
        interpreter.invoke()
        return interpreter.get_output(0).copy()
    interpreter = Interpreter(
        model_content=content, experimental_op_resolver_type=RESOLVERS[runtime], num_threads=1
    )
    interpreter.allocate_tensors()
    for detail, feed in zip(interpreter.get_input_details(), feeds, strict=True):
        interpreter.set_tensor(detail["index"], feed)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).copy()


def main() -> None:
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    recorded, differ, elements = {}, Counter(), Counter()
    for number, case in enumerate(cases(seed)):
        task = case.problem()
        content = model(case, task.shape)
        names = "ab" if case.operation in ("add", "mul") else "x"
        feeds = [case.operands[name] for name in names]
        recorded[f"{number}.digest"] = np.int64(digest(case))
        for runtime in ENGINES:
            theirs = answer(runtime, content, feeds)
            recorded[f"{number}.{runtime}"] = theirs
            differ[runtime, case.operation] += int((task.run(runtime) != theirs).sum())
            elements[runtime, case.operation] += theirs.size
    for (runtime, operation), count in elements.items():
        print(f"{runtime:26} {operation:10} {differ[runtime, operation]:>6} of {count:,} differ")
    if len(sys.argv) == 1:
        np.savez_compressed(RECORDED, **recorded)


if __name__ == "__main__":
    main()
