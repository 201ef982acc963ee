"""The exceptions that refquant raises, each also the builtin that PyTorch raises there.

Every message has the same parts: the operation, the argument, what was expected, what it got, and
how to fix it. They are kept as attributes too, so that a program can inspect them.

The operation is what was called from outside refquant; an error finds it on the stack when it is
created.
"""

import sys

from refquant._operation import operation_name, owner_of


class RefquantError(Exception):
    """Base class of every error that refquant raises on purpose.

    Parameters
    ----------
    message : str, optional
        A whole sentence, which then stands in place of the name of the operation.
    argument : str, optional
        The argument at fault.
    expected, got : str, optional
        What the argument should have been, and what it was.
    hint : str, optional
        How to fix it.
    op : str, optional
        The operation, where it is not the function that was called.

    Attributes
    ----------
    op : str
        The operation: the outermost function of refquant that was called; see
        `refquant._operation`.
    module_path : str
        Dotted path of the module that was running, from the outermost one that was called.

    Examples
    --------
    >>> import refquant
    >>> try:
    ...     refquant.quantize_per_tensor(refquant.ones(2).double(), 0.1, 0, refquant.quint8)
    ... except refquant.errors.DtypeError as error:
    ...     print(error)
    ...     print(error.op, error.argument, error.hint, sep=", ")
    quantize_per_tensor: `input` must be a float32 tensor, got a refquant.float64 tensor; convert \
it with .to(refquant.float32)
    quantize_per_tensor, input, convert it with .to(refquant.float32)
    """

    module_path = ""
    _left = None

    def __init__(
        self,
        message: str | None = None,
        *,
        argument: str | None = None,
        expected: str | None = None,
        got: object = None,
        hint: str | None = None,
        op: str | None = None,
    ):
        if op is None:
            frame = sys._getframe(1)
            while owner_of(frame) is self and frame.f_back is not None:  # of a subclass
                frame = frame.f_back
            op = operation_name(frame)
        self.message, self.op, self.argument = message, op, argument
        self.expected, self.got, self.hint = expected, got, hint
        text = op if message is None else message
        if expected is not None:
            text += f": `{argument}` must be {expected}" if argument else f": expected {expected}"
        elif argument is not None:
            text += f": `{argument}`"
        if got is not None:
            text += f", got {_written(got)}"
        if hint is not None:
            text += f"; {hint}"
        super().__init__(text.removeprefix(": "))

    def leave(self, module) -> None:
        """Record that the error passes through a module on its way up, which builds the path."""
        inner, self._left = self._left, module
        if inner is None or inner is module:
            return
        below, self.module_path = self.module_path, ""  # one that is not registered has no path
        for name, part in module.named_modules():
            if part is inner:
                self.module_path = f"{name}.{below}" if below else name
                break

    def __str__(self) -> str:
        text = Exception.__str__(self)  # KeyError would quote it
        return f"{text} (in module {self.module_path!r})" if self.module_path else text

    def __reduce__(self):
        """Keep the parts when an error travels between processes."""
        parts = {
            name: getattr(self, name) for name in ("argument", "expected", "got", "hint", "op")
        }
        return _rebuild, (type(self), self.message, parts, self.module_path)


def _written(got: object) -> str:
    try:
        return str(got)
    except ValueError:  # an integer of thousands of digits
        return f"an object of type {type(got).__name__}"


def _rebuild(kind, message, parts, module_path):
    error = kind(message, **parts)
    error.module_path = module_path
    return error


class OperationError(RefquantError, RuntimeError):
    """An operation cannot run with these operands."""


class DtypeError(OperationError):
    """A tensor has the wrong dtype."""


class ShapeError(OperationError, ValueError):
    """A tensor has the wrong shape; functions of PyTorch disagree on the base."""


class QuantizationParameterError(OperationError):
    """A scale, zero point or axis is not valid."""


class QuantizerError(OperationError):
    """A tensor is not quantized, or not in the way that the operation needs."""


class NotQuantizedError(QuantizerError, ValueError):
    """A plain tensor where a quantized one is needed; functions of PyTorch disagree on the base."""


class EngineError(OperationError):
    """The engine does not exist, or does not support the operation."""


class GradientError(OperationError):
    """The gradient cannot be computed."""


class StateError(OperationError, ValueError, KeyError):
    """A state does not fit a module, an optimizer or a schedule.

    In PyTorch these are a RuntimeError, a ValueError and a KeyError.
    """


class FileFormatError(OperationError):
    """A file is damaged, or not one of refquant's."""


class KernelError(OperationError):
    """The requested kernels are not available."""


class ArgumentError(RefquantError, ValueError):
    """The value of an argument is not valid."""


class ArgumentTypeError(RefquantError, TypeError):
    """The type of an argument is not valid."""


class NotPreparedError(ArgumentTypeError):
    """A module has no observer: it was not prepared."""


class IndexRangeError(RefquantError, IndexError):
    """An index or a dimension is out of range."""


class NotSupportedError(RefquantError, NotImplementedError):
    """The documented interface does not have this, so refquant does not either."""


class ModuleNameError(RefquantError, AttributeError, KeyError):
    """A model has no submodule of this name."""


class MissingNameError(RefquantError, AttributeError):
    """PyTorch has this name, refquant does not."""


class MissingPathError(RefquantError, ModuleNotFoundError):
    """PyTorch has a module of this path, refquant does not."""


class MissingExtraError(RefquantError, ImportError):
    """A feature needs an optional package that is not installed."""


class NoDataWarning(UserWarning):
    """A scale was taken from an observer that has seen no data."""


class WorkflowWarning(UserWarning):
    """A workflow will run, but not do all that it seems to be meant to."""
