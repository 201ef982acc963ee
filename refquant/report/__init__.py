"""What quantization did to a network: measured layer by layer, as tables and as a page.

`compare` runs a float model and its quantized form side by side; `tables` and `page` show the
outcome on a terminal and as one HTML file that needs nothing but itself.
"""

from refquant.report.layers import Comparison, Layer, compare
from refquant.report.measures import agreement, parameter_bytes, seconds, sqnr
from refquant.report.page import Page
from refquant.report.tables import Table

__all__ = [
    "Comparison",
    "Layer",
    "Page",
    "Table",
    "agreement",
    "compare",
    "parameter_bytes",
    "seconds",
    "sqnr",
]
