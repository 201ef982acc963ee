"""Optimizers: rules that change parameters so that a loss becomes smaller."""

from refquant.optim.adam import Adam
from refquant.optim.optimizer import Optimizer
from refquant.optim.sgd import SGD
