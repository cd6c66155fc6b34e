"""Layers with hand-written forward and backward passes."""

from ..kernels import ACTIVATIONS
from .activated_dense import ActivatedDense
from .activation import Activation
from .adapter import Adapter
from .attention import SelfAttention
from .base import (
    INFERENCE,
    Layer,
    Pass,
    ScaffoldRequest,
    Step,
    as_rows,
    like_rows,
)
from .batch_norm import BatchNorm
from .cfc import CfC
from .combined import combine
from .composite import Recompute, Residual, Sequential
from .convolution import Convolution
from .convolution_stack import ConvolutionStack
from .decoder import DecoderBlock
from .dense import AdaptedDense
from .embedding import CategoryEmbedding
from .gated_mlp import GatedMLP
from .gin import GINConvolution
from .graph import Aggregate, NodeDense
from .key_value_cache import KEYS_AND_VALUES, KeyValueCache
from .multiply_adds import MultiplyAdds
from .norm import LayerNorm, RMSNorm
from .norm_relu import BatchNormReLU
from .patch_embedding import PatchEmbedding
from .plain_dense import Dense
from .pooling import GlobalAveragePooling, GraphPooling, TokenPooling
from .scaffold_embedding import ScaffoldEmbedding
from .stochastic_depth import StochasticDepth
from .text_embedding import TextEmbedding
from .token_embedding import TiedOutput, TokenEmbedding
from .trajectory import ObservationTokens, TrajectoryEmbedding
from .transformer import TransformerBlock

__all__ = [
    "ACTIVATIONS",
    "INFERENCE",
    "KEYS_AND_VALUES",
    "ActivatedDense",
    "Activation",
    "AdaptedDense",
    "Adapter",
    "Aggregate",
    "BatchNorm",
    "BatchNormReLU",
    "CategoryEmbedding",
    "CfC",
    "Convolution",
    "ConvolutionStack",
    "DecoderBlock",
    "Dense",
    "GINConvolution",
    "GatedMLP",
    "GlobalAveragePooling",
    "GraphPooling",
    "KeyValueCache",
    "Layer",
    "LayerNorm",
    "MultiplyAdds",
    "NodeDense",
    "ObservationTokens",
    "Pass",
    "PatchEmbedding",
    "RMSNorm",
    "Recompute",
    "Residual",
    "ScaffoldEmbedding",
    "ScaffoldRequest",
    "SelfAttention",
    "Sequential",
    "Step",
    "StochasticDepth",
    "TextEmbedding",
    "TiedOutput",
    "TokenEmbedding",
    "TokenPooling",
    "TrajectoryEmbedding",
    "TransformerBlock",
    "as_rows",
    "combine",
    "like_rows",
]
