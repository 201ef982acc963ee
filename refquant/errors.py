"""The exceptions that refquant raises, each also the builtin that PyTorch raises there.

Every message has the same parts: the operation, the argument, what was expected, what it got, and
how to fix it. They are kept as attributes too, so that a program can inspect them.
"""


class RefquantError(Exception):
    """Base class of every error that refquant raises on purpose.

    Parameters
    ----------
    asked : str
        The operation, usually its name, or a sentence.
    argument : str, optional
        The argument at fault.
    expected, got : str, optional
        What the argument should have been, and what it was.
    mend : str, optional
        How to fix it.

    Examples
    --------
    >>> from refquant.errors import DtypeError
    >>> print(DtypeError("quantize_per_tensor", argument="input", expected="a float32 tensor",
    ...                  got="float64", mend="convert it with .to(refquant.float32)"))
    quantize_per_tensor: `input` must be a float32 tensor, got float64; convert it with \
.to(refquant.float32)
    """

    # Dotted path of the module that was running, from the outermost one that was called.
    place = ""
    _left = None

    def __init__(
        self,
        asked: str,
        *,
        argument: str | None = None,
        expected: str | None = None,
        got: object = None,
        mend: str | None = None,
    ):
        self.asked, self.argument, self.expected = asked, argument, expected
        self.got, self.mend = got, mend
        text = asked
        if expected is not None:
            text += f": `{argument}` must be {expected}" if argument else f": expected {expected}"
        elif argument is not None:
            text += f": `{argument}`"
        if got is not None:
            text += f", got {_written(got)}"
        if mend is not None:
            text += f"; {mend}"
        super().__init__(text)

    def leave(self, module) -> None:
        """Record that the error passes through a module on its way up, which builds the path."""
        inner, self._left = self._left, module
        if inner is None or inner is module:
            return
        below, self.place = self.place, ""  # a module that is not registered has no path
        for name, part in module.named_modules():
            if part is inner:
                self.place = f"{name}.{below}" if below else name
                break

    def __str__(self) -> str:
        text = Exception.__str__(self)  # KeyError would quote it
        return f"{text} (in module {self.place!r})" if self.place else text

    def __reduce__(self):
        """Keep the keywords when an error travels between processes."""
        return _rebuild, (
            type(self),
            self.asked,
            self.argument,
            self.expected,
            self.got,
            self.mend,
            self.place,
        )


def _written(got: object) -> str:
    try:
        return str(got)
    except ValueError:  # an integer of thousands of digits
        return f"an object of type {type(got).__name__}"


def _rebuild(kind, asked, argument, expected, got, mend, place):
    error = kind(asked, argument=argument, expected=expected, got=got, mend=mend)
    error.place = place
    return error


class OperationError(RefquantError, RuntimeError):
    """An operation cannot run with these operands."""


class DtypeError(OperationError):
    """A tensor has the wrong dtype."""


class ShapeError(OperationError):
    """A tensor has the wrong shape."""


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


class StateError(OperationError):
    """A state dict does not fit the module."""


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


class MissingExtraError(RefquantError, ImportError):
    """A feature needs an optional package that is not installed."""


class NoDataWarning(UserWarning):
    """A scale was taken from an observer that has seen no data."""
