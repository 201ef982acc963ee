"""The oracle: checks answers of int8 backends against engines and exact arithmetic."""

from refquant.engines.arithmetic.axes import AXES, Arithmetic, Axis
from refquant.engines.arithmetic.known import arithmetic_of, engine_of
from refquant.oracle.comparison import CLASSES, Mismatch, compare
from refquant.oracle.diagnosis import Diagnosis, diagnose
from refquant.oracle.error_bounds import Legality, legality
from refquant.oracle.int16_pairs import SaturationReport, saturation
from refquant.oracle.issue_cards import KnownIssue
from refquant.oracle.issue_catalog import known_issues
from refquant.oracle.joint import diagnose_all
from refquant.oracle.judging.judgment import Judgment, LayerVerdict
from refquant.oracle.judging.layers import judge
from refquant.oracle.problems.base import Problem
from refquant.oracle.problems.codes import Codes, Output
from refquant.oracle.problems.table import operations, problem
from refquant.oracle.search import Contradiction
from refquant.oracle.traces import Step, Trace
from refquant.oracle.tracing import trace
from refquant.oracle.vectors.case import Case
from refquant.oracle.vectors.coverage import coverage
from refquant.oracle.vectors.generate import NEUTRAL_OPERATIONS, OPERATIONS, cases_of
from refquant.oracle.vectors.grade import check, check_results
from refquant.oracle.vectors.grades import Grade, Grades
from refquant.oracle.vectors.load import Vectors, read_vectors
from refquant.oracle.vectors.save import write_vectors

__all__ = [
    "AXES",
    "CLASSES",
    "NEUTRAL_OPERATIONS",
    "OPERATIONS",
    "Arithmetic",
    "Axis",
    "Case",
    "Codes",
    "Contradiction",
    "Diagnosis",
    "Grade",
    "Grades",
    "Judgment",
    "LayerVerdict",
    "Legality",
    "Mismatch",
    "KnownIssue",
    "Output",
    "Problem",
    "SaturationReport",
    "Step",
    "Trace",
    "Vectors",
    "arithmetic_of",
    "engine_of",
    "cases_of",
    "check",
    "check_results",
    "compare",
    "coverage",
    "diagnose",
    "diagnose_all",
    "judge",
    "known_issues",
    "legality",
    "operations",
    "problem",
    "read_vectors",
    "saturation",
    "trace",
    "write_vectors",
]
