"""Linear layers whose input, weight and output are quantized."""

import functools
from typing import Any

import numpy as np

from refquant import arguments, dtypes, nn
from refquant.errors import DtypeError
from refquant.nn.linear import features
from refquant.nn.module import Module
from refquant.nn.quantized._output import OutputQuantizer
from refquant.nn.quantized.weights import quantize_weight, read_layer, reference_layer
from refquant.ops.quantized.dynamic import PackedHalf, linear_prepack_fp16
from refquant.ops.quantized.linear_layers import linear_prepack, run_linear
from refquant.ops.quantized.packing import PackedLinear
from refquant.tensors import QuantizedTensor, Tensor

__all__ = ["Linear", "LinearPackedParams"]


def stored_dtype(dtype: Any) -> dtypes.dtype:
    """Check what weights are stored in: qint8, or float16 for dynamic layers."""
    if dtype is not dtypes.qint8 and dtype is not dtypes.float16:
        raise DtypeError(
            argument="dtype", expected="qint8 or float16", got=arguments.describe(dtype)
        )
    return dtype


class LinearPackedParams(Module):
    """The packed weight of a linear layer, as a module of its own.

    Parameters
    ----------
    dtype : dtype, default qint8
        qint8, or float16 for dynamic layers.

    Attributes
    ----------
    dtype : dtype
    shape : tuple of int
        Outputs and inputs; None until there is a weight.
    """

    _packed_params: PackedLinear | PackedHalf

    def __init__(self, dtype=dtypes.qint8):
        super().__init__()
        self.dtype = stored_dtype(dtype)
        self.shape: tuple[int, int] | None = None

    def set_weight_bias(self, weight: Any, bias: Any) -> None:
        """Pack a weight and a bias (or None) for the engine of now."""
        self._packed_params = _pack(self.dtype, weight, bias)
        self.shape = tuple(self._packed_params.kept_weight.shape)

    def _weight_bias(self) -> tuple[Tensor, Tensor | None]:
        return self._packed_params.unpack()

    def _save_to_state_dict(self, destination: dict, prefix: str, keep_vars: bool) -> None:
        destination[prefix + "weight"], destination[prefix + "bias"] = self._weight_bias()

    def _load_from_state_dict(self, report, prefix: str) -> None:
        if prefix + "_packed_params" in report.state:  # the layout of PyTorch 2.13
            report.take(prefix + "dtype", optional=True)
            pair = report.take(prefix + "_packed_params")
            if not isinstance(pair, tuple | list) or len(pair) != 2:
                report.error(
                    prefix + "_packed_params", "a pair of weight and bias", type(pair).__name__
                )
                return
            weight, bias = pair
        else:
            above = prefix.removesuffix("_packed_params.")
            old = prefix + "weight" not in report.state and above + "weight" in report.state
            place = above if old else prefix
            weight, bias = report.take(place + "weight"), report.take(place + "bias")
        if weight is None and report.missing:
            return
        kind = QuantizedTensor if self.dtype is dtypes.qint8 else Tensor
        if type(weight) is not kind or tuple(weight.shape) != self.shape:
            report.error(
                prefix + "weight",
                f"a {self.dtype} weight of shape {self.shape}",
                arguments.describe(weight),
            )
            return
        packed = report.attempt(prefix + "weight", _pack, self.dtype, weight, bias)
        if packed is not None:
            report.change(functools.partial(setattr, self, "_packed_params", packed))


def _pack(dtype, weight: Any, bias: Any) -> PackedLinear | PackedHalf:
    return (linear_prepack if dtype is dtypes.qint8 else linear_prepack_fp16)(weight, bias)


