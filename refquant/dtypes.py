"""Element types, quantization schemes and memory formats: small named constants.

Source: the documentation of ``torch.dtype``, ``torch.qscheme`` and ``torch.memory_format``.
"""

from typing import Any, Self

import numpy as np

from refquant.arguments import flag, instance, integer, text
from refquant.errors import ArgumentError, NotSupportedError


class _Constant:
    """A named singleton that keeps its identity when copied or pickled."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"refquant.{self.name}"

    def __reduce__(self) -> tuple[Any, ...]:
        return _constant, (self.name,)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


class device(str):
    """Where the elements of a tensor are: the processor, the only device.

    Parameters
    ----------
    type : str, default 'cpu'
        Only ``'cpu'`` or ``'cpu:0'``.
    index : int, optional
        Only 0.

    Raises
    ------
    NotSupportedError
        If it is another device.

    Attributes
    ----------
    type : str
        ``'cpu'``.
    index : int or None
        As it was given.

    Examples
    --------
    >>> import refquant
    >>> refquant.device("cpu:0").type
    'cpu'
    >>> refquant.ones(2).device == refquant.device("cpu")
    True
    """

    index: int | None  # type: ignore[assignment]  # as PyTorch has it, not that of str
    type: str

    def __new__(cls, type: str = "cpu", index: int | None = None):
        """Check the name; the result equals ``'cpu'``."""
        name, colon, number = type.partition(":") if isinstance(type, str) else ("", "", "")
        known = name == "cpu" and number == ("0" if colon else "")
        if not known or index not in (None, 0):
            raise NotSupportedError(
                argument="device", expected="'cpu', the only device", got=repr(type)
            )
        self = super().__new__(cls, "cpu")
        self.type, self.index = "cpu", 0 if colon else index
        return self

    def __str__(self) -> str:
        return "cpu" if self.index is None else f"cpu:{self.index}"

    def __format__(self, format_spec: str) -> str:
        return format(str(self), format_spec)

    def __repr__(self) -> str:
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type='cpu'{index})"


class dtype(_Constant):
    """The element type of a tensor.

    Parameters
    ----------
    name : str
        Its name.
    storage : numpy.dtype
        Type of the elements in memory.
    quantized : bool, default False
        Whether elements have a scale and a zero point.
    bits : int, optional
        Bits of an element of a quantized type, if they are fewer than those of its storage.

    Attributes
    ----------
    name : str
        Such as ``'float32'`` or ``'quint8'``.
    numpy : numpy.dtype
        How elements are stored; for a quantized type the type of its integers.
    is_quantized : bool
        Whether elements are integers that stand for real numbers.
    is_floating_point : bool
        Whether elements are floating-point numbers.
    quant_min, quant_max : int or None
        The range of the integers of a quantized type, else None.
    bits : int
        Bits of an element; fewer than 8 for a quantized type whose integers share bytes in
        ``int_repr()``, in packed weights and in files.

    Examples
    --------
    >>> import refquant
    >>> refquant.quint8, refquant.quint8.quant_min, refquant.quint8.quant_max
    (refquant.quint8, 0, 255)
    >>> import numpy as np
    >>> refquant.dtype("nibbles", np.uint8, quantized=True).is_floating_point
    False
    """

    __slots__ = ("bits", "is_floating_point", "is_quantized", "numpy", "quant_max", "quant_min")

    def __init__(
        self, name: str, storage: Any, *, quantized: bool = False, bits: int | None = None
    ) -> None:
        super().__init__(text("name", name))
        if not isinstance(storage, np.dtype):
            kind = instance("storage", storage, type, "a class of NumPy's numbers")
            storage = np.dtype(kind)
        self.numpy = storage
        self.is_quantized = flag("quantized", quantized)
        if storage.kind not in ("iu" if self.is_quantized else "biuf"):
            raise ArgumentError(
                argument="storage",
                expected="a type of integers" if self.is_quantized else "a type of numbers",
                got=storage,
            )
        self.is_floating_point = self.numpy.kind == "f"
        whole = 8 * storage.itemsize
        self.bits = whole if bits is None else integer("bits", bits, 1, whole)
        if self.bits < whole and not (self.is_quantized and storage.kind == "u"):
            raise ArgumentError(
                argument="bits", expected=f"{whole}, those of {storage}", got=self.bits
            )
        limits = np.iinfo(self.numpy) if quantized else None
        # Any, because it is None for plain types, where nothing uses it.
        self.quant_min: Any = int(limits.min) if limits else None
        self.quant_max: Any = int(limits.max) >> (whole - self.bits) if limits else None

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return self.numpy.itemsize


class qscheme(_Constant):
    """How real numbers map to integers: per tensor or per channel, affine or symmetric.

    Parameters
    ----------
    name : str
        Its name.

    Examples
    --------
    >>> import refquant
    >>> refquant.per_tensor_affine
    refquant.per_tensor_affine
    """

    __slots__ = ()

    @property
    def is_per_channel(self) -> bool:
        """Whether each slice along an axis has its own scale and zero point."""
        return self.name.startswith("per_channel")

    @property
    def is_symmetric(self) -> bool:
        """Whether the range is symmetric around real zero."""
        return self.name.endswith("symmetric")


class memory_format(_Constant):
    """The order in which the elements of a tensor lie in memory.

    Parameters
    ----------
    name : str
        Its name.

    Examples
    --------
    >>> import refquant
    >>> refquant.channels_last
    refquant.channels_last
    """

    __slots__ = ()


quint8 = dtype("quint8", np.uint8, quantized=True)
qint8 = dtype("qint8", np.int8, quantized=True)
qint32 = dtype("qint32", np.int32, quantized=True)
# Two and four integers a byte where they are stored.
quint4x2 = dtype("quint4x2", np.uint8, quantized=True, bits=4)
quint2x4 = dtype("quint2x4", np.uint8, quantized=True, bits=2)

float16 = dtype("float16", np.float16)
float32 = dtype("float32", np.float32)
float64 = dtype("float64", np.float64)
bool_ = dtype("bool", np.bool_)
uint8 = dtype("uint8", np.uint8)
int8 = dtype("int8", np.int8)
int16 = dtype("int16", np.int16)
int32 = dtype("int32", np.int32)
int64 = dtype("int64", np.int64)

QUANTIZED = (quint8, qint8, qint32)
SUB_BYTE = (quint4x2, quint2x4)
PLAIN = (float16, float32, float64, bool_, uint8, int8, int16, int32, int64)
BY_NAME = {d.name: d for d in (*QUANTIZED, *SUB_BYTE, *PLAIN)}
BY_STORAGE = {d.numpy: d for d in PLAIN}

per_tensor_affine = qscheme("per_tensor_affine")
per_channel_affine = qscheme("per_channel_affine")
per_tensor_symmetric = qscheme("per_tensor_symmetric")
per_channel_symmetric = qscheme("per_channel_symmetric")
# Zero points are real numbers.
per_channel_affine_float_qparams = qscheme("per_channel_affine_float_qparams")
SCHEMES = (per_tensor_affine, per_channel_affine, per_tensor_symmetric, per_channel_symmetric)

contiguous_format = memory_format("contiguous_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")
preserve_format = memory_format("preserve_format")

FORMATS = (contiguous_format, channels_last, channels_last_3d, preserve_format)
CONSTANTS = {c.name: c for c in (*BY_NAME.values(), *SCHEMES, *FORMATS)}
CONSTANTS[per_channel_affine_float_qparams.name] = per_channel_affine_float_qparams


def _constant(name: str) -> _Constant:
    return CONSTANTS[name]
