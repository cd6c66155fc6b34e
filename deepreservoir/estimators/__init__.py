"""The scikit-learn face."""

from .deep_classifier import DeepReservoirClassifier
from .deep_regressor import DeepReservoirRegressor
from .echo_classifier import EchoStateClassifier
from .echo_regressor import EchoStateRegressor
from .halving import reservoir_search
from .seed_gated import SeedGatedClassifier
from .tenants import predict_many
from .together import fit_many

__all__ = [
    "DeepReservoirClassifier",
    "DeepReservoirRegressor",
    "EchoStateClassifier",
    "EchoStateRegressor",
    "SeedGatedClassifier",
    "fit_many",
    "predict_many",
    "reservoir_search",
]
