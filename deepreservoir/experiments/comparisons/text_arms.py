"""A reference for language models: trigrams with interpolated counts."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from ...inputs import TokenReader
from .task import Record, Task

#: Steps of expectation-maximisation for the weights of the three orders.
_STEPS = 30
#: The share of the training tokens that the weights are estimated on.
_HELD_OUT = 0.1


class Trigrams:
    """Trigram probabilities, interpolated with those of bigrams and of tokens.

    ``p(c | a, b) = w3 n(abc) / n(ab) + w2 n(bc) / n(b) + w1 (n(c) + 1) / (n + V)`` (Jelinek and
    Mercer, 1980). The weights are estimated on the last tenth of the training tokens, with counts
    of the others. Where a context was not seen, the next lower order takes its place.

    Parameters
    ----------
    reader : TokenReader
        It encodes the texts, as those of the network.

    Examples
    --------
    >>> reader = TokenReader(vocabulary_size=4)
    >>> model = Trigrams(reader).fit(np.tile([0, 1, 2, 3], 50))
    >>> model.score(np.tile([0, 1, 2, 3], 5)) > -0.1
    True
    """

    def __init__(self, reader: TokenReader) -> None:
        self.reader = reader

    def fit(self, X: Any, y: Any = None) -> Self:
        self.reader.fit(X)
        tokens = self._tokens(X)
        cut = len(tokens) - max(2, int(_HELD_OUT * len(tokens)))
        self._count(tokens[:cut])
        p = self._probabilities(tokens[cut:])  # (n, 3)
        weights = np.full(3, 1 / 3)
        for _ in range(_STEPS):
            shares = p * weights
            weights = (shares / shares.sum(axis=1, keepdims=True)).mean(axis=0)
        self.weights = weights
        self._count(tokens)
        return self

    def score(self, X: Any, y: Any = None) -> float:
        """Return minus the mean number of nats per token, of all tokens but the first."""
        return float(np.log(self._probabilities(self._tokens(X)) @ self.weights).mean())

    @property
    def n_counts(self) -> int:
        """Number of different tokens, bigrams and trigrams that were counted."""
        return sum(len(keys) for keys, _ in self._counts)

    def _tokens(self, X: Any) -> np.ndarray:
        return self.reader.read(X, np.float32, "cpu").stream.astype(np.int64)

    def _count(self, tokens: np.ndarray) -> None:
        self._n = len(tokens)
        self._counts = [
            np.unique(self._keys(tokens, order), return_counts=True) for order in (1, 2, 3)
        ]

    def _keys(self, tokens: np.ndarray, order: int) -> np.ndarray:
        """Return a number for each run of `order` tokens, (len(tokens) - order + 1,)."""
        n = max(0, len(tokens) - order + 1)
        keys = np.zeros(n, np.int64)
        for i in range(order):
            keys = keys * self.reader.vocabulary + tokens[i : i + n]
        return keys

    def _found(self, keys: np.ndarray, order: int) -> np.ndarray:
        """Return how often each run of tokens was counted."""
        known, counts = self._counts[order - 1]
        at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
        return np.where(known[at] == keys, counts[at], 0)

    def _probabilities(self, tokens: np.ndarray) -> np.ndarray:
        """Return the probabilities of all tokens but the first, by order, (n - 1, 3)."""
        p1 = (self._found(tokens[1:], 1) + 1) / (self._n + self.reader.vocabulary)
        p2 = self._ratio(tokens, 2, p1)
        p3 = p2.copy()  # the second token has one token before it
        p3[1:] = self._ratio(tokens, 3, p2[1:])
        return np.stack([p1, p2, p3], axis=1)

    def _ratio(self, tokens: np.ndarray, order: int, lower: np.ndarray) -> np.ndarray:
        keys = self._keys(tokens, order)
        context = self._found(keys // self.reader.vocabulary, order - 1)
        return np.where(context > 0, self._found(keys, order) / np.maximum(context, 1), lower)


def trigram(task: Task, seed: int) -> Record | None:
    """Count trigrams of texts; None for other data."""
    if not task.of_texts:
        return None
    model = Trigrams(task.estimator(0).new_reader())
    cost = task.fit(model)
    return task.record("trigram", None, seed, model, cost, model.n_counts, False)
