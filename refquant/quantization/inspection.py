"""Inspecting a model: its observers, and a table of what is quantized and how."""

import math
from collections.abc import Iterator, MutableMapping
from dataclasses import astuple, dataclass, fields
from html import escape
from typing import Any

import numpy as np

from refquant import arguments, dtypes
from refquant.nn.module import Module
from refquant.nn.quantized import dynamic
from refquant.quantization._checks import checked_model
from refquant.quantization._observing import NAME, observer_of
from refquant.quantization.observers.base import has_observed
from refquant.tensors import QuantizedTensor, Tensor

__all__ = ["Row", "Summary", "get_observer_dict", "summary"]

# Their outputs are float: a scale that they keep for PyTorch's sake stands for nothing.
_DYNAMIC = tuple(getattr(dynamic, name) for name in dynamic.__all__)
# Submodules that are described in the row of the module they belong to.
_PARTS = (NAME, "weight_fake_quant", "_packed_params")


def get_observer_dict(mod: Module, target_dict: dict[str, Any], prefix: str = "") -> None:
    """Collect the observers of a model.

    Parameters
    ----------
    mod : Module
    target_dict : dict
        Observers are added to it under their dotted names, such as
        ``conv.activation_post_process``.
    prefix : str, optional
        Dotted name of `mod`.

    Examples
    --------
    >>> from refquant import nn, quantization
    >>> model = quantization.QuantWrapper(nn.ReLU6())
    >>> model.qconfig = quantization.default_qconfig
    >>> found = {}
    >>> quantization.get_observer_dict(quantization.prepare(model), found)
    >>> list(found)
    ['quant.activation_post_process', 'module.activation_post_process']
    """
    checked_model("mod", mod)
    arguments.instance("target_dict", target_dict, MutableMapping, "a dict")
    prefix = arguments.text("prefix", prefix)
    before = f"{prefix}." if prefix else ""
    for path, module in mod.named_modules(remove_duplicate=False):
        if module._modules.get(NAME) is not None:
            target_dict[f"{before}{path}.{NAME}" if path else before + NAME] = getattr(module, NAME)


@dataclass(frozen=True)
class Row:
    """What `summary` reports on one module.

    Attributes
    ----------
    module : str
        Dotted name; the model itself is ``(model)``.
    type : str
        Name of the class.
    bits : int or None
        Bits of a weight, or of the output where there is no weight.
    scheme : str
        How the same is quantized; ``float32`` and the like if it is not.
    scale : float or None
        Real units of one quantized step of the output.
    zero_point : int or None
        The integer that stands for real zero in the output.
    observer : str
        What observes the output, and the range it has seen.
    bytes : int
        Of parameters and buffers of the module itself, without observers.
    """

    module: str
    type: str
    bits: int | None
    scheme: str
    scale: float | None
    zero_point: int | None
    observer: str
    bytes: int


class Summary:
    """A table with a row for each module; printed as text, shown by notebooks as a table.

    Attributes
    ----------
    rows : list of Row
    bytes : int
        Sum over all rows.
    """

    titles = tuple(field.name.replace("_", " ") for field in fields(Row))

    def __init__(self, rows: list[Row]):
        self.rows = rows
        self.bytes = sum(row.bytes for row in rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __getitem__(self, module: str) -> Row:
        """Get the row of a module by its dotted name."""
        for row in self.rows:
            if row.module == module:
                return row
        raise KeyError(module)

    def _cells(self) -> list[tuple[str, ...]]:
        return [tuple(map(_text, astuple(row))) for row in self.rows]

    def __repr__(self) -> str:
        cells = [self.titles, *self._cells(), ("total", *[""] * 6, _text(self.bytes))]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        # Numbers are aligned to the right.
        right = [field.name in ("bits", "scale", "zero_point", "bytes") for field in fields(Row)]
        lines = [
            "  ".join(
                cell.rjust(width) if number else cell.ljust(width)
                for cell, width, number in zip(line, widths, right, strict=True)
            ).rstrip()
            for line in cells
        ]
        rule = "-" * sum(widths, 2 * (len(widths) - 1))
        return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])

    def _repr_html_(self) -> str:
        def line(cells, tag):
            return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

        body = "".join(line(cells, "td") for cells in self._cells())
        foot = line(("total", *[""] * 6, _text(self.bytes)), "td")
        return (
            f"<table><thead>{line(self.titles, 'th')}</thead><tbody>{body}</tbody>"
            f"<tfoot>{foot}</tfoot></table>"
        )


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def summary(model: Module) -> Summary:
    """Summarize for every module of a model what is quantized and how.

    Parameters
    ----------
    model : Module
        At any stage: float, prepared, calibrated, in quantization-aware training, converted.

    Returns
    -------
    Summary
        A row for each module: type, bits, scheme, scale, zero point, observer, bytes. Observers
        are described in the row of the module that they observe.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn, quantization
    >>> model = quantization.QuantWrapper(nn.ReLU())
    >>> quantization.summary(model)
    module   type          bits  scheme  scale  zero point  observer  bytes
    -----------------------------------------------------------------------
    (model)  QuantWrapper                                                 0
    quant    QuantStub                                                    0
    dequant  DeQuantStub                                                  0
    module   ReLU                                                         0
    -----------------------------------------------------------------------
    total                                                                 0
    """
    checked_model("model", model)
    rows = []
    for path, module in model.named_modules():
        if not any(part in _PARTS for part in path.split(".")):
            rows.append(_row(path or "(model)", module))
    return Summary(rows)


