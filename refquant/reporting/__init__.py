"""What quantization did to a network: measured layer by layer, as tables and as a page.

`report` does all at once. `compare` runs a float model and its quantized form side by side; `Table`
and `Page` show the outcome on a terminal and as one HTML file that needs nothing but itself.
"""

from refquant.reporting.comparison import Comparison, compare
from refquant.reporting.general import report, worst_layers
from refquant.reporting.layers import Layer
from refquant.reporting.measures import agreement, parameter_bytes, seconds, sqnr
from refquant.reporting.page import Page
from refquant.reporting.recommendations import advice
from refquant.reporting.tables import Table

__all__ = [
    "Comparison",
    "Layer",
    "Page",
    "Table",
    "advice",
    "agreement",
    "compare",
    "parameter_bytes",
    "report",
    "seconds",
    "sqnr",
    "worst_layers",
]
