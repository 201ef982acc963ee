"""The node tests of the ONNX standard, whose answers its two engines have.

Their operands and answers come with the package, so that nothing is recorded here.
"""

import warnings

import numpy as np
import pytest

from refquant import oracle
from refquant.oracle import Codes, Output

case_node = pytest.importorskip("onnx.backend.test.case.node")
onnx = pytest.importorskip("onnx")
KINDS = (
    "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "ConvInteger", "MatMulInteger",
    "QLinearConv", "QLinearMatMul",
)  # fmt: skip
HELD = ("int8", "uint8", "int16", "int32")
ENGINES = ("onnx-reference", "onnx")


def collected():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own float8 and int2 conversions
        found = case_node.collect_testcases(None)
    return {
        test.name.removeprefix("test_"): test
        for test in found
        if test.model.graph.node[0].op_type in KINDS
    }


TESTS = collected()


def parts(name):
    """Return the operator of a test, its attributes, operands and answers."""
    test = TESTS[name]
    node = test.model.graph.node[0]
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    (operands, answers), *_ = test.data_sets
    return node.op_type, attributes, *([np.asarray(v) for v in g] for g in (operands, answers))


def is_held(name):
    """Whether problems hold the operands: integers of 8 to 32 bits, real numbers of float32."""
    _, attributes, operands, answers = parts(name)
    dtypes = {v.dtype.name for v in (*operands, answers[0])}
    integers = {dtype for dtype in dtypes if not dtype.startswith("float")}
    real = dtypes - integers
    alone = len(TESTS[name].model.graph.node) == 1 and "block_size" not in attributes
    return alone and integers <= set(HELD) and real <= {"float32"}


def along(attributes, array, scale, zero, make):
    """Yield problems and where their answers are: one, or one for each slice along an axis."""
    if np.size(scale) == 1:
        yield make(array, scale.item(), int(np.asarray(zero).item())), ...
        return
    axis = attributes.get("axis", 1)
    for k, (s, z) in enumerate(zip(scale, zero, strict=True)):
        where = (slice(None),) * axis + (k,)
        yield make(np.ascontiguousarray(array[where]), s.item(), int(z)), where


def problems(name):
    kind, attributes, operands, answers = parts(name)
    if kind == "QuantizeLinear":
        x, scale, zero = operands
        yield from along(
            attributes, x, scale, zero,
            lambda x, s, z: oracle.problem("quantize", x, Output(s, z, answers[0].dtype.name)),
        )  # fmt: skip
    elif kind == "DequantizeLinear":
        x, scale, zero = operands
        yield from along(
            attributes, x, scale, zero,
            lambda x, s, z: oracle.problem("dequantize", Codes(x, s, z)),
        )  # fmt: skip
    elif kind == "DynamicQuantizeLinear":
        yield oracle.problem("dynamic_quantize", operands[0]), ...
    elif kind == "MatMulInteger":
        a, b, a_zero, b_zero = operands
        yield (
            oracle.problem(
                "matmul_integer", Codes(a, 1.0, a_zero.item()), Codes(b, 1.0, b_zero.item())
            ),
            ...,
        )
    elif kind == "ConvInteger":
        x, w, x_zero, *w_zero = operands
        pads = attributes.get("pads", [0, 0, 0, 0])
        border = ((pads[0], pads[2]), (pads[1], pads[3]))
        zeros = w_zero[0] if w_zero else 0
        x, w = Codes(x, 1.0, x_zero.item()), Codes(w, np.ones(len(w)), zeros, axis=0)
        yield oracle.problem("conv_integer", x, w, padding=border), ...
    elif kind == "QLinearConv":
        x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero = operands
        x = Codes(x, x_scale.item(), x_zero.item())
        w = Codes(w, w_scale.item(), w_zero.item())
        out = Output(y_scale.item(), y_zero.item(), answers[0].dtype.name)
        yield oracle.problem("conv2d", x, w, None, out), ...
    else:
        a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero = operands
        out = Output(y_scale.item(), y_zero.item(), answers[0].dtype.name)
        for batch in np.ndindex(b.shape[:-2]):
            pair = (
                Codes(np.ascontiguousarray(v[batch]), s.item(), z.item())
                for v, s, z in ((a, a_scale, a_zero), (b, b_scale, b_zero))
            )
            yield oracle.problem("matmul", *pair, out), batch


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", [name for name in TESTS if is_held(name)])
def test_engines_have_the_answers_of_the_standard(name, engine):
    answers = parts(name)[3]
    for task, where in problems(name):
        mine = task.run(engine)
        assert mine.dtype == answers[0].dtype
        np.testing.assert_array_equal(mine, answers[0][where])


def test_what_is_not_held_has_another_number_format():
    """Integers of 2, 4 or unsigned 16 bits, floats of 4, 8 or 16 bits, blocks; and expansions."""
    words = ("int2", "int4", "uint16", "e4m3", "e5m2", "float4", "float16", "blocked", "expanded")
    left = [name for name in TESTS if not is_held(name)]
    assert all(any(word in name for word in words) for name in left), left
    assert len(TESTS) - len(left) >= 14
