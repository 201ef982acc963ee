"""Schedules of the step size: what `refquant.optim.lr_scheduler` holds in PyTorch."""

from refquant.optim.annealing import (
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    ReduceLROnPlateau,
)
from refquant.optim.cycles import CyclicLR, OneCycleLR
from refquant.optim.ramps import ConstantLR, LinearLR, PolynomialLR, SequentialLR
from refquant.optim.schedules import (
    ExponentialLR,
    LambdaLR,
    LRScheduler,
    MultiStepLR,
    StepLR,
)

_LRScheduler = LRScheduler

__all__ = [
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]
