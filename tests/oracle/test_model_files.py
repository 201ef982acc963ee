"""``.onnx`` and ``.tflite`` files, written without libraries, and run by runtimes.

The answers of a runtime are those of its engine, element by element.
"""

import numpy as np
import pytest
from oracle.processors import has_vnni

from refquant import oracle
from refquant.engines import get
from refquant.errors import ArgumentError, OperationError
from refquant.oracle.vectors.models import onnx_model, tflite_model
from refquant.oracle.vectors.save import entry_of

# Operations that no operator of integers computes, between real numbers.
REALS = ("sub", "tanh", "elu", "hardswish", "mean", "resize_bilinear", "resize_nearest")
ONNX = (
    "linear", "linear_uint8", "conv1d", "conv2d", "conv2d_uint8", "conv3d", "depthwise_conv2d",
    "conv_integer", "matmul", "matmul_integer", "add", "mul", "quantize", "dequantize",
    "dynamic_quantize", "requantize", "sigmoid", "leaky_relu", "softmax", "cat", "max_pool2d",
    "avg_pool2d", "global_avg_pool2d", *REALS,
)  # fmt: skip
TFLITE = (
    "linear", "linear_int16", "conv2d", "conv2d_int16", "depthwise_conv2d",
    "depthwise_conv2d_int16", "conv_transpose2d", "matmul", "add", "sub", "mul", "quantize",
    "dequantize", "requantize", "sigmoid", "tanh", "elu", "hardswish", "leaky_relu", "softmax",
    "cat", "avg_pool2d", "global_avg_pool2d", "max_pool2d", "mean", "resize_bilinear",
    "resize_nearest",
)  # fmt: skip


def written(folder, operation, engine, format):
    """Write vectors; yields names, models, what they are fed, and the expected answers."""
    oracle.write_vectors(operation, folder, engine, neutral=True, format=format, progress=False)
    for name, expected in oracle.read_vectors(folder).expected.items():
        with np.load(folder / f"{name}.npz") as arrays:
            kept = {key: arrays[key] for key in arrays.files}
        yield name, (folder / f"{name}.{format}").read_bytes(), kept, expected


def session_of(model, optimized=True):
    runtime = pytest.importorskip("onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    if not optimized:
        options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("operation", ONNX)
def test_onnx_runtime_answers_onnx_files_like_its_engine(operation, tmp_path):
    pytest.importorskip("onnxruntime")
    of_integers = "onnx" if has_vnni() else "onnx-avx2"
    count, engine = 0, "onnxruntime-qdq-float" if operation in REALS else of_integers
    for name, model, arrays, expected in written(tmp_path / "v", operation, engine, "onnx"):
        session = session_of(model, operation not in REALS)
        fed = {put.name: arrays[put.name] for put in session.get_inputs()}
        answer = session.run(["output"], fed)[0]
        assert answer.dtype == expected.dtype
        assert np.array_equal(answer, expected), name
        count += expected.size
    assert count > 400


def test_onnx_runtime_answers_transposed_convolutions_within_the_bounds_of_float_sums(tmp_path):
    """The order of its sums is not known."""
    pytest.importorskip("onnxruntime")
    for name, model, arrays, _ in written(tmp_path / "v", "conv_transpose2d", "exact", "onnx"):
        case = next(c for c in oracle.read_vectors(tmp_path / "v").cases if c.name == name)
        answer = session_of(model, False).run(["output"], {"x": arrays["x"]})[0]
        found = oracle.legality(answer, case.problem, family="float32_sums")
        assert found.legal.all(), name


@pytest.mark.parametrize("operation", ONNX)
def test_onnx_files_are_valid(operation, tmp_path):
    onnx = pytest.importorskip("onnx")
    engine = "onnxruntime-qdq-float" if operation in REALS else "onnx"
    for _, model, _, _ in written(tmp_path / "v", operation, engine, "onnx"):
        onnx.checker.check_model(onnx.load_from_string(model))


@pytest.mark.parametrize("operation", TFLITE)
def test_litert_answers_tflite_files_like_its_engine(operation, tmp_path):
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    engine = "litert-2.3-optimized-x86"
    kind = litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    for name, model, arrays, expected in written(tmp_path / "v", operation, engine, "tflite"):
        made = litert.Interpreter(model_content=model, experimental_op_resolver_type=kind)
        made.allocate_tensors()
        for detail in made.get_input_details():
            made.set_tensor(detail["index"], arrays[detail["name"]])
        made.invoke()
        answer = made.get_tensor(made.get_output_details()[0]["index"])
        assert answer.dtype == expected.dtype
        assert np.array_equal(answer, expected), name


def test_cases_that_a_file_cannot_hold_are_left_out_with_the_reason(tmp_path):
    oracle.write_vectors("cat", tmp_path / "v", "onnx", neutral=True, format="tflite")
    names = [case.name for case in oracle.read_vectors(tmp_path / "v").cases]
    assert names
    assert all(name.endswith("-alike") for name in names)
    assert "which demand the quantizer" in (tmp_path / "v" / "manifest.json").read_text()


@pytest.mark.parametrize(
    ("operation", "engine", "format", "message"),
    [
        ("conv3d", "tflite-micro", "tflite", "no operator for it that takes integers"),
        ("linear_int16", "tflite-micro", "onnx", "integers of 8 bits alone"),
        ("avg_pool2d", "xnnpack", "npz", "no case is left"),
    ],
)
def test_what_no_file_can_hold_is_an_error_that_names_it(
    operation, engine, format, message, tmp_path
):
    with pytest.raises(OperationError, match=message):
        oracle.write_vectors(operation, tmp_path / "v", engine, neutral=True, format=format)
    assert not list(tmp_path.iterdir())


def test_operands_of_pytorch_have_no_models(tmp_path):
    with pytest.raises(ArgumentError, match="neutral=True"):
        oracle.write_vectors("linear", tmp_path / "v", "fbgemm", format="onnx")


def codes(array, zero=0):
    return oracle.Codes(np.int8(array), 0.5, zero)


def entry(task, engine="onnx-reference"):
    """Make the entry of a case, as the manifest has it, and its arrays."""
    return entry_of(oracle.Case("mine", task.operation, task.arguments), get(engine))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"padding": ((2, 0), (0, 0))}, "SAME and VALID"),
        ({"layout": "NCHW", "weight_layout": "OHWI"}, "channels last"),
        (
            {"weight": codes(np.ones((1, 1, 3, 3))), "weight_layout": "HWIO"},
            "OHWI",
        ),
        ({"bias": np.float32([1, 2, 3])}, "bias of int32"),
        ({"output": oracle.Output(0.5, lower=-7)}, "no other bounds"),
        ({"weight": codes(np.ones((3, 1, 1, 3)), zero=4)}, "no zero points"),
        ({"weight": oracle.Codes(np.uint8(np.ones((3, 1, 1, 3))), 0.5)}, "int8 and int16 by int8"),
        ({"output": oracle.Output(0.5, 0, "uint8")}, "the dtype of the input"),
        (
            {
                "x": oracle.Codes(np.int16(np.ones((1, 3, 3, 3))), 0.5, 4),
                "output": oracle.Output(0.5, 0, "int16"),
            },
            "no zero points",
        ),
    ],
)
def test_each_operand_that_a_tflite_file_cannot_hold_is_named(changes, message):
    operands = {
        "x": codes(np.ones((1, 3, 3, 3))),
        "weight": codes(np.ones((3, 1, 1, 3))),
        "output": oracle.Output(0.5),
        "layout": "NHWC",
        **changes,
    }
    task = oracle.problem("conv2d", **operands)
    with pytest.raises(NotImplementedError, match=message):
        tflite_model.model(*entry(task))


