"""Reading a state dict into a module: find every fault first, then change everything at once."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from refquant import arguments
from refquant.errors import ArgumentTypeError, RefquantError, StateError
from refquant.tensors import QuantizedTensor, Tensor, quantizer

__all__ = ["IncompatibleKeys", "LoadReport", "load", "load_quantizer", "numbers", "quantized_value"]


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict` returns: names that were not there, and names without a place."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        missing, unexpected = self
        return f"_IncompatibleKeys(missing_keys={missing}, unexpected_keys={unexpected})"


class LoadReport:
    """Differences between a state dict and a module.

    Attributes
    ----------
    missing, unexpected : list of str
        Keys that the state lacks, and that the module does not know.
    errors : list of str
        Values that do not fit, in words.
    used : set of str
        Keys that a module took.
    """

    def __init__(self, state: Mapping[str, Any]):
        self.state = state
        self.missing: list[str] = []
        self.unexpected: list[str] = []
        self.errors: list[str] = []
        self.used: set[str] = set()
        self._changes: list[Callable[[], None]] = []

    def take(self, key: str, *, optional: bool = False) -> Any:
        """Look a key up and mark it as used; None if it is missing."""
        if key in self.state:
            self.used.add(key)
            return self.state[key]
        if not optional:
            self.missing.append(key)
        return None

    def change(self, action: Callable[[], None]) -> None:
        """Remember a change to make when the whole state has been found to fit."""
        self._changes.append(action)

    def error(self, key: str, expected: str, got: str) -> None:
        """Note a value that does not fit."""
        self.errors.append(f"{key}: expected {expected}, got {got}")

    def attempt(self, key: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function that checks the value of `key`; None, and noted, if it rejects."""
        try:
            return function(*arguments)
        except RefquantError as error:
            self.error(
                key,
                error.expected or "something else",
                str(error if error.got is None else error.got),
            )
            return None

    def copy_into(self, key: str, target: Tensor) -> None:
        """Check the value of `key` against a tensor and remember to copy it there."""
        value = self.take(key)
        if key not in self.state:
            return
        array = numbers(self, key, value, target.array.dtype)
        if array is None:
            return
        if array.shape != target.array.shape:
            self.error(key, f"shape {target.array.shape}", f"shape {array.shape}")
        else:
            self.change(lambda: np.copyto(target.array, array))

    def apply(self) -> None:
        """Make all changes."""
        for action in self._changes:
            action()


def load(module, state: Mapping[str, Any], strict: bool) -> IncompatibleKeys:
    """Load `state` into a module and everything below it, or leave all of it as it is.

    Returns
    -------
    missing, unexpected : list of str
        Empty if `strict`.

    Raises
    ------
    StateError
        If a value does not fit or, with `strict`, keys are missing or unexpected. All of them
        are listed.
    """
    if not isinstance(state, Mapping):
        raise ArgumentTypeError(
            argument="state_dict",
            expected="a mapping of names to tensors",
            got=arguments.describe(state),
            hint="read it with refquant.load()",
        )
    not_text = [key for key in state if not isinstance(key, str)]
    if not_text:
        raise ArgumentTypeError(
            argument="state_dict",
            expected="a mapping whose keys are strings",
            got=f"the key {arguments.describe(not_text[0])}",
        )
    strict = arguments.switch("strict", strict)
    report = LoadReport(state)
    for prefix, part in module.named_modules(remove_duplicate=False):
        part._load_from_state_dict(report, f"{prefix}." if prefix else "")
    report.unexpected += [key for key in state if key not in report.used]
    faults = list(report.errors)
    if strict and report.missing:
        faults.insert(0, "missing keys: " + ", ".join(map(str, report.missing)))
    if strict and report.unexpected:
        faults.insert(0, "unexpected keys: " + ", ".join(map(str, report.unexpected)))
    if faults:
        raise StateError(
            f"load_state_dict: the state does not fit {type(module).__name__}\n  "
            + "\n  ".join(faults),
            hint="prepare, fuse or convert the model as the one that was saved, or pass "
            "strict=False to leave out keys that do not match",
        )
    report.apply()
    return IncompatibleKeys(report.missing, report.unexpected)


def quantized_value(report: LoadReport, key: str, shape) -> QuantizedTensor | None:
    """Return a quantized tensor of a shape from a state; None, and noted, if it is not one."""
    value = report.take(key)
    if value is None and key not in report.state:
        return None
    if not isinstance(value, QuantizedTensor):
        report.error(key, "a quantized tensor", type(value).__name__)
        return None
    if tuple(value.shape) != tuple(shape):
        report.error(key, f"shape {tuple(shape)}", f"shape {tuple(value.shape)}")
        return None
    return value


def numbers(report: LoadReport, key: str, value: Any, storage: Any) -> np.ndarray | None:
    """Convert a value of a state to numbers of a dtype; None, and noted, if it cannot be."""
    if isinstance(value, Tensor) and value.is_quantized:
        report.error(key, "a plain tensor", f"a {value.dtype} tensor")
        return None
    try:
        array = np.asarray(value.array if isinstance(value, Tensor) else value)
    except ValueError:  # lists of different lengths
        array = np.empty(0, object)
    if array.dtype.kind not in "fiub":
        report.error(key, "numbers", quantizer.describe(value))
        return None
    # Beyond float32 is infinity, as in every conversion; what integers cannot hold is rejected.
    with np.errstate(all="ignore"):
        converted = array.astype(storage)
        if converted.dtype.kind in "iub" and not (converted == array).all():
            report.error(key, f"whole numbers that {np.dtype(storage)} can hold", "others")
            return None
    return converted


def load_quantizer(
    report: LoadReport, prefix: str, dtype, change: Callable[[str, Any], None]
) -> None:
    """Note the ``scale`` and ``zero_point`` of a module to be loaded, each if it is valid.

    Parameters
    ----------
    report : LoadReport
        Where they come from, and where faults are noted.
    prefix : str
        What stands before the names.
    dtype : dtype
        Whose range holds the zero point.
    change : callable
        Takes the name and the number, float or int, when everything has been found to fit.
    """
    for name, storage in (("scale", np.float64), ("zero_point", np.int64)):
        key = prefix + name
        value = report.take(key)
        array = numbers(report, key, value, storage) if key in report.state else None
        if array is None:
            continue
        if array.size != 1:
            report.error(key, "one number", f"shape {array.shape}")
            continue
        if name == "scale":
            number = report.attempt(key, quantizer.scale_value, name, array.item())
        else:
            number = report.attempt(key, quantizer.zero_point_value, name, array.item(), dtype)
        if number is not None:
            report.change(functools.partial(change, name, number))
