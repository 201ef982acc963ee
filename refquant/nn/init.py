"""Initial values of parameters, each written in place and without gradient.

Sources: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural
networks", 2010 (xavier); He et al., "Delving deep into rectifiers", 2015 (kaiming).
"""

import math

import numpy as np

from refquant import arguments
from refquant._documentation import document
from refquant.errors import ShapeError
from refquant.nn.variance_scaling import calculate_gain, fans, fillable, standard_deviation
from refquant.ops.floating.generator import Generator
from refquant.tensors import Tensor, autograd

__all__ = [
    "calculate_gain",
    "constant_",
    "eye_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]


def uniform_(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Draw from the uniform distribution from `a` to `b`.

    %(filled)s
    a : float, default 0.0
        The lower end.
    b : float, default 1.0
        The upper end.
    %(source)s

    %(itself)s

    %(example)s
    >>> w = refquant.empty(64, 64)
    >>> refquant.nn.init.uniform_(w) is w
    True
    """
    fillable(tensor)
    with autograd.no_grad():
        return tensor.uniform_(a, b, generator=generator)


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Draw from the normal distribution.

    %(filled)s
    mean : float, default 0.0
        Where the middle is.
    std : float, default 1.0
        The standard deviation.
    %(source)s

    %(itself)s

    %(example)s
    >>> w = refquant.empty(64, 64)
    >>> refquant.nn.init.normal_(w) is w
    True
    """
    fillable(tensor)
    with autograd.no_grad():
        return tensor.normal_(mean, std, generator=generator)


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with a number.

    %(filled)s
    val : float
        The number.

    %(itself)s

    %(example)s
    >>> refquant.nn.init.constant_(refquant.empty(2, 2), 3.0)
    tensor([[3., 3.],
            [3., 3.]])
    """
    fillable(tensor)
    with autograd.no_grad():
        return tensor.fill_(val)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with 1.

    %(filled)s

    %(itself)s

    %(example)s
    >>> refquant.nn.init.ones_(refquant.empty(2, 2))
    tensor([[1., 1.],
            [1., 1.]])
    """
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with 0.

    %(filled)s

    %(itself)s

    %(example)s
    >>> refquant.nn.init.zeros_(refquant.empty(2, 2))
    tensor([[0., 0.],
            [0., 0.]])
    """
    return constant_(tensor, 0.0)


def eye_(tensor: Tensor) -> Tensor:
    """Put ones on the diagonal of a matrix and zeros elsewhere.

    %(filled)s

    %(itself)s

    %(example)s
    >>> refquant.nn.init.eye_(refquant.empty(2, 2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    if fillable(tensor).array.ndim != 2:
        raise ShapeError(argument="tensor", expected="a matrix", got=f"shape {tensor.array.shape}")
    with autograd.no_grad():
        return tensor.copy_(np.eye(*tensor.array.shape))


def xavier_uniform_(
    tensor: Tensor, gain: float = 1.0, generator: Generator | None = None
) -> Tensor:
    r"""Draw uniformly from :math:`\pm g \sqrt{6 / (\mathrm{fan}_{in} + \mathrm{fan}_{out})}`.

    %(filled)s
    %(gain)s
    %(source)s

    %(itself)s

    %(example)s
    >>> w = refquant.empty(64, 64)
    >>> refquant.nn.init.xavier_uniform_(w) is w
    True
    """
    counts = fans(tensor)
    gain = arguments.real("gain", gain, finite=True)
    bound = math.sqrt(3) * (abs(gain) * math.sqrt(2 / max(sum(counts), 1)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    r"""Draw with deviation :math:`g \sqrt{2 / (\mathrm{fan}_{in} + \mathrm{fan}_{out})}`.

    %(filled)s
    %(gain)s
    %(source)s

    %(itself)s

    %(example)s
    >>> w = refquant.empty(64, 64)
    >>> refquant.nn.init.xavier_normal_(w) is w
    True
    """
    counts = fans(tensor)
    gain = arguments.real("gain", gain)
    return normal_(tensor, 0.0, gain * math.sqrt(2 / max(sum(counts), 1)), generator)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    r"""Draw uniformly from :math:`\pm g \sqrt{3 / \mathrm{fan}}`.

    %(filled)s
    a : float
        Slope of leaky_relu.
    mode : {'fan_in', 'fan_out'}
        Which direction keeps its spread.
    nonlinearity : str
        What follows; gives the gain g, see `calculate_gain`.
    %(source)s

    %(itself)s

    %(example)s
    >>> w = refquant.empty(64, 64)
    >>> refquant.nn.init.kaiming_uniform_(w) is w
    True
    """
    bound = math.sqrt(3) * standard_deviation(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    r"""Draw with deviation :math:`g / \sqrt{\mathrm{fan}}`; see `kaiming_uniform_`.

    %(filled)s
    a : float, default 0
        Slope below 0 of the leaky rectifier that follows.
    mode : {'fan_in', 'fan_out'}, default 'fan_in'
        Whether inputs or outputs are counted.
    nonlinearity : str, default 'leaky_relu'
        What follows, see `calculate_gain`.
    %(source)s

    %(itself)s

    %(example)s
    >>> w = refquant.empty(64, 64)
    >>> refquant.nn.init.kaiming_normal_(w) is w
    True
    """
    return normal_(tensor, 0.0, standard_deviation(tensor, a, mode, nonlinearity), generator)


def orthogonal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with an orthogonal matrix, the first dimension against all others.

    %(filled)s
    %(gain)s
    %(source)s

    %(itself)s

    %(example)s
    >>> w = refquant.nn.init.orthogonal_(refquant.empty(3, 3))
    >>> refquant.allclose(w @ w.t(), refquant.eye(3), atol=1e-5)
    True
    """
    fans(tensor)
    gain = arguments.real("gain", gain)
    if tensor.array.size == 0:
        return tensor
    rows = tensor.array.shape[0]
    with autograd.no_grad():
        empty = Tensor(np.empty((rows, tensor.array.size // rows), tensor.array.dtype))
        drawn = normal_(empty, generator=generator).array
        q, r = np.linalg.qr(drawn if drawn.shape[0] >= drawn.shape[1] else drawn.T)
        q = q * np.sign(np.diag(r))  # makes every orthogonal matrix equally likely
        q = q if drawn.shape[0] >= drawn.shape[1] else q.T
        with np.errstate(all="ignore"):  # an infinite gain makes infinity and NaN
            return tensor.copy_(gain * q.reshape(tensor.array.shape))


document(__name__)
