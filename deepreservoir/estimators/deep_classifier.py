"""The deep classifier."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from ..backend import Array, array_module
from .base.classifier import BaseDeepClassifier
from .base.descriptions import documented


@documented
class DeepReservoirClassifier(BaseDeepClassifier):
    """A classifier whose weight matrices are drawn from a seed and frozen.

    Only low-rank adapters, one scale a layer and the output layer are trained:
    ``h_out = beta W_seed h_in + s B A h_in`` (LottaLoRA, arXiv 2604.08749, section 3). A
    fitted model is a configuration, a seed and a few kilobytes. Scale the features first,
    for example with :class:`sklearn.preprocessing.StandardScaler`.

    Parameters
    ----------
    {parameters:
    label_smoothing : float, default=0.0
        Share of the target that is spread evenly over the classes.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class in the loss.
    }

    Attributes
    ----------
    classes_ : ndarray, shape (n_classes,)
        The class labels.
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
    DeepReservoirRegressor : The same for numbers.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import train_test_split
    >>> from deepreservoir import DeepReservoirClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0)
    >>> model = DeepReservoirClassifier(rank=4, max_iter=30, random_state=0)
    >>> model.fit(X_train, y_train).score(X_test, y_test) > 0.95
    True
    >>> model.n_trained_params_, model.n_scaffold_params_
    (4108, 49152)
    """

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
        label_smoothing: float = 0.0,
        class_weight: dict[Any, float] | str | None = None,
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
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
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

    # The public face --------------------------------------------------------------------

    def fit(self, X: Any, y: Any, sample_weight: Any = None, checkpoint: Any = None) -> Self:
        """Train the adapters on labelled rows.

        Parameters
        ----------
        X : array-like or CSR matrix, shape (n_samples, n_features)
        y : array-like, shape (n_samples,)
            Class labels: numbers or strings.
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

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train one pass over more rows, at a constant learning rate.

        Parameters
        ----------
        X : array-like or CSR matrix, shape (n_samples, n_features)
        y : array-like, shape (n_samples,)
        classes : array-like, shape (n_classes,), optional
            All labels there will be; required on the first call.
        sample_weight : array-like, shape (n_samples,), optional

        Returns
        -------
        self
        """
        if not hasattr(self, "network_"):
            if classes is None:
                raise ValueError(
                    "classes must be given on the first call of partial_fit: all labels that "
                    "will come, such as classes=[0, 1, 2]"
                )
            known = np.unique(classes)
        else:
            known = self.classes_
            if classes is not None and not np.array_equal(np.unique(classes), known):
                raise ValueError(
                    f"classes must be those of the first call, {known.tolist()}; "
                    f"got {np.unique(classes).tolist()}"
                )
        return self._partial_fit(X, y, sample_weight, known)

    def decision_function(self, X: Any) -> Array:
        """Return the logits.

        Returns
        -------
        ndarray of float64, shape (n_samples,) for two classes, else (n_samples, n_classes)
        """
        return self._placed(self._logits(self._outputs(X)), X)

    def predict(self, X: Any) -> Array:
        """Return the likeliest label of each row, shape (n_samples,)."""
        return self._placed(self._predictions(self._outputs(X)), X)

    def predict_log_proba(self, X: Any) -> Array:
        """Return log probabilities, float64, shape (n_samples, n_classes)."""
        return self._placed(self._log_probabilities(self._outputs(X)), X)

    def predict_proba(self, X: Any) -> Array:
        """Return probabilities, float64, shape (n_samples, n_classes), in order of `classes_`."""
        log_p = self.predict_log_proba(X)
        return array_module(log_p).exp(log_p)
