"""The targets of language models, which the batch has: the token after each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np

from ...backend import Array, array_module
from ...inputs import Batch, Inputs, Target
from ...kernels import log_softmax
from ...losses import Loss, SoftmaxCrossEntropy
from ...network import Network
from .targets import Targets


class NextTokens(Targets):
    """The next tokens of windows, under cross-entropy; padding has no weight.

    Parameters
    ----------
    vocabulary : int
        Number of tokens; 0 as long as no reader has seen a text.
    """

    state_types: ClassVar[Mapping[str, Any]] = {"vocabulary": int}

    def __init__(self, vocabulary: int = 0) -> None:
        self.vocabulary = vocabulary

    @property
    def out_activation(self) -> str:
        return "softmax"

    @property
    def n_outputs(self) -> int:
        return self.vocabulary

    @property
    def loss(self) -> Loss:
        return SoftmaxCrossEntropy()

    def encode(self, y: np.ndarray) -> np.ndarray:
        return np.asarray(y)

    def loss_values(self, encoded: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
        return encoded

    def take(self, y: Array, index: Any, batch: Batch, weights: Array | None) -> Target:
        side = batch.side
        return Target(side["next_tokens"], side["n_next_tokens"], side.get("kept"))

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        """Return the most probable next token for each row of logits."""
        return outputs.argmax(axis=-1)

    def score(self, outputs: np.ndarray, encoded: np.ndarray, weights: np.ndarray | None) -> float:
        raise TypeError("next tokens are scored with their inputs: see nats_per_token")

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {"vocabulary": self.vocabulary}, {}

    def restore(self, plain: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> Self:
        self.vocabulary = plain["vocabulary"]
        return self


def nats_per_token(network: Network, inputs: Inputs) -> float:
    """Return the mean of minus the logarithm of the probability of each next token.

    Logits are computed a chunk of windows at a time.

    Parameters
    ----------
    network : Network
    inputs : TokenWindows
        On the network's device.
    """
    total, n = 0.0, 0
    for _, batch, outputs in network.chunks(inputs):
        xp, side = array_module(outputs), batch.side
        rows = outputs.reshape(-1, outputs.shape[-1])  # (windows x context, vocabulary)
        log_p = log_softmax(rows)[xp.arange(len(rows)), side["next_tokens"].reshape(-1)]
        if "kept" in side:
            log_p = log_p * side["kept"].reshape(-1)
        total -= float(log_p.sum(dtype=np.float64))
        n += side["n_next_tokens"]
    return total / n
