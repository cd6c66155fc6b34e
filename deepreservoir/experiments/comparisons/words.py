"""A reference for texts with labels: a linear model of the words in them."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

#: Inverse of the penalty.
_C = 10.0


class LinearInWords:
    """Logistic regression on TF-IDF of words and of pairs of words.

    Words that are in one text only are left out, unless all of them are. The logarithm of a count
    takes its place.

    Examples
    --------
    >>> texts = ["a fine film", "a dull film", "a fine story", "a dull story"]
    >>> model = LinearInWords().fit(texts, np.array(["good", "bad", "good", "bad"]))
    >>> model.predict(["fine"]).tolist()
    ['good']
    """

    def __init__(self) -> None:
        self.model: Any = None

    def fit(self, X: list[str], y: np.ndarray) -> Self:
        for rarest in (2, 1):
            words = TfidfVectorizer(ngram_range=(1, 2), min_df=rarest, sublinear_tf=True)
            try:
                words.fit(X)
            except ValueError:  # no word is left
                if rarest == 1:
                    raise
            else:
                break
        self.model = make_pipeline(words, LogisticRegression(C=_C, max_iter=200))
        self.model.fit(X, y)
        return self

    def predict(self, X: list[str]) -> np.ndarray:
        """Return the label of each text."""
        return np.asarray(self.model.predict(X))

    def decision_function(self, X: list[str]) -> np.ndarray:
        return np.asarray(self.model.decision_function(X))

    def score(self, X: list[str], y: np.ndarray) -> float:
        """Return the accuracy."""
        return float(self.model.score(X, y))

    @property
    def n_weights(self) -> int:
        """Number of weights and intercepts."""
        return int(self.model[-1].coef_.size + self.model[-1].intercept_.size)
