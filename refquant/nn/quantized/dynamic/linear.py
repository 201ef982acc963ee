"""A linear layer with a quantized weight and float input and output."""

from typing import Any

from refquant import dtypes, engines, nn
from refquant.nn import quantized
from refquant.nn.intrinsic.fused import LinearReLU
from refquant.nn.module import Module
from refquant.nn.qat.dynamic.linear import Linear as TrainedLinear
from refquant.nn.quantized.dynamic.packed import unpacked_half
from refquant.nn.quantized.weights import dynamic_weight_observer, quantize_weight, reference_layer
from refquant.ops.quantized import dynamic
from refquant.tensors import Tensor

__all__ = ["Linear"]


class Linear(quantized.Linear):
    r"""A linear layer that quantizes its input by the range of each batch, :math:`y = x w^T + b`.

    Parameters
    ----------
    in_features, out_features : int
        Length of the last dimension of input and output.
    bias_ : bool, default True
        Whether there is a bias.
    dtype : dtype, default qint8
        What the weight is stored in: qint8, or float16, which leaves the input as it is.

    Notes
    -----
    The input is quantized for seven of the eight bits (``reduce_range``) where the engine's recipe
    says so, as that of FBGEMM in PyTorch 2.13, and for all eight otherwise. Source: the
    documentation of ``torch.nn.quantized.dynamic.Linear``, PyTorch 1.4 and 2.13.

    Examples
    --------
    >>> import refquant
    >>> m = refquant.nn.quantized.dynamic.Linear(20, 30)
    >>> m(refquant.randn(128, 20)).size()
    refquant.Size([128, 30])
    """

    _FLOAT_MODULES = (nn.Linear, nn.NonDynamicallyQuantizableLinear, LinearReLU, TrainedLinear)

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias_: bool = True,
        dtype: dtypes.dtype = dtypes.qint8,
    ) -> None:
        self._packed_dtype = dtype
        super().__init__(in_features, out_features, bias_)

    def forward(self, x: Any) -> Tensor:
        """Compute the float32 output of shape (..., out_features) for a float32 `x`."""
        if self._packed_dtype is dtypes.float16:
            half = dynamic.linear_relu_dynamic_fp16 if self._relu else dynamic.linear_dynamic_fp16
            return half(x, self._packed)
        seven_bits = bool(engines.current().recipe.get("dynamic_reduce_range"))
        multiply = dynamic.linear_relu_dynamic if self._relu else dynamic.linear_dynamic
        return multiply(x, self._packed, seven_bits)

    @classmethod
    def from_float(cls, mod: Module, use_precomputed_fake_quant: bool = False) -> "Linear":
        """Make a layer from a float one; no data is needed.

        Parameters
        ----------
        mod : Module
            Exactly a `refquant.nn.Linear`, a `refquant.nn.intrinsic.LinearReLU`, whose first
            module is taken, or a `refquant.nn.qat.dynamic.Linear`. The dtype of the weight is
            that of the weight observer of its QConfig; without one it is qint8.
        use_precomputed_fake_quant : bool, default False
            Has no effect here.

        Raises
        ------
        ArgumentError
            If it is of another type, or the observer's dtype is another.
        """
        observer = dynamic_weight_observer(mod, *cls._FLOAT_MODULES)()
        float_module: Any = mod[0] if isinstance(mod, LinearReLU) else mod
        weight = Tensor(float_module.weight.array)
        bias = None if float_module.bias is None else Tensor(float_module.bias.array)
        half = getattr(observer, "dtype", None) is dtypes.float16
        converted = cls(
            float_module.in_features, float_module.out_features,
            dtype=dtypes.float16 if half else dtypes.qint8,
        )  # fmt: skip
        if half:
            converted.set_weight_bias(weight, bias)
        else:
            observer(weight)
            converted.set_weight_bias(quantize_weight(weight, observer), bias)
        return converted

    @classmethod
    def from_reference(  # type: ignore[override]  # the output is not quantized
        cls, ref_qlinear: Module
    ) -> "Linear":
        """Make a layer from a reference module, whose weight is qint8 or float16.

        Parameters
        ----------
        ref_qlinear : Module
            `refquant.nn.quantized.reference.Linear`, or a fused pair that begins with one.
        """
        layer = reference_layer("ref_qlinear", ref_qlinear, "in_features", "get_quantized_weight")
        made = cls(layer.in_features, layer.out_features, dtype=layer.weight_dtype)
        bias = None if layer.bias is None else Tensor(layer.bias.array)
        made.set_weight_bias(unpacked_half(layer.get_quantized_weight()), bias)
        return made

    def _get_name(self) -> str:
        return "DynamicQuantizedLinear"

    def extra_repr(self) -> str:
        """Describe the size, and the dtype and the scheme of the weight."""
        text = (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"dtype={self._packed_dtype}"
        )
        if self._packed_dtype is not dtypes.float16:
            text += f", qscheme={self.weight().qscheme()}"
        return text
