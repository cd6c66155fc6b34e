"""Validation of tables from users, on the host or on a device."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils.validation import validate_data

from ...backend import to_host
from ...choices import DtypeName
from ...network import Network
from .device_input import checked_features, checked_pair
from .on_device import OnDevice
from .parameters import parameters_of


class TableValidation(OnDevice, BaseEstimator):
    """Checks of X and y; an estimator for inputs other than tables overrides them."""

    dtype: DtypeName
    network_: Network
    n_features_in_: int

    _y_numeric = False

    def _training_parameters(self) -> dict[str, Any]:
        """Return the parameters as training takes them, with this class's values for "auto"."""
        return parameters_of(self)

    def validated_pair(self, X: Any, y: Any, reset: bool, on_device: bool) -> tuple[Any, Any]:
        """Return X and y for `fit`, checked against each other and against earlier fits.

        Parameters
        ----------
        X, y : as in fit
        reset : bool
            Whether X determines the form of later X, rather than being checked against it.
        on_device : bool
            Whether both are device arrays.

        Returns
        -------
        X, y
            With y on the host.
        """
        dtype = np.dtype(self.dtype)
        if on_device:
            X, y = checked_pair(self, X, y, reset=reset, dtype=dtype, y_dtype=None)
            return X, to_host(y)
        return validate_data(
            self,
            X,
            y,
            reset=reset,
            accept_sparse="csr",
            dtype=dtype,
            order="C",
            multi_output=True,
            y_numeric=self._y_numeric,
        )

    def validated_features(self, X: Any, on_device: bool) -> Any:
        """Return X for prediction, checked against the X of `fit`."""
        if on_device:
            return checked_features(self, X, reset=False, dtype=self.network_.dtype)
        if self._is_valid(X):
            return X
        return validate_data(
            self, X, reset=False, accept_sparse="csr", dtype=[np.float64, np.float32], order="C"
        )

    def _is_valid(self, X: Any) -> bool:
        """Return whether X is an array that validation would return as it is.

        For a few rows, scikit-learn's checks take longer than the network. A doubt, such as a sum
        that overflows, is left to them.
        """
        if type(X) is not np.ndarray or X.dtype not in (np.float32, np.float64) or X.ndim != 2:
            return False
        if X.shape[1] != self.n_features_in_ or not X.size or not X.flags.c_contiguous:
            return False
        with np.errstate(over="ignore", invalid="ignore"):
            is_finite = bool(np.isfinite(X.sum()))
        return is_finite and not hasattr(self, "feature_names_in_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