def test_a_bias_of_real_numbers_is_rejected_by_onnx_files():
    x, w = oracle.Codes(np.int8([[1, 2]]), 0.5), oracle.Codes(np.int8([[1, 2]]), 0.5)
    task = oracle.problem("linear", x, w, np.float32([1.0]), oracle.Output(0.5))
    with pytest.raises(NotImplementedError, match="bias of int32"):
        onnx_model.model(*entry(task))


@pytest.mark.parametrize(("first", "second"), [(1, 1), (1, 5), (5, 1), (2, 2), (33, 33)])
def test_onnx_runtime_adds_to_a_single_number_with_operands_exchanged(first, second):
    """In this public case the order decides: a number is added to -112, others make -113."""
    a = oracle.Codes(np.full(first, -114, np.int8), 0.02534690499305725, -106)
    b = oracle.Codes(np.full(second, -122, np.int8), 0.035809919238090515, -120)
    task = oracle.problem("add", a, b, oracle.Output(0.0365859717130661, -105))
    expected = [-112 if first == 1 else -113] * max(first, second)
    assert task.run("onnx").tolist() == expected
    pytest.importorskip("onnxruntime")
    session = session_of(onnx_model.model(*entry(task)))
    assert session.run(["output"], {"a": a.array, "b": b.array})[0].tolist() == expected


@pytest.mark.parametrize("corners", [False, True])
def test_a_resized_image_may_have_a_quantizer_of_its_own(corners):
    codes = np.random.default_rng(0).integers(-128, 128, (2, 3, 5, 6)).astype(np.int8)
    x, out = oracle.Codes(codes, 0.07, 5), oracle.Output(0.11, -9)
    task = oracle.problem("resize_bilinear", x, (9, 11), corners, output=out)
    mine = task.run("onnxruntime-qdq-float")
    assert mine.shape == (2, 3, 9, 11)
    answer = session_of(onnx_model.model(*entry(task, "onnxruntime-qdq-float")), False)
    assert np.array_equal(answer.run(["output"], {"x": codes})[0], mine)
    last = oracle.problem("resize_bilinear", x, (9, 11), layout="NHWC", output=out)
    with pytest.raises(NotImplementedError, match="the quantizer of the input"):
        tflite_model.model(*entry(last, "tflite-micro"))
