"""Helpers around modules."""

from refquant._paths import no_attribute as _no_attribute
from refquant.nn.utils import rnn
from refquant.nn.utils.gradients import clip_grad_norm_, clip_grad_value_
from refquant.nn.utils.vectors import parameters_to_vector, vector_to_parameters

__all__ = [
    "clip_grad_norm_",
    "clip_grad_value_",
    "parameters_to_vector",
    "rnn",
    "vector_to_parameters",
]


def __getattr__(name: str):
    raise _no_attribute(__name__, name)
