"""What the tests of sweeps share: small sweeps, and what of records is the same anywhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from deepreservoir.experiments import Protocol
from deepreservoir.sweeps import Sweep

QUICK = Protocol(hidden_layer_sizes=(16,), max_iter=1)


def small(*grid: tuple[str, tuple[Any, ...]], seeds: int = 1, **protocol: Any) -> Sweep:
    """Return a sweep of digits that is made in a moment; ranks 1 and 2 where no grid is given."""
    changed = Protocol(**{"hidden_layer_sizes": (16,), "max_iter": 1, **protocol})
    chosen = grid or (("rank", (1, 2)),)
    return Sweep("small", "digits", None, None, tuple(range(seeds)), changed, chosen)


def lasting(records: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return records by run, without what depends on the clock, the memory and the grouping."""
    passing = ("seconds", "peak_bytes", "side_by_side")
    return {
        record["run"]: {name: value for name, value in record.items() if name not in passing}
        for record in records
    }
