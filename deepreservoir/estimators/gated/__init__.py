"""Seed gating: one adapter for several tasks, each on a scaffold of its own."""

from .base import SeedGated
from .classifier import SeedGatedClassifier

__all__ = ["SeedGated", "SeedGatedClassifier"]
