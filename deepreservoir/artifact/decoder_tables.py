"""The tables of a decoder's tokens as ordinary weights: embeddings and outputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backend import to_host
from ..layers import AdaptedDense, ScaffoldEmbedding


def token_table(network: Any) -> np.ndarray:
    """Return the embeddings of all tokens, (vocabulary, width), on the host.

    Parameters
    ----------
    network : Network
        A decoder.
    """
    embedding = network.body.children[0]
    if isinstance(embedding, ScaffoldEmbedding):
        return embedding.matrix.effective_weight()
    table: np.ndarray = to_host(embedding.table)
    return table


def output_table(network: Any) -> np.ndarray:
    """Return the weights of the output layer, (vocabulary, width), on the host.

    Parameters
    ----------
    network : Network
        A decoder.
    """
    if network.config.tied:
        return token_table(network)
    if isinstance(network.head, AdaptedDense):
        return network.head.effective_weight()
    weight: np.ndarray = to_host(network.head.weight)
    return weight
