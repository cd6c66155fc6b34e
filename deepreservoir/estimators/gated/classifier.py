"""Seed gating of the multilayer perceptron."""

from __future__ import annotations

from dataclasses import dataclass

from ..base.descriptions import PARAMETERS, PERCEPTRON_ATTRIBUTES, fill, without
from ..base.registry import register_estimator
from ..perceptron import Perceptron
from .base import SeedGated


def _documented(cls: type) -> type:
    """Fill in the shared descriptions, without those that do not apply here."""
    others = ("adapter", "scaffold_seed", "schedule", "resample", "warm_start", "batch_size")
    return fill(
        cls,
        without(PARAMETERS, *others),
        without(PERCEPTRON_ATTRIBUTES, "network_", "scaffold_seed_", "n_scaffold_params_"),
    )


@register_estimator
@_documented
@dataclass(eq=False, repr=False)
class SeedGatedClassifier(Perceptron, SeedGated):
    """A classifier for several tasks that share one adapter, each on a scaffold of its own.

    The seed of the scaffold selects the task: the same few trained parameters solve another task
    on other frozen weights (seed-gated task of LottaLoRA, arXiv 2604.08749, MNIST section). All
    tasks share one head, over the classes of all tasks; with `out_of_class`, the network of a task
    also learns to reject rows of the other tasks.

    Parameters
    ----------
    {parameters:
    scaffold_seeds : mapping of task to int, default=None
        Seed of each task's frozen weights; all seeds must differ. None draws them from
        `random_state`, in the order of the tasks' names; they are kept as `scaffold_seeds_`.
    out_of_class : int, float or str, default=None
        A label that no row has, such as -1. Each task's network is also trained to predict it for
        rows of the other tasks: in every epoch for as many as it has rows of its own, drawn anew
        and weighted so that both groups count the same. The rows of the tasks must differ.
    adapter : {"lora", "dora", "none"}, default="lora"
        What is trained in a hidden layer: the low-rank path and beta; the same, weight-decomposed
        (DoRA); or nothing.
    label_smoothing : float, default=0.0
        Share of the target that is spread evenly over the classes.
    schedule : {"constant", "cosine", "exponential"}, default="cosine"
        Course of the learning rate over `max_iter` epochs.
    batch_size : int or "auto", default="auto"
        Rows per training step, all for one task's network; ``"auto"`` is 128. If there is only one
        task, a training set that fits in one batch is used as a whole.
    }

    Attributes
    ----------
    classes_ : ndarray, shape (n_classes,)
        The sorted class labels of all tasks, including `out_of_class`.
    tasks_ : ndarray, shape (n_tasks,)
        The sorted names of the tasks.
    task_classes_ : dict of task to ndarray
        The classes of each task's rows.
    scaffold_seeds_ : dict of task to int
        Seed of each task's frozen weights.
    networks_ : dict of task to Network
        Each task's network; all share one adapter.
    network_ : Network
        The network of the first task, of which `coefs_` and `intercepts_` are the weights.
    n_scaffold_params_ : int
        Number of frozen weights of all tasks, which are determined by the seeds.
    {attributes}

    Raises
    ------
    ValueError
        From `fit`, before training starts, if a parameter, name or label is out of range; the
        message names it, what was expected and what was given.
    TrainingDiverged
        From `fit`, if the loss is not finite.

    See Also
    --------
    DeepReservoirClassifier : One task on one scaffold.
    predict_many : The reverse: many adapters on one scaffold.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from deepreservoir import SeedGatedClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> X, y = X[y > 0] / 16, y[y > 0]
    >>> task = np.array(["123", "456", "789"])[(y - 1) // 3]
    >>> model = SeedGatedClassifier(rank=4, max_iter=30, random_state=0).fit(X, y, task)
    >>> model.score(X, y, task) > 0.97
    True
    >>> model.score(X, y, task="123") < 0.6  # two thirds of the rows on the wrong scaffold
    True
    """
