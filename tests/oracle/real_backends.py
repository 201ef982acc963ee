"""Adapters of real backends, as `refquant.oracle.check` calls them.

As a script it prints the table of all backends and operations::

    python tests/oracle/real_backends.py
"""

import sys
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import refquant
from refquant import oracle

sys.path.insert(0, str(Path(__file__).parents[1]))

ENGINES = {
    "pytorch fbgemm": "fbgemm",
    "pytorch qnnpack": "qnnpack",
    "pytorch onednn": "exact",
    "onnxruntime": "onnx",
}


class Rejected(Exception):
    """The backend does not support this case."""


# -- PyTorch ---------------------------------------------------------------------------------


def _torch_tensor(torch, value):
    if isinstance(value, refquant.QuantizedTensor):
        integers = torch.from_numpy(np.ascontiguousarray(value.array))
        if value.axis is None:
            return torch._make_per_tensor_quantized_tensor(integers, value.scale, value.zero_point)
        return torch._make_per_channel_quantized_tensor(
            integers,
            torch.from_numpy(np.array(value.scale)),
            torch.from_numpy(np.array(value.zero_point, np.int64)),
            value.axis,
        )
    if isinstance(value, refquant.Tensor):
        return torch.from_numpy(value.array.copy())
    if isinstance(value, list):
        return [_torch_tensor(torch, v) for v in value]
    if isinstance(value, refquant.dtype):
        return getattr(torch, value.name)
    return value


