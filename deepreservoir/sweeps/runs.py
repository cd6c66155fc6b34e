"""Which runs a sweep has: adapters on the grid, and the controls that answer for them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any

from ..estimators import DeepReservoirClassifier
from ..estimators.base.parameters import TrainingParameters
from ..estimators.fitting_many import SHARED
from .plain_data import canonical
from .spec import Point, Sweep

# Parameters of how an adapter is trained, in which runs that are trained side by side may differ.
_TRAINED = frozenset(field.name for field in fields(TrainingParameters)) - frozenset(SHARED)

#: Arms that look at a trained adapter, and are no runs of their own.
AFTERWARDS = ("scaffold_removed", "wrong_seed")
#: Arms whose runs may be trained side by side.
SIDE_BY_SIDE = ("adapter", "no_scaffold")
# Networks that are held in memory at a time.
_AT_A_TIME = 8


@dataclass(frozen=True)
class Run:
    """One training of a sweep.

    Attributes
    ----------
    arm : str
        Of ``deepreservoir.experiments.ARMS``. An adapter is also looked at without its scaffold
        and on another one: those arms are no runs of their own.
    point : tuple of (str, object)
        Values of the grid that it is for.
    seed : int
    """

    arm: str
    point: Point
    seed: int

    @property
    def key(self) -> str:
        """What the run is found by in a file of records: the same for the same run."""
        text = canonical([self.arm, sorted(self.point, key=lambda pair: pair[0]), self.seed])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def value(self, name: str, default: Any = None) -> Any:
        """Return the grid's value of a parameter."""
        return dict(self.point).get(name, default)


#: Runs that one worker makes together.
Job = tuple[Run, ...]


def runs_of(sweep: Sweep) -> list[Run]:
    """Return all runs of a sweep, each once, the seeds one after another."""
    found = dict.fromkeys(run for seed in sweep.seeds for run in _of_seed(sweep, seed))
    return list(found)


def _of_seed(sweep: Sweep, seed: int) -> Iterator[Run]:
    points = list(sweep.points())
    adapters_own = sweep.estimator_class.adapter_parameters
    for point in points:
        if dict(point).get("adapter") != "full":  # which is a control anyway
            yield Run("adapter", point, seed)
    for point in points:
        dense = tuple(pair for pair in point if pair[0] not in adapters_own)
        ranked = tuple(pair for pair in point if pair[0] == "rank") + dense
        yield Run("no_scaffold", ranked, seed)
        yield Run("equal_bytes", ranked, seed)
        yield Run("full", dense, seed)
        yield Run("random_features", dense, seed)
        yield Run("echo_state", (), seed)
        yield Run("linear", (), sweep.seeds[0])  # it needs no seed


def check_published(sweep: Sweep, runs: Iterable[Run]) -> None:
    """Raise a ValueError for a published figure that no run of the sweep stands beside."""
    if sweep.published is None:
        return
    points = {(run.arm, run.point) for run in runs}
    for figure in sweep.published.rows:
        arm = "adapter" if figure.arm in AFTERWARDS else figure.arm
        if not any(arm == made and set(figure.at) <= set(point) for made, point in points):
            at = ", ".join(f"{name} = {value!r}" for name, value in figure.at)
            raise ValueError(
                f"{sweep.name}: no run stands beside the published figure of {figure.arm!r}"
                + (f" at {at}" if at else "")
                + "; at names values of the grid, and only those that mean something to the arm"
            )


def jobs_of(runs: list[Run], kind: Any = DeepReservoirClassifier) -> list[Job]:
    """Return the runs in groups: those that can be trained side by side together.

    Runs of one group agree in all that decides samples, their order, frozen weights and widths.
    How runs are grouped changes how long they take, and not their results.

    Parameters
    ----------
    runs : list of Run
    kind : type
        Class of the estimators.
    """
    may_differ = (_TRAINED | kind.adapter_parameters) - set(SHARED) - {"resample"}
    groups: dict[Any, list[Run]] = {}
    for run in runs:
        shared = tuple(pair for pair in run.point if pair[0] not in may_differ)
        alone = run.arm not in SIDE_BY_SIDE or run.value("resample") is not None
        key = run if alone else (run.arm, run.seed, shared)
        groups.setdefault(key, []).append(run)
    return [
        tuple(group[start : start + _AT_A_TIME])
        for group in groups.values()
        for start in range(0, len(group), _AT_A_TIME)
    ]
