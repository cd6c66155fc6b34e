"""Deep networks as reservoirs: weights from a seed, kilobytes trained.

Public names are imported when first used, so that ``import deepreservoir`` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = {
    "CausalLanguageModel": "estimators",
    "CfCClassifier": "estimators",
    "CfCFeatures": "estimators",
    "CfCRegressor": "estimators",
    "DeepReservoirClassifier": "estimators",
    "DeepReservoirRegressor": "estimators",
    "EchoStateClassifier": "estimators",
    "EchoStateRegressor": "estimators",
    "AttentionDisplay": "displays",
    "FilterDisplay": "displays",
    "ForecastDisplay": "displays",
    "LossCurveDisplay": "displays",
    "RankCurveDisplay": "displays",
    "TextTransformerClassifier": "estimators",
    "TextTransformerConfig": "models",
    "ViTClassifier": "estimators",
    "ViTConfig": "models",
    "GCNClassifier": "estimators",
    "GCNConfig": "models",
    "GINClassifier": "estimators",
    "GINConfig": "models",
    "GINRegressor": "estimators",
    "Graph": "inputs",
    "ImageFiles": "inputs",
    "image_folder": "inputs",
    "Nodes": "inputs",
    "PlainCNNClassifier": "estimators",
    "PlainCNNConfig": "models",
    "RankSearch": "search",
    "SeedGatedClassifier": "estimators",
    "fit_many": "estimators",
    "predict_many": "estimators",
    "reservoir_search": "search",
    "subspace_dimension": "search",
    "check_gradients": "gradient_check",
    "ARCHITECTURES": "models",
    "NetworkConfig": "models",
    "architecture": "models",
    "from_plain": "models",
    "AdaptedDense": "layers",
    "Activation": "layers",
    "Dense": "layers",
    "Layer": "layers",
    "MultiplyAdds": "layers",
    "Pass": "layers",
    "Recompute": "layers",
    "Residual": "layers",
    "Sequential": "layers",
    "ScaffoldRequest": "layers",
    "Slot": "params",
    "Batch": "inputs",
    "Inputs": "inputs",
    "Reader": "inputs",
    "Target": "inputs",
    "IrregularSeries": "inputs",
    "irregular_series": "inputs",
    "DeepClassifier": "estimators",
    "DeepRegressor": "estimators",
    "SeedGated": "estimators",
    "Targets": "estimators",
    "register_estimator": "estimators",
    "CfCConfig": "models",
    "DecisionTransformer": "estimators",
    "DecisionTransformerConfig": "models",
    "Trajectories": "inputs",
    "trajectories": "inputs",
    "DecoderConfig": "models",
    "MLPConfig": "models",
    "Network": "network",
    "TrainingDiverged": "training",
    "FAMILIES": "scaffold",
    "Scaffold": "scaffold",
    "ScaffoldSpec": "scaffold",
    "make_scaffold": "scaffold",
    "load_dataset": "datasets",
    "ArtifactError": "container",
    "attach": "artifact.persist",
    "export_onnx": "artifact.to_onnx",
    "export_peft": "artifact.to_peft",
    "load": "artifact.persist",
    "register_transformer": "artifact.transformers",
    "materialise": "artifact.dense_weights",
    "save": "artifact.persist",
    "compare": "experiments",
    "episode_returns": "experiments",
}

__all__ = ["__version__", *sorted(_PUBLIC)]

if TYPE_CHECKING:
    from .artifact.dense_weights import materialise as materialise
    from .artifact.persist import attach as attach
    from .artifact.persist import load as load
    from .artifact.persist import save as save
    from .artifact.to_onnx import export_onnx as export_onnx
    from .artifact.to_peft import export_peft as export_peft
    from .artifact.transformers import register_transformer as register_transformer
    from .container import ArtifactError as ArtifactError
    from .datasets import load_dataset as load_dataset
    from .displays import AttentionDisplay as AttentionDisplay
    from .displays import FilterDisplay as FilterDisplay
    from .displays import ForecastDisplay as ForecastDisplay
    from .displays import LossCurveDisplay as LossCurveDisplay
    from .displays import RankCurveDisplay as RankCurveDisplay
    from .estimators import CausalLanguageModel as CausalLanguageModel
    from .estimators import CfCClassifier as CfCClassifier
    from .estimators import CfCFeatures as CfCFeatures
    from .estimators import CfCRegressor as CfCRegressor
    from .estimators import DecisionTransformer as DecisionTransformer
    from .estimators import DeepClassifier as DeepClassifier
    from .estimators import DeepRegressor as DeepRegressor
    from .estimators import DeepReservoirClassifier as DeepReservoirClassifier
    from .estimators import DeepReservoirRegressor as DeepReservoirRegressor
    from .estimators import EchoStateClassifier as EchoStateClassifier
    from .estimators import EchoStateRegressor as EchoStateRegressor
    from .estimators import GCNClassifier as GCNClassifier
    from .estimators import GINClassifier as GINClassifier
    from .estimators import GINRegressor as GINRegressor
    from .estimators import PlainCNNClassifier as PlainCNNClassifier
    from .estimators import SeedGated as SeedGated
    from .estimators import SeedGatedClassifier as SeedGatedClassifier
    from .estimators import Targets as Targets
    from .estimators import TextTransformerClassifier as TextTransformerClassifier
    from .estimators import ViTClassifier as ViTClassifier
    from .estimators import fit_many as fit_many
    from .estimators import predict_many as predict_many
    from .estimators import register_estimator as register_estimator
    from .experiments import compare as compare
    from .experiments import episode_returns as episode_returns
    from .gradient_check import check_gradients as check_gradients
    from .inputs import Batch as Batch
    from .inputs import Graph as Graph
    from .inputs import ImageFiles as ImageFiles
    from .inputs import Inputs as Inputs
    from .inputs import IrregularSeries as IrregularSeries
    from .inputs import Nodes as Nodes
    from .inputs import Reader as Reader
    from .inputs import Target as Target
    from .inputs import Trajectories as Trajectories
    from .inputs import image_folder as image_folder
    from .inputs import irregular_series as irregular_series
    from .inputs import trajectories as trajectories
    from .layers import Activation as Activation
    from .layers import AdaptedDense as AdaptedDense
    from .layers import Dense as Dense
    from .layers import Layer as Layer
    from .layers import MultiplyAdds as MultiplyAdds
    from .layers import Pass as Pass
    from .layers import Recompute as Recompute
    from .layers import Residual as Residual
    from .layers import ScaffoldRequest as ScaffoldRequest
    from .layers import Sequential as Sequential
    from .models import ARCHITECTURES as ARCHITECTURES
    from .models import CfCConfig as CfCConfig
    from .models import DecisionTransformerConfig as DecisionTransformerConfig
    from .models import DecoderConfig as DecoderConfig
    from .models import GCNConfig as GCNConfig
    from .models import GINConfig as GINConfig
    from .models import MLPConfig as MLPConfig
    from .models import NetworkConfig as NetworkConfig
    from .models import PlainCNNConfig as PlainCNNConfig
    from .models import TextTransformerConfig as TextTransformerConfig
    from .models import ViTConfig as ViTConfig
    from .models import architecture as architecture
    from .models import from_plain as from_plain
    from .network import Network as Network
    from .params import Slot as Slot
    from .scaffold import FAMILIES as FAMILIES
    from .scaffold import Scaffold as Scaffold
    from .scaffold import ScaffoldSpec as ScaffoldSpec
    from .scaffold import make_scaffold as make_scaffold
    from .search import RankSearch as RankSearch
    from .search import reservoir_search as reservoir_search
    from .search import subspace_dimension as subspace_dimension
    from .training import TrainingDiverged as TrainingDiverged


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'deepreservoir' has no attribute {name!r}")
    return getattr(import_module(f".{_PUBLIC[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