def torch_backend(engine, operation):
    """Return a backend that computes an operation by PyTorch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's own deprecations
        import torch
        import torch.ao.nn.quantized.functional as F

        torch.quantize_per_tensor(torch.zeros(1), 1.0, 0, torch.quint8)
    ops = torch.ops.quantized

    def product(name, input, weight, bias, scale, zero_point, **geometry):
        if engine != "fbgemm" and input.numel() == 0:
            raise Rejected("an empty batch")
        if engine == "qnnpack" and operation.startswith("conv3d"):
            raise Rejected("no such kernel")
        relu = "_relu" if name.endswith("_relu") else ""
        plain = name.removesuffix("_relu")
        if plain == "linear":
            packed = ops.linear_prepack(weight, bias)
            return getattr(ops, "linear" + relu)(input, packed, scale, zero_point)
        dims = int(plain[4])
        sizes = [[geometry[k]] * dims for k in ("stride", "padding", "dilation")]
        packed = getattr(ops, f"{plain}_prepack")(weight, bias, *sizes, geometry["groups"])
        return getattr(ops, plain + relu)(input, packed, scale, zero_point)

    def answer(**operands):
        torch.backends.quantized.engine = engine
        torch.set_num_threads(1)
        given = {name: _torch_tensor(torch, value) for name, value in operands.items()}
        try:
            if operation.startswith(("linear", "conv")):
                result = product(operation, **given)
            elif operation.startswith(("add", "mul")):
                result = getattr(ops, operation)(*given.values())
            elif operation.startswith("quantize"):
                result = getattr(torch, operation)(*given.values())
            elif operation == "relu":
                result = torch.relu(given["input"])
            else:
                result = getattr(F, operation)(**given)
        except RuntimeError as error:
            raise Rejected(str(error).splitlines()[0]) from None
        return result.int_repr().numpy()

    return answer


# -- ONNX Runtime ----------------------------------------------------------------------------


def onnx_backend(operation):
    """Return a backend that computes an operation by ONNX Runtime."""
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    onnxruntime.set_default_logger_severity(3)

    def run(kind, domain, inputs, x_name, x, attributes, output_type):
        constants = [
            numpy_helper.from_array(np.asarray(value), name)
            for name, value in inputs.items()
            if name not in x
        ]
        types = {np.dtype(np.uint8): TensorProto.UINT8, np.dtype(np.int8): TensorProto.INT8}
        graph = helper.make_graph(
            [helper.make_node(kind, list(inputs), ["y"], domain=domain, **attributes)],
            "case",
            [helper.make_tensor_value_info(n, types[v.dtype], list(v.shape)) for n, v in x.items()],
            [helper.make_tensor_value_info("y", output_type, None)],
            constants,
        )
        opsets = [helper.make_opsetid("", 13), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        return session.run(None, x)[0]

    def quantizer(name, q):
        scale, zero = np.float32(q.scale), np.asarray(q.zero_point)
        return {f"{name}_scale": scale, f"{name}_zero": zero.astype(q.array.dtype)}

    def output(scale, zero_point):
        return {"y_scale": np.float32(scale), "y_zero": np.uint8(zero_point)}

    def convolution(input, weight, bias, stride, padding, dilation, groups, scale, zero_point):
        scales = np.broadcast_to(np.asarray(weight.scale), (weight.shape[0],))
        values = {"x": input.array, **quantizer("x", input), "w": weight.array,
                  **quantizer("w", weight), **output(scale, zero_point)}  # fmt: skip
        if bias is not None:
            steps = bias.array / (input.scale * scales).astype(np.float32)
            values["b"] = np.rint(steps).astype(np.int32)
        dims = weight.ndim - 2
        attributes = {"strides": [stride] * dims, "pads": [padding] * 2 * dims,
                      "dilations": [dilation] * dims, "group": groups}  # fmt: skip
        return run(
            "QLinearConv", "", values, "x", {"x": input.array}, attributes, TensorProto.UINT8
        )

    def matmul(input, weight, bias, scale, zero_point):
        values = {"x": input.array, **quantizer("x", input),
                  "w": np.ascontiguousarray(weight.array.T), **quantizer("w", weight),
                  **output(scale, zero_point)}  # fmt: skip
        return run("QLinearMatMul", "", values, "x", {"x": input.array}, {}, TensorProto.UINT8)

    def add(qa, qb, scale, zero_point):
        values = {"a": qa.array, **quantizer("a", qa), "b": qb.array, **quantizer("b", qb),
                  **output(scale, zero_point)}  # fmt: skip
        kind = {"add": "QLinearAdd", "mul": "QLinearMul"}[operation]
        x = {"a": qa.array, "b": qb.array}
        return run(kind, "com.microsoft", values, "a", x, {}, TensorProto.UINT8)

    def answer(**operands):
        try:
            if operation.startswith("conv"):
                return convolution(**operands)
            return (matmul if operation == "linear" else add)(**operands)
        except onnxruntime.capi.onnxruntime_pybind11_state.Fail as error:
            raise Rejected(str(error)) from None
        except onnxruntime.capi.onnxruntime_pybind11_state.InvalidGraph as error:
            raise Rejected(str(error)) from None

    answer.model = onnx
    return answer


# -- results ---------------------------------------------------------------------------------

OPERATIONS = {
    "pytorch": (
        "linear", "linear_relu", "conv2d", "conv2d_relu", "conv3d", "add", "add_relu", "mul",
        "quantize_per_tensor", "quantize_per_channel", "relu", "max_pool2d", "avg_pool2d",
        "adaptive_avg_pool2d",
    ),
    "onnxruntime": ("linear", "conv2d", "add", "mul"),
}  # fmt: skip


def present(backend):
    """Return whether a backend is installed."""
    if backend == "onnxruntime":
        return bool(find_spec("onnx") and find_spec("onnxruntime"))
    if not find_spec("torch"):
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch
    known = torch.backends.quantized.supported_engines
    return torch.__version__.startswith("2.13.") and backend.split()[1] in known


def results_of(backend, operation, engine, seed=0, cases=None):
    """Compare one backend with one engine, and count differences.

    Returns
    -------
    dict
        ``cases``, ``rejected``, ``elements``, ``differ``, and ``classes`` of what differs.
    """
    name = backend.split()
    answer = (
        onnx_backend(operation) if name[0] == "onnxruntime" else torch_backend(name[1], operation)
    )
    found = {"cases": 0, "rejected": 0, "elements": 0, "differ": 0, "classes": {}}
    for case in oracle.cases_of(operation, seed)[:cases]:
        given = dict(case.arguments)
        if name[0] == "onnxruntime" and operation == "linear":
            given["bias"] = None  # QLinearMatMul has none
        try:
            actual = answer(**given)
        except Rejected:
            found["rejected"] += 1
            continue
        try:
            mismatch = oracle.compare(actual, operation, engine=engine, **given)
        except refquant.errors.EngineError:
            found["rejected"] += 1
            continue
        found["cases"] += 1
        found["elements"] += mismatch.size
        found["differ"] += mismatch.count
        for name, count in mismatch.counts.items():
            found["classes"][name] = found["classes"].get(name, 0) + count
    return found


def main():
    print("| backend | operation | cases | elements | exact under | remaining differences |")
    print("|---|---|---|---|---|---|")
    for backend, closest in ENGINES.items():
        if not present(backend):
            print(f"| {backend} | not installed | | | | |")
            continue
        for operation in OPERATIONS[backend.split()[0]]:
            best = None
            for engine in dict.fromkeys((closest, "fbgemm", "exact")):
                found = results_of(backend, operation, engine)
                if best is None or found["differ"] < best[1]["differ"]:
                    best = (engine, found)
                if not found["differ"]:
                    break
            engine, found = best
            if found["differ"]:
                rest = ", ".join(f"{n:,} {name}" for name, n in found["classes"].items())
                engine, rest = f"({engine})", f"{found['differ']:,}: {rest}"
            else:
                rest = "none"
            rejected = f" ({found['rejected']} rejected)" if found["rejected"] else ""
            print(
                f"| {backend} | {operation} | {found['cases']}{rejected} | {found['elements']:,} | "
                f"{engine} | {rest} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
