"""Gradients of a batch as the sum over its parts, which need less memory at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from ..inputs import Batch
from .batches import TrainingBatch


def split(batch: TrainingBatch, count: int) -> Iterator[TrainingBatch]:
    """Yield parts of a batch, whose losses add up to that of the whole.

    Parameters
    ----------
    batch : TrainingBatch
        All of its arrays, side arrays among them, have one row per sample.
    count : int
        Number of parts; fewer if the batch has fewer samples.
    """
    n = len(batch)
    bounds = np.linspace(0, n, max(1, min(count, n)) + 1).astype(int).tolist()
    for start, stop in pairwise(bounds):
        part = slice(start, stop)
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
