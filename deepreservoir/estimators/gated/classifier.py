"""Seed gating: one adapter for several tasks, each on the scaffold of a seed of its own."""

from __future__ import annotations

from typing import Any, Self

from sklearn.metrics import accuracy_score

from ...backend import Array, array_module
from ..base.descriptions import ATTRIBUTES, PARAMETERS, fill, without
from ..base.device_input import on_host
from .base import BaseSeedGated


def _documented(cls: type) -> type:
    """Fill in the shared descriptions, without those that do not hold here."""
    others = ("adapter", "scaffold_seed", "schedule", "resample", "warm_start", "batch_size")
    return fill(
        cls,
        without(PARAMETERS, *others),
        without(ATTRIBUTES, "network_", "scaffold_seed_", "n_scaffold_params_"),
    )


@_documented
class SeedGatedClassifier(BaseSeedGated):
    """One adapter that several tasks share, each on a scaffold of its own: the seed is the switch.

    The same few trained numbers do another task on other frozen weights (seed-gated task of
    LottaLoRA, arXiv 2604.08749, MNIST section). All tasks share one head, over the classes of all;
    with `out_of_class`, a task's network also learns to reject rows of the other tasks.

    Parameters
    ----------
    {parameters:
    scaffold_seeds : mapping of task to int, default=None
        Seed of each task's frozen weights, no two of them the same. None draws them from
        `random_state`, in the order of the tasks' names; they are kept as `scaffold_seeds_`.
    out_of_class : int, float or str, default=None
        A label that no row has, such as -1. Each task's network is trained to answer it to rows
        of the other tasks too: in every epoch as many as it has rows of its own, drawn anew, and
        weighted so that own rows and others count the same. It needs tasks whose rows differ.
    adapter : {"lora", "dora", "none"}, default="lora"
        What is trained of a hidden layer: the low-rank path and beta; the same, weight-decomposed
        (DoRA); or nothing.
    label_smoothing : float, default=0.0
        Share of the target that is spread evenly over the classes.
    schedule : {"constant", "cosine", "exponential"}, default="cosine"
        How the learning rate goes on over `max_iter` epochs.
    batch_size : int or "auto", default="auto"
        Rows a training step, all of one task's network; ``"auto"`` is 128. Where there is one
        task, a training set that fits one batch is taken as a whole.
    }

    Attributes
    ----------
    classes_ : ndarray, shape (n_classes,)
        The class labels of all tasks, in order, `out_of_class` among them.
    tasks_ : ndarray, shape (n_tasks,)
        The names of the tasks, in order.
    task_classes_ : dict of task to ndarray
        The classes that a task's rows have.
    scaffold_seeds_ : dict of task to int
        Seed of each task's frozen weights.
    networks_ : dict of task to Network
        Each task's network; all share one adapter.
    network_ : Network
        That of the first task.
    n_scaffold_params_ : int
        Frozen weights of all tasks, which follow from the seeds.
    {attributes}

    Raises
    ------
    ValueError
        From `fit`, before training starts, for a parameter, name or label out of range; the
        message names it, what was expected and what came.
    TrainingDiverged
        From `fit`, if the loss is not finite.

    See Also
    --------
    DeepReservoirClassifier : One task on one scaffold.
    predict_many : Many adapters on one scaffold, which is the other way round.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from deepreservoir import SeedGatedClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> X, y = X[y > 0] / 16, y[y > 0]
    >>> task = np.array(["123", "456", "789"])[(y - 1) // 3]
    >>> model = SeedGatedClassifier(rank=4, max_iter=20, random_state=0).fit(X, y, task)
    >>> model.score(X, y, task) > 0.97
    True
    >>> model.score(X, y, task="123") < 0.6  # two thirds of the rows on the wrong scaffold
    True
    """

    def __init__(
        self,
        hidden_layer_sizes: tuple[int, ...] = (256, 128),
        activation: str = "relu",
        *,
        scaffold_seeds: Any = None,
        out_of_class: Any = None,
        rank: int | str = "auto",
        lora_alpha: float | None = None,
        scaling: str = "lora",
        adapter: str = "lora",
        scaffold: str = "normal",
        scaffold_scale: float | str = 1.0,
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
        random_state: Any = None,
        verbose: bool = False,
        dtype: str = "float32",
        device: str = "cpu",
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.scaffold_seeds = scaffold_seeds
        self.out_of_class = out_of_class
        self.rank = rank
        self.lora_alpha = lora_alpha
        self.scaling = scaling
        self.adapter = adapter
        self.scaffold = scaffold
        self.scaffold_scale = scaffold_scale
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
        self.random_state = random_state
        self.verbose = verbose
        self.dtype = dtype
        self.device = device

    # The public face --------------------------------------------------------------------

    def fit(
        self, X: Any, y: Any, task: Any = None, sample_weight: Any = None, checkpoint: Any = None
    ) -> Self:
        """Train the adapter on labelled rows of all tasks.

        Parameters
        ----------
        X : array-like or CSR matrix, shape (n_samples, n_features)
        y : array-like, shape (n_samples,)
            Class labels: numbers or strings.
        task : array-like, shape (n_samples,), optional
            Name of each row's task: text or numbers. Without, all rows are of one task, 0.
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
            If Ctrl-C ended training early; the model is usable. If a task has one class, and
            there is no out-of-class label.
        """
        return self._fit_tasks(X, y, task, sample_weight, checkpoint)

    def decision_function(self, X: Any, task: Any = None) -> Array:
        """Return the logits of each row, on the scaffold of its task.

        Parameters
        ----------
        X : array-like or CSR matrix, shape (n_samples, n_features)
        task : str, number or array-like of shape (n_samples,), optional
            One name for all rows, or a name a row; needed where there are several tasks.

        Returns
        -------
        ndarray of float64, shape (n_samples,) for two classes, else (n_samples, n_classes)

        Raises
        ------
        ValueError
            If a task is unknown, or missing.
        """
        return self._placed(self._logits(self._outputs(X, task)), X)

    def predict(self, X: Any, task: Any = None) -> Array:
        """Return the likeliest label of each row, shape (n_samples,), of all that there are.

        `X` and `task` are as for :meth:`decision_function`. An answer that is no class of the
        row's task, nor the out-of-class label, tells that the scaffold does not know the row.
        """
        return self._placed(self._predictions(self._outputs(X, task)), X)

    def predict_log_proba(self, X: Any, task: Any = None) -> Array:
        """Return log probabilities, float64, shape (n_samples, n_classes)."""
        return self._placed(self._log_probabilities(self._outputs(X, task)), X)

    def predict_proba(self, X: Any, task: Any = None) -> Array:
        """Return probabilities, float64, shape (n_samples, n_classes), in order of `classes_`."""
        log_p = self.predict_log_proba(X, task)
        return array_module(log_p).exp(log_p)

    def score(  # type: ignore[override]
        self, X: Any, y: Any, task: Any = None, sample_weight: Any = None
    ) -> float:
        """Return the accuracy on rows with labels, each on the scaffold of its task.

        Parameters
        ----------
        X, y, task, sample_weight : as in fit
            `task` may be one name for all rows. Rows that are to be rejected have `out_of_class`
            for label.

        Returns
        -------
        float
        """
        X, y, sample_weight = on_host(X, y, sample_weight)
        return float(accuracy_score(y, self.predict(X, task), sample_weight=sample_weight))
