"""Encoders of categories: one-hot and ordinal."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from ...container import ArtifactError
from .registry import State, register_transformer
from .values import array_of, plain_array


def _pack(encoder: Any) -> State:
    infrequent = getattr(encoder, "_infrequent_indices", None)
    return State(
        {
            "categories": [plain_array(c, "categories") for c in encoder.categories_],
            # Those that are encoded together, as positions in the categories of each column.
            "infrequent": (
                None
                if infrequent is None
                else [None if of is None else of.tolist() for of in infrequent]
            ),
        }
    )


def _unpack(encoder: Any, state: State) -> None:
    fields = state.entries({"categories": list, "infrequent": (list, type(None))})
    encoder.categories_ = [array_of(c, "categories") for c in fields["categories"]]
    n = encoder.n_features_in_
    if len(encoder.categories_) != n:
        raise ArtifactError(f"{len(encoder.categories_)} lists of categories for {n} features")
    for categories in encoder.categories_:
        _check_categories(categories)
    encoder._check_infrequent_enabled()
    infrequent = fields["infrequent"]
    if encoder._infrequent_enabled != (infrequent is not None):
        raise ArtifactError(
            "infrequent is for encoders with min_frequency or max_categories, and only for these"
        )
    if infrequent is None:
        return
    if len(infrequent) != n:
        raise ArtifactError(f"{len(infrequent)} lists of infrequent categories for {n} features")
    encoder._infrequent_indices, encoder._default_to_infrequent_mappings = [], []
    for i, (positions, categories) in enumerate(zip(infrequent, encoder.categories_, strict=True)):
        n_grouped = len(categories) - (i in _missing(encoder))
        indices, mapping = _groups(positions, n_grouped)
        encoder._infrequent_indices.append(indices)
        encoder._default_to_infrequent_mappings.append(mapping)


def _check_categories(categories: np.ndarray) -> None:
    """Raise an ArtifactError unless the categories are as scikit-learn needs them."""
    values = categories.tolist()
    last_is_nan = bool(values) and values[-1] != values[-1]
    known = values[:-1] if last_is_nan else values
    if not values or len({(type(value), value) for value in known}) != len(known):
        raise ArtifactError("categories must be distinct, and not empty")
    if any(value != value for value in known):
        raise ArtifactError("only the last category can be NaN")
    if categories.dtype.kind not in "OU" and known != sorted(known):
        raise ArtifactError("numeric categories must be sorted")


def _missing(encoder: Any) -> dict[int, int]:
    """Return the position of NaN by column; it is not grouped by an OrdinalEncoder."""
    if isinstance(encoder, OneHotEncoder):
        return {}
    lasts = ((i, c, c[-1]) for i, c in enumerate(encoder.categories_))
    return {i: len(c) - 1 for i, c, last in lasts if last != last}


def _groups(positions: Any, n: int) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return the infrequent positions, and the code of each of `n` categories."""
    if positions is None:
        return None, None
    valid = isinstance(positions, list) and all(type(at) is int and 0 <= at < n for at in positions)
    if not valid or not positions or positions != sorted(set(positions)):
        raise ArtifactError(f"infrequent must be sorted positions below {n}; got {positions!r:.80}")
    indices = np.array(positions, np.int64)
    frequent = np.setdiff1d(np.arange(n), indices)
    codes = np.full(n, len(frequent), np.int64)  # the infrequent ones share the last code
    codes[frequent] = np.arange(len(frequent))
    return indices, codes


def _unpack_one_hot(encoder: OneHotEncoder, state: State) -> None:
    _unpack(encoder, state)
    encoder._set_drop_idx()
    encoder._n_features_outs = encoder._compute_n_features_outs()


def _unpack_ordinal(encoder: OrdinalEncoder, state: State) -> None:
    _unpack(encoder, state)
    encoder._missing_indices = _missing(encoder)


register_transformer(OneHotEncoder, _pack, _unpack_one_hot)
register_transformer(OrdinalEncoder, _pack, _unpack_ordinal)
