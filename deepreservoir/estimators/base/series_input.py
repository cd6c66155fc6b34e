"""Estimators of series: checks of X, and times as an argument of every method that takes X."""

from __future__ import annotations

from typing import Any, Self

from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils.validation import _check_y, check_consistent_length

from ...backend import Array, is_on_device
from ...inputs import IrregularSeries, IrregularSeriesReader, irregular_series
from ...inputs.irregular_series import have_times
from ...user_warnings import warn_user
from .fitting import DeepEstimator
from .label_checks import check_class_labels
from .series_names import check_series_names


class SeriesValidation(DeepEstimator):
    """Checks of series and their targets, instead of tables."""

    n_features_in_: int

    def validated_pair(self, X: Any, y: Any, reset: bool, on_device: bool) -> tuple[Any, Any]:
        series = self._series(X, on_device)
        check_channels(self, series, reset)
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None"
            )
        y = _check_y(y, multi_output=True, y_numeric=self._y_numeric, estimator=self)
        if not self._y_numeric:
            check_class_labels(y)
        check_consistent_length(series, y)
        return series, y

    def validated_features(self, X: Any, on_device: bool) -> Any:
        series = self._series(X, on_device)
        check_channels(self, series, reset=False)
        return series

    @staticmethod
    def _series(X: Any, on_device: bool) -> IrregularSeries:
        if on_device:
            raise TypeError(
                "series are read on the host, and moved to the device of the estimator a batch at "
                "a time; got device arrays. Convert them with deepreservoir.backend.to_host"
            )
        return irregular_series(X)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        return tags


def check_channels(estimator: Any, series: IrregularSeries, reset: bool) -> None:
    """Let an estimator learn the channels, or raise if they are not those of `fit`."""
    if reset:
        estimator.n_features_in_ = series.n_channels
    elif series.n_channels != estimator.n_features_in_:
        expected = estimator.n_features_in_
        raise ValueError(
            f"X has {series.n_channels} channels, but {type(estimator).__name__} is expecting "
            f"{expected} channels, as in fit"
        )
    check_series_names(estimator, series.names, reset)


def timed(X: Any, times: Any, reader: IrregularSeriesReader | None = None) -> Any:
    """Return series with their times; warn where those of the fit were given and these are not.

    Parameters
    ----------
    X, times : as in fit
    reader : IrregularSeriesReader, optional
        The fitted reader; none in fit.
    """
    several = X if isinstance(X, list | tuple) else ()
    if is_on_device(X) or any(map(is_on_device, several)):
        return X  # the estimator refuses it, and says how to convert it
    if times is None and reader is not None:
        _warn_without_times(
            X, reader, "this X", "Pass times=, or an X from irregular_series(X, times)"
        )
    return irregular_series(X, times)


def _warn_without_times(X: Any, reader: IrregularSeriesReader, name: str, remedy: str) -> None:
    """Warn if the fitted reader knows times and X, which the message calls `name`, has none."""
    if reader.has_times and not have_times(X):
        warn_user(
            f"the model was fitted with the times of the steps, and none are given for {name}: "
            f"0, 1, 2, ... are taken. {remedy}"
        )


class Timed(BaseEstimator):
    """The methods of a predictor of series, each with `times`."""

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        checkpoint: Any = None,
        times: Any = None,
        *,
        eval_set: Any = None,
        callback: Any = None,
        parts: int | None = None,
        workers: int | None = None,
        cluster: str | None = None,
    ) -> Self:
        """Train on series and their targets.

        Parameters
        ----------
        X : list of array-like or DataFrame, array, or IrregularSeries
            Series of shape (n_steps, n_channels) of any lengths; an array of shape (n_series,
            n_steps, n_channels); or one of shape (n_series, n_steps), whose rows are series of one
            channel. NaN stands for a value that was not observed, and steps after the last
            observation of a series are ignored.
        y : array-like, shape (n_series,), or (n_series, n_outputs) for a regressor
        sample_weight : array-like, shape (n_series,), optional
            Weight of each series in the loss; a series of weight zero has no effect.
        checkpoint : str or path, optional
            Checkpoint, rewritten every 10 seconds. If the process is killed, the same call
            continues from it, with the same bits; it is removed when training has ended.
        times : list of array-like, or array-like of shape (n_series, n_steps) or (n_steps,), \
optional
            Times of the steps, increasing within each series: numbers in any unit, or dates or
            durations, which are converted to seconds. By default the indices of DataFrames, and
            otherwise 0, 1, ...
        eval_set : tuple (X_val, y_val) or (X_val, y_val, sample_weight), optional
            Held-out series whose loss and score are recorded after every epoch, in `history_`.
            With `early_stopping`, they take the place of the part of X that is held out otherwise.
            Series with times of their own are given by :func:`deepreservoir.irregular_series`.
        callback : callable, optional
            Called after every epoch with an :class:`~deepreservoir.training.EpochEnd`. Training
            ends if it returns True or raises StopIteration. If it raises another exception, the
            model keeps what was trained, and the exception is raised.
        parts : int, optional
            Number of parts that each batch is cut into, which must divide `batch_size`. The parts
            are computed with one BLAS thread each, and their gradients summed in order, so that
            the result depends on `parts` and not on who computes them. By default as many as
            `workers`; without either, batches are whole.
        workers : int, optional
            Number of processes on this machine that compute the parts; this process by default.
        cluster : str, optional
            Address of a Dask scheduler, such as ``"tcp://127.0.0.1:8786"``, whose workers compute
            the parts instead. It needs `parts`.

        Returns
        -------
        self

        Warns
        -----
        UserWarning
            If Ctrl-C or a failing callback ended training early; the model is usable.
        """
        super().fit(
            timed(X, times),
            y,
            sample_weight,
            checkpoint,
            eval_set=eval_set,
            callback=callback,
            parts=parts,
            workers=workers,
            cluster=cluster,
        )
        return self

    def _timed(self, X: Any, times: Any) -> Any:
        reader: Any = getattr(self, "_reader", None)
        return timed(X, times, reader)

    def _read_eval_set(self, eval_set: Any, reader: Any, targets: Any) -> Any:
        held_out = super()._read_eval_set(eval_set, reader, targets)
        _warn_without_times(
            eval_set[0], reader, "the X_val of eval_set", "Give irregular_series(X_val, times)"
        )
        return held_out

    def predict(self, X: Any, times: Any = None) -> Array:
        """Return the prediction for each series.

        Parameters
        ----------
        X, times : as in fit

        Returns
        -------
        ndarray, shape (n_series,), or (n_series, n_outputs) for a regressor
        """
        return super().predict(self._timed(X, times))

    def score(self, X: Any, y: Any, sample_weight: Any = None, times: Any = None) -> float:
        """Return the accuracy, or R^2, as scikit-learn computes it.

        Parameters
        ----------
        X, y, sample_weight, times : as in fit

        Returns
        -------
        float
        """
        return super().score(self._timed(X, times), y, sample_weight)
