"""The mean loss of an epoch, fetched from a device several steps at a time."""

from __future__ import annotations

import math

from ..backend import Array, array_module, is_on_device, to_host


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
        self._pending: list[tuple[Array | float | None, int, float]] = []

    @property
    def mean(self) -> float:
        """The mean loss of the steps added so far."""
        return self.total / self.n

    def add(self, value: Array | float | None, step: int, n: float) -> tuple[float, int] | None:
        """Add a loss; return a loss that is not finite and its step, once one is detected.

        A value of None is in `stored`.
        """
        if self.every == 1 and value is not None and not is_on_device(value):
            return self._count(float(value), step, n)
        self._pending.append((value, step, n))
        return self.fetch() if len(self._pending) >= self.every else None

    def fetch(self) -> tuple[float, int] | None:
        """Add the pending losses to the total; the return value is that of :meth:`add`."""
        if not self._pending:
            return None
        on_host = self._values()
        pending, self._pending = self._pending, []
        for value, (_, step, n) in zip(on_host, pending, strict=True):
            bad = self._count(value, step, n)
            if bad is not None:
                return bad
        return None

    def _count(self, value: float, step: int, n: float) -> tuple[float, int] | None:
        if not math.isfinite(value):
            return value, step
        self.total += value * n
        self.n += n
        return None

    def _values(self) -> list[float]:
        """Return the pending losses on the host."""
        others = iter(_numbers([value for value, _, _ in self._pending if value is not None]))
        steps = [step for value, step, _ in self._pending if value is None]
        first, stored = 0, []
        if steps:
            assert self.stored is not None
            first, stored = steps[0], to_host(self.stored[steps[0] : steps[-1] + 1]).tolist()
        return [
            stored[step - first] if value is None else next(others)
            for value, step, _ in self._pending
        ]


def _numbers(values: list[Array | float]) -> list[float]:
    """Return losses as Python numbers, those on a device in one copy.

    A loss that a user wrote may return a Python or NumPy number even where the network is on a
    device.
    """
    on_device = [value for value in values if is_on_device(value)]
    if len(on_device) > 1:
        fetched = iter(to_host(array_module(*on_device).stack(on_device)).tolist())
    else:
        fetched = iter(on_device)
    return [float(next(fetched) if is_on_device(value) else value) for value in values]
