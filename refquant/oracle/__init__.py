"""The oracle: what exact arithmetic says of a backend's answers."""

from refquant.engines.axes import AXES, Arithmetic, Axis
from refquant.engines.points import arithmetic_of
from refquant.oracle.comparison import CLASSES, Mismatch, compare
from refquant.oracle.diagnosis import Contradiction, Diagnosis, diagnose
from refquant.oracle.int16_pairs import SaturationReport, saturation
from refquant.oracle.legality import Legality, legality
from refquant.oracle.problem import Problem, operations, problem
from refquant.oracle.trace import Step, Trace, trace

__all__ = [
    "AXES",
    "CLASSES",
    "Arithmetic",
    "Axis",
    "Contradiction",
    "Diagnosis",
    "Legality",
    "Mismatch",
    "Problem",
    "SaturationReport",
    "Step",
    "Trace",
    "arithmetic_of",
    "compare",
    "diagnose",
    "legality",
    "operations",
    "problem",
    "saturation",
    "trace",
]
