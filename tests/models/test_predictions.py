"""Whole models in real runtimes: engines predict every integer."""

import numpy as np
import pytest
from models import planted
from models.networks import COUNT, NETWORKS, images, trained
from oracle.processors import here

import refquant
from refquant import oracle
from refquant.interop import onnx, tflite
from refquant.oracle.graphs import Graph, Node, Value, from_model

# What LiteRT does not leave to XNNPACK, its optimized kernels compute.
XNNPACK = ("xnnpack", "litert-optimized-x86")


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    """A graph, and what it is fed."""
    x, _ = images(COUNT)
    with refquant.engines.using("fbgemm"):
        return from_model(trained(request.param), refquant.from_numpy(x)), x


def answered(graph, x, engine):
    (name,) = graph.inputs
    (answer,) = graph.run({name: x}, engine).values()
    return answer


def codes_of(graph):
    """Leave out what makes real numbers of the result, so that integers are compared."""
    last = graph.nodes[-1]
    assert last.operation == "dequantize"
    return type(graph)(
        [v for v in graph.values.values() if v.name != last.output], graph.nodes[:-1],
        graph.inputs, [last.operands["x"]],
    )  # fmt: skip


def test_a_graph_predicts_what_the_model_predicts(network):
    graph, x = network
    found = [answered(graph, x, engine).argmax(1) for engine in ("onnx", "tflite-micro")]
    assert (found[0] == found[1]).mean() > 0.9


@pytest.mark.onnxruntime
@pytest.mark.parametrize("form", ["qdq", "qoperator"])
def test_onnx_runtime_answers_as_predicted(network, form, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    graph, x = codes_of(network[0]), network[1]
    path = onnx.write(graph, tmp_path / "m.onnx", form=form)
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    theirs = session.run(None, {"input": x})[0]
    for mine in (graph, onnx.read(path)):
        answer = answered(mine, x, "onnx")
        assert answer.dtype == theirs.dtype
        assert np.array_equal(answer, theirs)


@pytest.mark.parametrize(
    ("kernels", "engine"),
    [
        ("BUILTIN_REF", "litert-reference"),
        ("BUILTIN_WITHOUT_DEFAULT_DELEGATES", "litert-optimized-x86"),
        ("AUTO", XNNPACK),
    ],
)
def test_litert_answers_as_predicted(network, kernels, engine, tmp_path):
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    graph, x = codes_of(network[0]), np.ascontiguousarray(network[1].transpose(0, 2, 3, 1))
    path = tflite.write(graph, tmp_path / "m.tflite")
    kind = getattr(litert.OpResolverType, kernels)
    made = litert.Interpreter(str(path), experimental_op_resolver_type=kind, num_threads=1)
    made.allocate_tensors()
    made.set_tensor(made.get_input_details()[0]["index"], x)
    made.invoke()
    theirs = made.get_tensor(made.get_output_details()[0]["index"])
    answer = answered(tflite.read(path), x, engine)
    assert answer.dtype == theirs.dtype
    assert np.array_equal(answer, theirs)


@pytest.mark.skipif(not here("openvino-u8"), reason="OpenVINO saturates sums without VNNI")
def test_openvino_answers_as_predicted(network, tmp_path):
    pytest.importorskip("openvino")
    graph, x = network
    found = oracle.judge(onnx.write(graph, tmp_path / "m.onnx"), "openvino", {"input": x})
    assert found.first is None, str(found)
    assert found.layers[-2].total_differing == 0


@pytest.mark.onnxruntime
def test_a_model_with_channels_last_becomes_the_same_onnx_file(tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    graph, given = planted.model(), planted.inputs()
    for form in ("qdq", "qoperator"):
        path = onnx.write(graph, tmp_path / "m.onnx", form=form)
        session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
        theirs = session.run(None, given)[0]
        assert np.array_equal(onnx.read(path).run(given, "onnx")["head"], theirs)
        assert oracle.judge(path, "onnxruntime", given).first is None


@pytest.mark.onnxruntime
@pytest.mark.parametrize("form", ["qdq", "qoperator"])
@pytest.mark.parametrize("kernel", [(2, 2), (4, 4), (7, 3)])
def test_onnx_runtime_averages_a_window_that_is_the_image_as_an_image(form, kernel, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    shape = (8, 32, *kernel)
    values = [Value("x", "int8", shape, 0.05, 5), Value("y", "int8", None, 0.04, -3)]
    node = Node("avg_pool2d", {"x": "x"}, "y", {"kernel": kernel, "layout": "NCHW"})
    graph = Graph(values, [node], ["x"], ["y"])
    x = np.random.default_rng(0).integers(-128, 128, shape).astype(np.int8)
    path = onnx.write(graph, tmp_path / "m.onnx", form=form)
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert np.array_equal(graph.run({"x": x}, "onnx")["y"], session.run(None, {"x": x})[0])


def test_operations_of_a_model_that_no_graph_holds_are_all_listed():
    class Model(refquant.nn.Module):
        def forward(self, x):
            q = refquant.quantize_per_tensor(x, 0.1, 3, refquant.quint8)
            return refquant.nn.functional.softmax(q.dequantize(), 1)

    with pytest.raises(NotImplementedError, match=r"1 operations .*: softmax in module"):
        from_model(Model(), refquant.ones(1, 4))
