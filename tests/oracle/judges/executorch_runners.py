"""Run cases by ExecuTorch: programs of quantized graphs, which its XNNPACK backend takes whole.

It needs ``executorch`` with ``torch`` and ``torchao``, and NumPy::

    python executorch_runners.py executorch QUESTIONS.npz ANSWERS.npz

``QUESTIONS.npz`` has for each case ``N.operation`` (bytes) and its operands, ``N.NAME``. Programs
are those of quantization by ``torch.export``: each operator stands between dequantization of its
operands and quantization of its result. The cases of an operation share a program.
"""

import operator
import sys

import numpy as np
import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import to_edge_transform_and_lower
from executorch.runtime import Runtime
from torch.nn import functional

INT8 = (-128, 127, torch.int8)
ACCEPTED = (torch.ops.higher_order.executorch_call_delegate, operator.getitem)
LIMITS = {"relu6": (0.0, 6.0), "relu_n1_to_1": (-1.0, 1.0)}
PAIRS = {"add": torch.add, "sub": torch.sub, "mul": torch.mul}
FUNCTIONS = {
    "requantize": lambda x: x,
    "hardswish": functional.hardswish,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
}
SIZES = ("kernel", "stride", "pads", "size")
IMAGES = (
    "conv", "depthwise", "conv_transposed", "max_pool2d", "avg_pool2d", "mean", "resize_bilinear",
)  # fmt: skip


def _activated(y, name):
    """Apply the activation that is fused with an operator."""
    if name == "relu":
        return functional.relu(y)
    return y if name == "none" else functional.hardtanh(y, *LIMITS[name])


class Program(torch.nn.Module):
    """The operator of a case."""

    def __init__(self, operation, c):
        super().__init__()
        self.operation = operation
        self.numbers = {n: v.item() for n, v in c.items() if v.ndim == 0}
        self.sizes = {n: v.tolist() for n, v in c.items() if n in SIZES}
        self.act = str(c["activation"]) if "activation" in c else "none"
        if "w" not in c:
            return
        w, s_w = self._filters(c["w"]), np.float32(c["s_w"])
        # Filters of transposed convolutions have their inputs first.
        self.axis = 1 if operation == "conv_transposed" else 0
        self.register_buffer("w", torch.from_numpy(np.ascontiguousarray(w)))
        if s_w.ndim:
            self.register_buffer("s_w", torch.from_numpy(s_w))
            self.register_buffer("z_w", torch.zeros(len(s_w), dtype=torch.int64))
        bias = np.float32(c["b"] * (np.float64(c["s_x"]) * np.float64(c["s_w"])))
        self.register_buffer("b", torch.from_numpy(bias))

    def _filters(self, w):
        if self.operation == "linear":
            return w
        return np.moveaxis(w, -1, 0 if self.operation in ("depthwise", "conv_transposed") else 1)

    def _real(self, x, name):
        s, z = self.numbers[f"s_{name}"], self.numbers[f"z_{name}"]
        return torch.ops.quantized_decomposed.dequantize_per_tensor.default(x, s, z, *INT8)

    def _weight(self):
        ops, bounds = torch.ops.quantized_decomposed, (-127, 127, torch.int8)
        if "s_w" in self.numbers:
            s = self.numbers["s_w"]
            return ops.dequantize_per_tensor.default(self.w, s, 0, *bounds)
        return ops.dequantize_per_channel.default(self.w, self.s_w, self.z_w, self.axis, *bounds)

    def _product(self, x):
        if self.operation == "linear":
            return functional.linear(x, self._weight(), self.b)
        pads = [before for before, _ in self.sizes.get("pads", ((1, 1), (1, 1)))]
        if self.operation == "conv_transposed":
            return functional.conv_transpose2d(x, self._weight(), self.b, 2, pads)
        deep = self.operation == "depthwise"
        groups = self.w.shape[0] if deep else 1
        return functional.conv2d(x, self._weight(), self.b, 1 if deep else 2, pads, 1, groups)

    def _pooled(self, x):
        kernel, stride = self.sizes["kernel"], self.sizes["stride"]
        pads = [before for before, _ in self.sizes["pads"]]
        if self.operation == "max_pool2d":
            return functional.max_pool2d(x, kernel, stride, pads)
        return functional.avg_pool2d(x, kernel, stride, pads, count_include_pad=False)

    def _result(self, inputs):
        name = self.operation
        if name in PAIRS:
            return PAIRS[name](*(self._real(x, n) for x, n in zip(inputs, "ab", strict=True)))
        if name == "cat":
            return torch.cat([self._real(x, "x") for x in inputs], 2)
        if name == "quantize":
            return inputs[0]
        x = self._real(inputs[0], "x")
        if name == "mean":
            return x.mean((2, 3), keepdim=True)
        if name in ("max_pool2d", "avg_pool2d"):
            return self._pooled(x)
        if name == "leaky_relu":
            return functional.leaky_relu(x, self.numbers["slope"])
        if name == "softmax":
            return torch.softmax(x, -1)
        if name == "resize_bilinear":
            size, align = self.sizes["size"], bool(self.numbers["align_corners"])
            return functional.interpolate(x, size, mode="bilinear", align_corners=align)
        if name in FUNCTIONS:
            return FUNCTIONS[name](x)
        return self._product(x)

    def forward(self, *inputs):
        if self.operation == "dequantize":
            return self._real(inputs[0], "x")
        y = _activated(self._result(inputs), self.act)
        to = "y" if "s_y" in self.numbers else "x"
        s, z = self.numbers[f"s_{to}"], self.numbers[f"z_{to}"]
        return torch.ops.quantized_decomposed.quantize_per_tensor.default(y, s, z, *INT8)


