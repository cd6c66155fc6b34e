"""Series of a classifier, of which each has one class: a table's rows, or series of any form."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    check_array,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from ...backend import Array, Device, to_host
from ..base.device_input import checked_array, checked_features, place_of
from ..base.series_names import check_series_names
from .base import BaseEchoState
from .series import Series, is_many, listed, many_series


class ClassifiedSeries(BaseEchoState):
    """Base class of the echo-state classifier: reads and checks X and y."""

    n_variables_: int
    _rows_are_series: bool  # in the training set, whose width later tables must have

    def _read(self, X: Any, reset: bool, place: Device) -> Series:
        """Return X as series; each row of a 2-D X is a series of one variable."""
        X = listed(X)
        if is_many(X):
            series = many_series(X, width=None if reset else self.n_variables_, place=place)
            check_series_names(self, series.names, reset)
            if reset:
                self.n_features_in_ = self.n_variables_ = series.width
                self._rows_are_series = False
        else:
            if reset:
                self._rows_are_series, self.n_variables_ = True, 1
            elif not self._rows_are_series and self.n_variables_ != 1:
                raise ValueError(
                    f"X must contain series of {self.n_variables_} variables: (n_series, time, "
                    f"{self.n_variables_}), or a list of (time, {self.n_variables_}). The rows of "
                    "a 2-D X are series of one variable; pass a single series as X[None]"
                )
            X = self._read_rows(X, reset, place)
            series = Series(list(X[:, :, None]), "stack", place)
        self._check_washout(series)
        return series

    def _read_rows(self, X: Any, reset: bool, place: Device) -> Array:
        if place == "cuda":
            return (
                checked_features(self, X, reset=reset)
                if self._rows_are_series
                else checked_array(X)
            )
        if self._rows_are_series:
            return validate_data(self, X, reset=reset, dtype=np.float64)
        return check_array(X, dtype=np.float64)

    def _input_series(self, X: Any) -> Series:
        check_is_fitted(self, "readout_")
        return self._read(X, reset=False, place=place_of(self._device(), X=X))

    def _read_classes(self, y: Any, series: Series) -> np.ndarray:
        if series.place == "cuda":
            y = to_host(y)  # classes are always kept on the host
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        check_consistent_length(series.arrays, y)
        return y
