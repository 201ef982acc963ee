"""Helpers around modules."""

from refquant._paths import no_attribute as _no_attribute
from refquant.nn.utils import rnn
from refquant.nn.utils.gradients import clip_grad_norm_, clip_grad_value_

__all__ = ["clip_grad_norm_", "clip_grad_value_", "rnn"]


def __getattr__(name: str):
    raise _no_attribute(__name__, name)
