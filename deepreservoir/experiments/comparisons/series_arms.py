"""References for series: untrained states, a reservoir, and statistics in a linear model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from sklearn.linear_model import RidgeClassifierCV, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ...estimators import CfCFeatures, EchoStateClassifier
from ...inputs import IrregularSeries, IrregularSeriesReader


def readout_of(task: str, penalties: tuple[float, ...]) -> Any:
    """Return a ridge readout for a classification or a regression."""
    kinds = {"classification": RidgeClassifierCV, "regression": RidgeCV}
    return kinds[task](alphas=penalties)


def statistics(series: IrregularSeries) -> np.ndarray:
    """Return six statistics of each channel: mean, largest, smallest, last, first, log count.

    Parameters
    ----------
    series : IrregularSeries

    Returns
    -------
    ndarray of float64, shape (n_series, 6 n_channels)
        NaN where a channel was never observed; the count is ``log(1 + n)``.

    Examples
    --------
    >>> from deepreservoir import irregular_series
    >>> statistics(irregular_series([[[1.0], [3.0]]])).round(2)
    array([[2. , 3. , 1. , 3. , 1. , 1.1]])
    """
    values, starts, stops = series.values, series.bounds[:-1], series.bounds[1:]
    observed = ~np.isnan(values)
    counts = np.add.reduceat(observed.astype(float), starts)
    sums = np.add.reduceat(np.nan_to_num(values), starts)
    mean = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    rows = np.arange(len(values))[:, None]
    first_row = np.minimum.reduceat(np.where(observed, rows, len(values)), starts)
    first_row = np.minimum(first_row, stops[:, None] - 1)  # never observed: NaN is there too
    first = np.take_along_axis(values, first_row, axis=0)
    last = series.filled()[stops - 1]
    largest, smallest = np.fmax.reduceat(values, starts), np.fmin.reduceat(values, starts)
    return np.concatenate([mean, largest, smallest, last, first, np.log1p(counts)], axis=1)


class LinearInStandardised:
    """A linear model of standardised features of samples; unknown ones are at their mean.

    Parameters
    ----------
    features : callable
        From samples to a table (n, n_features), with NaN for what is unknown.
    model : estimator
        A linear classifier or regressor.
    """

    def __init__(self, features: Callable[[Any], np.ndarray], model: Any) -> None:
        self.features, self.scaler, self.model = features, StandardScaler(), model

    def _standardised(self, X: Any) -> np.ndarray:
        return np.nan_to_num(self.scaler.transform(self.features(X)), copy=False)

    def fit(self, X: Any, y: np.ndarray) -> Self:
        found = self.features(X)
        # A feature that is unknown for all has no scale.
        self.scaler.fit(np.where(np.isnan(found).all(axis=0), 0.0, found))
        self.model.fit(self._standardised(X), y)
        self.coef_, self.intercept_ = self.model.coef_, self.model.intercept_
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        return np.asarray(self.model.decision_function(self._standardised(X)))

    def score(self, X: Any, y: np.ndarray) -> float:
        return float(self.model.score(self._standardised(X), y))


class UntrainedStates:
    """A ridge readout of the states of an untrained closed-form continuous-time network.

    Parameters
    ----------
    parameters : dict
        Of the estimator that is compared with it; those of the network's shape are used.
    readout : estimator
    seed : int
    """

    def __init__(self, parameters: dict[str, Any], readout: Any, seed: int) -> None:
        features = CfCFeatures(scaffold_seed=seed)
        known = features.get_params()
        shared = {k: v for k, v in parameters.items() if k in known and k != "scaffold_seed"}
        self.readout = readout
        self.model = make_pipeline(features.set_params(**shared), StandardScaler(), readout)

    def fit(self, X: IrregularSeries, y: np.ndarray) -> Self:
        self.model.fit(X, y)
        return self

    def decision_function(self, X: IrregularSeries) -> np.ndarray:
        return np.asarray(self.model.decision_function(X))

    def score(self, X: IrregularSeries, y: np.ndarray) -> float:
        return float(self.model.score(X, y))


class SeriesReservoir:
    """An echo-state network that reads standardised series, filled forward, step by step.

    Parameters
    ----------
    penalties : tuple of float
        Of the ridge readout.
    seed : int
    """

    def __init__(self, penalties: tuple[float, ...], seed: int) -> None:
        self.reader = IrregularSeriesReader(clip=5.0)
        self.model = EchoStateClassifier(
            500,
            leak_rate=0.4,
            input_scaling=0.15,
            features=(0.25, 0.5, 0.75, 1.0),
            ridge=penalties,
            dtype="float32",
            random_state=seed % 2**32,
        )

    @property
    def readout_(self) -> Any:
        """The fitted readout of the reservoir."""
        return self.model.readout_

    def _arrays(self, X: IrregularSeries) -> list[np.ndarray]:
        columns = self.reader.columns(X)
        return [columns[a:b] for a, b in zip(X.bounds[:-1], X.bounds[1:], strict=True)]

    def fit(self, X: IrregularSeries, y: np.ndarray) -> Self:
        self.reader.fit(X).fit_training(self.reader.read(X, np.float32, "cpu"))
        self.model.fit(self._arrays(X), y)
        return self

    def decision_function(self, X: IrregularSeries) -> np.ndarray:
        return np.asarray(self.model.predict_proba(self._arrays(X))[:, 1])

    def score(self, X: IrregularSeries, y: np.ndarray) -> float:
        return float(self.model.score(self._arrays(X), y))
