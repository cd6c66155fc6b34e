"""The runs of a sweep: adapters on the grid, and their controls."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any

from ..estimators import DeepReservoirClassifier
from ..estimators.base.parameters import TrainingParameters
from ..estimators.fitting_many import SHARED
from ..experiments import references_for
from ..experiments.comparisons.arms import AFTERWARDS
from .plain_data import canonical
from .spec import Point, Sweep

# Training parameters that may differ between runs that are trained side by side.
_TRAINING = frozenset(field.name for field in fields(TrainingParameters)) - frozenset(SHARED)

#: Arms whose runs may be trained side by side.
SIDE_BY_SIDE = ("adapter", "no_scaffold")
#: Maximum number of networks that a worker has in memory.
AT_A_TIME = 8


@dataclass(frozen=True)
class Run:
    """One training of a sweep.

    Attributes
    ----------
    arm : str
        An element of ``deepreservoir.experiments.ALL_ARMS``. A trained adapter is also evaluated
        without its scaffold and on another one; these two arms have no runs of their own.
    point : tuple of (str, object)
        Values of the grid.
    seed : int

    Examples
    --------
    >>> from deepreservoir.sweeps import Run
    >>> run = Run("adapter", (("rank", 4),), seed=0)
    >>> run.value("rank"), run.key
    (4, '4fbd429497fec71b')
    """

    arm: str
    point: Point
    seed: int

    @property
    def key(self) -> str:
        """The identifier of the run in a file of records: equal runs have equal keys."""
        text = canonical([self.arm, sorted(self.point, key=lambda pair: pair[0]), self.seed])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def value(self, name: str, default: Any = None) -> Any:
        """Return the grid's value of a parameter."""
        return dict(self.point).get(name, default)


#: Runs that one worker executes together.
Job = tuple[Run, ...]


def runs_of(sweep: Sweep) -> list[Run]:
    """Return all runs of a sweep without duplicates, seed by seed.

    Parameters
    ----------
    sweep : Sweep

    Returns
    -------
    list of Run
        The adapters on the whole grid, and their controls at the grid values that affect them. If
        the sweep names arms, only the runs of these. Arms that evaluate a trained adapter are not
        trained, and have no runs.

    Examples
    --------
    >>> from deepreservoir.experiments import Protocol
    >>> from deepreservoir.sweeps import Sweep, runs_of
    >>> sweep = Sweep("ranks", "digits", None, None, (0, 1), Protocol(), (("rank", (4, 8)),))
    >>> sorted({run.arm for run in runs_of(sweep) if run.seed == 1})
    ['adapter', 'echo_state', 'equal_bytes', 'full', 'no_scaffold', 'random_features']
    """
    runs = dict.fromkeys(run for seed in sweep.seeds for run in _of_seed(sweep, seed))
    return [run for run in runs if not sweep.arms or run.arm in sweep.arms]


def _of_seed(sweep: Sweep, seed: int) -> Iterator[Run]:
    points = list(sweep.points())
    adapter_parameters = sweep.estimator_class.adapter_parameters
    for point in points:
        if dict(point).get("adapter") != "full":  # full training is a control of every sweep
            yield Run("adapter", point, seed)
    for point in points:
        dense = tuple(pair for pair in point if pair[0] not in adapter_parameters)
        ranked = tuple(pair for pair in point if pair[0] == "rank") + dense
        if all(dict(point)[name] in values for name, values in sweep.controls):
            yield Run("no_scaffold", ranked, seed)
            yield Run("equal_bytes", ranked, seed)
        yield Run("full", dense, seed)
        yield Run("random_features", dense, seed)
        yield Run("echo_state", (), seed)
        for arm in ("linear", *references_for(sweep.dataset)):
            yield Run(arm, (), sweep.seeds[0])  # does not depend on the seed


def check_published(sweep: Sweep, runs: Iterable[Run]) -> None:
    """Raise a ValueError for a published figure that corresponds to no run of the sweep."""
    if sweep.published is None:
        return
    points = {(run.arm, run.point) for run in runs}
    for figure in sweep.published.rows:
        arm = "adapter" if figure.arm in AFTERWARDS else figure.arm
        if not any(arm == run_arm and set(figure.at) <= set(point) for run_arm, point in points):
            at = ", ".join(f"{name} = {value!r}" for name, value in figure.at)
            raise ValueError(
                f"{sweep.name}: no run corresponds to the published figure of {figure.arm!r}"
                + (f" at {at}" if at else "")
                + "; `at` must hold values of the grid, for parameters that affect the arm"
            )


def jobs_of(
    runs: list[Run], kind: Any = DeepReservoirClassifier, at_a_time: int = AT_A_TIME
) -> list[Job]:
    """Group the runs that can be trained side by side.

    Runs of a group have the same samples, in the same order, and the same frozen weights that read
    them. The grouping affects the time that runs take, but not their results.

    Parameters
    ----------
    runs : list of Run
    kind : type
        Class of the estimators.
    at_a_time : int, default=8
        Largest number of runs of a group.

    Returns
    -------
    list of tuple of Run
        The groups; together they hold every run once.

    Examples
    --------
    >>> from deepreservoir.experiments import Protocol
    >>> from deepreservoir.sweeps import Sweep, jobs_of, runs_of
    >>> sweep = Sweep("ranks", "digits", None, None, (0, 1), Protocol(), (("rank", (4, 8)),))
    >>> [len(job) for job in jobs_of(runs_of(sweep)) if job[0].arm == "adapter"]
    [2, 2]
    """
    may_differ = _TRAINING | kind.adapter_parameters
    if kind.input_parameters is not None:
        may_differ |= frozenset(kind().get_params(deep=False)) - kind.input_parameters
    may_differ -= {*SHARED, "resample"}
    groups: dict[Any, list[Run]] = {}
    for run in runs:
        shared = tuple(pair for pair in run.point if pair[0] not in may_differ)
        alone = run.arm not in SIDE_BY_SIDE or run.value("resample") is not None
        alone = alone or not kind.shares_products
        key = run if alone else (run.arm, run.seed, shared)
        groups.setdefault(key, []).append(run)
    return [
        tuple(group[start : start + at_a_time])
        for group in groups.values()
        for start in range(0, len(group), at_a_time)
    ]
