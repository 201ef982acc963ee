"""The names of `refquant.nn.intrinsic`."""

from refquant.nn.intrinsic import *
