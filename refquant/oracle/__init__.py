"""The oracle: what exact arithmetic says of a backend's answers."""

from refquant.oracle.int16_pairs import SaturationReport, saturation

__all__ = ["SaturationReport", "saturation"]
