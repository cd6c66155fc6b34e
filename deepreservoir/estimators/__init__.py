"""The scikit-learn face."""

from .deep_classifier import DeepReservoirClassifier
from .deep_regressor import DeepReservoirRegressor
from .echo import EchoStateClassifier, EchoStateRegressor
from .fitting_many import fit_many
from .gated import SeedGatedClassifier
from .predicting_many import predict_many

__all__ = [
    "DeepReservoirClassifier",
    "DeepReservoirRegressor",
    "EchoStateClassifier",
    "EchoStateRegressor",
    "SeedGatedClassifier",
    "fit_many",
    "predict_many",
]
