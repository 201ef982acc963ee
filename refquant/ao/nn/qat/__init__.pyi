"""The names of `refquant.nn.qat`."""

from refquant.nn.qat import *
