"""The mean loss of an epoch, fetched from a device some steps at a time."""

from __future__ import annotations

import numpy as np

from ..backend import Array, array_module, to_host


class EpochLoss:
    """The losses of an epoch's steps, each weighted by what it averages over.

    Parameters
    ----------
    total, n : float
        Of the steps so far: the sum of loss times its n, and the sum of n.
    every : int
        Steps that may be pending: on a device each fetch waits for all work before it.

    Attributes
    ----------
    total, n : float
    """

    def __init__(self, total: float, n: float, every: int) -> None:
        self.total, self.n = total, n
        self.every = every
        self._pending: list[tuple[Array, int, float]] = []

    @property
    def mean(self) -> float:
        """The mean over what was added."""
        return self.total / self.n

    def add(self, value: Array, step: int, n: float) -> tuple[float, int] | None:
        """Take in a loss; return a loss that is not finite, and its step, once one is seen."""
        self._pending.append((value, step, n))
        return self.fetch() if len(self._pending) >= self.every else None

    def fetch(self) -> tuple[float, int] | None:
        """Add what is pending to the total; return what :meth:`add` does."""
        if not self._pending:
            return None
        values = [value for value, _, _ in self._pending]
        if len(values) == 1:
            on_host = [float(values[0])]
        else:
            on_host = to_host(array_module(*values).stack(values)).tolist()
        pending, self._pending = self._pending, []
        for value, (_, step, n) in zip(on_host, pending, strict=True):
            if not np.isfinite(value):
                return float(value), step
            self.total += float(value) * n
            self.n += n
        return None
