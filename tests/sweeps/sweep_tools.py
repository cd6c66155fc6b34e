"""What the tests of sweeps share: small sweeps, and what of records is the same anywhere."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from deepreservoir.experiments import Protocol
from deepreservoir.sweeps import Run, Sweep
from deepreservoir.sweeps.work import Assignment, work
from deepreservoir.sweeps.workers import Records

#: Ninety rows of four numbers, of three kinds.
KINDS = Path(__file__).parent / "kinds.csv"


def small(*grid: tuple[str, tuple[Any, ...]], seeds: int = 1, **protocol: Any) -> Sweep:
    """Return a sweep that is made in a moment; ranks 1 and 2 where no grid is given."""
    changed = Protocol(**{"hidden_layer_sizes": (8,), "max_iter": 1, "batch_size": 16, **protocol})
    digest = hashlib.sha256(KINDS.read_bytes()).hexdigest()
    chosen = grid or (("rank", (1, 2)),)
    return Sweep("small", str(KINDS), "kind", digest, tuple(range(seeds)), changed, chosen)


def lasting(records: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return records by run, without what depends on the clock, the memory and the grouping."""
    passing = ("seconds", "peak_bytes", "side_by_side")
    return {
        record["run"]: {name: value for name, value in record.items() if name not in passing}
        for record in records
    }


def killing(marks: str, times: dict[str, int], assignment: Assignment) -> Records:
    """Make runs, but kill the worker before some of them, by key, the first few times.

    A mark is left in a file by every try.
    """
    for run in assignment.runs:
        if run.key in times:
            with open(Path(marks, run.key), "a+b") as file:
                file.write(b"x")
                tries = file.tell()
            if tries <= times[run.key]:
                os.kill(os.getpid(), signal.SIGKILL)
    return work(assignment)


def killer(folder: Path, times: dict[Run, int]) -> partial[Records]:
    """Return what makes runs and is killed by some of them, the first few times."""
    (folder / "tries").mkdir()
    keys = {run.key: number for run, number in times.items()}
    return partial(killing, str(folder / "tries"), keys)


def tries(folder: Path, run: Run) -> int:
    """Return how often a run was begun that kills its worker."""
    return (folder / "tries" / run.key).stat().st_size
