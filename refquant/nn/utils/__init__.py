"""Helpers around modules."""

from refquant.nn.utils import rnn
from refquant.nn.utils.gradients import clip_grad_norm_, clip_grad_value_

__all__ = ["clip_grad_norm_", "clip_grad_value_", "rnn"]
