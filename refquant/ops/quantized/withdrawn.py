"""Names that PyTorch keeps for files of old programs, and that only raise."""

from typing import Any, NoReturn

from refquant._documentation import document
from refquant.errors import NotSupportedError

__all__ = ["linear_prepack_fp16_legacy", "linear_prepack_legacy"]


def _reject(name: str, newer: str) -> NotSupportedError:
    return NotSupportedError(
        f"ops.quantized.{name}",
        expected="a program that packs weights into objects",
        got="the name for weights that were packed into tensors, which PyTorch has withdrawn",
        hint=f"call ops.quantized.{newer}(weight, bias)",
    )


def linear_prepack_legacy(W: Any = None, B: Any = None) -> NoReturn:
    """Raise an error, as PyTorch does: `linear_prepack` packs weights into objects.

    %(withdrawn)s

    %(from_ops)s
    >>> try:
    ...     quantized.linear_prepack_legacy(refquant.ones(1, 2))
    ... except NotImplementedError as error:
    ...     print(str(error).split(":")[0])
    ops.quantized.linear_prepack_legacy
    """
    raise _reject("linear_prepack_legacy", "linear_prepack")


def linear_prepack_fp16_legacy(W: Any = None, B: Any = None) -> NoReturn:
    """Raise an error, as PyTorch does: `linear_prepack_fp16` packs weights into objects.

    %(withdrawn)s

    %(from_ops)s
    >>> try:
    ...     quantized.linear_prepack_fp16_legacy(refquant.ones(1, 2))
    ... except NotImplementedError as error:
    ...     print(str(error).split(":")[0])
    ops.quantized.linear_prepack_fp16_legacy
    """
    raise _reject("linear_prepack_fp16_legacy", "linear_prepack_fp16")


document(
    __name__,
    withdrawn="""
Parameters
----------
W, B : object, optional
    Not used.

Raises
------
NotSupportedError
    Always. PyTorch 2.13 says "This model uses an outdated version".""",
)
