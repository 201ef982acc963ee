"""The names of `refquant.nn.intrinsic.qat`."""

from refquant.nn.intrinsic.qat import *
