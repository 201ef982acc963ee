"""The oracle: what exact arithmetic says of a backend's answers."""

from refquant.engines.axes import AXES, Arithmetic, Axis
from refquant.engines.points import arithmetic_of
from refquant.oracle.int16_pairs import SaturationReport, saturation

__all__ = ["AXES", "Arithmetic", "Axis", "SaturationReport", "arithmetic_of", "saturation"]
