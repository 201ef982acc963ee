"""Tables of embeddings in few bits, and sums of their rows."""

import numpy as np
from cases.registry import operation

# No engine has an arithmetic of its own for them.
NEW = {"releases": ("2.13",)}
NAMES = {8: "byte", 4: "4bit", 2: "2bit"}
WIDTHS = (4, 8, 12, 16, 28, 32, 36, 64, 100)


def named(d, bits, rest, *arguments):
    return d.call("ops.quantized.embedding_bag_" + NAMES[bits] + rest, *arguments)


def table(d, bits, rows=None, columns=None):
    """Draw rows of real numbers: any, on half steps between their ends, equal, or extreme."""
    shape = rows or d.whole(1, 7), columns or d.pick(*WIDTHS)
    x = d.bell(shape, 2.0 ** d.whole(-12, 6), d.pick(0.0, 1.5, -3.0))
    kind = d.whole(0, 5)
    if kind < 2:  # ties
        step, most = 2.0 ** d.whole(-6, 3), 2**bits - 1
        halves = d.rng.randint(0, 2 * most + 1, size=shape)
        halves[:, 0], halves[:, -1] = 0, 2 * most
        x = ((halves / 2.0 + d.whole(-9, 9)) * step).astype(np.float32)
    elif kind == 2:
        x[:] = x[:, :1]
    elif kind == 3:
        x *= np.float32(d.pick(2.0**-40, 2.0**-23, 2.0**20, 2.0**100))
    return np.ascontiguousarray(x + np.float32(0))  # the sign of zero depends on the order


def real(d, x):
    """Make a tensor of float32 or, if they can hold the numbers, of float16."""
    if np.abs(x).max() < 60000 and d.chance(0.2):
        x = x.astype(np.float16) + np.float16(0)
    return d.tensor(x)


@operation(None, **NEW)
def embedding_tables(d, x):
    """Pack a table, and turn it into real numbers again."""
    bits = d.pick(8, 4, 2)
    packed = named(d, bits, "_prepack", real(d, table(d, bits)))
    return [packed, named(d, bits, "_unpack", packed())]


@operation(None, **NEW)
def embedding_tables_between(d, x):
    """Pack a table between ends that are given, and search for the range of few bits."""
    bits = d.pick(8, 4, 2)
    x = table(d, bits)
    wide = np.float32(d.pick(0.0, 0.01, 1.0))
    # PyTorch wraps what lies outside of 8 bits.
    share = np.float32(1.0 if bits == 8 else d.pick(1.0, 0.75))
    ends = np.stack([x.min(axis=1), x.max(axis=1)], axis=1) * share
    ends += np.array([-wide, wide])
    calls = [named(d, bits, "_prepack_with_rowwise_min_max", d.tensor(x), d.tensor(ends))]
    if bits < 8:
        search = True, d.whole(1, 30), d.pick(0.16, 0.3, 0.5)
        calls += [
            named(d, bits, "_prepack", d.tensor(x), *search),
            named(d, bits, "_prepack_with_rowwise_min_max", d.tensor(x), d.tensor(ends), *search),
        ]
    return calls


def quantized_table(d, rows, columns, name):
    """Draw a tensor with float zero points, and its parts."""
    few = name == "quint4x2"
    x = table(d, 4 if few else 8, rows, columns)
    extent = (x.max(axis=1) - x.min(axis=1)) / np.float32(15 if few else 255)
    scales = np.where(extent > 2.0**-23, extent, np.float32(1)).astype(np.float32)
    zeros = (-x.min(axis=1) / scales).astype(np.float32)
    arguments = d.tensor(x), d.tensor(scales), d.tensor(zeros), 0, getattr(d.T, name)
    return d.T.quantize_per_channel(*arguments)


def taken_apart(q):
    # In PyTorch scales and zero points lie in the memory of the packed weight.
    quantizer = q.q_per_channel_scales().clone(), q.q_per_channel_zero_points().clone()
    return [q.int_repr(), q.dequantize(), *quantizer]


@operation(None, recorded=80, **NEW)
def packed_embeddings(d, x):
    """Pack a quantized table, look rows up, add them, and unpack it again."""
    name, rows = d.pick("quint8", "quint4x2"), d.whole(1, 7)
    q = quantized_table(d, rows, d.pick(*WIDTHS), name)
    packed = d.call("ops.quantized.embedding_bag_prepack", q)()
    ending = "4bit" if name == "quint4x2" else "byte"
    indices = d.tensor(d.rng.randint(0, rows, size=d.pick((5,), (2, 3))))
    bag = d.call("ops.quantized.embedding_bag_" + ending, packed)
    bag.keywords.update(bags(d, rows))
    unpack = d.call("ops.quantized.embedding_bag_unpack", packed)
    return [
        d.call("ops.quantized.embedding_" + ending, packed, indices),
        bag,
        d.by("ops.quantized.embedding_bag_unpack", lambda: taken_apart(unpack())),
    ]


def bags(d, rows):
    """Draw indices and what goes with them: {name of argument: value}."""
    count = d.whole(0, 11)
    whole = d.pick(np.int32, np.int64)
    indices = d.rng.randint(0, rows, size=count).astype(whole)
    given = {"indices": d.tensor(indices)}
    if d.chance(0.2):
        shape = d.whole(1, 3), d.whole(1, 4)
        given["indices"] = d.tensor(d.rng.randint(0, rows, size=shape).astype(whole))
        count = shape[0] * shape[1]
    else:
        offsets = np.sort(d.rng.randint(0, count + 1, size=d.whole(1, 4)))
        offsets[0] = 0
        if d.chance(0.4):
            offsets = np.append(offsets, count)
            given["include_last_offset"] = True
        given["offsets"] = d.tensor(offsets.astype(d.pick(np.int32, np.int64)))
    if d.chance(0.5):
        weights = d.bell(tuple(given["indices"].shape))
        given["per_sample_weights"] = d.tensor(weights)
    return given


def pruned(d, rows, given):
    """Draw a mapping to the rows that are left, -1 for others."""
    mapping = np.where(d.rng.randint(0, 3, size=rows) == 0, -1, d.rng.randint(0, rows, size=rows))
    given["pruned_weights"] = True
    given["compressed_indices_mapping"] = d.tensor(mapping.astype(np.int32))
    return given


@operation(None, recorded=80, **NEW)
def embedding_bags(d, x):
    bits = d.pick(8, 4, 2)
    rows = d.whole(1, 7)
    packed = named(d, bits, "_prepack", d.tensor(table(d, bits, rows)))()
    given = bags(d, rows)
    if d.chance(0.2):
        given = pruned(d, rows, given)
    call = named(d, bits, "_rowwise_offsets", packed)
    call.keywords.update(given)
    return call
