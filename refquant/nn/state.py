"""Reading a state dict into a module: find every fault first, then change everything at once."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from refquant import arguments
from refquant.errors import ArgumentTypeError, StateError
from refquant.tensors import QuantizedTensor, Tensor

__all__ = ["LoadReport", "load"]


class LoadReport:
    """What was found while a state dict was compared with a module.

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

    def copy_into(self, key: str, target: Tensor) -> None:
        """Check the value of `key` against a tensor and remember to copy it there."""
        value = self.take(key)
        if value is None:
            return
        if isinstance(value, Tensor) and value.is_quantized:
            self.error(key, "a plain tensor", f"a {value.dtype} tensor")
            return
        try:
            array = np.asarray(value.array if isinstance(value, Tensor) else value)
        except (ValueError, OverflowError):  # sequences of several lengths
            array = np.empty(0, object)
        if array.dtype.kind not in "fiub":
            self.error(key, "numbers", str(array.dtype))
        elif array.shape != target.array.shape:
            self.error(key, f"shape {target.array.shape}", f"shape {array.shape}")
        else:
            self.change(lambda: np.copyto(target.array, array, casting="unsafe"))

    def apply(self) -> None:
        """Make all changes."""
        for action in self._changes:
            action()


def load(module, state: Mapping[str, Any], strict: bool) -> tuple[list[str], list[str]]:
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
            "load_state_dict",
            argument="state_dict",
            expected="a mapping of names to tensors",
            got=arguments.describe(state),
            mend="read it with refquant.load()",
        )
    strict = arguments.flag("load_state_dict", "strict", strict)
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
            mend="prepare, fuse or convert the model as the one that was saved, or pass "
            "strict=False to leave out keys that do not match",
        )
    report.apply()
    return report.missing, report.unexpected


def quantized_value(report: LoadReport, key: str, shape) -> QuantizedTensor | None:
    """Take a quantized tensor of a shape out of a state; None, and noted, if it is not one."""
    value = report.take(key)
    if value is None:
        return None
    if not isinstance(value, QuantizedTensor):
        report.error(key, "a quantized tensor", type(value).__name__)
        return None
    if tuple(value.shape) != tuple(shape):
        report.error(key, f"shape {tuple(shape)}", f"shape {tuple(value.shape)}")
        return None
    return value
