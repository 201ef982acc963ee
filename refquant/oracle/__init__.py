"""The oracle: what exact arithmetic says of a backend's answers."""

from refquant.oracle.saturation import SaturationReport, saturation

__all__ = ["SaturationReport", "saturation"]
