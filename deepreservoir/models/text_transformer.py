"""Transformers that classify texts, on scaffolds: the configuration and the layers it builds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np

from ..checks import check_choice, check_dropped_share, check_flag, check_integer
from ..layers import (
    Activation,
    Adapter,
    Dense,
    Layer,
    LayerNorm,
    Recompute,
    Sequential,
    TextEmbedding,
    TokenPooling,
    TransformerBlock,
)
from ..params import DECAYED
from .adapter_pattern import AdapterPattern
from .base import architecture
from .equal_size import largest_within

#: Which matrices of a block carry adapters.
ADAPTED = ("attention", "all")
#: How the embeddings of tokens and positions are represented.
EMBEDDINGS = ("trained", "adapted", "frozen")
#: The side array that marks the tokens of each text; the others are padding.
KEPT = "kept"

#: Number of word pieces of bert-base-uncased, which the paper uses.
_VOCABULARY = 30_522


@architecture("text_transformer")
@dataclass(frozen=True)
class TextTransformerConfig(AdapterPattern):
    """A Transformer encoder of texts (Vaswani et al., 2017) on scaffolds.

    Embeddings of tokens and positions are added, and blocks of attention and MLP, with layer
    normalisation before each, transform them; the head reads the mean over the tokens of a text.
    The matrices Q, K, V and O are adapted, with a scale each, and the head is trained. The matrices
    of the MLP keep their initial values, and layer normalisations at one and zero; matrices have no
    biases (paper, arXiv 2604.08749, section on IMDB). With ``adapter="full"`` all of them are
    trained, with biases, and so are the embeddings.

    Parameters
    ----------
    vocabulary : int
        Number of tokens.
    n_outputs : int
    width : int, default=256
        Width of a token, which is divisible by `heads`.
    depth : int, default=3
        Number of blocks.
    heads : int, default=4
    max_length : int, default=512
        Maximum number of tokens of a text.
    mlp_ratio : int, default=4
        Width of the hidden layer of the MLP, in units of `width`.
    adapt : {"attention", "all"}, default="attention"
        Which matrices carry adapters and scales: those of attention, or those of the MLP too.
    embeddings : {"trained", "adapted", "frozen"}, default="trained"
        Whether the embeddings of tokens and positions are trained, are rows of matrices on
        scaffolds with adapters, or are rows of scaffolds without.
    dropout : float, default=0.1
        Share that is dropped during training of the embeddings and of the outputs of attention and
        MLP.
    recompute : bool, default=False
        Whether the backward pass computes the activations of a block again instead of keeping
        them.
    scaffold_removed : bool, default=False
        Whether the scaffolds of the matrices that carry adapters are zero, in controls.

    Raises
    ------
    ValueError
        If a value is out of range; the message names the parameter and what was expected.

    Examples
    --------
    >>> config = TextTransformerConfig.paper(rank=8)
    >>> config.n_params, config.fully_trained().n_params
    (49678, 10315010)
    """

    decayed: ClassVar[frozenset[str]] = DECAYED - {"adapter"}
    works_in_shares: ClassVar[bool] = True

    vocabulary: int
    n_outputs: int
    width: int = 256
    depth: int = 3
    heads: int = 4
    max_length: int = 512
    mlp_ratio: int = 4
    adapt: str = "attention"
    embeddings: str = "trained"
    dropout: float = 0.1
    recompute: bool = False

    def __post_init__(self) -> None:
        sizes = ("vocabulary", "n_outputs", "width", "depth", "heads", "max_length", "mlp_ratio")
        for name in sizes:
            check_integer(name, getattr(self, name), 1)
        if self.width % self.heads:
            raise ValueError(
                f"width must be divisible by heads; got width {self.width} and heads {self.heads}"
            )
        check_choice("adapt", self.adapt, ADAPTED)
        check_choice("embeddings", self.embeddings, EMBEDDINGS)
        check_dropped_share("dropout", self.dropout)
        check_flag("recompute", self.recompute)
        super().__post_init__()
        self.check_ranks()

    @classmethod
    def paper(cls, vocabulary: int = _VOCABULARY, n_outputs: int = 2, **options: Any) -> Self:
        """Return the paper's network for IMDB, in the reading of its counts: frozen embeddings.

        The paper prints 529 + 6,144 r trained parameters at rank r, three more than this network
        has: two logits (514) and a scale for each of 12 matrices. It prints 10,315,030 for the
        fully trained network, 20 more. What the other 3 and 20 are is not stated.

        Parameters
        ----------
        vocabulary : int, default=30522
        n_outputs : int, default=2
        **options
            Other fields.
        """
        return cls(vocabulary, n_outputs, **{"embeddings": "frozen", **options})

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return (self.max_length,)

    @property
    def sample_bytes(self) -> int:
        """Bytes of the longest text and of what a block makes of it in a pass."""
        token = self.width * (6 + 3 * self.mlp_ratio)
        return (self.max_length * token + self.n_outputs) * np.dtype(self.dtype).itemsize

    def resized(self, n_params: int) -> Self | None:
        """Return the fully trained network of this depth that is as wide as `n_params` allow."""
        full = self.fully_trained()
        return largest_within(lambda head: replace(full, width=head * self.heads), n_params)

    def build(self) -> tuple[Layer, Layer]:
        full, width = self.adapter == "full", self.width
        layers: list[Layer] = [
            TextEmbedding(
                "embedding", self.vocabulary, self.max_length, width, self._embedding_adapter()
            )
        ]
        if self.dropout:
            layers.append(Activation("identity", "embedding", dropout=self.dropout))
        blocks = [self._block(i) for i in range(self.depth)]
        layers += [Recompute(block) for block in blocks] if self.recompute else blocks
        layers += [LayerNorm("norm", width, trained=full), TokenPooling("mean", KEPT)]
        return Sequential(layers), Dense("head", width, self.n_outputs)

    def _block(self, i: int) -> TransformerBlock:
        full = self.adapter == "full"
        return TransformerBlock(
            f"layers.{i}",
            self.width,
            self.heads,
            self.mlp_ratio * self.width,
            self.adapter_of,
            bias=full,
            dropout=self.dropout,
            mask=KEPT,
            mlp_adapter_of=partial(self.adapter_or_none, self.adapt == "all"),
            trained_norms=full,
        )

    def _embedding_adapter(self) -> Adapter | None:
        """Return the adapter of the embeddings, or None if they are trained without a scaffold."""
        if self.embeddings == "trained":
            return None
        # One adapter serves both tables: the smaller one limits its rank.
        rows = min(self.vocabulary, self.max_length)
        return self.adapter_or_none(self.embeddings == "adapted", self.width, rows)