def _row(path: str, module: Module) -> Row:
    bits, scheme = _precision(module)
    scale, zero_point = _output_quantizer(module)
    return Row(
        path,
        type(module).__name__,
        bits,
        scheme,
        scale,
        zero_point,
        _observer(module),
        _bytes(module),
    )


def _weight(module: Module) -> Tensor | None:
    """Get the weight, which quantized modules return from a method."""
    weight = getattr(module, "weight", None)
    if callable(weight):
        weight = weight()
    return weight if isinstance(weight, Tensor) else None


def _output_observer(module: Module) -> Any:
    """Get the observer or fake quantization of the output, if it chooses a quantizer."""
    observer = observer_of(module)
    return observer if hasattr(observer, "qscheme") else None


def _precision(module: Module) -> tuple[int | None, str]:
    rounding = module._modules.get("weight_fake_quant")
    if hasattr(rounding, "qscheme"):
        return _levels(rounding), _name(rounding.qscheme)
    weight = _weight(module)
    if isinstance(weight, QuantizedTensor):
        return 8 * weight.array.itemsize, _name(weight.qscheme())
    if weight is not None:
        return 8 * weight.array.itemsize, _name(weight.dtype)
    if isinstance(module, _DYNAMIC):  # of several weights, all of one type
        kind = getattr(module, "dtype", None)
        if kind is dtypes.float16:
            return 16, _name(kind)
        return 8, "per_tensor_affine"
    observer = _output_observer(module)
    if isinstance(getattr(observer, "quant_min", None), int):
        return _levels(observer), _name(getattr(observer, "qscheme", ""))
    if hasattr(module, "scale") and hasattr(module, "zero_point"):
        return 8, "per_tensor_affine"
    return None, ""


def _levels(observer: Any) -> int:
    """Return the number of bits that the range of integers of an observer needs."""
    return math.ceil(math.log2(observer.quant_max - observer.quant_min + 1))


def _name(kind: Any) -> str:
    return str(kind).removeprefix("refquant.")


def _output_quantizer(module: Module) -> tuple[float | None, int | None]:
    if isinstance(module, _DYNAMIC):
        return None, None
    observer = _output_observer(module)
    if observer is not None:
        if not has_observed(observer):
            return None, None
        scale, zero_point = observer.calculate_qparams()[:2]
    else:
        scale, zero_point = (getattr(module, name, None) for name in ("scale", "zero_point"))
    if scale is None or zero_point is None:
        return None, None
    return float(np.ravel(_plain(scale))[0]), int(np.ravel(_plain(zero_point))[0])


def _plain(value: Any) -> Any:
    return value.array if isinstance(value, Tensor) else value


def _observer(module: Module) -> str:
    observer = observer_of(module)
    if observer is None:
        return ""
    name = type(observer).__name__
    inner: Any = observer._modules.get(NAME, observer)
    if not has_observed(observer):
        return f"{name} (no data)"
    low, high = getattr(inner, "min_val", None), getattr(inner, "max_val", None)
    if not isinstance(low, Tensor) or not isinstance(high, Tensor):
        return name
    return f"{name} {low.array.min():.4g} .. {high.array.max():.4g}"


def _bytes(module: Module) -> int:
    state: dict[str, Any] = {}
    module._save_to_state_dict(state, "", True)
    packed = module._modules.get("_packed_params")
    if packed is not None:
        packed._save_to_state_dict(state, "_packed_params.", True)
    return sum(map(_size, state.values()))


def _size(value: Any) -> int:
    """Bytes of a value of a state: tensors with their scales, and numbers."""
    if isinstance(value, QuantizedTensor):
        quantizer = np.asarray(value.scale).nbytes + np.asarray(value.zero_point).nbytes
        return value.array.nbytes + quantizer
    if isinstance(value, Tensor):
        return value.array.nbytes
    if isinstance(value, tuple | list):
        return sum(map(_size, value))
    return 0
