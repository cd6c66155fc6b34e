"""Optimisers, learning-rate schedules, clipping of gradients, and averages of the weights."""

from .averaging import WeightAverage
from .clipping import clip_global_norm
from .optimisers import LBFGS, SGD, Adam, AdamW, Optimiser, OptimiserState, TabulatedOptimiser
from .schedules import Constant, Cosine, Exponential, Schedule, WarmUp

__all__ = [
    "LBFGS",
    "SGD",
    "Adam",
    "AdamW",
    "Constant",
    "Cosine",
    "Exponential",
    "Optimiser",
    "OptimiserState",
    "Schedule",
    "TabulatedOptimiser",
    "WarmUp",
    "WeightAverage",
    "clip_global_norm",
]
