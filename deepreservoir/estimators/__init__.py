"""The scikit-learn face."""

from .deep_classifier import DeepReservoirClassifier
from .deep_regressor import DeepReservoirRegressor
from .echo_classifier import EchoStateClassifier
from .echo_regressor import EchoStateRegressor
from .halving import reservoir_search
from .rank_search import RankSearch
from .seed_gated import SeedGatedClassifier
from .subspace import SubspaceDimension, subspace_dimension
from .tenants import predict_many
from .together import fit_many

__all__ = [
    "DeepReservoirClassifier",
    "DeepReservoirRegressor",
    "EchoStateClassifier",
    "EchoStateRegressor",
    "RankSearch",
    "SeedGatedClassifier",
    "SubspaceDimension",
    "fit_many",
    "predict_many",
    "reservoir_search",
    "subspace_dimension",
]
