"""Products and convolutions by class, each written once for a namespace T: refquant, or PyTorch.

A class stands for layers that have the same limit: how many products a sum has, how many outputs
share an input, and what has to be read. `CLASSES` holds one example of each.
"""

from functools import partial
from typing import Any, NamedTuple

import numpy as np


class Linear(NamedTuple):
    """A linear layer, as many rows at once."""

    rows: int
    inputs: int
    outputs: int

    @property
    def depth(self):
        return self.inputs

    @property
    def operations(self):
        return 2 * self.rows * self.inputs * self.outputs

    def weights(self):
        return draw(1, self.outputs, self.inputs) * np.float32(0.05)

    def inputs_of(self):
        return draw(2, self.rows, self.inputs)

    def make(self, T):
        module = T.nn.quantized.Linear(self.inputs, self.outputs)
        x = quantized(T, self.inputs_of())
        return partial(ready(T, module, self), x)


class Conv(NamedTuple):
    """A convolution of one image, whose channels are last in memory."""

    inputs: int
    outputs: int
    kernel: int
    size: int
    stride: int = 1
    groups: int = 1

    @property
    def depth(self):
        return self.inputs // self.groups * self.kernel**2

    @property
    def operations(self):
        return 2 * self.depth * self.outputs * (self.size // self.stride) ** 2

    def weights(self):
        shape = (self.outputs, self.inputs // self.groups, self.kernel, self.kernel)
        return draw(1, *shape) * np.float32(0.05)

    def inputs_of(self):
        return draw(2, 1, self.inputs, self.size, self.size)

    def make(self, T):
        module = T.nn.quantized.Conv2d(
            self.inputs,
            self.outputs,
            self.kernel,
            stride=self.stride,
            padding=self.kernel // 2,
            groups=self.groups,
        )
        x = quantized(T, self.inputs_of()).contiguous(memory_format=T.channels_last)
        return partial(ready(T, module, self), x)


class LSTM(NamedTuple):
    """An LSTM whose weights are quantized, and whose inputs are while it runs."""

    steps: int
    batch: int
    size: int

    @property
    def depth(self):
        return self.size

    @property
    def operations(self):
        return 2 * self.steps * self.batch * 4 * self.size * 2 * self.size

    def make(self, T):
        model = T.nn.Sequential(T.nn.LSTM(self.size, self.size))
        model = T.quantization.quantize_dynamic(model, {T.nn.LSTM}, dtype=T.qint8)
        return partial(model, T.from_numpy(draw(2, self.steps, self.batch, self.size)))


def draw(seed, *shape):
    """Draw normal float32 numbers, the same for every namespace."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def quantized(T, values):
    return T.quantize_per_tensor(T.from_numpy(values), 0.05, 64, T.quint8)


def ready(T, module, layer):
    """Give a module its weight and its output's scale."""
    weight = T.quantize_per_tensor(T.from_numpy(layer.weights()), 0.002, 0, T.qint8)
    module.set_weight_bias(weight, T.from_numpy(np.zeros(layer.outputs, np.float32)))
    module.scale, module.zero_point = 0.1, 64
    return module


CLASSES: dict[str, Any] = {
    "Linear 512x512x512": Linear(512, 512, 512),
    "Linear 1024x1024x1024": Linear(1024, 1024, 1024),
    "Conv 1x1, 64 to 64": Conv(64, 64, 1, 56),
    "Conv 1x1, 64 to 256": Conv(64, 256, 1, 56),
    "Conv 3x3, 64 channels": Conv(64, 64, 3, 56),
    "Conv 3x3, 256 channels": Conv(256, 256, 3, 14),
    "Conv 7x7/2, 3 to 64": Conv(3, 64, 7, 224, stride=2),
    "Conv 3x3, depthwise, 96": Conv(96, 96, 3, 56, groups=96),
    "Conv 3x3, 4 groups of 16": Conv(64, 64, 3, 56, groups=4),
    "Linear 16x1024x1024": Linear(16, 1024, 1024),
    "Linear 16x1024x4096": Linear(16, 1024, 4096),
    "LSTM, dynamic, 256": LSTM(32, 4, 256),
}


def onnx_session(layer, threads):
    """Make the same layer for ONNX Runtime, with integers in and out; None if it has no such."""
    if isinstance(layer, LSTM):
        return None
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    x = np.clip(np.rint(layer.inputs_of() / 0.05) + 64, 0, 255).astype(np.uint8)
    w = np.clip(np.rint(layer.weights() / 0.002), -128, 127).astype(np.int8)
    constants = {
        "x_scale": np.float32(0.05),
        "x_zero": np.uint8(64),
        "w_scale": np.float32(0.002),
        "w_zero": np.int8(0),
        "y_scale": np.float32(0.1),
        "y_zero": np.uint8(64),
        "w": w if isinstance(layer, Conv) else np.ascontiguousarray(w.T),
    }
    names = ["x", "x_scale", "x_zero", "w", "w_scale", "w_zero", "y_scale", "y_zero"]
    if isinstance(layer, Conv):
        node = helper.make_node(
            "QLinearConv",
            names,
            ["y"],
            strides=[layer.stride] * 2,
            pads=[layer.kernel // 2] * 4,
            group=layer.groups,
        )
    else:
        node = helper.make_node("QLinearMatMul", names, ["y"])
    graph = helper.make_graph(
        [node],
        "layer",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, None)],
        [numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # Else its threads keep a core busy for as long as the session is there.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return partial(session.run, None, {"x": x})
