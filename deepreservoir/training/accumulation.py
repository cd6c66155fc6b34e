"""Gradients of a batch as the sum over its parts, which need less memory at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ..inputs import Batch
from .batches import TrainingBatch, parts_of


def split(batch: TrainingBatch, count: int) -> Iterator[TrainingBatch]:
    """Yield parts of a batch, whose losses add up to that of the whole.

    Parameters
    ----------
    batch : TrainingBatch
        All of its arrays, side arrays among them, have one row per sample.
    count : int
        Number of parts; fewer if the batch has fewer samples.
    """
    for rows in parts_of(np.arange(len(batch)), count):
        part = slice(int(rows[0]), int(rows[-1]) + 1)
        side = {name: _rows(value, part) for name, value in batch.batch.side.items()}
        target = batch.target
        yield replace(
            batch,
            index=batch.index[part],
            batch=Batch(batch.batch.x[part], side),
            target=replace(target, y=target.y[part], weights=_rows(target.weights, part)),
            products={path: product[part] for path, product in batch.products.items()},
        )


def _rows(value: Any, part: slice) -> Any:
    """Return rows of an array; anything else as it is."""
    return value[part] if getattr(value, "ndim", 0) else value
