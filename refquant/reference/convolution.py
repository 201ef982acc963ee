r"""Convolutions of quantized images: each output position is a row of a matrix product.

The integers under the filter at one output position form a row, ordered by depth, height, width and
channel of the group, channels fastest. Its product with the filters, laid out in the same order, is
a linear layer (`refquant.reference.matmul`). Positions outside the image hold what a rule says
(`refquant.engines.rules.accumulate`): the zero point of the input, which adds nothing, but for
engines with a fault.

Images lie channels-last, (batch, depth, height, width, channels); a two-dimensional convolution has
a depth of 1. The tuples of a `refquant.reference.operands.Geometry` are (depth, height, width).

A transposed convolution adds each filter, times a pixel, to the result, `stride` apart. That is the
convolution, step by step, of an image in which pixels lie `stride` apart and zero points between
them (`spread`), with filters that are turned around.

Depthwise convolution, one filter for each channel, has rows of few products; its filters are laid
out with the channels fastest, so that neighboring channels are computed together.

See ``_kernels/convolution.pyx``: `gather` is ``_gather`` there; `convolve_depthwise` is
``depthwise_line`` of ``_kernels/_depthwise.pxd``.
"""

import numpy as np

from refquant.reference.matmul import ROWS, finish, padded, padded_depth, unpack_rows

__all__ = [
    "convolve",
    "convolve_depthwise",
    "interleave",
    "pack_depthwise",
    "pack_filters",
    "spread",
]


