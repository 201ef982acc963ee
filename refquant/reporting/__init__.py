"""What quantization did to a network: measured layer by layer, as tables and as a page.

`compare` runs a float model and its quantized form side by side; `tables` and `page` show the
outcome on a terminal and as one HTML file that needs nothing but itself.
"""

from refquant.reporting.layers import Comparison, Layer, compare
from refquant.reporting.measures import agreement, parameter_bytes, seconds, sqnr
from refquant.reporting.page import Page
from refquant.reporting.tables import Table

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
