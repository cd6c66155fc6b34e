"""Configurations: frozen dataclasses that build layers."""

from .adapter_pattern import AdapterPattern
from .base import (
    ADAPTERS,
    ARCHITECTURES,
    B_INITS,
    DTYPES,
    SCALINGS,
    NetworkConfig,
    architecture,
)
from .cfc import CfCConfig
from .decision_transformer import DecisionTransformerConfig
from .decoder import PRESETS, DecoderConfig
from .gcn import GCNConfig
from .gin import GINConfig
from .mlp import HEADS, MLPConfig
from .plain_cnn import PlainCNNConfig
from .plain_config import from_plain
from .text_transformer import TextTransformerConfig
from .vit import ViTConfig

__all__ = [
    "ADAPTERS",
    "ARCHITECTURES",
    "B_INITS",
    "DTYPES",
    "HEADS",
    "PRESETS",
    "SCALINGS",
    "AdapterPattern",
    "CfCConfig",
    "DecisionTransformerConfig",
    "DecoderConfig",
    "GCNConfig",
    "GINConfig",
    "MLPConfig",
    "NetworkConfig",
    "PlainCNNConfig",
    "TextTransformerConfig",
    "ViTConfig",
    "architecture",
    "from_plain",
]
