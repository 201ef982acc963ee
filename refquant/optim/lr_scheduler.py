"""Schedules of the step size: what `refquant.optim.lr_scheduler` holds in PyTorch."""

from refquant.optim.annealing import CosineAnnealingLR, ReduceLROnPlateau
from refquant.optim.schedules import (
    ExponentialLR,
    LambdaLR,
    LRScheduler,
    MultiStepLR,
    StepLR,
)

_LRScheduler = LRScheduler

__all__ = [
    "CosineAnnealingLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "MultiStepLR",
    "ReduceLROnPlateau",
    "StepLR",
]
