"""Vectorizers of texts: counts of terms, and their TF-IDF."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer

from ...container import ArtifactError
from .registry import State, register_transformer


def _pack_counts(vectorizer: CountVectorizer) -> State:
    terms = sorted(vectorizer.vocabulary_, key=vectorizer.vocabulary_.__getitem__)
    if not all(type(term) is str for term in terms):
        raise ArtifactError("the terms of a vocabulary must be strings to be saved")
    return State({"terms": terms, "fixed": bool(vectorizer.fixed_vocabulary_)})


def _unpack_counts(vectorizer: CountVectorizer, state: State) -> None:
    fields = state.entries({"terms": list, "fixed": bool})
    terms = fields["terms"]
    if not terms or not all(type(term) is str for term in terms):
        raise ArtifactError("terms must be a list of strings, and not empty")
    vectorizer.vocabulary_ = {term: i for i, term in enumerate(terms)}
    if len(vectorizer.vocabulary_) != len(terms):
        raise ArtifactError("terms must be distinct")
    vectorizer.fixed_vocabulary_ = fields["fixed"]
    if fields["fixed"] != (vectorizer.vocabulary is not None):
        raise ArtifactError("fixed is for vectorizers with a vocabulary, and only for these")


def _pack_tfidf(vectorizer: TfidfVectorizer) -> State:
    state = _pack_counts(vectorizer)
    if vectorizer.use_idf:
        state.arrays["idf"] = np.asarray(vectorizer.idf_)
    return state


def _unpack_tfidf(vectorizer: TfidfVectorizer, state: State) -> None:
    _unpack_counts(vectorizer, state)
    own = vectorizer.get_params(deep=False)
    params: dict[str, Any] = {
        name: own[name] for name in ("norm", "use_idf", "smooth_idf", "sublinear_tf")
    }
    weighting = TfidfTransformer(**params)
    weighting.n_features_in_ = len(vectorizer.vocabulary_)
    if vectorizer.use_idf:
        weighting.idf_ = state.array("idf", len(vectorizer.vocabulary_))
    vectorizer._tfidf = weighting


register_transformer(CountVectorizer, _pack_counts, _unpack_counts)
register_transformer(TfidfVectorizer, _pack_tfidf, _unpack_tfidf)
