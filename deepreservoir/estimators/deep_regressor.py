"""The deep regressor."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import Tags

from ..backend import Array
from ..losses import Huber, Loss, SquaredError
from .base.data import Data
from .base.descriptions import documented
from .base.device_input import ScoredOnHost
from .base.fitting import BaseDeepReservoir


@documented
class DeepReservoirRegressor(ScoredOnHost, RegressorMixin, BaseDeepReservoir):
    """A regressor whose weight matrices are drawn from a seed and frozen.

    Only low-rank adapters, one scale a layer and the output layer are trained:
    ``h_out = beta W_seed h_in + s B A h_in`` (LottaLoRA, arXiv 2604.08749, section 3).
    Targets are standardised inside; scale the features yourself, for example with
    :class:`sklearn.preprocessing.StandardScaler`.

    Parameters
    ----------
    {parameters:
    loss : {"squared_error", "huber"}, default="squared_error"
        What is minimised, on standardised targets.
    huber_delta : float, default=1.0
        Where Huber's loss turns linear, in standard deviations of the target.
    }

    Attributes
    ----------
    y_mean_, y_scale_ : ndarray, shape (n_outputs,)
        Mean and standard deviation of the training targets.
    {attributes}

    Raises
    ------
    ValueError
        From `fit`, before training starts, for a parameter or data out of range; the
        message names it, what was expected and what came.
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

    _y_numeric = True

    def __init__(
        self,
        hidden_layer_sizes: tuple[int, ...] = (256, 128),
        activation: str = "relu",
        *,
        rank: int | str = "auto",
        lora_alpha: float | None = None,
        scaling: str = "lora",
        adapter: str = "lora",
        scaffold: str = "normal",
        scaffold_scale: float | str = 1.0,
        scaffold_seed: int | None = None,
        storage: str = "auto",
        beta: float | str = "learned",
        b_init: str = "zeros",
        head: str = "full",
        bias: bool | str = "auto",
        layer_norm: bool = False,
        residual: bool = False,
        dropout: float = 0.0,
        adapter_dropout: float = 0.0,
        loss: str = "squared_error",
        huber_delta: float = 1.0,
        optimizer: str = "adamw",
        learning_rate_init: float = 3e-3,
        schedule: str = "cosine",
        lr_decay: float = 0.9,
        warmup: float = 0.0,
        weight_decay: float = 1e-2,
        momentum: float = 0.9,
        max_grad_norm: float | None = None,
        ema_decay: float | None = None,
        batch_size: int | str = "auto",
        max_iter: int = 200,
        shuffle: bool = True,
        tol: float = 1e-4,
        n_iter_no_change: int = 10,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        projection_cache: int | str = "auto",
        resample: Any = None,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: bool = False,
        dtype: str = "float32",
        device: str = "cpu",
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.rank = rank
        self.lora_alpha = lora_alpha
        self.scaling = scaling
        self.adapter = adapter
        self.scaffold = scaffold
        self.scaffold_scale = scaffold_scale
        self.scaffold_seed = scaffold_seed
        self.storage = storage
        self.beta = beta
        self.b_init = b_init
        self.head = head
        self.bias = bias
        self.layer_norm = layer_norm
        self.residual = residual
        self.dropout = dropout
        self.adapter_dropout = adapter_dropout
        self.loss = loss
        self.huber_delta = huber_delta
        self.optimizer = optimizer
        self.learning_rate_init = learning_rate_init
        self.schedule = schedule
        self.lr_decay = lr_decay
        self.warmup = warmup
        self.weight_decay = weight_decay
        self.momentum = momentum
        self.max_grad_norm = max_grad_norm
        self.ema_decay = ema_decay
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.projection_cache = projection_cache
        self.resample = resample
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
        self.dtype = dtype
        self.device = device

    # Targets ----------------------------------------------------------------------------

    def _encode(
        self, y: np.ndarray, classes: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        if y.dtype.kind not in "biuf":
            raise ValueError(
                f"y must be numbers for a regressor; got dtype {y.dtype}, such as "
                f"{y.ravel()[0]!r}. For labels use DeepReservoirClassifier"
            )
        return y.astype(np.float64), None

    def _prepare_targets(self, data: Data) -> None:
        y = data.y.reshape(len(data), -1)
        self.y_mean_ = np.average(y, axis=0, weights=data.weights)
        spread = np.sqrt(np.average((y - self.y_mean_) ** 2, axis=0, weights=data.weights))
        self.y_scale_ = np.where(spread > 0, spread, 1.0)
        self._y_ndim = data.y.ndim

    def _targets(self, y: np.ndarray, dtype: np.dtype) -> np.ndarray:
        return ((y.reshape(len(y), -1) - self.y_mean_) / self.y_scale_).astype(dtype)

    def _n_outputs(self, y: np.ndarray) -> int:
        return 1 if y.ndim == 1 else y.shape[1]

    def _loss(self) -> Loss:
        return SquaredError() if self.loss == "squared_error" else Huber(self.huber_delta)

    def _validation_score(self, outputs: np.ndarray, data: Data) -> float:
        targets = self._targets(data.y, np.dtype(np.float64))
        return float(r2_score(targets, outputs, sample_weight=data.weights))

    # The public face --------------------------------------------------------------------

    def fit(self, X: Any, y: Any, sample_weight: Any = None, checkpoint: Any = None) -> Self:
        """Train the adapters on rows and their numbers.

        Parameters
        ----------
        X : array-like or CSR matrix, shape (n_samples, n_features)
        y : array-like, shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like, shape (n_samples,), optional
            Weight of each row in the loss; a row of weight zero is as good as absent.
        checkpoint : str or path, optional
            File that says every few seconds where training stands. If the process is killed, the
            same call goes on from it, to the same bits; it is removed when training has ended.

        Returns
        -------
        self

        Warns
        -----
        UserWarning
            If Ctrl-C ended training early; the model is usable.
        """
        return self._fit(X, y, sample_weight, checkpoint)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train one pass over more rows, at a constant learning rate.

        Targets are standardised by the mean and spread of the first call.

        Parameters
        ----------
        X : array-like or CSR matrix, shape (n_samples, n_features)
        y : array-like, shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like, shape (n_samples,), optional

        Returns
        -------
        self
        """
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X: Any) -> Array:
        """Return predictions, float64, shape (n_samples,) or (n_samples, n_outputs)."""
        return self._placed(self._predictions(self._outputs(X)), X)

    def _predictions(self, outputs: np.ndarray) -> np.ndarray:
        values = outputs * self.y_scale_ + self.y_mean_
        return values[:, 0] if self._y_ndim == 1 else values

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
