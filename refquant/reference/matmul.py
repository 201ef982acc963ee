r"""Products of quantized matrices: exact integer sums, then bias, multiplier and rounding by rule.

.. math:: acc_{mn} = \sum_k (x_{mk} - z_x)(w_{nk} - z_{w,n})
    = \sum_k x_{mk} w_{nk} - z_x \sum_k w_{nk} - z_{w,n} \sum_k x_{mk} + K z_x z_{w,n}

The first sum is the product of the raw integers; the others need one number for a row or a
column. How an engine sums is a rule (`refquant.engines.rules.accumulate`).

A packed weight is a matrix of int8 with one row for each output, padded with zeros, which add
nothing, to a multiple of `ROWS` rows and to `padded_depth` columns; or panels of `PANEL` outputs
each, which stand beside each other. Which of both is faster depends on the processor and the depth.

See ``_kernels/matmul.pyx``; what it does with a sum is ``finish_columns`` of
``_kernels/_output_rules.pxd``.
"""

import numpy as np

from refquant.engines.rules.float32 import fma
from refquant.engines.rules.pipeline import IN_STEPS

__all__ = ["linear", "linear_dynamic", "linear_half", "pack_panels", "pack_rows"]

# Columns of float sums that the engine computes at once, and products that it adds in the last
# columns, too few for that, before they join the sums before.
WIDTH, BLOCK = 32, 512
# Outputs that the kernels take at once, of rows and of panels.
ROWS = 4
PANEL = 32


