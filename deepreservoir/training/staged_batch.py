"""A batch in fixed places of memory, into which later batches of the same form are copied."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import replace
from typing import Any

from ..backend import Array, is_on_device
from ..inputs import Batch
from .batches import TrainingBatch


def _parts(batch: TrainingBatch) -> Iterator[tuple[str, Any]]:
    """Yield all that a step reads of a batch, with a name for each."""
    yield "x", batch.batch.x
    for name, value in sorted(batch.batch.side.items()):
        yield f"side {name}", value
    yield "y", batch.target.y
    yield "n", batch.target.n
    yield "weights", batch.target.weights
    for path, product in sorted(batch.products.items()):
        yield f"product {path}", product


def form_of(batch: TrainingBatch) -> Hashable | None:
    """Return what two batches must share to be used by one captured step.

    These are the shapes and types of their arrays, and all that is not an array on the device.
    None if something can be neither copied nor compared, such as a sparse matrix.
    """
    if batch.network is not None:
        return None
    form: list[Any] = []
    for name, value in _parts(batch):
        if is_on_device(value):
            form.append((name, value.shape, value.dtype.str))
        elif value is None or isinstance(value, int | float | str):
            form.append((name, value))
        else:
            return None
    return tuple(form)


def staged(batch: TrainingBatch) -> TrainingBatch:
    """Return a copy of a batch, whose arrays are its own."""
    side = {name: _copied(value) for name, value in batch.batch.side.items()}
    target = batch.target
    return replace(
        batch,
        batch=Batch(_copied(batch.batch.x), side),
        target=replace(target, y=_copied(target.y), weights=_copied(target.weights)),
        products={path: _copied(product) for path, product in batch.products.items()},
    )


def refill(kept: TrainingBatch, batch: TrainingBatch) -> None:
    """Copy the arrays of a batch into those of one of the same form."""
    for (_, own), (_, new) in zip(_parts(kept), _parts(batch), strict=True):
        if is_on_device(own):
            own[...] = new


def _copied(value: Any) -> Array:
    return value.copy() if is_on_device(value) else value
