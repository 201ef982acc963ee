r"""Convolutions of quantized images: each output position is a row of a matrix product.

The integers under the filter at one output position form a row of length `depth`, ordered
(plane, line, column, channel of the group), channels fastest. Its product with the filters, laid
out in the same order, is a linear layer (`refquant.reference.matmul`). Positions outside the image
hold the zero point of the input, so they add nothing.

Images lie channels-last, (batch, planes, lines, columns, channels); a two-dimensional convolution
has one plane. Geometry comes as tuples (planes, lines, columns).

Depthwise convolution, one filter for each channel, has rows of few products; its filters are laid
out with the channels fastest, so that neighbouring channels are computed together.
"""

import numpy as np

from refquant.reference.matmul import ROWS, accumulate, finish, padded, padded_depth

__all__ = ["convolve", "convolve_depthwise", "pack_depthwise", "pack_filters"]


def pack_filters(weight, groups):
    """Lay out the filters of a convolution for products.

    Parameters
    ----------
    weight : ndarray of int8, shape (outputs, planes, lines, columns, channels of a group)
        Quantized filters, channels last.
    groups : int
        Number of groups; their outputs follow each other.

    Returns
    -------
    rows : ndarray of int8
        One row of products for each output, of shape (groups * (outputs of a group rounded up to
        4), `padded_depth` of the depth), padded with zeros; the rows of a group stand together.
    sums : ndarray of int32, shape (outputs,)
        Sum of each filter.
    """
    depth = int(np.prod(weight.shape[1:]))  # 0 if there are no channels
    flat = weight.reshape(groups, weight.shape[0] // groups, depth)
    outputs = flat.shape[1]
    rows = np.zeros((groups, padded(outputs, ROWS), padded_depth(depth)), np.int8)
    rows[:, :outputs, :depth] = flat
    packed = rows.reshape(rows.shape[0] * rows.shape[1], rows.shape[2])
    return packed, flat.sum(axis=2, dtype=np.int32).reshape(-1)


def pack_depthwise(weight, weight_zero_points):
    """Lay out one filter for each channel.

    Parameters
    ----------
    weight : ndarray of int8, shape (channels, planes, lines, columns, 1)
        Quantized filters.
    weight_zero_points : ndarray of int32, shape (channels,)
        Zero point of each filter.

    Returns
    -------
    taps : ndarray of int32, shape (planes * lines * columns, channels)
        The filters less their zero points, channels fastest.
    sums : ndarray of int32, shape (channels,)
        Sum of each filter, less the zero points.
    """
    filters = weight.reshape(weight.shape[0], int(np.prod(weight.shape[1:]))).astype(np.int32)
    taps = np.ascontiguousarray((filters - weight_zero_points[:, None]).T)
    return taps, taps.sum(axis=0, dtype=np.int32)


def output_extent(extent, kernel, stride, padding, dilation):
    """Count the positions of a filter along one dimension."""
    return (extent + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def gather(x, zero_point, kernel, stride, padding, dilation):
    """Collect the integers under the filter at every position of one image.

    Parameters
    ----------
    x : ndarray of uint8, shape (planes, lines, columns, channels)
        One image.
    zero_point : int
        What stands outside the image.
    kernel, stride, padding, dilation : tuple of int
        Geometry.

    Returns
    -------
    ndarray of uint8, shape (*positions, planes * lines * columns of the filter, channels)
    """
    border = [(p, p) for p in padding] + [(0, 0)]
    image = np.pad(x, border, constant_values=zero_point)
    extents = [
        output_extent(*along)
        for along in zip(x.shape, kernel, stride, padding, dilation)  # noqa: B905  x has channels besides
    ]
    taps = []
    for tap in np.ndindex(*kernel):
        first = [t * d for t, d in zip(tap, dilation, strict=True)]
        window = [
            slice(f, f + s * (n - 1) + 1, s) for f, s, n in zip(first, stride, extents, strict=True)
        ]
        taps.append(image[tuple(window)])
    return np.stack(taps, axis=-2)


@np.errstate(all="ignore")
def convolve(
    x,
    rows,
    sums,
    groups,
    kernel,
    stride,
    padding,
    dilation,
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
    """Convolve with packed filters, add the bias and requantize.

    Parameters
    ----------
    x : ndarray of uint8, shape (batch, planes, lines, columns, channels)
        Quantized images.
    rows, sums : ndarray
        Filters, as `pack_filters` returns them.
    groups : int
        Number of groups.
    kernel, stride, padding, dilation : tuple of int
        Geometry, (planes, lines, columns).
    weight_scales : ndarray of float64, shape (outputs,)
        Real units of one step of each filter.
    weight_zero_points : ndarray of int32, shape (outputs,)
        Zero point of each filter.
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
    ndarray of uint8, shape (batch, planes, lines, columns, outputs)
        The planes, lines and columns of the output.
    """
    outputs, channels = sums.shape[0] // groups, x.shape[4] // groups
    extents = [
        output_extent(*along)
        for along in zip(x.shape[1:], kernel, stride, padding, dilation)  # noqa: B905
    ]
    acc = np.empty((x.shape[0], *extents, groups, outputs), np.int32)
    rows = rows.reshape(groups, rows.shape[0] // groups, rows.shape[1])
    positions, depth = int(np.prod(extents)), int(np.prod(kernel)) * channels
    for image in range(x.shape[0]):
        taps = gather(x[image], input_zero_point, kernel, stride, padding, dilation)
        for group in range(groups):
            first = group * channels
            under = taps[..., first : first + channels].reshape(positions, depth)
            own = slice(group * outputs, (group + 1) * outputs)
            sum_of_group = accumulate(
                under, rows[group], sums[own], input_zero_point, weight_zero_points[own]
            )
            acc[image, ..., group, :] = sum_of_group.reshape(*extents, outputs)
    acc = acc.reshape(*acc.shape[:4], groups * outputs)
    scales = (input_scale, weight_scales, output_scale)
    rules = (bias_rule, multiplier_rule, rule)
    return finish(acc, bias, scales, output_zero_point, lowest, rules)


@np.errstate(all="ignore")
def convolve_depthwise(
    x,
    taps,
    sums,
    kernel,
    stride,
    padding,
    dilation,
    weight_scales,
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
    """Convolve each channel with its own filter, add the bias and requantize.

    Parameters
    ----------
    x : ndarray of uint8, shape (batch, planes, lines, columns, channels)
        Quantized images.
    taps, sums : ndarray
        Filters, as `pack_depthwise` returns them.
    kernel, stride, padding, dilation : tuple of int
        Geometry, (planes, lines, columns).
    weight_scales : ndarray of float64, shape (channels,)
        Real units of one step of each filter.
    bias : ndarray of float32, shape (channels,)
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
    ndarray of uint8, shape (batch, planes, lines, columns, channels)
        The planes, lines and columns of the output.
    """
    extents = [
        output_extent(*along)
        for along in zip(x.shape[1:], kernel, stride, padding, dilation)  # noqa: B905
    ]
    acc = np.empty((x.shape[0], *extents, x.shape[4]), np.int32)
    for image in range(x.shape[0]):
        under = gather(x[image], input_zero_point, kernel, stride, padding, dilation)
        products = under.astype(np.int32) * taps
        acc[image] = products.sum(axis=-2, dtype=np.int32) - np.int32(input_zero_point) * sums
    scales = (input_scale, weight_scales, output_scale)
    rules = (bias_rule, multiplier_rule, rule)
    return finish(acc, bias, scales, output_zero_point, lowest, rules)