def pack_filters(weight, groups):
    """Lay out the filters of a convolution for products.

    Parameters
    ----------
    weight : ndarray of int8, shape (outputs, depth, height, width, channels of a group)
        Quantized filters, channels last.
    groups : int
        Number of groups; their outputs follow each other.

    Returns
    -------
    packed_weight : ndarray of int8
        One row of products for each output, of shape (groups * (outputs of a group rounded up to
        4), `padded_depth` of its length), padded with zeros; the rows of a group stand together.
    weight_sums : ndarray of int32, shape (outputs,)
        Sum of each filter.
    """
    length = int(np.prod(weight.shape[1:]))  # 0 if there are no channels
    filters = weight.reshape(groups, weight.shape[0] // groups, length)
    outputs = filters.shape[1]
    rows = np.zeros((groups, padded(outputs, ROWS), padded_depth(length)), np.int8)
    rows[:, :outputs, :length] = filters
    packed_weight = rows.reshape(rows.shape[0] * rows.shape[1], rows.shape[2])
    return packed_weight, filters.sum(axis=2, dtype=np.int32).reshape(-1)


def pack_depthwise(weight, weight_zero_points):
    """Lay out one filter for each channel.

    Parameters
    ----------
    weight : ndarray of int8, shape (channels, depth, height, width, 1)
        Quantized filters.
    weight_zero_points : ndarray of int32, shape (channels,)
        Zero point of each filter.

    Returns
    -------
    packed_taps : ndarray of int32, shape (depth * height * width, channels)
        The filters less their zero points, channels fastest.
    weight_sums : ndarray of int32, shape (channels,)
        Sum of each filter, less the zero points.
    """
    filters = weight.reshape(weight.shape[0], int(np.prod(weight.shape[1:]))).astype(np.int32)
    packed_taps = np.ascontiguousarray((filters - weight_zero_points[:, None]).T)
    return packed_taps, packed_taps.sum(axis=0, dtype=np.int32)


def spread(x, between, step, before, extents):
    """Place the pixels of images apart.

    Parameters
    ----------
    x : ndarray of uint8, shape (batch, depth, height, width, channels)
        Quantized images.
    between : int
        What stands where no pixel does.
    step : tuple of int
        From pixel to pixel, along depth, height and width.
    before : tuple of int
        Where the first pixel stands; pixels at places below 0 are left out.
    extents : tuple of int
        Depth, height and width of the result; pixels behind them are left out.

    Returns
    -------
    ndarray of uint8, shape (batch, depth, height, width, channels)
    """
    result = np.full((x.shape[0], *extents, x.shape[4]), between, np.uint8)
    to, of = [], []
    for count, s, b, extent in zip(x.shape[1:4], step, before, extents, strict=True):
        first = max(-(b // s), 0)  # the first pixel at 0 or behind it
        last = min((extent - 1 - b) // s + 1, count)
        last = max(last, first)
        of.append(slice(first, last))
        to.append(slice(first * s + b, last * s + b, s) if last > first else slice(0, 0))
    result[:, *to] = x[:, *of]
    return result


def interleave(x):
    """Place the channels of each pixel beside each other.

    Parameters
    ----------
    x : ndarray of uint8, shape (batch, channels, pixels)
        Quantized images, a plane for each channel.

    Returns
    -------
    ndarray of uint8, shape (batch, pixels, channels)
    """
    return np.ascontiguousarray(x.transpose(0, 2, 1))


def gather(x, outside, geometry):
    """Collect the integers under the filter at every position of one image.

    Parameters
    ----------
    x : ndarray of uint8, shape (depth, height, width, channels)
        One image.
    outside : int
        What stands outside the image.
    geometry : Geometry
        Where the filter lies.

    Returns
    -------
    ndarray of uint8, shape (*positions, depth * height * width of the filter, channels)
    """
    kernel, stride, padding, dilation = geometry
    border = [(p, p) for p in padding] + [(0, 0)]
    image = np.pad(x, border, constant_values=outside)
    extents = geometry.extents(x.shape[:-1])
    taps = []
    for tap in np.ndindex(*kernel):
        first = [t * d for t, d in zip(tap, dilation, strict=True)]
        window = [
            slice(f, f + s * (n - 1) + 1, s) for f, s, n in zip(first, stride, extents, strict=True)
        ]
        taps.append(image[tuple(window)])
    return np.stack(taps, axis=-2)


def sum_groups(x, filters, zero_point, weight_zero_points, geometry, border, accumulate):
    """Sum the products of every filter at every position.

    Parameters
    ----------
    x : ndarray of uint8, shape (batch, depth, height, width, channels)
        Quantized images.
    filters : ndarray of int8, shape (groups, outputs of a group, length)
        Raw integers, in the order in which `gather` collects those of a group.
    zero_point : int
        Zero point of the input.
    weight_zero_points : ndarray of int32, shape (outputs,)
        Zero point of each filter.
    geometry : Geometry
        Where the filters lie.
    border, accumulate : Rule
        For the steps ``border`` and ``accumulator``.

    Returns
    -------
    ndarray of int64, shape (batch, depth, height, width, outputs)
        The depth, height and width of the output.
    """
    groups, outputs, length = filters.shape
    extents, channels = geometry.extents(x.shape[1:-1]), x.shape[-1] // groups
    positions = int(np.prod(extents))
    zero_points = weight_zero_points.reshape(groups, outputs)
    acc = np.empty((x.shape[0], *extents, groups, outputs), np.int64)
    for image in range(x.shape[0]):
        taps = gather(x[image], border(zero_point), geometry)
        for group in range(groups):
            under = taps[..., group * channels : (group + 1) * channels]
            rows = under.reshape(positions, length)
            sums = accumulate(rows, filters[group], zero_point, zero_points[group])
            acc[image, ..., group, :] = sums.reshape(*extents, outputs)
    return acc.reshape(x.shape[0], *extents, groups * outputs)


@np.errstate(all="ignore")
def convolve(x, input_quantizer, weight, bias, geometry, groups, output, rules, post):
    """Convolve with packed filters, add the bias and requantize.

    Parameters
    ----------
    x : ndarray of uint8, shape (batch, depth, height, width, channels)
        Quantized images.
    input_quantizer : Quantizer
        Scale and zero point of the input.
    weight : Weight
        As `pack_filters` or `refquant.reference.matmul.pack_panels` packs it.
    bias : ndarray of float32, shape (outputs,)
        Bias in real units; zeros where there is none.
    geometry : Geometry
        Where the filters lie.
    groups : int
        Number of groups.
    output : Output
        Scale, zero point and range of the result.
    rules : ProductRules
        What the engine does.
    post : PostOps
        What is done with the real results, besides.

    Returns
    -------
    ndarray of uint8, shape (batch, depth, height, width, outputs)
        The depth, height and width of the output.
    """
    scale, zero_point = input_quantizer
    outputs = len(weight.scales) // groups
    length = int(np.prod(geometry.kernel)) * (x.shape[-1] // groups)
    filters = unpack_rows(weight.packed, groups, outputs, length)
    acc = sum_groups(
        x, filters, zero_point, weight.zero_points, geometry, rules.border, rules.accumulate
    )
    return finish(acc, scale, weight.scales, bias, output, rules, post)


@np.errstate(all="ignore")
def convolve_depthwise(x, input_quantizer, weight, bias, geometry, output, rules, post):
    """Convolve each channel with its own filter, add the bias and requantize.

    Parameters
    ----------
    x : ndarray of uint8, shape (batch, depth, height, width, channels)
        Quantized images.
    input_quantizer : Quantizer
        Scale and zero point of the input.
    weight : Weight
        As `pack_depthwise` packs it.
    bias : ndarray of float32, shape (channels,)
        Bias in real units; zeros where there is none.
    geometry : Geometry
        Where the filters lie.
    output : Output
        Scale, zero point and range of the result.
    rules : ProductRules
        What the engine does.
    post : PostOps
        What is done with the real results, besides.

    Returns
    -------
    ndarray of uint8, shape (batch, depth, height, width, channels)
        The depth, height and width of the output.
    """
    scale, zero_point = input_quantizer
    filters = (weight.packed + weight.zero_points).T.astype(np.int8)
    acc = sum_groups(
        x, filters[:, None, :], zero_point, weight.zero_points, geometry, rules.border,
        rules.accumulate,
    )  # fmt: skip
    return finish(acc, scale, weight.scales, bias, output, rules, post)
