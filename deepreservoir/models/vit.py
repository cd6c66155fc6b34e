"""Vision Transformers on scaffolds: the configuration and the layers that it builds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from ..checks import check_choice, check_dropped_share, check_flag, check_integer
from ..layers import (
    Activation,
    Dense,
    Layer,
    LayerNorm,
    PatchEmbedding,
    Recompute,
    Sequential,
    TokenPooling,
    TransformerBlock,
)
from ..layers.patch_embedding import check_patches
from ..layers.pooling import TOKEN_POOLINGS
from ..params import DECAYED
from .base import NetworkConfig, architecture
from .equal_size import largest_within


@architecture("vit")
@dataclass(frozen=True)
class ViTConfig(NetworkConfig):
    """A Vision Transformer (Dosovitskiy et al., 2021) on scaffolds.

    Patches of an image are tokens, which blocks of attention and MLP transform; the head reads the
    class token, or the mean of all tokens. The matrices Q, K, V, O and both matrices of the MLP of
    each block are adapted. The embeddings of patches and positions, the class token, the layer
    normalisations and the head are trained. Biases of adapted matrices are trained only in the
    fully trained counterpart (paper, arXiv 2604.08749, appendix on ViT).

    Parameters
    ----------
    image_shape : (int, int, int)
        Height, width and channels.
    n_outputs : int
    patch_size : int, default=4
        Side of a patch, which divides height and width.
    width : int, default=64
        Width of a token, which is divisible by `heads`.
    depth : int, default=4
        Number of blocks.
    heads : int, default=4
    mlp_ratio : int, default=4
        Width of the hidden layer of the MLP, in units of `width`.
    dropout : float, default=0.0
        Share that is dropped during training of the embeddings and of the outputs of attention and
        MLP.
    stochastic_depth : float, default=0.0
        Share of the samples that skip the last block's attention, and its MLP, during training. It
        grows linearly from block to block.
    layer_norm : bool, default=False
        Whether each adapted matrix is followed by a trained layer normalisation of its outputs.
    recompute : bool, default=False
        Whether the backward pass computes the activations of a block again instead of keeping
        them.
    pooling : {"token", "mean"}, default="token"
        What the head reads: a class token, or the mean of the patches.

    Raises
    ------
    ValueError
        If a value is out of range; the message names the parameter and what was expected.

    Examples
    --------
    >>> config = ViTConfig.base_16(102, rank=8)
    >>> config.n_params, config.fully_trained().n_params
    (2186670, 85877094)
    """

    decayed: ClassVar[frozenset[str]] = DECAYED - {"adapter"}
    works_in_shares: ClassVar[bool] = True

    image_shape: tuple[int, int, int]
    n_outputs: int
    patch_size: int = 4
    width: int = 64
    depth: int = 4
    heads: int = 4
    mlp_ratio: int = 4
    dropout: float = 0.0
    stochastic_depth: float = 0.0
    layer_norm: bool = False
    recompute: bool = False
    pooling: str = "token"

    def __post_init__(self) -> None:
        shape: Any = self.image_shape
        if not isinstance(shape, Sequence | np.ndarray) or len(shape) != 3:
            raise ValueError(
                f"image_shape must be (height, width, channels), such as (32, 32, 3); got {shape!r}"
            )
        for i, size in enumerate(shape):
            check_integer(f"image_shape[{i}]", size, 1)
        object.__setattr__(self, "image_shape", tuple(int(size) for size in shape))
        for name in ("n_outputs", "patch_size", "width", "depth", "heads", "mlp_ratio"):
            check_integer(name, getattr(self, name), 1)
        check_patches(self.image_shape, self.patch_size)
        if self.width % self.heads:
            raise ValueError(
                f"width must be divisible by heads; got width {self.width} and heads {self.heads}"
            )
        for name in ("dropout", "stochastic_depth"):
            check_dropped_share(name, getattr(self, name))
        for name in ("layer_norm", "recompute"):
            check_flag(name, getattr(self, name))
        check_choice("pooling", self.pooling, TOKEN_POOLINGS)
        super().__post_init__()
        self.check_ranks()

    @classmethod
    def base_16(
        cls, n_outputs: int, image_shape: tuple[int, int, int] = (224, 224, 3), **options: Any
    ) -> Self:
        """Return ViT-B/16: 12 blocks of width 768 with 12 heads, on patches of 16 x 16 pixels.

        Parameters
        ----------
        n_outputs : int
        image_shape : (int, int, int), default=(224, 224, 3)
        **options
            Other fields.
        """
        sizes = {"patch_size": 16, "width": 768, "depth": 12, "heads": 12, "mlp_ratio": 4}
        return cls(image_shape, n_outputs, **{**sizes, **options})

    @property
    def n_tokens(self) -> int:
        """Number of tokens, the class token among them."""
        height, breadth, _ = self.image_shape
        patches = (height // self.patch_size) * (breadth // self.patch_size)
        return patches + (self.pooling == "token")

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return self.image_shape

    @property
    def sample_bytes(self) -> int:
        """Bytes of one image and of what a block makes of it in a pass."""
        token = self.width * (6 + 3 * self.mlp_ratio)
        entries = int(np.prod(self.image_shape)) + self.n_tokens * token + self.n_outputs
        return entries * np.dtype(self.dtype).itemsize

    def resized(self, n_params: int) -> Self | None:
        """Return the fully trained network of this depth that is as wide as `n_params` allow."""
        full = self.fully_trained()
        return largest_within(lambda head: replace(full, width=head * self.heads), n_params)

    def build(self) -> tuple[Layer, Layer]:
        token = self.pooling == "token"
        layers: list[Layer] = [
            PatchEmbedding("embedding", self.image_shape, self.patch_size, self.width, token)
        ]
        if self.dropout:
            layers.append(Activation("identity", "embedding", dropout=self.dropout))
        blocks = [self._block(i) for i in range(self.depth)]
        layers += [Recompute(block) for block in blocks] if self.recompute else blocks
        layers += [TokenPooling(self.pooling), LayerNorm("norm", self.width)]
        return Sequential(layers), Dense("head", self.width, self.n_outputs)

    def _block(self, i: int) -> TransformerBlock:
        last = i == self.depth - 1
        return TransformerBlock(
            f"layers.{i}",
            self.width,
            self.heads,
            self.mlp_ratio * self.width,
            self.adapter_of,
            bias=self.adapter == "full",
            dropout=self.dropout,
            stochastic_depth=self.stochastic_depth * (i + 1) / self.depth,
            layer_norm=self.layer_norm,
            # Nothing reads the other tokens of the last block.
            outputs=1 if last and self.pooling == "token" else None,
        )
