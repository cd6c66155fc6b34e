"""Seed gating: one adapter for several tasks, each on the scaffold of a seed of its own."""

from __future__ import annotations

from dataclasses import dataclass

from ..base.descriptions import ATTRIBUTES, PARAMETERS, fill, without
from ..base.registry import register_estimator
from ..perceptron import Perceptron
from .base import SeedGated


def _documented(cls: type) -> type:
    """Fill in the shared descriptions, without those that do not hold here."""
    others = ("adapter", "scaffold_seed", "schedule", "resample", "warm_start", "batch_size")
    return fill(
        cls,
        without(PARAMETERS, *others),
        without(ATTRIBUTES, "network_", "scaffold_seed_", "n_scaffold_params_"),
    )


@register_estimator
@_documented
@dataclass(eq=False, repr=False)
class SeedGatedClassifier(Perceptron, SeedGated):
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
