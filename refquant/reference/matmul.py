r"""Products of quantized matrices: exact integer sums, then bias, multiplier and rounding by rule.

.. math:: acc_{mn} = \sum_k (x_{mk} - z_x)(w_{nk} - z_{w,n})
    = \sum_k x_{mk} w_{nk} - z_x \sum_k w_{nk} - z_{w,n} \sum_k x_{mk} + K z_x z_{w,n}

The first sum is the product of the raw integers; the others need one number for a row or a
column. Sums are int32; should one overflow, it wraps.

A packed weight is a matrix of int8 with one row for each output, padded with zeros, which add
nothing, to a multiple of `ROWS` rows and to `padded_depth` columns.
"""

import numpy as np

__all__ = ["linear", "linear_dynamic", "pack_rows"]

# Outputs that the kernels take at once.
ROWS = 4


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
    rows : ndarray of int8, shape (outputs rounded up to 4, depth padded)
        The weight, padded with zeros.
    sums : ndarray of int32, shape (outputs,)
        Sum of each row.
    """
    outputs, depth = weight.shape
    rows = np.zeros((padded(outputs, ROWS), padded_depth(depth)), np.int8)
    rows[:outputs, :depth] = weight
    return rows, weight.sum(axis=1, dtype=np.int32)


def accumulate(x, rows, sums, input_zero_point, weight_zero_points):
    """Sum the products of (input - zero point) and (weight - zero point), exactly.

    Parameters
    ----------
    x : ndarray of uint8, shape (m, depth)
        Quantized input.
    rows, sums : ndarray
        As `pack_rows` returns them; further rows and columns of padding do no harm.
    input_zero_point : int
        Zero point of the input.
    weight_zero_points : ndarray of int32, shape (outputs,)
        Zero point of each row of the weight.

    Returns
    -------
    ndarray of int32, shape (m, outputs)
    """
    depth, outputs = x.shape[1], sums.shape[0]
    # Products of integers in float64 are exact below 2**53, and BLAS computes them.
    weight = rows[:outputs, :depth].astype(np.float64)
    products = (x.astype(np.float64) @ weight.T).astype(np.int64)
    row_sums = x.sum(axis=1, dtype=np.int64)[:, None]
    weight_zero_points = weight_zero_points.astype(np.int64)
    acc = (
        products
        - input_zero_point * sums.astype(np.int64)
        - weight_zero_points * row_sums
        + depth * input_zero_point * weight_zero_points
    )
    return acc.astype(np.int32)


def finish(acc, bias, scales, output_zero_point, lowest, rules):
    """Turn sums into quantized outputs.

    Parameters
    ----------
    acc : ndarray of int32, shape (m, outputs)
        Exact sums.
    bias : ndarray of float32, shape (outputs,)
        Bias in real units.
    scales : tuple
        Of input (float), weight (ndarray of float64, shape (outputs,)) and output (float).
    output_zero_point : int
        Zero point of the output.
    lowest : int
        The smallest output: 0, or the zero point to apply ReLU.
    rules : tuple of Rule
        For the steps ``bias``, ``multiplier`` and ``requantize_sum``.

    Returns
    -------
    ndarray of uint8, shape (m, outputs)
    """
    input_scale, weight_scales, output_scale = scales
    add_bias, form_multiplier, requantize = rules
    total = add_bias(acc, bias, input_scale, weight_scales)
    multiplier = form_multiplier(input_scale, weight_scales, output_scale)
    return requantize(total, multiplier, output_zero_point, lowest, 255).astype(np.uint8)


@np.errstate(all="ignore")
def linear(
    x,
    rows,
    sums,
    weight_scales,
    weight_zero_points,
    bias,
    input_scale,
    input_zero_point,
    output_scale,
    output_zero_point,
    lowest,
    bias_rule,
    multiplier_rule,
    rule,
):
    r"""Multiply by a packed weight, add the bias and requantize.

    .. math:: q_{mn} = \mathrm{clip}(\mathrm{round}(
        \frac{s_x s_{w,n}}{s_o} acc_{mn} + \frac{b_n}{s_o}) + z_o)

    Parameters
    ----------
    x : ndarray of uint8, shape (m, depth)
        Quantized input.
    rows, sums : ndarray
        Weight, as `pack_rows` returns it.
    weight_scales : ndarray of float64, shape (outputs,)
        Real units of one step of each row of the weight.
    weight_zero_points : ndarray of int32, shape (outputs,)
        Zero point of each row of the weight.
    bias : ndarray of float32, shape (outputs,)
        Bias in real units; zeros where there is none.
    input_scale, input_zero_point : float, int
        Quantizer of the input.
    output_scale, output_zero_point : float, int
        Quantizer of the output.
    lowest : int
        The smallest output: 0, or the zero point to apply ReLU.
    bias_rule, multiplier_rule, rule : Rule
        For the steps ``bias``, ``multiplier`` and ``requantize_sum``.

    Returns
    -------
    ndarray of uint8, shape (m, outputs)
    """
    acc = accumulate(x, rows, sums, input_zero_point, weight_zero_points)
    scales = (input_scale, weight_scales, output_scale)
    rules = (bias_rule, multiplier_rule, rule)
    return finish(acc, bias, scales, output_zero_point, lowest, rules)


@np.errstate(all="ignore")
def linear_dynamic(
    x,
    rows,
    sums,
    weight_scales,
    weight_zero_points,
    bias,
    input_scale,
    input_zero_point,
    relu,
    rule,
):
    r"""Multiply by a packed weight and return real values.

    .. math:: y_{mn} = s_x s_{w,n} acc_{mn} + b_n

    Parameters
    ----------
    x : ndarray of uint8, shape (m, depth)
        Quantized input.
    rows, sums : ndarray
        Weight, as `pack_rows` returns it.
    weight_scales : ndarray of float64, shape (outputs,)
        Real units of one step of each row of the weight.
    weight_zero_points : ndarray of int32, shape (outputs,)
        Zero point of each row of the weight.
    bias : ndarray of float32, shape (outputs,)
        Bias in real units; zeros where there is none.
    input_scale, input_zero_point : float, int
        Quantizer of the input.
    relu : bool
        Whether negative outputs become 0; NaN stays.
    rule : Rule
        For the step ``dynamic_output``.

    Returns
    -------
    ndarray of float32, shape (m, outputs)
    """
    acc = accumulate(x, rows, sums, input_zero_point, weight_zero_points)
    y = rule(acc, bias, input_scale, weight_scales)
    return np.where(y < 0, np.float32(0), y) if relu else y
