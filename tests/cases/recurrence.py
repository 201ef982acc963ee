"""Recurrent layers and cells whose products are dynamically quantized."""

import numpy as np
from cases.onednn import symmetric
from cases.products import bias_of, weight_of
from cases.registry import operation

# Those of layers add up from step to step.
WHY = "the tangent of a library errs by the last bit of one number in a hundred, expf of rarer ones"
OF_CELLS, OF_LAYERS = 2.0**-22, 2.0**-21
GATES = {"lstm": 4, "gru": 3, "rnn_relu": 1, "rnn_tanh": 1}


def grid(d, *shape):
    """Draw float32 on a grid."""
    steps = d.rng.randint(-3000, 3000, size=shape)
    return d.tensor((steps / 1024.0).astype(np.float32))


def packed(d, rows, depth):
    """Pack a qint8 weight; QNNPACK's kernel reads one scale."""
    weight = weight_of(d, (rows, depth), False if d.qnnpack else None)
    weight = symmetric(d, weight) if d.onednn == "onednn" else weight
    return d.T.ops.quantized.linear_prepack(weight, bias_of(d, rows, 1 / 64.0))


def packed_half(d, rows, depth):
    weight = d.tensor((d.rng.randint(-999, 999, size=(rows, depth)) / 2048.0).astype(np.float32))
    return d.T.ops.quantized.linear_prepack_fp16(weight, bias_of(d, rows, 1 / 64.0))


def state_of(d, kind, *shape):
    return [grid(d, *shape), grid(d, *shape)] if kind == "lstm" else grid(d, *shape)


# -- cells -----------------------------------------------------------------------------------------


def cell(kind):
    exact = kind == "rnn_relu"
    name = "quantized_" + kind + "_cell_dynamic"

    @operation(
        None,
        name,
        releases=("2.13",),
        recorded=20 if exact else 0,
        tolerance=0.0 if exact else OF_CELLS,
        why="" if exact else WHY,
    )
    def dynamic(d, _):
        batch, width, size = d.whole(1, 5), d.whole(1, 12), d.pick(1, 5, 20, 31, 32, 33, 64, 70)
        rows = GATES[kind] * size
        weights = packed(d, rows, width), packed(d, rows, size)
        biases = [d.tensor(np.zeros(rows, np.float32)) for _ in "ih"]
        state = state_of(d, kind, batch, size)
        return d.call("ops.quantized." + name, grid(d, batch, width), state, *weights, *biases)

    own = "quantized_" + kind + "_cell"

    @operation(
        None,
        own,
        releases=("2.13",),
        recorded=8 if exact else 0,
        tolerance=0.0 if exact else OF_CELLS,
        why="" if exact else WHY,
    )
    def of_fbgemm(d, _):
        T, batch, width, size = d.T, d.whole(1, 5), d.whole(1, 12), d.pick(1, 5, 31, 32, 70)
        rows = GATES[kind] * size
        made = [T.fbgemm_linear_quantize_weight(grid(d, rows, n)) for n in (width, size)]
        x, state = grid(d, batch, width), state_of(d, kind, batch, size)
        weights, offsets, scales, zeros = zip(*made)  # noqa: B905
        biases = [grid(d, rows) for _ in "ih"]
        stored = [T.fbgemm_pack_quantized_matrix(w) for w in weights]
        rest = [*weights, *biases, *stored, *offsets, *scales, *zeros]
        return d.call(own, x, state, *rest)


for KIND in GATES:
    cell(KIND)


@operation(None, "fbgemm linear layers of int8", releases=("2.13",), recorded=20)
def fbgemm_linear(d, _):
    T, batch, width, rows = d.T, d.whole(1, 5), d.whole(1, 40), d.whole(1, 40)
    weight = grid(d, rows, width) * d.pick(1.0, 2.0**-12, 2.0**9) + d.pick(0.0, 0.0, 9.0, -9.0)
    made = T.fbgemm_linear_quantize_weight(weight)
    rest = [made[0], T.fbgemm_pack_quantized_matrix(made[0]), *made[1:], grid(d, rows)]
    x = grid(d, batch, width)
    return [
        d.by("fbgemm_linear_quantize_weight", lambda w: made[:2], weight),
        d.call("fbgemm_linear_int8_weight_fp32_activation", x, *rest),
        d.call("fbgemm_linear_int8_weight", x, *rest),
    ]


# -- layers ----------------------------------------------------------------------------------------

MAKERS = {
    "dynamic": "make_quantized_cell_params_dynamic",
    "fp16": "make_quantized_cell_params_fp16",
    "fbgemm": "make_quantized_cell_params",
}


