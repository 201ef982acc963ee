"""Optimizers: gradient descent rules."""

from refquant.optim import lr_scheduler
from refquant.optim.adam import Adam, AdamW
from refquant.optim.adaptive import Adadelta, Adagrad, RMSprop
from refquant.optim.optimizer import Optimizer
from refquant.optim.sgd import SGD

__all__ = [
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Optimizer",
    "RMSprop",
    "lr_scheduler",
]
