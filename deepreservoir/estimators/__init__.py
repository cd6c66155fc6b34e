"""Estimators with the interface of scikit-learn."""

from .base.classifier import DeepClassifier
from .base.fitting import DeepEstimator
from .base.multilabel_targets import Indicators
from .base.registry import ESTIMATORS, estimator_named, register_estimator
from .base.regressor import DeepRegressor
from .base.scored_labels import ScoredLabels, SoftmaxLabels
from .base.targets import Labels, Numbers, Targets
from .cfc import CfCClassifier, CfCRegressor
from .cfc_features import CfCFeatures
from .decision_transformer import DecisionTransformer
from .echo import EchoStateClassifier, EchoStateRegressor
from .fitting_many import fit_many
from .gated import SeedGated, SeedGatedClassifier
from .graph_convolution import GCNClassifier
from .graph_isomorphism import GINClassifier, GINRegressor
from .language_model import CausalLanguageModel
from .perceptron import DeepReservoirClassifier, DeepReservoirRegressor
from .plain_cnn import PlainCNNClassifier
from .predicting_many import predict_many
from .text_transformer import TextTransformerClassifier
from .vit import ViTClassifier

__all__ = [
    "ESTIMATORS",
    "CausalLanguageModel",
    "CfCClassifier",
    "CfCFeatures",
    "CfCRegressor",
    "DecisionTransformer",
    "DeepClassifier",
    "DeepEstimator",
    "DeepRegressor",
    "DeepReservoirClassifier",
    "DeepReservoirRegressor",
    "EchoStateClassifier",
    "EchoStateRegressor",
    "GCNClassifier",
    "GINClassifier",
    "GINRegressor",
    "Indicators",
    "Labels",
    "Numbers",
    "PlainCNNClassifier",
    "ScoredLabels",
    "SeedGated",
    "SeedGatedClassifier",
    "SoftmaxLabels",
    "Targets",
    "TextTransformerClassifier",
    "ViTClassifier",
    "estimator_named",
    "fit_many",
    "predict_many",
    "register_estimator",
]
