"""Imputation of missing values, and columns that tell where they were."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.impute import MissingIndicator, SimpleImputer

from ...container import ArtifactError
from .registry import State, pack_transformer, register_transformer, unpack_transformer
from .values import array_of, plain_array


def _pack_indicator(indicator: MissingIndicator) -> State:
    values = {
        "features": indicator.features_.tolist(),
        "n_features": int(indicator._n_features),
        "precomputed": bool(indicator._precomputed),
    }
    return State(values)


def _unpack_indicator(indicator: MissingIndicator, state: State) -> None:
    fields = state.entries({"features": list, "n_features": int, "precomputed": bool})
    n, features = fields["n_features"], fields["features"]
    if n < 1 or n != vars(indicator).get("n_features_in_", n):
        raise ArtifactError(f"n_features does not match the features of the indicator: {n}")
    valid = all(type(i) is int and 0 <= i < n for i in features)
    if not valid or features != sorted(set(features)):
        raise ArtifactError(f"features must be sorted positions below {n}; got {features!r:.80}")
    if indicator.features == "all" and len(features) != n:
        raise ArtifactError(f"an indicator of all features must have {n}; got {len(features)}")
    indicator.features_ = np.array(features, np.int64)
    indicator._n_features, indicator._precomputed = n, fields["precomputed"]


def _pack_imputer(imputer: SimpleImputer) -> State:
    values: dict[str, Any] = {
        "statistics": plain_array(imputer.statistics_, "statistics"),
        # Rows of text stay text; numbers are imputed in their own type.
        "dtype": imputer._fit_dtype.name,
        "indicator": None,
    }
    state = State(values)
    if imputer.add_indicator:
        values["indicator"], arrays = pack_transformer(imputer.indicator_, "the indicator")
        state.add_under("indicator", arrays)
    return state


def _unpack_imputer(imputer: SimpleImputer, state: State) -> None:
    types = {"statistics": dict, "dtype": str, "indicator": (dict, type(None))}
    fields = state.entries(types)
    imputer.statistics_ = array_of(fields["statistics"], "statistics")
    n = imputer.n_features_in_
    if len(imputer.statistics_) != n:
        raise ArtifactError(f"{len(imputer.statistics_)} statistics for {n} features")
    dtype = array_of({"dtype": fields["dtype"], "values": []}, "dtype").dtype
    if dtype.kind not in "iufO":
        raise ArtifactError(f"an imputer cannot be of dtype {dtype}")
    imputer._fit_dtype = imputer._fill_dtype = dtype
    filled = imputer.statistics_
    if not imputer.keep_empty_features:  # NaN stands for a column that is dropped
        filled = filled[[value == value for value in filled.tolist()]]
    filled.astype(dtype)
    if imputer.add_indicator != (fields["indicator"] is not None):
        raise ArtifactError("an indicator is for imputers with add_indicator, and only for these")
    imputer.indicator_ = None
    if imputer.add_indicator:
        arrays = state.under("indicator")
        indicator = unpack_transformer(fields["indicator"], arrays, "the indicator")
        if type(indicator) is not MissingIndicator or indicator._n_features != n:
            raise ArtifactError(f"the indicator must be a MissingIndicator of {n} features")
        imputer.indicator_ = indicator


register_transformer(MissingIndicator, _pack_indicator, _unpack_indicator)
register_transformer(SimpleImputer, _pack_imputer, _unpack_imputer)
