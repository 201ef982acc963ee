"""Modules made of parts that can be observed: what ``prepare`` puts in place of whole layers."""

from importlib import import_module as _import_module
from typing import Any as _Any

# First, because its modules build on those here, and those here on some of its modules.
from refquant.nn import quantized as _quantized
from refquant.nn.quantizable import workflow as _workflow
from refquant.nn.quantizable.attention import MultiheadAttention
from refquant.nn.quantizable.cell import LSTMCell
from refquant.nn.quantizable.recurrent import LSTM

__all__ = ["LSTM", "LSTMCell", "MultiheadAttention"]


def _find(name: str) -> _Any:
    """Look a part of the workflow up when it is first used, as it imports these modules."""
    return getattr(_import_module("refquant.quantization"), name)


_workflow.FINDERS.append(_find)
