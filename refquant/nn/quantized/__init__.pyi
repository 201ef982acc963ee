"""Names of the package."""

from refquant.nn.pooling import MaxPool2d as MaxPool2d
from refquant.nn.quantized import dynamic as dynamic
from refquant.nn.quantized import functional as functional
from refquant.nn.quantized.activation import ELU as ELU
from refquant.nn.quantized.activation import ReLU as ReLU
from refquant.nn.quantized.activation import ReLU6 as ReLU6
from refquant.nn.quantized.convolution import Conv2d as Conv2d
from refquant.nn.quantized.convolution import Conv3d as Conv3d
from refquant.nn.quantized.functional_modules import FloatFunctional as FloatFunctional
from refquant.nn.quantized.functional_modules import QFunctional as QFunctional
from refquant.nn.quantized.linear import Linear as Linear
from refquant.nn.quantized.quantize import DeQuantize as DeQuantize
from refquant.nn.quantized.quantize import Quantize as Quantize
