"""Float modules that round as quantization will, under their documented names."""

from refquant.nn.qat import dynamic
from refquant.nn.qat.convolution import Conv1d, Conv2d, Conv3d
from refquant.nn.qat.embedding import Embedding, EmbeddingBag
from refquant.nn.qat.linear import Linear

__all__ = ["Conv1d", "Conv2d", "Conv3d", "Embedding", "EmbeddingBag", "Linear"]


def __getattr__(name: str):
    # Documented examples look for it here.
    hint = "; write refquant.nn.intrinsic.qat.LinearReLU" if name == "LinearReLU" else ""
    raise AttributeError(f"module 'refquant.nn.qat' has no attribute {name!r}{hint}")
