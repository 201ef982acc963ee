"""Reports on what quantization costs a network, layer by layer, as tables and as a page.

`report` does everything in one call. `compare` runs a float model and its quantized form side by
side; `Table` and `Page` show the results on a terminal and as one self-contained HTML file.
"""

from refquant.reporting.comparison import Comparison, compare
from refquant.reporting.float_layers import gains_in_float
from refquant.reporting.layers import Layer
from refquant.reporting.measures import agreement, parameter_bytes, seconds, sqnr
from refquant.reporting.model_report import report, worst_layers
from refquant.reporting.page import Page
from refquant.reporting.recommendations import advice
from refquant.reporting.sensitivities import Sensitivity, sensitivity
from refquant.reporting.tables import Table

__all__ = [
    "Comparison",
    "Layer",
    "Page",
    "Sensitivity",
    "Table",
    "advice",
    "agreement",
    "compare",
    "gains_in_float",
    "parameter_bytes",
    "report",
    "seconds",
    "sensitivity",
    "sqnr",
    "worst_layers",
]
