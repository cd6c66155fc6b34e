"""The multilayer perceptron as a classifier and as a regressor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np

from ..checks import check_choice
from ..choices import ActivationName, DtypeName, HeadName
from ..models import DTYPES, MLPConfig
from ..network import Network
from .base.classifier import DeepClassifier
from .base.descriptions import documented
from .base.fitting import DeepEstimator
from .base.parameters import AdaptationParameters
from .base.registry import register_estimator
from .base.regressor import DeepRegressor
from .dense_layers import PlainLayer, dense_layers

#: Fraction of the activations of wide layers that is dropped under dropout="auto".
DROPOUT = 0.3


@dataclass(eq=False, repr=False)
class Perceptron(AdaptationParameters):
    """The parameters of a multilayer perceptron, its configuration and its weights."""

    network_: ClassVar[Network]  # set by fit
    _targets: ClassVar[Any]
    _x_dtype: ClassVar[Any]

    hidden_layer_sizes: tuple[int, ...] | int = (256, 128)
    activation: ActivationName = "relu"
    _: KW_ONLY
    head: HeadName = "full"
    bias: bool | Literal["paper"] = True
    layer_norm: bool = False
    residual: bool = False
    dropout: float | Literal["auto"] = 0.0
    predict_dtype: DtypeName = "float64"

    absent_parameters: ClassVar[Mapping[str, Any]] = {
        **DeepEstimator.absent_parameters,
        "predict_dtype": "float64",
    }
    adapter_parameters: ClassVar[frozenset[str]] = DeepEstimator.adapter_parameters | {"head"}
    fully_trained_parameters: ClassVar[Mapping[str, Any]] = {"adapter": "full", "head": "full"}
    input_parameters: ClassVar[frozenset[str] | None] = frozenset({"hidden_layer_sizes"})
    renamed_values: ClassVar[Mapping[str, Mapping[Any, Any]]] = {"bias": {"auto": "paper"}}

    def network_config(self, n_features: int, n_outputs: int) -> MLPConfig:
        """Return the configuration of the network that the parameters describe.

        Parameters
        ----------
        n_features, n_outputs : int
            Widths of the input and the output.

        Raises
        ------
        ValueError
            If a parameter is out of its range.
        """
        check_choice("predict_dtype", self.predict_dtype, DTYPES)
        if self.bias not in (True, False, "paper"):
            raise ValueError(f"bias must be True, False or 'paper'; got {self.bias!r}")
        automatic = isinstance(self.dropout, str) and self.dropout == "auto"
        config = MLPConfig(
            n_features=n_features,
            n_outputs=n_outputs,
            hidden_layer_sizes=self.hidden_layer_sizes,  # type: ignore[arg-type] # or an int
            activation=self.activation,
            head=self.head,
            bias=self.adapter == "full" if self.bias == "paper" else bool(self.bias),
            layer_norm=self.layer_norm,
            residual=self.residual,
            dropout=0.0 if automatic else self.dropout,  # type: ignore[arg-type]
            **self.adaptation(),
        )
        if getattr(self, "optimizer", None) == "lbfgs":  # its loss has no noise
            return replace(config, dropout=0.0, adapter_dropout=0.0)
        return replace(config, dropout=DROPOUT * config.width_factor) if automatic else config

    def _prediction_dtype(self) -> DtypeName:
        check_choice("predict_dtype", self.predict_dtype, DTYPES)  # may be set after fit
        return self.predict_dtype

    # As in scikit-learn's multilayer perceptron ---------------------------------------------

    @property
    def n_layers_(self) -> int:
        """Number of layers, with the input and the output."""
        return len(self._config.widths)

    @property
    def coefs_(self) -> list[np.ndarray]:
        """Weights of each layer, (d_in, d_out), with scaffold and adapter in one matrix."""
        return [layer.weight.T.astype(self._shown_dtype) for layer in self._dense_layers()]

    @property
    def intercepts_(self) -> list[np.ndarray]:
        """Biases of each layer, (d_out,); zeros where a layer has none."""
        biases = []
        for layer in self._dense_layers():
            bias = np.zeros(len(layer.weight)) if layer.bias is None else layer.bias
            biases.append(bias.astype(self._shown_dtype))
        return biases

    @property
    def _config(self) -> MLPConfig:
        config = self.network_.config
        assert isinstance(config, MLPConfig)
        return config

    @property
    def _shown_dtype(self) -> np.dtype[Any]:
        return np.dtype(np.float32 if self._x_dtype == np.float32 else np.float64)

    def _dense_layers(self) -> list[PlainLayer]:
        return dense_layers(self.network_, self._targets)


@dataclass(eq=False, repr=False)
class TablePerceptron(Perceptron):
    """A multilayer perceptron with the defaults that were chosen for tables.

    They were chosen by cross-validation on twelve small tables and checked on others
    (``python -m benchmarks defaults``); the paper's networks are those of
    :class:`deepreservoir.experiments.Protocol`.
    """

    hidden_layer_sizes: tuple[int, ...] = (128, 64)
    activation: ActivationName = "silu"
    _: KW_ONLY
    dropout: float | Literal["auto"] = "auto"
    adapter_dropout: float = 0.15
    learning_rate_init: float = 5e-3
    warmup: float = 0.1
    weight_decay: float | Literal["auto"] = "auto"
    ema_decay: float | Literal["auto"] | None = "auto"
    max_iter: int = 150


@register_estimator
@documented
@dataclass(eq=False, repr=False)
class DeepReservoirClassifier(TablePerceptron, DeepClassifier):
    """A classifier whose weight matrices are drawn from a seed and frozen.

    Only low-rank adapters, one scale per layer and the output layer are trained:
    ``h_out = beta W_seed h_in + s B A h_in`` (LottaLoRA, arXiv 2604.08749, section 3). A
    fitted model is a configuration, a seed and the trained parameters. Scale the features first,
    for example with :class:`sklearn.preprocessing.StandardScaler`.

    Parameters
    ----------
    {parameters:
    label_smoothing : float, default=0.0
        Share of the target that is spread evenly over the classes in training. The predicted
        probabilities are those without it: with the softmax q of the logits of k classes, they are
        proportional to ``q - label_smoothing / k``, but at least to ``q / 50``.
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
    DeepReservoirRegressor : The same for numeric targets.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import train_test_split
    >>> from deepreservoir import DeepReservoirClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0)
    >>> model = DeepReservoirClassifier(rank=4, random_state=0)
    >>> model.fit(X_train, y_train).score(X_test, y_test) > 0.95
    True
    >>> model.n_trained_params_, model.n_scaffold_params_
    (2380, 16384)
    """

    _: KW_ONLY
    label_smoothing: float = 0.1


@register_estimator
@documented
@dataclass(eq=False, repr=False)
class DeepReservoirRegressor(TablePerceptron, DeepRegressor):
    """A regressor whose weight matrices are drawn from a seed and frozen.

    Only low-rank adapters, one scale per layer and the output layer are trained:
    ``h_out = beta W_seed h_in + s B A h_in`` (LottaLoRA, arXiv 2604.08749, section 3).
    Targets are standardised internally; scale the features yourself, for example with
    :class:`sklearn.preprocessing.StandardScaler`.

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
    DeepReservoirClassifier : The same for labels.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from deepreservoir import DeepReservoirRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = DeepReservoirRegressor((64,), rank=2, max_iter=20, random_state=0)
    >>> model = make_pipeline(StandardScaler(), model).fit(X, y)
    >>> model.predict(X[:2]).shape
    (2,)
    """
