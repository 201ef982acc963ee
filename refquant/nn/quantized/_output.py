"""What modules share that quantize their output by one scale and zero point."""

from typing import Any

import numpy as np

from refquant import dtypes
from refquant.nn.module import Module
from refquant.nn.state import load_quantizer
from refquant.tensors import Tensor
from refquant.tensors.quantizer import scale_value, zero_point_value

__all__ = ["OutputQuantizer"]


class OutputQuantizer(Module):
    """Base class of modules with the attributes `scale` and `zero_point`, which states hold."""

    scale: float
    zero_point: int
    # Its range holds the zero point: the widest, where the dtype is that of the input.
    _output_dtype = dtypes.qint32
    _shown: tuple[str, ...] = ("scale", "zero_point")
    extra_repr = Module.extra_repr  # also where the float module has its own

    def _set_output(self, scale: Any, zero_point: Any) -> None:
        """Keep scale and zero point as float32 and int64 do, or raise."""
        self.scale = float(np.float32(scale_value("scale", scale)))
        self.zero_point = zero_point_value("zero_point", zero_point, self._output_dtype)

    def _save_to_state_dict(self, destination: dict, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[prefix + "scale"] = Tensor(np.asarray(self.scale, np.float32))
        destination[prefix + "zero_point"] = Tensor(np.asarray(self.zero_point, np.int64))

    def _load_from_state_dict(self, report, prefix: str) -> None:
        load_quantizer(report, prefix, self._output_dtype, self.__setattr__)
        super()._load_from_state_dict(report, prefix)
