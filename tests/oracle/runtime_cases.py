"""Cases for real runtimes, and how each is a problem of the oracle.

Half of the cases have powers of two as scales, a quarter any scales whose quotient is one half or
one and a half: the former have many ties, the latter as many numbers that only rounding errors
take off a tie. The last quarter is random.
"""

from typing import Any, NamedTuple

import numpy as np
from oracle import runtime_int16_cases
from oracle.runtime_code_cases import DRAW as DRAW_CODES
from oracle.runtime_code_cases import KINDS, ZEROS, int8, pair_of_scales, problem_of, scale_of

from refquant import oracle
from refquant.oracle import Codes, Output

PRODUCTS = ("linear", "conv", "depthwise", "add", "mul")
INT16 = ("linear_int16", "conv_int16", "depthwise_int16")
OPERATIONS = (*PRODUCTS, *DRAW_CODES, "conv_transposed", *INT16)
CASES = 16  # of each operation
CHANNELS = (1, 3, 7, 8, 9, 15, 16, 17, 24, 30, 33, 5, 2, 12, 32, 40)  # of depthwise convolutions
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
        c, name = self.operands, self.operation.removesuffix("_int16")
        dtype = "int8" if name == self.operation else "int16"
        out = Output(c["s_y"], c["z_y"], dtype, activation=c.get("activation", "none"))
        if self.operation in ("add", "mul"):
            a, b = (Codes(c[n], c[f"s_{n}"], c[f"z_{n}"]) for n in "ab")
            return oracle.problem(self.operation, a, b, out)
        x = Codes(c["x"], c["s_x"], c["z_x"])
        if name == "linear":
            return oracle.problem("linear", x, Codes(c["w"], c["s_w"]), c.get("b"), out)
        if name == "conv":
            w = Codes(c["w"], c["s_w"], axis=0)
            return oracle.problem(
                "conv2d", x, w, c["b"], out, stride=2, padding=c["pads"], layout="NHWC"
            )
        if self.operation == "conv_transposed":
            w = Codes(c["w"], c["s_w"], axis=0)
            return oracle.problem(
                "conv_transpose2d", x, w, c["b"], out, stride=2, padding=c["pads"], layout="NHWC"
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


def _near(rng, zero, reach, *shape):
    """Draw integers near a zero point, so that sums of their products stay small."""
    steps = rng.integers(-reach, reach + 1, shape)
    return np.clip(zero + steps, -128, 127).astype(np.int8)


def _weights(rng, kind, *shape):
    reach = 127 if kind == "random" else 3
    return rng.integers(-reach, reach + 1, shape).astype(np.int8)


def _linear(rng, kind, number, z):
    depth, outputs = int(rng.integers(3, 40)), int(rng.integers(1, 35))
    w = _weights(rng, kind, outputs, depth)
    if kind == "random":
        x = int8(rng, -128, 61, depth)
        s_x, s_w = np.float32(rng.uniform([0.01, 0.001], [0.1, 0.02]))
        s_y = np.float32(40 * np.sqrt(depth) * w.std() * s_x * s_w / 30)
    else:
        x = _near(rng, z["z_x"], 9, 61, depth)
        s_x, s_w = (scale_of(rng, kind) for _ in "xw")
        s_y = np.float32(s_x * s_w * 2)
    b = rng.integers(-2000, 2000, outputs) if kind == "random" else rng.integers(-20, 20, outputs)
    return {"x": x, "w": w, "b": b.astype(np.int32), "s_x": s_x, "s_w": s_w, "s_y": s_y}


def _filters(rng, kind, shape, outputs, s_x, spread):
    """Draw filters; results have half the steps of the sums, or one and a half, unless random."""
    w, one = _weights(rng, kind, *shape), scale_of(rng, kind)
    if kind == "random":
        s_w, s_y = rng.uniform(0.001, 0.02, outputs), np.float32(rng.uniform(0.2, 0.5) * spread)
        b = rng.integers(-2000, 2000, outputs)
    else:
        s_w, s_y = one * rng.choice([1, 1, 3], outputs), np.float32(2 * s_x * one)
        b = rng.integers(-20, 20, outputs)
    return {"w": w, "s_w": s_w.astype(np.float32), "b": b.astype(np.int32), "s_y": s_y}


def _conv(rng, kind, number, z):
    channels, outputs, height = (int(n) for n in rng.integers([1, 1, 5], [9, 20, 9]))
    s_x, shape = scale_of(rng, kind), (9, height, 7, channels)
    random = kind == "random"
    x = int8(rng, -128, *shape) if random else _near(rng, z["z_x"], 9, *shape)
    spread = np.sqrt(channels) * s_x * 60
    return {
        "x": x, **_filters(rng, kind, (outputs, 3, 3, channels), outputs, s_x, spread), "s_x": s_x,
        "activation": ACTIVATIONS[(number + number // 4) % 4], "pads": (same(height), same(7)),
    }  # fmt: skip


def _depthwise(rng, kind, number, z):
    channels = CHANNELS[number]
    s_x, shape = scale_of(rng, kind), (2, 6, 7, channels)
    random = kind == "random"
    x = int8(rng, -128, *shape) if random else _near(rng, z["z_x"], 20, *shape)
    filters = _filters(rng, kind, (1, 3, 3, channels), channels, s_x, s_x * 40)
    return {"x": x, **filters, "s_x": s_x}


def _conv_transposed(rng, kind, number, z):
    channels, outputs, kernel = (int(n) for n in rng.integers([1, 1, 2], [7, 12, 4]))
    s_x, shape = scale_of(rng, kind), (4, 4, 5, channels)
    random = kind == "random"
    x = int8(rng, -128, *shape) if random else _near(rng, z["z_x"], 9, *shape)
    filters = (outputs, kernel, kernel, channels)
    made = _filters(rng, kind, filters, outputs, s_x, np.sqrt(channels) * s_x * 40)
    # SAME: twice as large as the image.
    total = kernel - 2
    return {"x": x, **made, "s_x": s_x, "pads": ((total // 2, total - total // 2),) * 2}


def _pair(product):
    def draw(rng, kind, number, z):
        zeros = {f"z_{n}": int(rng.choice(ZEROS)) for n in "ab"}
        a, b = int8(rng, -128, 901), int8(rng, -128, 901)
        s_a, s_b, s_y = pair_of_scales(rng, kind, number)
        if product:
            s_y = np.float32(s_a * s_b * (90 if kind == "random" else 2))
            if kind != "random":  # one factor is odd, the other one mostly
                odd = [2 * rng.integers(-5, 5, 901) + 1 for _ in "ab"]
                odd[0] = odd[0] + (rng.random(901) < 0.2)
                a, b = (
                    np.clip(zeros[f"z_{n}"] + steps, -128, 127).astype(np.int8)
                    for n, steps in zip("ab", odd, strict=True)
                )
        return {"a": a, "b": b, "s_a": s_a, "s_b": s_b, "s_y": s_y, **zeros}

    return draw


_DRAW = {
    "linear": _linear, "conv": _conv, "depthwise": _depthwise, "add": _pair(False),
    "mul": _pair(True), "conv_transposed": _conv_transposed, **DRAW_CODES,
}  # fmt: skip


def cases(seed: int) -> list[Case]:
    """Draw the cases of all operations."""
    rng, drawn = np.random.default_rng(seed), []
    for operation in OPERATIONS:
        for number in range(CASES):
            if operation in INT16:
                operands = runtime_int16_cases.draw(
                    operation, rng, KINDS[number % 4], number, same, CHANNELS
                )
                drawn.append(Case(operation, operands))
                continue
            zeros = {"z_x": int(rng.choice(ZEROS)), "z_y": int(rng.choice(ZEROS))}
            operands = _DRAW[operation](rng, KINDS[number % 4], number, zeros)
            drawn.append(Case(operation, {**zeros, **operands}))
    return drawn


def without_zero_points(case: Case) -> Case:
    """Return a case as ncnn can hold it: no zero points, no -128, no fused activations."""
    operands = {name: 0 if name.startswith("z_") else v for name, v in case.operands.items()}
    operands.pop("activation", None)
    if case.operation in ("requantize", "dequantize"):
        operands["x"] = operands["x"].astype(np.int32)
    elif case.operation != "quantize":  # some kernels negate what they multiply
        operands["x"] = np.maximum(operands["x"], np.int8(-127))
    return Case(case.operation, operands)


def digest(case: Case) -> int:
    """Sum up the integers of a case, to see whether it is the one that was recorded."""
    arrays = [v for v in case.operands.values() if isinstance(v, np.ndarray)]
    total = 0
    for array in arrays:
        integers = array if array.dtype.kind == "i" else np.float32(array).view(np.int32)
        flat = integers.astype(np.int64).reshape(-1)
        total += int((flat * np.arange(1, flat.size + 1)).sum())
    return total % 2**62
