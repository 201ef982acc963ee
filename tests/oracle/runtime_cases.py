"""Cases for runtimes that read ``.tflite`` files, and how each is a problem of the oracle.

A third of the cases have powers of two as scales, so that many results are ties.
"""

from typing import Any, NamedTuple

import numpy as np
from oracle.runtime_code_cases import DRAW as DRAW_CODES
from oracle.runtime_code_cases import problem_of

from refquant import oracle
from refquant.oracle import Codes, Output

PRODUCTS = ("linear", "conv", "depthwise", "add", "mul")
OPERATIONS = (*PRODUCTS, *DRAW_CODES)
CASES = 12  # of each operation
CHANNELS = (1, 3, 7, 8, 9, 15, 16, 17, 24, 30, 33, 5)  # of depthwise convolutions
ZEROS = (-128, -5, 0, 13, 127)
ACTIVATIONS = ("none", "relu", "relu6", "relu_n1_to_1")


class Case(NamedTuple):
    """Operands of one operation as a runtime takes them."""

    operation: str
    operands: dict[str, Any]

    def plain(self, bias: bool = False) -> "Case":
        """Leave out fused activations, and the bias of linear layers unless it is wanted."""
        alone = self.operation == "linear" and not bias
        without = ("activation", "b") if alone else ("activation",)
        kept = {name: value for name, value in self.operands.items() if name not in without}
        return Case(self.operation, kept)

    def problem(self) -> oracle.Problem:
        """Make the problem that the oracle knows."""
        if self.operation in DRAW_CODES:
            return problem_of(self.operation, self.operands)
        c = self.operands
        out = Output(c["s_y"], c["z_y"], activation=c.get("activation", "none"))
        if self.operation in ("add", "mul"):
            a, b = (Codes(c[n], c[f"s_{n}"], c[f"z_{n}"]) for n in "ab")
            return oracle.problem(self.operation, a, b, out)
        x = Codes(c["x"], c["s_x"], c["z_x"])
        if self.operation == "linear":
            return oracle.problem("linear", x, Codes(c["w"], c["s_w"]), c.get("b"), out)
        if self.operation == "conv":
            w = Codes(c["w"], c["s_w"], axis=0)
            return oracle.problem(
                "conv2d", x, w, c["b"], out, stride=2, padding=c["pads"], layout="NHWC"
            )
        w = Codes(c["w"], c["s_w"], axis=3)
        return oracle.problem(
            "conv2d", x, w, c["b"], out, padding=1, groups=w.shape[3], layout="NHWC",
            weight_layout="1HWO",
        )  # fmt: skip


def same(size: int) -> tuple[int, int]:
    """Return the border of SAME for windows of 3, two apart."""
    total = max((-(-size // 2) - 1) * 2 + 3 - size, 0)
    return total // 2, total - total // 2


def int8(rng, low, *shape):
    return rng.integers(low, 128, shape).astype(np.int8)


def _linear(rng, ties, number):
    depth, outputs = int(rng.integers(3, 40)), int(rng.integers(1, 35))
    x, w = int8(rng, -128, 61, depth), int8(rng, -127, outputs, depth)
    w = w // np.int8(32) if ties else w
    s_x, s_w = np.float32([0.5, 0.25] if ties else rng.uniform([0.01, 0.001], [0.1, 0.02]))
    spread = 40 * np.sqrt(depth) * w.std() * s_x * s_w / 30
    s_y = np.float32(2.0 ** np.ceil(np.log2(spread)) if ties else spread)
    b = rng.integers(-2000, 2000, outputs).astype(np.int32)
    return {"x": x, "w": w, "b": b, "s_x": s_x, "s_w": s_w, "s_y": s_y}


def _filters(rng, ties, shape, outputs):
    w = int8(rng, -127, *shape)
    s_w = 2.0 ** -rng.integers(4, 8, outputs) if ties else rng.uniform(0.001, 0.02, outputs)
    b = rng.integers(-2000, 2000, outputs).astype(np.int32)
    return {"w": w // np.int8(32) if ties else w, "s_w": s_w.astype(np.float32), "b": b}


def _conv(rng, ties, number):
    channels, outputs, height = (int(n) for n in rng.integers([1, 1, 5], [9, 20, 9]))
    s_x = np.float32(0.5 if ties else rng.uniform(0.01, 0.1))
    s_y = np.float32(1 if ties else rng.uniform(0.2, 0.5) * np.sqrt(channels) * s_x * 60)
    return {
        "x": int8(rng, -128, 9, height, 7, channels),
        **_filters(rng, ties, (outputs, 3, 3, channels), outputs),
        "s_x": s_x, "s_y": s_y, "activation": ACTIVATIONS[number % 4],
        "pads": (same(height), same(7)),
    }  # fmt: skip


def _depthwise(rng, ties, number):
    channels = CHANNELS[number]
    s_x = np.float32(0.5 if ties else rng.uniform(0.01, 0.1))
    s_y = np.float32(0.5 if ties else rng.uniform(0.2, 0.5) * s_x * 40)
    x = int8(rng, -128, 2, 6, 7, channels)
    return {"x": x, **_filters(rng, ties, (1, 3, 3, channels), channels), "s_x": s_x, "s_y": s_y}


def _pair(product):
    def draw(rng, ties, number):
        s_a, s_b = np.float32([0.25, 0.5] if ties else rng.uniform(0.01, 0.1, 2))
        if number % 4 == 1:  # below 2**-10 of the result LiteRT does not leave sums to XNNPACK
            s_b = np.float32(s_a * rng.uniform(6e-3, 2e-2))
        if product:
            s_y = np.float32(8 if ties else s_a * s_b * 90)
        else:
            s_y = np.float32(1 if ties else (s_a + s_b) * 0.8)
        zeros = {f"z_{n}": int(rng.choice(ZEROS)) for n in "ab"}
        a, b = int8(rng, -128, 901), int8(rng, -128, 901)
        return {"a": a, "b": b, "s_a": s_a, "s_b": s_b, "s_y": s_y, **zeros}

    return draw


_DRAW = {
    "linear": _linear, "conv": _conv, "depthwise": _depthwise, "add": _pair(False),
    "mul": _pair(True), **DRAW_CODES,
}  # fmt: skip


def cases(seed: int) -> list[Case]:
    """Draw the cases of all operations."""
    rng, drawn = np.random.default_rng(seed), []
    for operation in OPERATIONS:
        for number in range(CASES):
            operands = _DRAW[operation](rng, number % 3 == 0, number)
            zeros = {"z_x": int(rng.choice(ZEROS)), "z_y": int(rng.choice(ZEROS))}
            drawn.append(Case(operation, {**zeros, **operands}))
    return drawn


def digest(case: Case) -> int:
    """Sum up the integers of a case, to see whether it is the one that was recorded."""
    arrays = [v for v in case.operands.values() if isinstance(v, np.ndarray)]
    total = 0
    for array in arrays:
        integers = array if array.dtype.kind == "i" else np.float32(array).view(np.int32)
        flat = integers.astype(np.int64).reshape(-1)
        total += int((flat * np.arange(1, flat.size + 1)).sum())
    return total % 2**62
