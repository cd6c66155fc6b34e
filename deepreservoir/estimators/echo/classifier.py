"""The echo-state classifier, which predicts one class per series."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass
from numbers import Real
from typing import Any, ClassVar, Self, cast

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.metaestimators import available_if

from ...backend import Array, array_module, resolve_device, to_device, to_host
from ...checks import check_integer, check_real
from ...choices import DtypeName
from ...esn.readout import RidgeFit
from ...esn.sequence import FEATURES, SequenceFeatures, principal_components
from ..base.device_input import place_of
from ..base.targets import Labels
from ..base.unchanged import unchanged_on_failure
from .base import BaseEchoState
from .classified_series import ClassifiedSeries
from .descriptions import documented
from .series import Series
from .sklearn_readout import fitted_with
from .weights import weights_of_series

_MODELS = ("output_model", "reservoir_model")


def _is_share(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and 0 < float(value) <= 1


def _gives_probabilities(model: EchoStateClassifier) -> bool:
    readout = getattr(model, "readout_", model.readout)  # the parameter may have changed since
    return isinstance(readout, str | RidgeFit) or hasattr(readout, "predict_proba")


@documented
@dataclass(eq=False, repr=False)
class EchoStateClassifier(ClassifierMixin, ClassifiedSeries):
    """Echo-state network that classifies series by features of its states.

    Each row of a 2-D X is a series of one variable. Every series is run from the zero state.

    Parameters
    ----------
    {parameters:
    features : {"last", "mean", "output_model", "reservoir_model"} or sequence of float, \
default="mean"
        Features of a series: its last state; the mean of its states; the coefficients of a linear
        model of its next input, or of its next state, given a state (Bianchi et al., 2021); or its
        states at these shares of its length, each in (0, 1].
    n_components : int or None, default=20
        Number of principal components of the states in the linear models; None uses all units.
    feature_penalty : float, default=1.0
        Ridge penalty of the linear models.
    ridge : float or sequence of float, default=(1e-6, ..., 1e4)
        Penalty of the readout. Among several, the best one is selected by generalised
        cross-validation, with a single decomposition.
    readout : {"ridge", "rls", "lms"} or a scikit-learn classifier, default="ridge"
        Ridge regression on class indicators; recursive least squares or normalised least mean
        squares, one series after another; or any classifier, which is fitted to the features.
    class_weight : dict, "balanced" or None, default=None
        Weight of the series of each class in the readout, of which only the ratios matter: they
        are divided by their mean over the classes. "balanced" weights every class inversely to the
        sum of its sample weights.
    }
    dtype : {"float64", "float32"}, default="float64"
        Data type of the states. In float32, the last digits of the outputs of a series depend on
        the other series in the same call.
    random_state : int, RandomState instance or None, default=None

    Attributes
    ----------
    {attributes}
    classes_ : ndarray
    features_ : SequenceFeatures

    Raises
    ------
    ValueError
        Raised by `fit` if a parameter or the data is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from deepreservoir import EchoStateClassifier
    >>> time = np.arange(50)
    >>> X = np.array([np.sin(time / (3 if i % 2 else 4) + i) for i in range(40)])
    >>> y = np.array(["slow", "fast"])[np.arange(40) % 2]
    >>> model = EchoStateClassifier(units=50, random_state=0).fit(X[:30], y[:30])
    >>> model.score(X[30:], y[30:])
    1.0
    """

    _: KW_ONLY
    bias_scaling: float = 0.5
    features: Any = "mean"
    n_components: int | None = 20
    feature_penalty: float = 1.0
    ridge: Any = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0, 1e3, 1e4)
    dtype: DtypeName = "float64"
    class_weight: Any = None

    #: For files of versions without these parameters.
    absent_parameters: ClassVar[Mapping[str, Any]] = {
        **BaseEchoState.absent_parameters,
        "class_weight": None,
    }

    def _check_params(self) -> None:
        super()._check_params()
        self._check_readout("classifier")
        if self.n_components is not None:
            check_integer("n_components", self.n_components, 1)
        check_real("feature_penalty", self.feature_penalty, 0, float("inf"), open_low=True)
        if isinstance(self.features, str):
            if self.features not in FEATURES:
                raise ValueError(
                    f"features must be one of {FEATURES}, or shares of the length such as "
                    f"(0.5, 1.0); got {self.features!r}"
                )
        else:
            several = isinstance(self.features, list | tuple | np.ndarray)
            shares = list(self.features) if several and np.ndim(self.features) == 1 else []
            if not shares or not all(_is_share(share) for share in shares):
                raise ValueError(
                    "features must be a sequence of shares of the length in (0, 1], such as "
                    f"(0.5, 1.0), or one of {FEATURES}; got {self.features!r}"
                )

    # Fitting ----------------------------------------------------------------------------

    def _weights(self, y: np.ndarray, sample_weight: Any, some: bool = True) -> np.ndarray | None:
        """Return the weight of each series, its class's weight included; None for equal weights."""
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(f"y may only contain the classes {self.classes_}; got {unknown[0]!r}")
        weights = weights_of_series(sample_weight, len(y), some)
        labels = Labels(0.0, self.class_weight, self.classes_)
        of_classes = labels.sample_weights(labels.encode(y), weights)
        if of_classes is None:
            return weights
        if not isinstance(self.class_weight, str):
            by_class = cast(np.ndarray, labels.sample_weights(np.arange(len(self.classes_))))
            if not by_class.any():
                raise ValueError(
                    f"class_weight must be positive for at least one class; got "
                    f"{self.class_weight!r}"
                )
            of_classes = of_classes / by_class.mean()
        return of_classes if weights is None else weights * of_classes

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train the readout.

        Parameters
        ----------
        X : array-like, shape (n_series, time) or (n_series, time, n_variables), or list of \
