"""The names of the columns of series, as scikit-learn treats those of one DataFrame."""

from __future__ import annotations

from typing import Any

import numpy as np


def check_series_names(estimator: Any, names: tuple[str, ...] | None, reset: bool) -> None:
    """Let an estimator learn the names of several DataFrames, or raise if they are others.

    Parameters
    ----------
    estimator : estimator
    names : tuple of str, or None
        None for series without names, which are not checked.
    reset : bool
        Whether the names are learned.

    Raises
    ------
    ValueError
        If the names, or their order, are not those of `fit`.
    """
    if reset:
        if names is not None:
            estimator.feature_names_in_ = np.array(names, dtype=object)
        elif hasattr(estimator, "feature_names_in_"):
            del estimator.feature_names_in_
        return
    known = getattr(estimator, "feature_names_in_", None)
    if known is not None and names is not None and names != tuple(known):
        raise ValueError(
            f"X has the columns {', '.join(names)}, but {type(estimator).__name__} is expecting "
            f"{', '.join(known)}, in this order, as in fit"
        )
