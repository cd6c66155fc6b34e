"""Echo-state networks as estimators."""

from .classifier import EchoStateClassifier
from .regressor import EchoStateRegressor

__all__ = ["EchoStateClassifier", "EchoStateRegressor"]