(time, n_variables)
            Instead of a list, a pandas Series of them.
        y : array-like, shape (n_series,)
            One class per series.
        sample_weight : array-like, shape (n_series,), optional
            Weights of the squared errors of the series in the readout. Neither `plasticity` nor
            the principal components of `n_components` depend on them.

        Returns
        -------
        self
        """
        with unchanged_on_failure(self):
            self._check_params()
            place = place_of(resolve_device(self.device), X=X, y=y, sample_weight=sample_weight)
            series = self._read(X, reset=True, place=place)
            y = self._read_classes(y, series)
            self._start(series, np.unique(y))
            self._learn(series, y, self._weights(y, sample_weight))
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train the readout on more series.

        A ridge readout adds them to its features x features normal equations, so the result equals
        that of a single `fit`. The equations are pickled only once `partial_fit` has been called.

        Parameters
        ----------
        X, y : as in fit
        classes : array-like, optional
            All classes that will occur; required at the first call.
        sample_weight : as in fit

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the readout needs all series at once, or `class_weight` is "balanced", for which
            the classes of all series must be known.
        """
        if not isinstance(self.readout, str):
            raise ValueError(
                "partial_fit needs readout='ridge', 'rls' or 'lms'; a scikit-learn classifier is "
                "fitted to all features at once"
            )
        if self._reduced:
            raise ValueError(
                f"partial_fit with features={self.features!r} needs n_components=None, because "
                "the principal components depend on all series"
            )
        if isinstance(self.class_weight, str):
            raise ValueError(
                f"class_weight={self.class_weight!r} needs the classes of all series, which "
                "partial_fit does not know; set class_weight to a dict with a weight per class"
            )
        with unchanged_on_failure(self, in_place=True):
            self._learn_more(X, y, classes, sample_weight)
        return self

    def _learn_more(self, X: Any, y: Any, classes: Any, sample_weight: Any) -> None:
        first = not hasattr(self, "readout_")
        self._check_params()
        device = resolve_device(self.device) if first else self._device()
        place = place_of(device, X=X, y=y, sample_weight=sample_weight)
        series = self._read(X, reset=first, place=place)
        y = self._read_classes(y, series)
        if first:
            if classes is None:
                raise ValueError("the first call of partial_fit needs classes, all that will occur")
            self._start(series, np.unique(classes))
        elif classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(
                f"classes must be the same as in the first call, {self.classes_}; got {classes}"
            )
        self._check_online()
        self._learn(series, y, self._weights(y, sample_weight, some=first))

    @property
    def _reduced(self) -> bool:
        return self._models and self.n_components is not None

    @property
    def _models(self) -> bool:
        return isinstance(self.features, str) and self.features in _MODELS

    def _start(self, series: Series, classes: np.ndarray) -> None:
        self.classes_ = classes
        if len(classes) < 2:
            raise ValueError(
                f"y must contain at least two classes; got one class, {classes.tolist()[0]!r}"
            )
        shortest = min(len(array) for array in series.arrays)
        SequenceFeatures(self.features, self.washout).check_steps(shortest)
        self.reservoir_ = self._build(self.n_variables_)
        device = self.reservoir_.device
        if self.plasticity:
            self._tune([u for _, u in series.by_length(device)])
        projection = None
        if self._reduced:
            projection = principal_components(
                self.reservoir_,
                (u for _, u in series.by_length(device)),
                self.washout,
                min(int(self.n_components or 0), self.reservoir_.units),
            )
        named = isinstance(self.features, str)
        kind = self.features if named else tuple(float(share) for share in self.features)
        self.features_ = SequenceFeatures(
            kind, int(self.washout), float(self.feature_penalty), projection
        )
        self._learner, self._online = None, False

    def _learn(self, series: Series, y: np.ndarray, weights: np.ndarray | None) -> None:
        if not isinstance(self.readout, str):
            features = to_host(self._features(series, noisy=True))
            self.readout_ = fitted_with(self.readout, features, y, weights)
            return
        indicators = (y[:, None] == self.classes_).astype(np.float64)
        for which, features in self._groups(series, noisy=True):
            if self._learner is None:
                self._learner = self._make_learner(features.shape[1], len(self.classes_))
            device = self.reservoir_.device
            targets = to_device(indicators[which], device)
            of_group = None if weights is None else to_device(weights[which], device)
            self._learner.add(features, targets, of_group)
        self.readout_ = self._learner.fit()

    def _groups(self, series: Series, noisy: bool = False) -> Iterator[tuple[list[int], Array]]:
        self.features_.check_steps(min(len(array) for array in series.arrays))
        in_order = noisy and self.readout == "lms"  # whose result depends on the order
        for which, u in series.by_length(self.reservoir_.device, in_order):
            seed = self._next_noise() if noisy else None
            yield which, self.features_.of(self.reservoir_, u, seed)

    def _features(self, series: Series, noisy: bool = False) -> Array:
        """Return the features (n_series, n_features) in the order of the series."""
        by_index: dict[int, Array] = {}
        for which, features in self._groups(series, noisy):
            by_index |= dict(zip(which, features, strict=True))
        rows = [by_index[i] for i in range(len(by_index))]
        return array_module(*rows).stack(rows)

    # Predicting -------------------------------------------------------------------------

    def predict(self, X: Any) -> Array:
        """Predict the class of each series: (n_series,).

        Raises
        ------
        TypeError
            If X is a CuPy array and the classes are not numbers, which CuPy does not support.
        """
        series = self._input_series(X)
        if series.place == "cuda" and self.classes_.dtype.kind not in "biuf":
            raise TypeError(
                f"CuPy arrays can only hold numbers, but the classes are {self.classes_.dtype}: "
                "pass X as a NumPy array, or fit with numeric classes"
            )
        features = self._features(series)
        if isinstance(self.readout_, RidgeFit):
            predictions = self.classes_[to_host(self._output(features).argmax(axis=1))]
        else:
            predictions = np.asarray(self.readout_.predict(to_host(features)))
        return to_device(predictions, series.place)

    @available_if(_gives_probabilities)
    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class for each series: (n_series, n_classes).

        For a linear readout, these are its outputs, clipped to [0, 1] and normalised to sum to
        one. They rank the classes, but are not calibrated.
        """
        series = self._input_series(X)
        features = self._features(series)
        if not isinstance(self.readout_, RidgeFit):
            probabilities = np.asarray(self.readout_.predict_proba(to_host(features)))
            return to_device(probabilities, series.place)
        outputs = to_device(self._output(features), series.place)
        xp = array_module(outputs)
        # The largest share stays positive, so that the sum of each row is not zero.
        shares = xp.clip(outputs - xp.minimum(outputs.max(axis=1, keepdims=True), 0), 0, 1)
        shares[xp.arange(len(shares)), outputs.argmax(axis=1)] += 1e-12
        return shares / shares.sum(axis=1, keepdims=True)

    def states(self, X: Any) -> Any:
        """Return the states (time, units) of each series, in the form of X."""
        series = self._input_series(X)
        return series.like(
            series.gather(
                (which, self.reservoir_.states(u))
                for which, u in series.by_length(self.reservoir_.device)
            )
        )

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy of `predict`.

        Parameters
        ----------
        X, y : as in fit
        sample_weight : array-like, shape (n_series,), optional

        Returns
        -------
        float
        """
        weights = weights_of_series(sample_weight, len(y))
        if place_of("cuda", X=X, y=y) == "cpu":
            return super().score(X, y, weights)
        predictions = to_host(self.predict(X))
        return float(accuracy_score(to_host(y), predictions, sample_weight=weights))
