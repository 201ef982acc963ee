"""Sums of products by any rule, for engines that sum or pad unlike those with kernels.

The twins of `refquant.reference.matmul` and `refquant.reference.convolution` sum exactly, as all
engines of PyTorch do where their processor lets them. These functions take the two rules as
arguments (`refquant.engines.accumulation`) and return the sums; `refquant.reference.matmul.finish`
turns them into outputs. There is no kernel for them.
"""

import numpy as np

from refquant.reference.convolution import gather, output_extent

__all__ = ["convolution_sums", "linear_sums"]


def linear_sums(x, weight, input_zero_point, weight_zero_points, accumulate):
    """Sum the products of a linear layer by a rule.

    Parameters
    ----------
    x : ndarray of uint8, shape (m, depth)
        Quantized input.
    weight : ndarray of int8, shape (outputs, depth)
        Quantized weight.
    input_zero_point : int
        Zero point of the input.
    weight_zero_points : ndarray of int32, shape (outputs,)
        Zero point of each row of the weight.
    accumulate : Rule
        For the step ``accumulator``.

    Returns
    -------
    ndarray of int64, shape (m, outputs)
    """
    return accumulate(x, weight, input_zero_point, weight_zero_points)


def convolution_sums(
    x,
    weight,
    groups,
    kernel,
    stride,
    padding,
    dilation,
    input_zero_point,
    weight_zero_points,
    accumulate,
    border,
):
    """Sum the products of a convolution by rules.

    Parameters
    ----------
    x : ndarray of uint8, shape (batch, planes, lines, columns, channels)
        Quantized images.
    weight : ndarray of int8, shape (outputs, planes, lines, columns, channels of a group)
        Quantized filters, channels last.
    groups : int
        Number of groups.
    kernel, stride, padding, dilation : tuple of int
        Geometry, (planes, lines, columns).
    input_zero_point : int
        Zero point of the input.
    weight_zero_points : ndarray of int32, shape (outputs,)
        Zero point of each filter.
    accumulate, border : Rule
        For the steps ``accumulator`` and ``border``.

    Returns
    -------
    ndarray of int64, shape (batch, planes, lines, columns, outputs)
        The planes, lines and columns of the output.
    """
    outputs, channels = weight.shape[0] // groups, x.shape[4] // groups
    extents = [
        output_extent(*along)
        for along in zip(x.shape[1:], kernel, stride, padding, dilation)  # noqa: B905  x has channels besides
    ]
    acc = np.empty((x.shape[0], *extents, groups * outputs), np.int64)
    outside = border(input_zero_point)
    positions, depth = int(np.prod(extents)), int(np.prod(kernel)) * channels
    for image in range(x.shape[0]):
        taps = gather(x[image], outside, kernel, stride, padding, dilation)
        for group in range(groups):
            under = taps[..., group * channels : (group + 1) * channels]
            own = slice(group * outputs, (group + 1) * outputs)
            sums = accumulate(
                under.reshape(positions, depth),
                weight[own].reshape(outputs, depth),
                input_zero_point,
                weight_zero_points[own],
            )
            acc[image, ..., own] = sums.reshape(*extents, outputs)
    return acc
