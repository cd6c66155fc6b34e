"""The mean loss of an epoch, fetched from a device several steps at a time."""

from __future__ import annotations

import numpy as np

from ..backend import Array, array_module, to_host


class EpochLoss:
    """The losses of an epoch's steps, each weighted by the number n that it is averaged over.

    Parameters
    ----------
    total, n : float
        Sums over the steps so far: of the loss times n, and of n.
    every : int
        Maximum number of pending steps: on a device each fetch waits for all work before it.
    stored : array, shape (steps,), optional
        Where replayed steps write their losses, by step.

    Attributes
    ----------
    total, n : float
    """

    def __init__(self, total: float, n: float, every: int, stored: Array | None = None) -> None:
        self.total, self.n = total, n
        self.every, self.stored = every, stored
        self._pending: list[tuple[Array | None, int, float]] = []

    @property
    def mean(self) -> float:
        """The mean loss of the steps added so far."""
        return self.total / self.n

    def add(self, value: Array | None, step: int, n: float) -> tuple[float, int] | None:
        """Add a loss; return a loss that is not finite and its step, once one is detected.

        A value of None is in `stored`.
        """
        self._pending.append((value, step, n))
        return self.fetch() if len(self._pending) >= self.every else None

    def fetch(self) -> tuple[float, int] | None:
        """Add the pending losses to the total; the return value is that of :meth:`add`."""
        if not self._pending:
            return None
        on_host = self._values()
        pending, self._pending = self._pending, []
        for value, (_, step, n) in zip(on_host, pending, strict=True):
            if not np.isfinite(value):
                return float(value), step
            self.total += float(value) * n
            self.n += n
        return None

    def _values(self) -> list[float]:
        """Return the pending losses on the host."""
        values = [value for value, _, _ in self._pending]
        if all(value is None for value in values):
            first, last = self._pending[0][1], self._pending[-1][1]
            return to_host(self.stored[first : last + 1]).tolist()  # type: ignore[index]
        if len(values) > 1 and all(value is not None for value in values):
            return to_host(array_module(*values).stack(values)).tolist()
        return [
            float(self.stored[step] if value is None else value)  # type: ignore[index]
            for value, step, _ in self._pending
        ]