class Linear(OutputQuantizer):
    r"""A linear layer on quantized tensors, :math:`y = x w^T + b`.

    Parameters
    ----------
    in_features, out_features : int
        Length of the last dimension of input and output.
    bias_ : bool, default True
        Whether there is a bias.

    Attributes
    ----------
    scale, zero_point : float, int
        Quantizer of the output, 1.0 and 0 at first.

    Notes
    -----
    A fresh layer has a weight of zeros with scale 1.0 and a bias of zeros. Weights are packed for
    the engine that is chosen when they are set, and run under that engine alone. Source: the
    documentation of ``torch.nn.quantized.Linear``, PyTorch 1.4.

    Examples
    --------
    >>> import refquant
    >>> m = refquant.nn.quantized.Linear(20, 30)
    >>> x = refquant.quantize_per_tensor(refquant.randn(128, 20), 1.0, 0, refquant.quint8)
    >>> m(x).size()
    refquant.Size([128, 30])
    """

    _version = 2
    _FLOAT_MODULE: type = nn.Linear
    _relu = False
    _packed_dtype = dtypes.qint8
    _output_dtype = dtypes.quint8
    _hidden = ("_packed_params",)

    def __init__(self, in_features: int, out_features: int, bias_: bool = True) -> None:
        super().__init__()
        self.in_features, self.out_features = features(self, in_features, out_features)
        has_bias = arguments.switch("bias_", bias_)
        self.scale, self.zero_point = 1.0, 0
        self._packed_params = LinearPackedParams(self._packed_dtype)
        shape = (self.out_features, self.in_features)
        weight: Tensor = Tensor(np.zeros(shape, np.float32))
        if self._packed_dtype is dtypes.qint8:
            weight = QuantizedTensor(np.zeros(shape, np.int8), dtypes.qint8, 1.0, 0)
        bias = Tensor(np.zeros(self.out_features, np.float32)) if has_bias else None
        self._packed_params.set_weight_bias(weight, bias)

    @property
    def _packed(self) -> Any:
        return self._modules["_packed_params"]._packed_params

    def forward(self, x: Any) -> Tensor:
        """Compute the quint8 output of shape (..., out_features) for a quint8 `x`."""
        return run_linear(
            x, self._packed, self.scale, self.zero_point, "relu" if self._relu else ""
        )

    def weight(self) -> Any:
        """Copy the weight, shape (out_features, in_features)."""
        return self._packed_params._weight_bias()[0]

    def bias(self) -> Tensor | None:
        """Copy the bias, float32 of shape (out_features,); None if there is none."""
        return self._packed_params._weight_bias()[1]

    def set_weight_bias(self, w: Any, b: Any) -> None:
        """Replace weight and bias, packed for the engine that is chosen now.

        Parameters
        ----------
        w : QuantizedTensor, shape (out_features, in_features)
            qint8, per tensor or along axis 0.
        b : Tensor, shape (out_features,), or None
            float32, in real units.
        """
        self._packed_params.set_weight_bias(w, b)

    @classmethod
    def from_float(cls, mod: Module, use_precomputed_fake_quant: bool = False) -> "Linear":
        """Make a quantized layer from a float one that was prepared and has seen data.

        Parameters
        ----------
        mod : Module
            `refquant.nn.Linear` (for `refquant.nn.intrinsic.quantized.LinearReLU`: the fused
            pair) or its counterpart for quantization-aware training.
        use_precomputed_fake_quant : bool, default False
            Whether the fake quantization of a trained weight stays as it was last.

        Raises
        ------
        ArgumentError
            If it is of another type, or has no QConfig, or one whose weights are not qint8.
        """
        return cls._from_parts(mod, use_precomputed_fake_quant)

    @classmethod
    def from_reference(
        cls, ref_qlinear: Module, output_scale: float, output_zero_point: int
    ) -> "Linear":
        """Make a quantized layer from a reference module.

        Parameters
        ----------
        ref_qlinear : Module
            `refquant.nn.quantized.reference.Linear`, or a fused pair that begins with one.
        output_scale : float
            Real units of one quantized step of the output.
        output_zero_point : int
            The integer that stands for real zero there.
        """
        layer = reference_layer("ref_qlinear", ref_qlinear, "in_features", "get_quantized_weight")
        made: Any = cls
        made = made(layer.in_features, layer.out_features, *cls._more_settings(ref_qlinear))
        bias = None if layer.bias is None else Tensor(layer.bias.array)
        made.set_weight_bias(layer.get_quantized_weight(), bias)
        made._set_output(output_scale, output_zero_point)
        return made

    @classmethod
    def _more_settings(cls, mod: Any) -> tuple[Any, ...]:
        """Get what else the constructor takes before the bias."""
        return ()

    @classmethod
    def _from_parts(cls, mod: Module, precomputed: bool, *settings: Any) -> Any:
        """Make a layer with more settings than its two lengths."""
        layer = read_layer(mod, cls._FLOAT_MODULE, precomputed)
        module: Any = layer.module
        converted = cls(module.in_features, module.out_features, *settings)
        converted.set_weight_bias(quantize_weight(layer.weight, layer.observer), layer.bias)
        converted.scale, converted.zero_point = layer.scale, layer.zero_point
        return converted

    def _get_name(self) -> str:
        return "QuantizedLinear"

    def extra_repr(self) -> str:
        """Describe the size, the quantizer of the output and the scheme of the weight."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"scale={self.scale}, zero_point={self.zero_point}, qscheme={self.weight().qscheme()}"
        )