class Programs(torch.nn.Module):
    """Operators beside each other: to lower one program of many takes little longer than of one."""

    def __init__(self, cases):
        super().__init__()
        self.parts = torch.nn.ModuleList(Program(*case) for case in cases)

    def forward(self, feeds):
        return [part(*own) for part, own in zip(self.parts, feeds, strict=True)]


def _fed(operation, operands):
    """List what a case is fed, its channels first."""
    names = "ab" if "a" in operands else "x"
    arrays = [operands[n] for n in names]
    if operation in IMAGES:
        arrays = [np.moveaxis(array, -1, 1) for array in arrays]
    return [torch.from_numpy(np.ascontiguousarray(array)) for array in arrays]


def _laid_out(operation, y):
    return np.moveaxis(y, 1, -1) if operation in IMAGES else y


def _run(cases):
    """Run cases in one program."""
    feeds = [_fed(*case) for case in cases]
    exported = torch.export.export(Programs(cases).eval(), (feeds,))
    lowered = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()])
    called = [n.target for n in lowered.exported_program().graph.nodes if n.op == "call_function"]
    left = [target for target in called if target not in ACCEPTED]
    if left:
        raise RuntimeError(f"not delegated to XNNPACK: {', '.join(map(str, left))}")
    program = Runtime.get().load_program(lowered.to_executorch().buffer)
    flat = [array for own in feeds for array in own]
    found = program.load_method("forward").execute(flat)
    return [_laid_out(operation, y.numpy()) for y, (operation, _) in zip(found, cases, strict=True)]


def answers_to(cases):
    """Run the cases of one operation, one after the other if they do not run together."""
    try:
        return [y.copy() for y in _run(cases)]
    except RuntimeError as error:
        if len(cases) == 1:
            return [error]
    return [answer for case in cases for answer in answers_to([case])]


def main(questions, answers):
    """Answer the questions of a file."""
    posed, found = {}, {}
    with np.load(questions) as given:
        for number in sorted({int(name.split(".")[0]) for name in given.files}):
            start = f"{number}."
            c = {n[len(start) :]: given[n] for n in given.files if n.startswith(start)}
            operation = c.pop("operation").tobytes().decode()
            posed.setdefault(operation, {})[number] = operation, c
    for cases in posed.values():
        for number, answer in zip(cases, answers_to(list(cases.values())), strict=True):
            if isinstance(answer, RuntimeError):
                found[f"{number}.rejected"] = np.frombuffer(str(answer).encode(), np.uint8)
            else:
                found[f"{number}"] = answer
    np.savez(answers, **found)


if __name__ == "__main__":
    main(*sys.argv[2:])
