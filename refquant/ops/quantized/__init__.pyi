"""Names of the package, which are imported when first used."""

from refquant.ops.quantized.activation import (
    elu as elu,
)
from refquant.ops.quantized.arithmetic import (
    add as add,
)
from refquant.ops.quantized.arithmetic import (
    add_relu as add_relu,
)
from refquant.ops.quantized.arithmetic import (
    mul as mul,
)
from refquant.ops.quantized.arithmetic import (
    mul_relu as mul_relu,
)
from refquant.ops.quantized.concat import (
    cat as cat,
)
from refquant.ops.quantized.concat import (
    cat_relu as cat_relu,
)
from refquant.ops.quantized.convolution import (
    conv2d as conv2d,
)
from refquant.ops.quantized.convolution import (
    conv2d_relu as conv2d_relu,
)
from refquant.ops.quantized.convolution import (
    conv3d as conv3d,
)
from refquant.ops.quantized.convolution import (
    conv3d_relu as conv3d_relu,
)
from refquant.ops.quantized.convolution_prepack import (
    conv2d_prepack as conv2d_prepack,
)
from refquant.ops.quantized.convolution_prepack import (
    conv2d_unpack as conv2d_unpack,
)
from refquant.ops.quantized.convolution_prepack import (
    conv3d_prepack as conv3d_prepack,
)
from refquant.ops.quantized.convolution_prepack import (
    conv3d_unpack as conv3d_unpack,
)
from refquant.ops.quantized.convolution_prepack import (
    conv_prepack as conv_prepack,
)
from refquant.ops.quantized.convolution_prepack import (
    conv_unpack as conv_unpack,
)
from refquant.ops.quantized.dynamic import (
    linear_dynamic as linear_dynamic,
)
from refquant.ops.quantized.dynamic import (
    linear_dynamic_fp16 as linear_dynamic_fp16,
)
from refquant.ops.quantized.dynamic import (
    linear_prepack_fp16 as linear_prepack_fp16,
)
from refquant.ops.quantized.dynamic import (
    linear_relu_dynamic as linear_relu_dynamic,
)
from refquant.ops.quantized.dynamic import (
    linear_relu_dynamic_fp16 as linear_relu_dynamic_fp16,
)
from refquant.ops.quantized.dynamic import (
    linear_unpack_fp16 as linear_unpack_fp16,
)
from refquant.ops.quantized.elementwise import (
    relu6 as relu6,
)
from refquant.ops.quantized.matmul import (
    linear as linear,
)
from refquant.ops.quantized.matmul import (
    linear_prepack as linear_prepack,
)
from refquant.ops.quantized.matmul import (
    linear_relu as linear_relu,
)
from refquant.ops.quantized.matmul import (
    linear_unpack as linear_unpack,
)
from refquant.ops.quantized.out_variants import (
    add_out as add_out,
)
from refquant.ops.quantized.out_variants import (
    add_relu_out as add_relu_out,
)
from refquant.ops.quantized.out_variants import (
    add_scalar_out as add_scalar_out,
)
from refquant.ops.quantized.out_variants import (
    add_scalar_relu_out as add_scalar_relu_out,
)
from refquant.ops.quantized.out_variants import (
    cat_out as cat_out,
)
from refquant.ops.quantized.out_variants import (
    cat_relu_out as cat_relu_out,
)
from refquant.ops.quantized.out_variants import (
    mul_out as mul_out,
)
from refquant.ops.quantized.out_variants import (
    mul_relu_out as mul_relu_out,
)
from refquant.ops.quantized.out_variants import (
    mul_scalar_out as mul_scalar_out,
)
from refquant.ops.quantized.out_variants import (
    mul_scalar_relu_out as mul_scalar_relu_out,
)
from refquant.ops.quantized.pooling import (
    max_pool2d as max_pool2d,
)
from refquant.ops.quantized.with_scalar import (
    add_scalar as add_scalar,
)
from refquant.ops.quantized.with_scalar import (
    add_scalar_relu as add_scalar_relu,
)
from refquant.ops.quantized.with_scalar import (
    mul_scalar as mul_scalar,
)
from refquant.ops.quantized.with_scalar import (
    mul_scalar_relu as mul_scalar_relu,
)
