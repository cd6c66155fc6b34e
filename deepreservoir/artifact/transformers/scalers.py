"""Scalers: statistics of each column."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

from ...container import ArtifactError
from .registry import State, register_transformer


def _put(scaler: Any, *names: str) -> dict[str, np.ndarray]:
    """Return the statistics of these names that a scaler has."""
    arrays = {name: getattr(scaler, f"{name}_") for name in names}
    return {name: np.asarray(array) for name, array in arrays.items() if array is not None}


def _take(scaler: Any, state: State, *names: str) -> None:
    """Set the statistics of these names; those that the state lacks are None."""
    for name in names:
        there = name in state.arrays
        setattr(scaler, f"{name}_", state.array(name, scaler.n_features_in_) if there else None)


def _pack_standard(scaler: StandardScaler) -> State:
    seen = scaler.n_samples_seen_  # one number, or one per column if values were missing
    n_samples = seen.tolist() if isinstance(seen, np.ndarray | np.generic) else seen
    return State({"n_samples": n_samples}, _put(scaler, "mean", "var", "scale"))


def _unpack_standard(scaler: StandardScaler, state: State) -> None:
    seen = state.entries({"n_samples": (int, float, list)})["n_samples"]
    several = isinstance(seen, list)
    counts = seen if several else [seen]
    if not all(type(n) in (int, float) and 0 <= n < 1 << 62 for n in counts) or seen == 0:
        raise ArtifactError(f"n_samples must be numbers of rows; got {seen!r:.80}")
    if several and len(seen) != scaler.n_features_in_:
        raise ArtifactError(f"n_samples has {len(seen)} entries, not {scaler.n_features_in_}")
    scaler.n_samples_seen_ = np.array(seen) if several else seen
    _take(scaler, state, "mean", "var", "scale")
    # A scaler that does not use the mean has one all the same, unless its rows were sparse.
    needed = {"mean": scaler.with_mean or scaler.with_std} | dict.fromkeys(
        ("var", "scale"), scaler.with_std
    )
    for name, wanted in needed.items():
        if wanted != (name in state.arrays):
            raise ArtifactError(f"tensor {name!r} is missing, or should not be there")


def _pack_min_max(scaler: MinMaxScaler) -> State:
    names = ("data_min", "data_max", "data_range", "min", "scale")
    return State({"n_samples": int(scaler.n_samples_seen_)}, _put(scaler, *names))


def _unpack_min_max(scaler: MinMaxScaler, state: State) -> None:
    scaler.n_samples_seen_ = state.entries({"n_samples": int})["n_samples"]
    for name in ("data_min", "data_max", "data_range", "min", "scale"):
        setattr(scaler, f"{name}_", state.array(name, scaler.n_features_in_))


def _pack_max_abs(scaler: MaxAbsScaler) -> State:
    return State({"n_samples": int(scaler.n_samples_seen_)}, _put(scaler, "max_abs", "scale"))


def _unpack_max_abs(scaler: MaxAbsScaler, state: State) -> None:
    scaler.n_samples_seen_ = state.entries({"n_samples": int})["n_samples"]
    for name in ("max_abs", "scale"):
        setattr(scaler, f"{name}_", state.array(name, scaler.n_features_in_))


def _pack_robust(scaler: RobustScaler) -> State:
    return State({}, _put(scaler, "center", "scale"))


def _unpack_robust(scaler: RobustScaler, state: State) -> None:
    state.entries({})
    _take(scaler, state, "center", "scale")
    for name, wanted in (("center", scaler.with_centering), ("scale", scaler.with_scaling)):
        if wanted != (name in state.arrays):
            raise ArtifactError(f"tensor {name!r} is missing, or should not be there")


register_transformer(StandardScaler, _pack_standard, _unpack_standard)
register_transformer(MinMaxScaler, _pack_min_max, _unpack_min_max)
register_transformer(MaxAbsScaler, _pack_max_abs, _unpack_max_abs)
register_transformer(RobustScaler, _pack_robust, _unpack_robust)
