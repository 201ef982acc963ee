"""Optimizers: gradient descent rules."""

from refquant.optim.adam import Adam
from refquant.optim.optimizer import Optimizer
from refquant.optim.sgd import SGD

__all__ = ["SGD", "Adam", "Optimizer"]
