"""Modules that keep what passes through them, for the numeric suite."""

from typing import Any

from refquant import arguments, dtypes
from refquant._turns import Turn
from refquant.nn.module import Module
from refquant.nn.quantized.quantize import DeQuantize
from refquant.quantization._checks import checked_model
from refquant.tensors import Tensor

__all__ = [
    "Logger",
    "OutputLogger",
    "Pairs",
    "Shadow",
    "ShadowLogger",
    "get_logger_dict",
    "made_by",
]

Pairs = dict[str, dict[str, Any]]


class Logger(Module):
    """Base class of modules that keep what passes through them.

    Attributes
    ----------
    stats : dict
        What was kept.

    Examples
    --------
    >>> from refquant.quantization.numeric_suite import Logger
    >>> Logger().stats
    {}
    """

    def __init__(self):
        super().__init__()
        self.stats: dict[str, Any] = {}
        self.dtype = dtypes.quint8

    def forward(self, x):
        """Keep something of `x`; this class keeps nothing."""


class ShadowLogger(Logger):
    """Keep outputs of a quantized module and of its float shadow.

    Of an output whose length is more than 1 the first item is kept: the output of an LSTM without
    its states, and of a batch its first sample.

    Examples
    --------
    >>> import refquant
    >>> from refquant.quantization.numeric_suite import ShadowLogger
    >>> logger = ShadowLogger()
    >>> logger(refquant.tensor([[1.0]]), refquant.tensor([[1.25]]))
    >>> logger.stats
    {'float': [tensor([[1.2500]])], 'quantized': [tensor([[1.]])]}
    """

    def __init__(self):
        super().__init__()
        self.stats = {"float": [], "quantized": []}
        # What threads keep of one call stands at one place of both lists.
        self._turn = Turn()

    def forward(self, x, y):  # type: ignore[override]
        """Keep the output `x` of the quantized module, and `y` of the float one."""
        for output in (x, y):
            arguments.instance("output", output, Tensor | tuple | list, "a tensor or a tuple")
        kept = [(output[0] if len(output) > 1 else output).detach() for output in (x, y)]
        with self._turn:
            for kind, tensor in zip(("quantized", "float"), kept, strict=True):
                self.stats[kind].append(tensor)


class OutputLogger(Logger):
    """Keep the outputs of a module.

    Examples
    --------
    >>> import refquant
    >>> from refquant.quantization.numeric_suite import OutputLogger
    >>> logger = OutputLogger()
    >>> _ = logger(refquant.tensor([1.0]))
    >>> logger.stats
    {'tensor_val': [tensor([1.])]}
    """

    def __init__(self):
        super().__init__()
        self.stats = {"tensor_val": []}

    def forward(self, x):
        """Keep `x` and return it."""
        self.stats["tensor_val"].append(x)
        return x


def made_by(logger_cls: Any) -> Module:
    made = arguments.function("logger_cls", logger_cls)()
    return arguments.instance("logger_cls", made, Module, "a callable that makes a Module")


def get_logger_dict(mod: Module, prefix: str = "") -> Pairs:
    """Collect what the loggers of a model have kept.

    Parameters
    ----------
    mod : Module
        The model.
    prefix : str, optional
        Dotted name of `mod`.

    Returns
    -------
    dict of str to dict
        For each module with a logger its `stats`, under its dotted name and ``stats``.

    Examples
    --------
    >>> from refquant import nn
    >>> from refquant.quantization.numeric_suite import Logger, get_logger_dict
    >>> get_logger_dict(nn.Sequential(Logger()), "net")
    {'net.stats': {}}
    """
    checked_model("mod", mod)
    found = {}
    start = arguments.text("prefix", prefix)
    for path, module in mod.named_modules():
        logger = next((child for child in module.children() if isinstance(child, Logger)), None)
        if logger is not None:
            found[".".join(filter(None, (start, path, "stats")))] = logger.stats
    return found


def _dequantized(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_dequantized(v) for v in value]
    return value.dequantize() if isinstance(value, Tensor) and value.is_quantized else value


class Shadow(Module):
    """A quantized module beside its float module, which gets the same input, dequantized.

    The output is that of the quantized module; a logger keeps both.

    Parameters
    ----------
    q_module, float_module : Module
        The two; for a `FloatFunctional`, its operations are shadowed.
    logger_cls : callable
        Makes the logger, which is called with both outputs: `ShadowLogger` or a class of one's own.

    Examples
    --------
    >>> import refquant
    >>> from refquant import nn
    >>> from refquant.quantization.numeric_suite import Shadow, ShadowLogger
    >>> shadow = Shadow(nn.Identity(), nn.ReLU(), ShadowLogger)
    >>> _ = shadow(refquant.tensor([-1.0]))
    >>> shadow.logger.stats
    {'float': [tensor([0.])], 'quantized': [tensor([-1.])]}
    """

    def __init__(self, q_module, float_module, logger_cls):
        super().__init__()
        self.orig_module = checked_model("q_module", q_module)
        self.shadow_module = checked_model("float_module", float_module)
        self.dequant = DeQuantize()
        self.logger = made_by(logger_cls)

    def forward(self, *x):
        """Run both modules and return the output of the quantized one."""
        return self._run("__call__", *x)

    def _run(self, operation: str, *inputs: Any) -> Any:
        output = getattr(self.orig_module, operation)(*inputs)
        shadowed = getattr(self.shadow_module, operation)(*map(_dequantized, inputs))
        self.logger(output, shadowed)
        return output

    def add(self, x, y):
        """Add two tensors."""
        return self._run("add", x, y)

    def add_scalar(self, x, y):
        """Add a number."""
        return self._run("add_scalar", x, y)

    def mul(self, x, y):
        """Multiply two tensors."""
        return self._run("mul", x, y)

    def mul_scalar(self, x, y):
        """Multiply by a number."""
        return self._run("mul_scalar", x, y)

    def cat(self, x, dim=0):
        """Concatenate tensors."""
        return self._run("cat", x, dim)

    def add_relu(self, x, y):
        """Add two tensors and take the positive part."""
        return self._run("add_relu", x, y)
