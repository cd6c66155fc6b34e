"""Llama-style decoders on scaffolds: the configuration and the layers that it builds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from ..checks import check_choice, check_flag, check_integer, is_finite_number
from ..layers import (
    AdaptedDense,
    DecoderBlock,
    Dense,
    Layer,
    Recompute,
    RMSNorm,
    ScaffoldEmbedding,
    Sequential,
    TiedOutput,
    TokenEmbedding,
)
from ..params import DECAYED
from .adapter_pattern import AdapterPattern
from .base import architecture
from .equal_size import largest_within

#: Which matrices of a block carry adapters.
ADAPTED = ("attention", "all", "none")

#: What the embeddings of tokens are: trained, or rows of an adapted scaffold.
EMBEDDINGS = ("trained", "scaffold")

#: The decoders of the paper (arXiv 2604.08749): fields by name of the size.
PRESETS: Mapping[str, Mapping[str, int]] = {
    "3M": {"width": 64, "depth": 6, "heads": 4, "mlp_width": 192},
    "30M": {"width": 384, "depth": 10, "heads": 6, "mlp_width": 1024},
    "300M": {"width": 1024, "depth": 22, "heads": 16, "mlp_width": 2816},
    "600M": {"width": 1344, "depth": 30, "heads": 21, "mlp_width": 3584},
    "900M": {"width": 1664, "depth": 34, "heads": 26, "mlp_width": 4608},
}

#: Size of the vocabulary in the paper.
_VOCABULARY = 32_000


@architecture("decoder")
@dataclass(frozen=True)
class DecoderConfig(AdapterPattern):
    """A Llama-style decoder (Touvron et al., 2023) on scaffolds.

    Each block has causal attention with rotary positions and a gated MLP, both after a
    normalisation by the root of the mean square, without biases. The outputs are the logits of the
    next token. The embeddings are trained, and the matrices Q, K, V and O are adapted, with a scale
    each; the matrices of the MLP keep their initial values, and the gains of the normalisations are
    one (paper, arXiv 2604.08749, section on language models). With ``adapter="full"`` all of them
    are trained.

    Parameters
    ----------
    vocabulary : int
        Number of tokens.
    width : int, default=64
        Width of a token; the width of a head, ``width / heads``, must be an even integer.
    depth : int, default=6
        Number of blocks.
    heads : int, default=4
    mlp_width : int, default=192
        Width of the hidden layer of the MLP.
    context : int, default=128
        Number of tokens of a window that the network is trained on.
    adapt : {"attention", "all", "none"}, default="attention"
        Which matrices carry adapters and scales: those of attention, those of the MLP too, or
        none. The others stay frozen on their scaffolds.
    embeddings : {"trained", "scaffold"}, default="trained"
        Whether the embeddings of tokens, and an output layer that is not tied, are trained, or are
        matrices on scaffolds with adapters of the same rank, so that a token has `rank` trained
        parameters instead of `width`.
    tied : bool, default=True
        Whether the output layer is the embedding.
    rotary_base : float, default=10000.0
        Base of the rotary positions.
    norm_eps : float, default=1e-5
        Added to the mean square in normalisations.
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
    >>> config = DecoderConfig.preset("900M", rank=8)
    >>> config.fully_trained().n_params, config.n_params - config.n_embeddings
    (1212039296, 3621000)
    """

    decayed: ClassVar[frozenset[str]] = DECAYED - {"adapter"}
    merges_samples: ClassVar[bool] = False
    works_in_shares: ClassVar[bool] = True
    absent: ClassVar[Mapping[str, Any]] = {"embeddings": "trained", "scaffold_removed": False}

    vocabulary: int
    width: int = 64
    depth: int = 6
    heads: int = 4
    mlp_width: int = 192
    context: int = 128
    adapt: str = "attention"
    tied: bool = True
    rotary_base: float = 10_000.0
    norm_eps: float = 1e-5
    recompute: bool = False
    embeddings: str = "trained"

    def __post_init__(self) -> None:
        check_integer("vocabulary", self.vocabulary, 2)
        for name in ("width", "depth", "heads", "mlp_width", "context"):
            check_integer(name, getattr(self, name), 1)
        if self.width % (2 * self.heads):
            raise ValueError(
                "width must be divisible by twice the number of heads, since rotary positions "
                f"rotate pairs of entries; got width {self.width} and heads {self.heads}"
            )
        check_choice("adapt", self.adapt, ADAPTED)
        check_choice("embeddings", self.embeddings, EMBEDDINGS)
        for name in ("tied", "recompute"):
            check_flag(name, getattr(self, name))
        for name in ("rotary_base", "norm_eps"):
            value = getattr(self, name)
            if not is_finite_number(value) or value <= 0:
                raise ValueError(f"{name} must be a positive number; got {value!r}")
        super().__post_init__()
        self.check_ranks()

    @classmethod
    def preset(cls, name: str, vocabulary: int = _VOCABULARY, **options: Any) -> Self:
        """Return a decoder of the paper.

        Parameters
        ----------
        name : {"3M", "30M", "300M", "600M", "900M"}
        vocabulary : int, default=32000
        **options
            Other fields.

        Raises
        ------
        ValueError
            If there is no decoder of that name.
        """
        check_choice("preset", name, PRESETS)
        return cls(vocabulary, **{**PRESETS[name], **options})

    @property
    def n_outputs(self) -> int:
        """Number of logits: one per token of the vocabulary."""
        return self.vocabulary

    @property
    def n_embeddings(self) -> int:
        """Number of trained parameters of the embeddings, and of an output that is not tied."""
        body, head = self.build()
        assert isinstance(body, Sequential)
        return sum(s.size for layer in (body.children[0], head) for s in layer.slots())

    @property
    def n_internal(self) -> int:
        """Number of weights of the blocks and of the last normalisation, frozen or trained."""
        block = 4 * self.width * self.width + 3 * self.width * self.mlp_width + 2 * self.width
        return self.depth * block + self.width

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return (self.context,)

    @property
    def sample_bytes(self) -> int:
        """Bytes of one window, its logits and what a block makes of it in a pass."""
        token = self.vocabulary + 8 * self.width + 3 * self.mlp_width
        return self.context * token * np.dtype(self.dtype).itemsize

    @property
    def training_sample_bytes(self) -> int:
        """Bytes of what the blocks keep of one window; one block and all inputs if recomputed."""
        block = 8 * self.width + 3 * self.mlp_width
        kept = block + self.depth * self.width if self.recompute else self.depth * block
        return self.context * kept * np.dtype(self.dtype).itemsize

    def resized(self, n_params: int) -> Self | None:
        """Return the fully trained network of this depth that is as wide as `n_params` allow.

        The number of heads stays, and the MLP keeps its width in proportion.
        """
        full = self.fully_trained()

        def mlp_width(width: int) -> int:
            return max(1, round(self.mlp_width * width / self.width))

        step = 2 * self.heads  # the width of a head is even
        return largest_within(
            lambda k: replace(full, width=k * step, mlp_width=mlp_width(k * step)), n_params
        )

    def build(self) -> tuple[Layer, Layer]:
        full = self.adapter == "full"
        embedding: TokenEmbedding | ScaffoldEmbedding
        head: Layer
        if self.embeddings == "trained":
            embedding = TokenEmbedding("embedding", self.vocabulary, self.width)
            head = Dense("head", self.width, self.vocabulary, bias=False)
        else:
            adapter = self.adapter_of(self.width, self.vocabulary)
            embedding = ScaffoldEmbedding("embedding", self.vocabulary, self.width, adapter)
            head = AdaptedDense("head", self.width, self.vocabulary, adapter)
        if self.tied:
            head = TiedOutput("head", embedding)
        blocks: list[Layer] = [
            DecoderBlock(
                f"layers.{i}",
                self.width,
                self.heads,
                self.mlp_width,
                self.adapter_or_none(self.adapt != "none", self.width, self.width),
                lambda d_in, d_out: self.adapter_or_none(self.adapt == "all", d_in, d_out),
                float(self.rotary_base),
                float(self.norm_eps),
                trained_norms=full,
            )
            for i in range(self.depth)
        ]
        if self.recompute:
            blocks = [Recompute(block) for block in blocks]
        norm = RMSNorm("norm", self.width, float(self.norm_eps), full)
        return Sequential([embedding, *blocks, norm]), head
