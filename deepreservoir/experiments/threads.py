"""The number of BLAS threads for training on a data set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from ..datasets import Dataset
from ..thread_limits import limited

# Training on tables with at most this many values uses one thread: the products are so small that
# further threads mostly wait for each other.
_FEW_VALUES = 1 << 21


@contextmanager
def suitable_threads(data: Dataset) -> Iterator[None]:
    """Let the BLAS use one thread while a small table is trained on."""
    X = data.X_train
    if not isinstance(X, np.ndarray) or X.size > _FEW_VALUES:
        yield
        return
    with limited(1):
        yield
