"""The scikit-learn face."""

from .deep_classifier import DeepReservoirClassifier
from .deep_regressor import DeepReservoirRegressor
from .echo_regressor import EchoStateRegressor

__all__ = ["DeepReservoirClassifier", "DeepReservoirRegressor", "EchoStateRegressor"]
