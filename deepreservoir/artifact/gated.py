"""The seed-gated classifier as the contents of a file, and back: one adapter, a seed a task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..backend import Device
from ..container import SHORT_DTYPES, ArtifactError, Contents
from ..estimators import SeedGatedClassifier
from ..scaffold import Scaffold, get_family
from . import deep
from .common import check_tensors, restore_common
from .deep import adapter_names as adapter_names
from .values import labels_of, plain_labels

CLASSES = {SeedGatedClassifier.__name__: SeedGatedClassifier}

_FITTED = deep.FITTED | {
    "classes": dict,
    "tasks": dict,
    "task_classes": list,
    "other_scaffolds": list,
}


def contents_of(model: SeedGatedClassifier) -> Contents:
    """Return the contents of a file that holds a fitted model.

    The scaffold in the document is that of the first task; those of the others stand beside it.

    Raises
    ------
    NotFittedError
        If it is not fitted.
    ArtifactError
        If a parameter, a label or a name cannot be written.
    """
    check_is_fitted(model, "network_")
    contents = deep.network_contents(model)
    _, *others = model.networks_.values()
    contents.document["fitted"] |= {
        "classes": plain_labels(model.classes_),
        "tasks": plain_labels(model.tasks_),
        "task_classes": [
            np.searchsorted(model.classes_, own).tolist() for own in model.task_classes_.values()
        ],
        "other_scaffolds": [deep.plain_scaffold(network) for network in others],
    }
    return contents


def rebuild(
    contents: Contents,
    device: Device,
    max_bytes: int,
    ready: Mapping[str, Scaffold] | None = None,
) -> SeedGatedClassifier:
    """Return the estimator that contents describe, its scaffolds drawn again and checked.

    Parameters
    ----------
    contents : Contents
    device : {"cpu", "cuda"}
    max_bytes : int
        What drawing the scaffolds may take, all together.
    ready : mapping of str to Scaffold, optional
        There must be none: its tasks stand on several scaffolds.

    Raises
    ------
    ArtifactError
        If the contents describe no such estimator, or a scaffold drawn is another.
    """
    if ready is not None:
        raise ArtifactError(
            "a SeedGatedClassifier stands on a scaffold a task, and is not attached to one; load it"
        )
    document = contents.document
    model, fitted = restore_common(SeedGatedClassifier, document, _FITTED, device)
    config = deep.config_of(document["config"], model)
    model.tasks_ = labels_of(fitted["tasks"])
    scaffolds, n = [document["scaffold"], *fitted["other_scaffolds"]], len(model.tasks_)
    if len(scaffolds) != n:
        raise ArtifactError(f"{n} tasks must have as many scaffolds; got {len(scaffolds)}")
    drawn = [deep.Drawn(data, config, max_bytes, times=n) for data in scaffolds]
    if len({one.seed for one in drawn}) < n:
        raise ArtifactError("each task must have a seed of its own")
    if n > 1 and (not drawn[0].frozen or not get_family(config.scaffold).random):
        raise ArtifactError("the model has tasks, and no frozen weights to tell them apart by")
    shapes = {slot.path: slot.shape for slot in drawn[0].params.slots}
    check_tensors(contents, shapes, dict.fromkeys(shapes, (config.dtype, *SHORT_DTYPES)))
    deep.take_classes(model, fitted["classes"], config.n_outputs)
    _take_task_classes(model, fitted["task_classes"])
    first = drawn[0].network(config, contents.tensors, device, {})
    model._gate([first, *(one.beside(first) for one in drawn[1:])])
    deep.take_network(model, first, fitted)
    return model


def _take_task_classes(model: SeedGatedClassifier, data: list[Any]) -> None:
    names, n = model.tasks_.tolist(), len(model.classes_)
    if len(data) != len(names):
        raise ArtifactError(f"task_classes must be those of {len(names)} tasks; got {len(data)}")
    for own in data:
        known = isinstance(own, list) and all(type(i) is int and 0 <= i < n for i in own)
        if not known or not own or own != sorted(set(own)):
            raise ArtifactError(
                f"the classes of a task must be some of the model's {n}, in order; got {own!r:.80}"
            )
    model.task_classes_ = {
        name: model.classes_[np.array(own)] for name, own in zip(names, data, strict=True)
    }