def params_of(d, how, rows, width, size):
    """Name the call that makes the parameters of one layer in one direction."""
    path = "ops.quantized." + MAKERS[how]
    if how == "fbgemm":
        values = grid(d, rows, width), grid(d, rows, size), grid(d, rows), grid(d, rows)
        return d.call(path, *(value * 0.125 for value in values))
    pack = packed if how == "dynamic" else packed_half
    weights = pack(d, rows, width), pack(d, rows, size)
    if how == "fp16":
        return d.call(path, *weights)
    zeros = d.tensor(np.zeros(rows, np.float32))
    return d.call(path, *weights, zeros, zeros, d.chance(0.5) and not d.qnnpack)


def layers(kind, how, engines, also=None):
    exact = "" if how != "fp16" else ", and float products are added in another order"

    @operation(
        None,
        "quantized_" + kind + ", " + how,
        releases=("2.13",),
        engines=engines,
        also=also,
        tolerance=OF_LAYERS,
        recorded=0,
        why=WHY + exact,
    )
    def run(d, _):
        width, size, count = d.whole(1, 9), d.pick(1, 5, 31, 33), d.whole(1, 2)
        directions, batch, steps = d.whole(1, 2), d.whole(1, 4), d.whole(1, 3)
        rows = GATES[kind] * size
        making = [
            params_of(d, how, rows, width if k < directions else directions * size, size)
            for k in range(count * directions)
        ]
        x = grid(d, steps, batch, width)
        state = state_of(d, kind, count * directions, batch, size)
        settings = [True, count, 0.0, False, directions == 2]
        if d.chance(0.5):
            first = d.chance(0.5)
            x = x.transpose(0, 1).contiguous() if first else x
            given, place = [x, state, *settings, first], 2
        else:
            lengths = [max(steps - k, 1) for k in range(batch)]
            sequence = d.module("nn.utils.rnn").pack_padded_sequence(x, lengths)
            given, place = [sequence.data, sequence.batch_sizes, state, *settings], 3

        def call():
            made = [make() for make in making]
            return getattr(d.T, "quantized_" + kind)(*given[:place], made, *given[place:])

        return [d.by("quantized_" + kind, call), *[d.by(m.path, shown(m)) for m in making[:1]]]

    return run


def shown(make):
    """Make parameters and return nothing of them, which are opaque in PyTorch."""

    def call():
        make()
        return []

    return call


for KIND in ("lstm", "gru"):
    layers(KIND, "dynamic", ("fbgemm", "qnnpack"))
    layers(KIND, "fbgemm", ("fbgemm", "qnnpack"))
    layers(KIND, "fp16", ("fbgemm",), ("x86",))


# -- modules ---------------------------------------------------------------------------------------


def fill(d, module):
    for _, parameter in module.named_parameters():
        values = d.rng.randint(-1000, 1000, size=tuple(parameter.shape)) / 2000.0
        parameter.data.copy_(d.tensor(values.astype(np.float32)))
    return module


def dynamic_of(d, made, name, dtype):
    """Quantize a float module; engines of 1.4 list LSTM alone, but compute all."""
    kind = "float16" if dtype == "float16" else "default"
    made.qconfig = getattr(d.module("quantization"), kind + "_dynamic_qconfig")
    return getattr(d.module("nn.quantized.dynamic"), name).from_float(made)


def dynamic_layers(name, dtype, engines):
    @operation(
        None,
        "dynamic " + name + ", " + dtype,
        releases=("2.13",),
        engines=engines,
        also=("x86",) if dtype == "float16" else None,
        tolerance=OF_LAYERS,
        recorded=0,
        why=WHY,
    )
    def module(d, _):
        T, count = d.T, d.whole(1, 2)
        made = getattr(T.nn, name)(
            7, 9, count, batch_first=d.chance(0.5), bidirectional=d.chance(0.5)
        )
        model = dynamic_of(d, fill(d, made), name, dtype)
        return d.by("nn.quantized.dynamic." + name, model, grid(d, 4, 3, 7))


def dynamic_cells(name, dtype, engines):
    @operation(
        None,
        "dynamic " + name + ", " + dtype,
        releases=("2.13",),
        engines=engines,
        also=("x86",) if dtype == "float16" else None,
        tolerance=OF_CELLS,
        recorded=0,
        why=WHY,
    )
    def module(d, _):
        T = d.T
        keywords = {"nonlinearity": d.pick("tanh", "relu")} if name == "RNNCell" else {}
        made = fill(d, getattr(T.nn, name)(7, 33, **keywords))
        model = dynamic_of(d, made, name, dtype)
        state = state_of(d, "lstm" if name == "LSTMCell" else "gru", 3, 33)
        return d.by("nn.quantized.dynamic." + name, model, grid(d, 3, 7), state)


for DTYPE, PEERS in (("qint8", ("fbgemm", "qnnpack")), ("float16", ("fbgemm",))):
    for NAME in ("LSTM", "GRU"):
        dynamic_layers(NAME, DTYPE, PEERS)
    for NAME in ("LSTMCell", "GRUCell", "RNNCell"):
        dynamic_cells(NAME, DTYPE, PEERS)
