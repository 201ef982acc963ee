"""Names of the package."""

from refquant.nn.intrinsic import qat as qat
from refquant.nn.intrinsic import quantized as quantized
from refquant.nn.intrinsic.fused import BNReLU2d as BNReLU2d
from refquant.nn.intrinsic.fused import BNReLU3d as BNReLU3d
from refquant.nn.intrinsic.fused import ConvBn1d as ConvBn1d
from refquant.nn.intrinsic.fused import ConvBn2d as ConvBn2d
from refquant.nn.intrinsic.fused import ConvBn3d as ConvBn3d
from refquant.nn.intrinsic.fused import ConvBnReLU1d as ConvBnReLU1d
from refquant.nn.intrinsic.fused import ConvBnReLU2d as ConvBnReLU2d
from refquant.nn.intrinsic.fused import ConvBnReLU3d as ConvBnReLU3d
from refquant.nn.intrinsic.fused import ConvReLU1d as ConvReLU1d
from refquant.nn.intrinsic.fused import ConvReLU2d as ConvReLU2d
from refquant.nn.intrinsic.fused import ConvReLU3d as ConvReLU3d
from refquant.nn.intrinsic.fused import LinearBn1d as LinearBn1d
from refquant.nn.intrinsic.fused import LinearLeakyReLU as LinearLeakyReLU
from refquant.nn.intrinsic.fused import LinearReLU as LinearReLU
from refquant.nn.intrinsic.fused import LinearTanh as LinearTanh
