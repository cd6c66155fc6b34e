"""Conversion of seed-gated classifiers to the contents of a file, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..backend import Device, to_host
from ..container import ArtifactError, Contents
from ..document import labels_of, plain_labels
from ..estimators import SeedGated
from ..scaffold import Scaffold, get_family
from . import deep
from .common import check_tensors

adapter_names = deep.adapter_names

_FITTED = {"tasks": dict, "task_classes": list, "other_scaffolds": list}


def contents_of(model: SeedGated) -> Contents:
    """Return the contents of a file for a fitted model.

    The scaffold in the document is that of the first task; those of the other tasks are in its
    entry ``fitted``. Since buffers are statistics of one scaffold, those of the other tasks are
    stored under names of their own.

    Raises
    ------
    NotFittedError
        If it is not fitted.
    ArtifactError
        If a parameter, a label or a name cannot be written.
    """
    contents = deep.contents_of(model)
    _, *others = model.networks_.values()
    contents.document["fitted"] |= {
        "tasks": plain_labels(model.tasks_),
        "task_classes": [
            np.searchsorted(model.classes_, classes).tolist()
            for classes in model.task_classes_.values()
        ],
        "other_scaffolds": [deep.plain_scaffold(network) for network in others],
    }
    for i, network in enumerate(others, 1):
        buffers = network.named_buffers().items()
        contents.tensors.update({f"task.{i}.{path}": to_host(array) for path, array in buffers})
    return contents


def rebuild(
    cls: type[SeedGated],
    contents: Contents,
    device: Device,
    max_bytes: int,
    ready: Mapping[str, Scaffold] | None = None,
) -> SeedGated:
    """Return the estimator that the contents describe; its scaffolds are redrawn and checked.

    Parameters
    ----------
    cls : type
    contents : Contents
    device : {"cpu", "cuda", "cuda:N"}
    max_bytes : int
        Maximum number of bytes for drawing all scaffolds.
    ready : mapping of str to Scaffold, optional
        Must be None, since the tasks have different scaffolds.

    Raises
    ------
    ArtifactError
        If the contents do not describe such an estimator, or a redrawn scaffold differs.
    """
    if ready is not None:
        raise ArtifactError(
            f"a {cls.__name__} has one scaffold per task, so it cannot be attached to one; load it"
        )
    document = contents.document
    model, fitted, config = deep.restore_estimator(cls, contents, _FITTED, device, max_bytes)
    model.tasks_ = labels_of(fitted["tasks"])
    scaffolds, n = [document["scaffold"], *fitted["other_scaffolds"]], len(model.tasks_)
    if len(scaffolds) != n:
        raise ArtifactError(f"{n} tasks must have as many scaffolds; got {len(scaffolds)}")
    drawn = [deep.Drawn(data, config, max_bytes, times=n) for data in scaffolds]
    if len({scaffold.seed for scaffold in drawn}) < n:
        raise ArtifactError("each task must have a seed of its own")
    if n > 1 and (not drawn[0].frozen or not get_family(config.scaffold).random):
        raise ArtifactError("the model has tasks, but no frozen weights to distinguish them by")
    shapes, types = drawn[0].tensors(config)
    for i in range(1, n):
        for slot in drawn[0].buffers.slots:
            shapes[f"task.{i}.{slot.path}"] = slot.shape
            types[f"task.{i}.{slot.path}"] = (config.dtype,)
    check_tensors(contents, shapes, types)
    _take_task_classes(model, fitted["task_classes"])
    first = drawn[0].network(config, contents.tensors, device, {})
    networks = [first, *(scaffold.beside(first) for scaffold in drawn[1:])]
    for i, network in enumerate(networks[1:], 1):
        for path, view in network.named_buffers().items():
            view[...] = network.on_device(contents.tensors[f"task.{i}.{path}"])
    model._gate(networks)
    deep.take_network(model, first, fitted)
    return model


def _take_task_classes(model: Any, data: list[Any]) -> None:
    names, classes = model.tasks_.tolist(), model._targets.classes
    n = len(classes)
    if len(data) != len(names):
        raise ArtifactError(f"task_classes must be those of {len(names)} tasks; got {len(data)}")
    for codes in data:
        known = isinstance(codes, list) and all(type(i) is int and 0 <= i < n for i in codes)
        if not known or not codes or codes != sorted(set(codes)):
            raise ArtifactError(
                f"the classes of a task must be some of the model's {n}, sorted; got {codes!r:.80}"
            )
    model.task_classes_ = {
        name: classes[np.array(codes)] for name, codes in zip(names, data, strict=True)
    }
