"""Engines as data: rules, records, and which record is chosen.

The engine is a setting of the process, whose documented face is
``refquant.backends.quantized.engine``; `using` overrides it for a block of code, in its context.

Examples
--------
>>> import refquant
>>> refquant.engines.names()
('qnnpack', 'onednn', 'x86', 'fbgemm', 'qnnpack-1.4', 'fbgemm-1.4')
>>> with refquant.engines.using("qnnpack"):
...     refquant.engines.current().title
'QNNPACK, phones, as of PyTorch 2.13'
"""

from refquant.engines.record import Engine
from refquant.engines.registry import (
    current,
    default,
    get,
    names,
    on_change,
    other_runtimes,
    register,
    require,
    unregister,
    use,
    using,
)
from refquant.engines.rule import (
    Choice,
    Condition,
    Convolution,
    Form,
    FusedRule,
    Operands,
    Rule,
    Split,
    first_of,
)
from refquant.engines.workflow import Workflow

__all__ = [
    "Choice",
    "Condition",
    "Convolution",
    "Engine",
    "Form",
    "Operands",
    "Rule",
    "Split",
    "Workflow",
    "FusedRule",
    "first_of",
    "current",
    "default",
    "other_runtimes",
    "get",
    "names",
    "register",
    "require",
    "unregister",
    "use",
    "using",
]