def padded(length, multiple):
    """Round a length up to a multiple."""
    return -(-length // multiple) * multiple


def padded_depth(depth):
    """Round the length of a row up to what the kernels take at once: 32, of long rows 64."""
    return padded(depth, 32 if depth <= 256 else 64)


def pack_rows(weight):
    """Lay out the weight of a linear layer for products.

    Parameters
    ----------
    weight : ndarray of int8, shape (outputs, depth)
        Quantized weight.

    Returns
    -------
    packed_weight : ndarray of int8, shape (outputs rounded up to 4, depth padded)
        The weight, padded with zeros.
    weight_sums : ndarray of int32, shape (outputs,)
        Sum of each row.
    """
    outputs, depth = weight.shape
    packed_weight = np.zeros((padded(outputs, ROWS), padded_depth(depth)), np.int8)
    packed_weight[:outputs, :depth] = weight
    return packed_weight, weight.sum(axis=1, dtype=np.int32)


def pack_panels(weight, groups):
    """Lay out a weight in panels of outputs.

    Parameters
    ----------
    weight : ndarray of int8, shape (outputs, depth)
        Quantized weight.
    groups : int
        Number of groups; their outputs follow each other, and each begins a panel.

    Returns
    -------
    packed_weight : ndarray of int8, shape (groups * panels of a group, depth, 32)
        The weight, padded with zeros.
    weight_sums : ndarray of int32, shape (outputs,)
        Sum of each row.
    """
    outputs, depth = weight.shape[0] // groups, weight.shape[1]
    panels = padded(outputs, PANEL) // PANEL
    columns = np.zeros((groups, panels * PANEL, depth), np.int8)
    columns[:, :outputs] = weight.reshape(groups, outputs, depth)
    by_panel = columns.reshape(groups * panels, PANEL, depth)
    packed_weight = np.ascontiguousarray(by_panel.swapaxes(1, 2))
    return packed_weight, weight.sum(axis=1, dtype=np.int32)


def unpack_rows(packed_weight, groups, outputs, depth):
    """Take the rows of a weight out of what `pack_rows`, `pack_panels` or `pack_filters` returned.

    Parameters
    ----------
    packed_weight : ndarray of int8
        Rows or panels.
    groups, outputs, depth : int
        Number of groups, outputs of each, length of a row.

    Returns
    -------
    ndarray of int8, shape (groups, outputs, depth)
    """
    if packed_weight.ndim == 3:
        panels, length, width = packed_weight.shape
        packed_weight = packed_weight.swapaxes(1, 2).reshape(panels * width, length)
    height = len(packed_weight) // groups
    rows = packed_weight.reshape(groups, height, packed_weight.shape[1])
    return rows[:, :outputs, :depth]


def finish(acc, input_scale, weight_scales, bias, output, rules, post):
    """Turn sums into quantized outputs.

    Parameters
    ----------
    acc : ndarray of int64, shape (..., outputs)
        Sums of products.
    input_scale : float
        Scale of the input.
    weight_scales : ndarray of float64, shape (outputs,)
        Scales of the weight.
    bias : ndarray of float32, shape (outputs,)
        Bias in real units.
    output : Output
        Scale, zero point and range of the result.
    rules : ProductRules
        What the engine does.
    post : PostOps
        What is done with the real results, besides.

    Returns
    -------
    ndarray of uint8, shape (..., outputs)
        Negative integers stand for themselves less 256, as int8 has them.
    """
    if rules.product is not IN_STEPS:
        operands = acc, bias, input_scale, weight_scales, post
        return rules.product(*operands, *output).astype(np.uint8)
    scale, *rest = output
    total = rules.bias(acc, bias, input_scale, weight_scales)
    multiplier = rules.multiplier(input_scale, weight_scales, scale)
    return rules.requantize(total, multiplier, *rest).astype(np.uint8)


@np.errstate(all="ignore")
def linear(x, input_quantizer, weight, bias, output, rules, post):
    r"""Multiply by a packed weight, add the bias and requantize.

    .. math:: q_{mn} = \mathrm{clip}(\mathrm{round}(
        \frac{s_x s_{w,n}}{s_o} acc_{mn} + \frac{b_n}{s_o}) + z_o)

    Parameters
    ----------
    x : ndarray of uint8, shape (m, depth)
        Quantized input.
    input_quantizer : Quantizer
        Scale and zero point of the input.
    weight : Weight
        As `pack_rows` or `pack_panels` packs it.
    bias : ndarray of float32, shape (outputs,)
        Bias in real units; zeros where there is none.
    output : Output
        Scale, zero point and range of the result.
    rules : ProductRules
        What the engine does.
    post : PostOps
        What is done with the real results, besides.

    Returns
    -------
    ndarray of uint8, shape (m, outputs)
    """
    scale, zero_point = input_quantizer
    filters = unpack_rows(weight.packed, 1, len(weight.scales), x.shape[1])[0]
    acc = rules.accumulate(x, filters, zero_point, weight.zero_points)
    return finish(acc, scale, weight.scales, bias, output, rules, post)


@np.errstate(all="ignore")
def linear_dynamic(x, input_quantizer, weight, bias, relu, accumulate, rule):
    r"""Multiply by a packed weight and return real values.

    .. math:: y_{mn} = s_x s_{w,n} acc_{mn} + b_n

    Parameters
    ----------
    x : ndarray of uint8, shape (m, depth)
        Quantized input.
    input_quantizer : Quantizer
        Scale and zero point of the input.
    weight : Weight
        As `pack_rows` or `pack_panels` packs it.
    bias : ndarray of float32, shape (outputs,)
        Bias in real units; zeros where there is none.
    relu : Rule or None
        For the step ``dynamic_relu``, if negative outputs become 0.
    accumulate, rule : Rule
        For the steps ``accumulator`` and ``dynamic_output``.

    Returns
    -------
    ndarray of float32, shape (m, outputs)
    """
    scale, zero_point = input_quantizer
    filters = unpack_rows(weight.packed, 1, len(weight.scales), x.shape[1])[0]
    acc = accumulate(x, filters, zero_point, weight.zero_points)
    y = rule(acc, bias, scale, weight.scales)
    return y if relu is None else relu(y)


@np.errstate(all="ignore")
def linear_half(x, weight, bias, relu):
    r"""Multiply float32 by a weight of few bits, in the order in which FBGEMM adds.

    .. math:: y_{mn} = \sum_k x_{mk} w_{kn} + b_n

    Each product is added with one rounding, ``fma(x, w, sum)``, in the order of k. The last
    columns, too few for 32, are added up in blocks of 512 products, whose sums are added in order.
    The first block begins with its first product, as if with -0, the others begin with 0.

    Parameters
    ----------
    x : ndarray of float32, shape (m, depth)
        Input.
    weight : ndarray of float32, shape (depth, outputs)
        Numbers that float16 holds.
    bias : ndarray of float32, shape (outputs,), or None
    relu : bool
        Whether negative outputs become 0; NaN stays.

    Returns
    -------
    ndarray of float32, shape (m, outputs)
    """
    depth, outputs = weight.shape
    whole = outputs // WIDTH * WIDTH
    parts = ((slice(0, whole), max(depth, 1)), (slice(whole, None), BLOCK))
    y = np.zeros((x.shape[0], outputs), np.float32)
    for columns, block in parts:
        for first in range(0, depth, block):
            total = np.full_like(y[:, columns], 0.0 if first else -0.0)
            for k in range(first, min(first + block, depth)):
                total = fma(x[:, k : k + 1], weight[k, columns], total)
            y[:, columns] = y[:, columns] + total if first else total
    y = y if bias is None else y + bias
    return np.where(y < 0, np.float32(0), y) if relu else y
