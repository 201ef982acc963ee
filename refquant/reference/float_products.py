r"""Products of float32 matrices whose sums are formed in a stated order.

A sum of floats depends on its order. PyTorch's float convolutions and linear layers add fused
products one after the other, :math:`s \leftarrow fma(a, b, s)`, in *runs*: each run begins with 0,
and runs are added one after the other. Which terms a run has, and in which order, depends on shapes
alone; `refquant.engines.rules.product_order` decides it.
"""

import numpy as np

from refquant.engines.rules.float32 import fma

__all__ = ["chained_products", "products_in_lanes"]

LANES = 16


@np.errstate(all="ignore")
def chained_products(left, right, start, ends, from_start):
    r"""Multiply matrices, the terms of an output added one after the other.

    .. math:: y = ((y_0 + r_1) + r_2) + \ldots, \qquad r = fma(a_n, b_n, \ldots fma(a_1, b_1, 0))

    for the runs :math:`r` of terms, where :math:`y_0` is `start`. One run can begin with it instead
    of 0.

    Parameters
    ----------
    left : ndarray of float32, shape (groups, rows, depth)
        Rows, contiguous.
    right : ndarray of float32, shape (batch, groups, depth, columns)
        Columns, contiguous.
    start : ndarray of float32, shape (batch, groups, rows, columns)
        What sums are added to, contiguous.
    ends : ndarray of int64, shape (runs,)
        Where along `depth` each run ends, ascending.
    from_start : bool
        Whether the first run begins with `start`.

    Returns
    -------
    ndarray of float32, shape (batch, groups, rows, columns)

    Examples
    --------
    >>> import numpy as np
    >>> from refquant.reference.float_products import chained_products
    >>> left = np.array([[[2.0**24, 1, 1]]], np.float32)
    >>> right, start = np.ones((1, 1, 3, 1), np.float32), np.zeros((1, 1, 1, 1), np.float32)
    >>> chained_products(left, right, start, np.array([3]), False).item() - 2**24
    0.0
    >>> chained_products(left, right, start, np.array([1, 3]), False).item() - 2**24
    2.0
    """
    y, first = start.copy(), 0
    for number, end in enumerate(ends):
        begins = from_start and number == 0
        run = y if begins else np.zeros_like(y)
        for k in range(first, end):
            run = fma(left[:, :, k, None], right[:, :, k, None, :], run)
        y = run if begins else y + run
        first = end
    return y


@np.errstate(all="ignore")
def products_in_lanes(left, right):
    r"""Multiply rows by rows; every sixteenth term is added in a lane of its own.

    The lanes :math:`l_0 \ldots l_{15}` are added in the end:

    .. math:: (q_0 + q_1) + (q_2 + q_3), \qquad
        q_i = ((l_i + l_{i + 4}) + l_{i + 8}) + l_{i + 12}

    Parameters
    ----------
    left : ndarray of float32, shape (rows, depth)
        Contiguous.
    right : ndarray of float32, shape (columns, depth)
        Contiguous.

    Returns
    -------
    ndarray of float32, shape (rows, columns)

    Examples
    --------
    >>> import numpy as np
    >>> from refquant.reference.float_products import products_in_lanes
    >>> products_in_lanes(np.ones((1, 40), np.float32), np.ones((2, 40), np.float32))
    array([[40., 40.]], dtype=float32)
    """
    depth = left.shape[1]
    lanes = np.zeros((len(left), len(right), LANES), np.float32)
    for k in range(0, depth, LANES):
        a, b = left[:, None, k : k + LANES], right[None, :, k : k + LANES]
        n = a.shape[-1]
        lanes[..., :n] = fma(a, b, lanes[..., :n])
    q = ((lanes[..., :4] + lanes[..., 4:8]) + lanes[..., 8:12]) + lanes[..., 12:]
    return (q[..., 0] + q[..., 1]) + (q[..., 2] + q[..., 3])
