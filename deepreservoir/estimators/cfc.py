"""Closed-form continuous-time networks as a classifier and as a regressor of series."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np

from ..backend import Array
from ..checks import check_choice
from ..inputs import IrregularSeriesReader, Reader
from ..models import CfCConfig
from .base.classifier import DeepClassifier
from .base.descriptions import ARCHITECTURE_PARAMETERS, ATTRIBUTES, fill
from .base.parameters import AdaptationParameters
from .base.registry import register_estimator
from .base.regressor import DeepRegressor
from .base.scored_labels import SCORINGS, SoftmaxLabels
from .base.series_input import SeriesValidation, Timed
from .base.targets import Labels

_CELL = """\
units : int, default=256
        Width of the state.
    backbone_units, backbone_layers : int, default=64 and 2
        Width and number of the dense layers that read input and state.
    dropout : float, default=0.0
        Fraction of the activations that is dropped during training after each layer of the
        backbone but the first.
    recompute : bool, default=False
        Whether the backward pass computes activations again, a few steps at a time, instead of
        keeping them: the same gradients, in less memory and more time.
    standardize : bool, default=True
        Whether each channel is centred and divided by its standard deviation, both over the
        observed values of the training series; series that are held out, or of weight zero, are
        not used.
    clip : float, default=None
        Limit on the absolute value of standardised values.
    forward_fill : bool, default=True
        Whether a value is carried forward until its channel is observed again. Otherwise, and
        before the first observation, it is 0: the mean, after standardization.
    masks : bool, default=True
        Whether the network also reads, for each channel, whether it was observed.
    time_scale : float or "auto", default="auto"
        What elapsed times are divided by. ``"auto"`` is their mean over the training series.
    """

_PARAMETERS = _CELL + ARCHITECTURE_PARAMETERS
_ATTRIBUTES = ATTRIBUTES.replace("Number of features seen", "Number of channels seen").replace(
    "if X has string column names", "if X has DataFrames"
)


@dataclass(eq=False, repr=False)
class CfCNetwork(AdaptationParameters):
    """The parameters of a closed-form continuous-time network, and its configuration."""

    units: int = 256
    backbone_units: int = 64
    _: KW_ONLY
    backbone_layers: int = 2
    dropout: float = 0.0
    recompute: bool = False
    standardize: bool = True
    clip: float | None = None
    forward_fill: bool = True
    masks: bool = True
    time_scale: float | Literal["auto"] = "auto"

    def network_config(self, n_inputs: int, n_steps: int, n_outputs: int) -> CfCConfig:
        """Return the configuration of the network that the parameters describe.

        Parameters
        ----------
        n_inputs, n_outputs : int
            Widths of the input, with masks, and of the output.
        n_steps : int
            Number of steps of a typical series.

        Raises
        ------
        ValueError
            If a parameter is out of its range.
        """
        return CfCConfig(
            n_inputs=n_inputs,
            n_outputs=n_outputs,
            units=self.units,
            backbone_units=self.backbone_units,
            backbone_layers=self.backbone_layers,
            dropout=self.dropout,
            recompute=self.recompute,
            n_steps=n_steps,
            **self.adaptation(),
        )

    reader_parameters: ClassVar[tuple[str, ...]] = (
        "standardize",
        "clip",
        "forward_fill",
        "masks",
        "time_scale",
    )

    def new_reader(self) -> Reader:
        """Return a reader that has not seen any series."""
        return IrregularSeriesReader(
            self.standardize, self.clip, self.forward_fill, self.masks, self.time_scale
        )

    def check_params(self) -> None:
        """Raise a ValueError that names the first parameter that is out of range."""
        super().check_params()  # type: ignore[misc]
        self.new_reader()


def _documented(cls: type) -> type:
    return fill(cls, _PARAMETERS, _ATTRIBUTES)


@register_estimator
@_documented
@dataclass(eq=False, repr=False)
class CfCClassifier(CfCNetwork, Timed, SeriesValidation, DeepClassifier):
    """A classifier of irregular series by a closed-form continuous-time network.

    The cell (Hasani et al., 2022) reads a series step by step, with the time elapsed since the
    step before, and one class is predicted from its state after the last step. Its six matrices
    are drawn from a seed and frozen; low-rank adapters, one scale per matrix, biases and the head
    are trained (LottaLoRA, arXiv 2604.08749).

    Parameters
    ----------
    {parameters:
    scoring : {"accuracy", "roc_auc"}, default="accuracy"
        Validation score under `early_stopping`; the area under the ROC curve is for two classes.
    label_smoothing : float, default=0.0
        Share of the target that is spread evenly over the classes.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class in the loss; "balanced" weights every class inversely to the sum of
        its sample weights.
    }

    Attributes
    ----------
    classes_ : ndarray, shape (n_classes,)
        The class labels.
    {attributes}

    Raises
    ------
    ValueError
        From `fit`, before training starts, if a parameter or the data are out of range; the
        message names them, what was expected and what was given.
    TrainingDiverged
        From `fit`, if the loss is not finite.

    See Also
    --------
    CfCRegressor : The same for numeric targets.
    CfCFeatures : States of an untrained network, for a readout of your choice.
    EchoStateClassifier : A reservoir, of which only the readout is trained.

    Notes
    -----
    The head has one logit per class, also for two classes, as in the paper. The result for a
    series does not depend on the other series in the call, nor on padding.

    Examples
    --------
    Which of two frequencies has a series that was observed at random times?

    >>> import numpy as np
    >>> from deepreservoir import CfCClassifier
    >>> random = np.random.default_rng(0)
    >>> times = [np.sort(random.uniform(0, 10, random.integers(15, 30))) for _ in range(200)]
    >>> y = random.integers(0, 2, 200)
    >>> X = [np.sin((1 + 2 * c) * t)[:, None] for t, c in zip(times, y)]
    >>> model = CfCClassifier(
    ...     16, 8, rank=2, max_iter=30, batch_size=32, learning_rate_init=0.02, random_state=0
    ... )
    >>> model = model.fit(X[:150], y[:150], times=times[:150])
    >>> model.score(X[150:], y[150:], times=times[150:]) > 0.8
    True
    """

    _: KW_ONLY
    scoring: Literal["accuracy", "roc_auc"] = "accuracy"

    def _new_labels(self, classes: np.ndarray | None) -> Labels:
        return SoftmaxLabels(self.label_smoothing, self.class_weight, classes, self.scoring)

    def check_params(self) -> None:
        """Raise a ValueError that names the first parameter that is out of range."""
        super().check_params()
        check_choice("scoring", self.scoring, SCORINGS)

    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None, times: Any = None
    ) -> Self:
        """Train for one pass over more series, at a constant learning rate.

        The scaling is that of the first call.

        Parameters
        ----------
        X, y, sample_weight, times : as in fit
        classes : array-like, shape (n_classes,), optional
            All labels that will occur; required on the first call.

        Returns
        -------
        self
        """
        return super().partial_fit(self._timed(X, times), y, classes, sample_weight)

    def decision_function(self, X: Any, times: Any = None) -> Array:
        """Return logits, or for two classes the logit of the second against the first.

        Parameters
        ----------
        X, times : as in fit

        Returns
        -------
        ndarray of float64, shape (n_series,) for two classes, else (n_series, n_classes)
        """
        return super().decision_function(self._timed(X, times))

    def predict_log_proba(self, X: Any, times: Any = None) -> Array:
        """Return log probabilities, float64, shape (n_series, n_classes)."""
        return super().predict_log_proba(self._timed(X, times))

    def predict_proba(self, X: Any, times: Any = None) -> Array:
        """Return probabilities, float64, shape (n_series, n_classes), in order of `classes_`."""
        return super().predict_proba(self._timed(X, times))


@register_estimator
@_documented
@dataclass(eq=False, repr=False)
class CfCRegressor(CfCNetwork, Timed, SeriesValidation, DeepRegressor):
    """A regressor on irregular series by a closed-form continuous-time network.

    The cell (Hasani et al., 2022) reads a series step by step, with the time elapsed since the
    step before, and one or several numbers are predicted from its state after the last step. Its
    six matrices are drawn from a seed and frozen; low-rank adapters, one scale per matrix, biases
    and the head are trained (LottaLoRA, arXiv 2604.08749). Targets are standardised internally.

    Parameters
    ----------
    {parameters:
    loss : {"squared_error", "huber"}, default="squared_error"
        Loss to be minimised, on standardised targets.
    huber_delta : float, default=1.0
        Error above which Huber's loss is linear, in standard deviations of the target.
    }

    Attributes
    ----------
    y_mean_, y_scale_ : ndarray, shape (n_outputs,)
        Mean and standard deviation of the training targets.
    {attributes}

    Raises
    ------
    ValueError
        From `fit`, before training starts, if a parameter or the data are out of range; the
        message names them, what was expected and what was given.
    TrainingDiverged
        From `fit`, if the loss is not finite.

    See Also
    --------
    CfCClassifier : The same for labels.

    Examples
    --------
    >>> import numpy as np
    >>> from deepreservoir import CfCRegressor
    >>> random = np.random.default_rng(0)
    >>> X = random.normal(size=(100, 8, 2))
    >>> y = X[:, :, 0].mean(axis=1)
    >>> X[random.uniform(size=X.shape) < 0.1] = np.nan  # not observed
    >>> model = CfCRegressor(16, 8, rank=2, max_iter=50, learning_rate_init=0.02, random_state=0)
    >>> model.fit(X[:80], y[:80]).predict(X[80:]).shape
    (20,)
    """

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, times: Any = None) -> Self:
        """Train for one pass over more series, at a constant learning rate.

        The scaling is that of the first call.

        Parameters
        ----------
        X, y, sample_weight, times : as in fit

        Returns
        -------
        self
        """
        return super().partial_fit(self._timed(X, times), y, sample_weight)
