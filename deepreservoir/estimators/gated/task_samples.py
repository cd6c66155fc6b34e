"""The training samples of several tasks: to which task each belongs, and which are held out."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...user_warnings import warn_user
from ..base.data import Data, split_rows, without_zero_weights
from ..base.targets import Labels
from .tasks import row_names


class TaskSamples(NamedTuple):
    """Samples of several tasks.

    Attributes
    ----------
    data : Data
    codes : ndarray of int, shape (n,)
        The task of each sample.
    names : ndarray, shape (n_tasks,)
    classes : dict of name to ndarray
        The classes of the task's samples.
    """

    data: Data
    codes: np.ndarray
    names: np.ndarray
    classes: dict[Any, np.ndarray]

    def take(self, index: np.ndarray) -> TaskSamples:
        """Return the samples at `index`, with the same tasks."""
        return self._replace(data=self.data.take(index), codes=self.codes[index])


def task_samples(all_data: Data, targets: Labels, task: Any, out_of_class: Any) -> TaskSamples:
    """Return the samples of positive weight with their tasks, after checking them.

    Parameters
    ----------
    all_data : Data
    targets : Labels
        They learn the statistics of the samples that are returned.
    task : as in :func:`row_names`
    out_of_class : str, number or None
        The label of samples of other tasks.

    Raises
    ------
    ValueError
        If a sample has no task, or `out_of_class` is given for a single task.

    Warns
    -----
    UserWarning
        If a task has only one class, and `out_of_class` is None.
    """
    names = row_names(task, len(all_data))
    data = without_zero_weights(all_data)
    if len(data) < len(all_data) and all_data.weights is not None:
        names = names[all_data.weights > 0]
    targets.fit(data.y, data.weights)
    tasks, codes = np.unique(names, return_inverse=True)
    present = [np.unique(data.y[codes == i]) for i in range(len(tasks))]
    classes = {
        name: targets.classes[own] for name, own in zip(tasks.tolist(), present, strict=True)
    }
    samples = TaskSamples(data, codes, tasks, classes)
    _check_tasks(samples, out_of_class)
    return samples


def _check_tasks(samples: TaskSamples, out_of_class: Any) -> None:
    if out_of_class is not None and len(samples.names) == 1:
        raise ValueError(
            f"out_of_class={out_of_class!r} is for rows of other tasks, but there is only "
            f"one task, {samples.names.tolist()[0]!r}; pass the task of every row to fit, with "
            "at least two tasks"
        )
    one_class = [name for name, classes in samples.classes.items() if len(classes) == 1]
    if one_class and out_of_class is None:
        names = ", ".join(map(repr, one_class[:5])) + (", ..." if len(one_class) > 5 else "")
        warn_user(
            f"tasks with one class: {names}. On the scaffold of such a task every row is "
            "predicted to be of this class; set out_of_class to have other rows rejected"
        )


def without_held_out(
    samples: TaskSamples, targets: Labels, fraction: float, seed: int
) -> tuple[TaskSamples, TaskSamples]:
    """Split off a validation set, stratified by task and class.

    Parameters
    ----------
    samples : TaskSamples
    targets : Labels
    fraction : float
        Share of the samples that is held out.
    seed : int

    Returns
    -------
    training, held_out : TaskSamples

    Raises
    ------
    ValueError
        If a class of a task has a single sample, or no sample of a task is left to train on.
    """
    codes, names = samples.codes, samples.names.tolist()
    labels = codes * len(targets.classes) + samples.data.y
    single = np.flatnonzero(np.bincount(labels) == 1)
    if single.size and len(names) > 1:
        task, label = divmod(int(single[0]), len(targets.classes))
        raise ValueError(
            f"early_stopping cannot hold out rows of class {targets.classes.tolist()[label]!r} "
            f"of task {names[task]!r}, which has 1 row; give more samples, or "
            "early_stopping=False"
        )
    index, held_index = split_rows(len(samples.data), fraction, seed, labels)
    empty = np.setdiff1d(codes, codes[index])
    if empty.size:
        raise ValueError(
            f"early_stopping leaves no rows to train on for task {names[empty[0]]!r}; "
            "give more samples, a lower validation_fraction, or early_stopping=False"
        )
    return samples.take(index), samples.take(held_index)
