r"""Folding a batch normalization into the convolution (or linear layer) before it.

In evaluation :math:`\gamma (W x + b - \mu) / \sqrt{\sigma^2 + \epsilon} + \beta` is again an
affine map of :math:`x`, whose weight and bias are computed here.

See ``_kernels/folding.pyx``.
"""

import numpy as np

__all__ = ["fold_batch_norm"]


@np.errstate(all="ignore")
def fold_batch_norm(weight, bias, mean, variance, eps, gamma, beta):
    r"""Compute weight and bias of a layer that includes the normalization of its output.

    .. math::
        r = 1 / \sqrt{\sigma^2 + \epsilon}, \quad
        W' = W \cdot (\gamma r), \quad b' = ((b - \mu) \cdot r) \cdot \gamma + \beta

    Every operation is rounded to float32, in this order.

    Parameters
    ----------
    weight : ndarray of float32, shape (channels, n)
        Weights, a row for each output channel.
    bias, mean, variance, gamma, beta : ndarray of float32, shape (channels,)
        Bias of the layer (zeros if it has none), running mean and variance, scale and shift of
        the normalization.
    eps : float
        What is added to the variance, rounded to float32.

    Returns
    -------
    weight : ndarray of float32, shape (channels, n)
    bias : ndarray of float32, shape (channels,)
    """
    deviation = np.sqrt(variance + np.float32(eps))
    inverse = np.float32(1) / deviation
    folded_weight = weight * (gamma * inverse)[:, None]
    folded_bias = (bias - mean) * inverse * gamma + beta
    return folded_weight, folded_bias
