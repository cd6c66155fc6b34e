"""The scikit-learn face."""

from .deep_classifier import DeepReservoirClassifier
from .deep_regressor import DeepReservoirRegressor

__all__ = ["DeepReservoirClassifier", "DeepReservoirRegressor"]
