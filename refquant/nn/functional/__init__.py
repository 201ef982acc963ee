"""Functions of neural networks, under their documented names.

Most of them are operations of `refquant.ops.floating`, whose rows say that they are found here.

Examples
--------
>>> import refquant
>>> from refquant.nn import functional as F
>>> F.relu(refquant.tensor([-1.0, 2.0]))
tensor([0., 2.])
"""

from refquant.nn.functional import activation as _activation
from refquant.ops.rows import exported as _exported

globals().update(_exported("nn.functional"))
__all__ = sorted(_exported("nn.functional"))
