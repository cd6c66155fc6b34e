"""The scikit-learn face."""

from .deep import DeepReservoirClassifier, DeepReservoirRegressor

__all__ = ["DeepReservoirClassifier", "DeepReservoirRegressor"]
