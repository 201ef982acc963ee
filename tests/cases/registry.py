"""The registry of operations: what each takes, how a call of it is drawn, who can answer.

A file ``FAMILY.py`` beside this one enters them::

    @operation("integers")
    def elu(d, x):
        return d.call("ops.quantized.elu", x, d.scale(), d.zero_point(x.dtype))

The function is handed a `cases.operands.Draw` and an operand of the kind that it takes, draws all
other arguments, and returns one call or several. It names public functions, so the same entry runs
in PyTorch 1.4, in PyTorch 2.13 and here. Recorded answers, comparisons with an installed PyTorch,
random programs, layouts, a million elements, extreme operands, errors, kernels and benchmarks all
read it.
"""

import importlib
import os

HERE = os.path.dirname(os.path.abspath(__file__))
RELEASES = ("1.4", "2.13")
ENGINES = ("fbgemm", "qnnpack")
# Families whose operations pack weights, which each engine does its own way: entries of their own,
# in cases.onednn, compare them under oneDNN's engines.
PRODUCTS = ("products", "convolutions", "onednn")
# Families in which PyTorch's FBGEMM computes, whatever the engine.
OF_FBGEMM = ("recurrence", "float16")
# Elements of the operand of a benchmark, by the suffix of its name.
SIZES = {"one": 1, "small": 1000, "large": 1000000}
OPERATIONS = {}


class Operation:
    """An entry of the registry.

    Attributes
    ----------
    name : str
        Its name in tables.
    function : callable
        Takes a `Draw` and an operand; returns calls.
    takes : str or None
        The kind of the operand, see `Draw.operand`; None if the function makes its own.
    peers : list of (str, str)
        Releases and engines of PyTorch that have the operation: those of `releases` with `engines`,
        but for pairs in `without`.
    tolerance : float
        The share of the largest element by which floats may differ from those of PyTorch.
    why : str
        The reason for a tolerance, or for `recorded` being 0.
    recorded : int
        How many cases are recorded.
    live : list of str
        Engines of PyTorch 2.13 that are compared live: those of `peers`, and where these do not
        pack weights also ``x86`` and ``onednn``, which answer as FBGEMM does there.
    elements : int
        How many elements the table of live comparisons is to have, of each engine.
    pointwise : bool
        Whether each element of the result depends on the elements in its place alone.
    keeps_format : bool
        Whether the result has the memory format of the operand.
    rejects : tuple of (str, object, str)
        Name of an argument, a value that it must not have, name of the exception.
    benchmark : dict
        Suffixes of names of benchmarks, and how many elements the operand has.
    """

    def __init__(self, name, function, takes, **facts):
        self.name, self.function, self.takes = name, function, takes
        releases, engines = facts.pop("releases", RELEASES), facts.pop("engines", ENGINES)
        without = facts.pop("without", ())
        self.peers = [(r, e) for r in releases for e in engines if (r, e) not in without]
        self.also, self.elements = facts.pop("also", None), facts.pop("elements", None)
        self.tolerance, self.why = facts.pop("tolerance", 0.0), facts.pop("why", "")
        self.recorded = facts.pop("recorded", 40)
        self.pointwise = facts.pop("pointwise", False)
        self.keeps_format = facts.pop("keeps_format", self.pointwise)
        self.rejects, self.benchmark = facts.pop("rejects", ()), facts.pop("benchmark", {})
        if facts:
            raise TypeError("an operation has no " + ", ".join(facts))

    def belongs_to(self, family):
        """Take over what the entries of a family have in common."""
        self.family, packs = family, family in PRODUCTS
        self.live = [engine for release, engine in self.peers if release == "2.13"]
        if self.also is None:
            self.also = () if packs or "fbgemm" not in self.live else ("x86", "onednn")
        self.live += [engine for engine in self.also if engine not in self.live]
        if self.elements is None:
            again = (
                "_unpack",
                "_getters",
                "_module",
                "_modules",
                "functional",
                "modules_of",
                "called",
            )
            computes = packs and not any(part in self.name for part in again)
            self.elements = 10**6 if computes else 10**5

    def needs_vnni(self, engine):
        """Whether PyTorch computes it otherwise on a processor without AVX512-VNNI."""
        if self.family in OF_FBGEMM or self.name in ("image_modules", "volume_modules"):
            return True
        if self.family in PRODUCTS:
            return engine != "qnnpack"
        return self.name.startswith("avg_pool")

    def calls(self, d, x=None):
        """Draw the calls on an operand, by default on one of the kind that is taken."""
        made = self.function(d, d.operand(self.takes) if x is None else x)
        return made if isinstance(made, list) else [made]

    def results(self, d, x=None):
        """Draw and run the calls; list what they return, tuples taken apart."""
        return [part for call in self.calls(d, x) for part in flat(call())]


def flat(value):
    """List the parts of a result."""
    if isinstance(value, (tuple, list)):
        return [part for item in value for part in flat(item)]
    return [value]


def operation(takes, name=None, **facts):
    """Enter a function into the registry; see `Operation` for what can be said of it."""

    def enter(function):
        own = name or function.__name__
        if own in OPERATIONS:
            raise ValueError("two operations are called " + own)
        OPERATIONS[own] = Operation(own, function, takes, **facts)
        OPERATIONS[own].belongs_to(function.__module__.rsplit(".", 1)[-1])
        return function

    return enter


def load():
    """Import the file of every family; returns the registry."""
    for file in sorted(os.listdir(HERE)):
        if file.endswith(".py"):
            importlib.import_module("cases." + file[:-3])
    return OPERATIONS
