"""compare_forecasts(): ways to forecast a chaotic series, over ranks and seeds.

| arm | question |
|---|---|
| echo_state | how far does a classic reservoir see? |
| nvar | does it need a reservoir, or do lagged values and their products do? |
| deep_reservoir | how far does an adapter on a frozen deep network see, from a window? |
| deep_full | the same network with every weight trained |
| linear | does the task need anything nonlinear? |
| persistence | does it need a model at all? |
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from ...backend import resolve_device
from ...datasets import LYAPUNOV_TIMES, lorenz63, mackey_glass
from ...esn import NVAR, valid_prediction_time
from ..comparisons.arms import Interrupted
from ..comparisons.resources import measured
from ..comparisons.results import finite, machine, now, versions, write_atomically
from ..comparisons.runner import checked_names, checked_seeds, whole_numbers
from .forecasters import (
    DeepWindows,
    EchoState,
    Forecaster,
    LinearWindows,
    NextGeneration,
    Persistence,
)

#: Every arm, in the order of the tables.
FORECAST_ARMS = ("echo_state", "nvar", "deep_reservoir", "deep_full", "linear", "persistence")

#: Steps ahead at which the error is told, beside one.
AHEAD = 84

_SEED_BYTES = 8
_WIDTHS = (256, 128)
_DEEP = {
    "hidden_layer_sizes": _WIDTHS,
    "learning_rate_init": 1e-3,
    "batch_size": 64,
    "max_iter": 100,
    "tol": 0.0,
    "n_iter_no_change": 100,
}


@dataclass(frozen=True)
class SeriesTask:
    """A chaotic series, standardised by its first part, and what suits each arm.

    Attributes
    ----------
    name : str
    make : callable
        n_steps -> ndarray (n_steps, d).
    n_train : int
    dt : float
        Time between rows.
    unit : str
        Of valid times.
    unit_time : float
        The same in units of the system's time.
    echo : dict
        Parameters of the echo-state network.
    nvar : NVAR
    lags : int
        Rows of a window.
    horizon, n_starts, history : int
        Steps of a closed loop; how many are run; rows that each is given.
    """

    name: str
    make: Callable[[int], np.ndarray]
    n_train: int
    dt: float
    unit: str
    unit_time: float
    echo: dict[str, Any]
    nvar: NVAR
    lags: int
    horizon: int = 1000
    n_starts: int = 50
    history: int = 300

    def series(self) -> np.ndarray:
        rows = self.make(self.n_train + 4000)
        known = rows[: self.n_train]
        return (rows - known.mean(axis=0)) / known.std(axis=0)

    def starts(self) -> np.ndarray:
        return np.linspace(
            self.n_train + self.history, self.n_train + 4000 - self.horizon, self.n_starts
        ).astype(int)


#: The series that can be compared on, by name.
SERIES = {
    "mackey_glass": SeriesTask(
        "mackey_glass",
        mackey_glass,
        n_train=3000,
        dt=1.0,
        unit="units of time",
        unit_time=1.0,
        echo={
            "units": 1000,
            "spectral_radius": 0.9,
            "leak_rate": 0.7,
            "input_scaling": 0.25,
            "bias_scaling": 0.2,
            "washout": 200,
            "ridge": 1e-9,
        },
        nvar=NVAR(9, stride=2, order=(2, 3)),
        lags=20,
    ),
    "lorenz63": SeriesTask(
        "lorenz63",
        partial(lorenz63, dt=0.02),
        n_train=4000,
        dt=0.02,
        unit="Lyapunov times",
        unit_time=LYAPUNOV_TIMES["lorenz63"],
        echo={
            "units": 1000,
            "spectral_radius": 0.9,
            "input_scaling": 0.3,
            "bias_scaling": 1.0,
            "washout": 200,
            "ridge": 1e-10,
        },
        nvar=NVAR(2, order=(2, 3)),
        lags=5,
    ),
}


@dataclass(frozen=True)
class ForecastRecord:
    """One run.

    Attributes
    ----------
    arm : str
    rank, seed : int or None
        None for arms that have none.
    error_1, error_84 : float
        NRMSE one step and 84 steps ahead, over all starts; huge where a loop ran away.
    valid_time : float
        Median over starts, in the series' unit: how long the error is under 0.4 deviations.
    trained, stored_bytes : int
    seconds : float
        Of training.
    """

    arm: str
    rank: int | None
    seed: int | None
    error_1: float
    error_84: float
    valid_time: float
    trained: int
    stored_bytes: int
    seconds: float


@dataclass(frozen=True)
class ForecastComparison:
    """All runs on one series.

    Attributes
    ----------
    series, unit : str
    records : tuple of ForecastRecord
    date : str
    truth : ndarray, shape (horizon, d)
        What followed the first start.
    loops : dict of (arm, rank) to ndarray, shape (horizon, d)
        What each arm generated there, on the first seed.
    growth : dict of (arm, rank) to ndarray, shape (horizon,)
        NRMSE by steps ahead, on the first seed.
    complete : bool
        False if it was interrupted.
    """

    series: str
    unit: str
    records: tuple[ForecastRecord, ...]
    date: str
    truth: np.ndarray
    loops: dict[tuple[str, int | None], np.ndarray]
    growth: dict[tuple[str, int | None], np.ndarray]
    complete: bool = True

    def summary(self) -> list[ForecastRecord]:
        """Return medians over seeds, by arm and rank; their seed is None."""
        keys = sorted(self.growth, key=lambda key: (FORECAST_ARMS.index(key[0]), key[1] or 0))
        return [_summarise([r for r in self.records if (r.arm, r.rank) == key]) for key in keys]

    def save(self, folder: str | Path) -> Path:
        """Write results.json into `folder`, whole or not at all, and return its path."""
        document = {
            "series": self.series,
            "unit_of_valid_time": self.unit,
            "complete": self.complete,
            "date": self.date,
            "machine": machine(),
            "versions": versions(),
            "summary": [asdict(row) for row in self.summary()],
            "records": [asdict(record) for record in self.records],
        }
        path = Path(folder) / "results.json"
        write_atomically(path, json.dumps(finite(document), indent=1, allow_nan=False) + "\n")
        return path


def _summarise(records: Sequence[ForecastRecord]) -> ForecastRecord:
    names = ("error_1", "error_84", "valid_time", "seconds")
    medians: dict[str, Any] = {name: median(getattr(r, name) for r in records) for name in names}
    return replace(records[0], seed=None, **medians)


def check_forecast_arms(arms: Sequence[str] | None) -> tuple[str, ...]:
    """Return the arms that are asked for, all unless given, or raise a ValueError."""
    return checked_names("arms", arms, FORECAST_ARMS)


def check_forecast_ranks(ranks: Sequence[int], series: str) -> tuple[int, ...]:
    """Return the ranks, each once, or raise a ValueError if one does not fit the network."""
    chosen = whole_numbers("ranks", ranks, "(1, 2, 4, 8)")
    task = _task(series)
    width = task.lags * task.series().shape[1]
    largest = min(width, *_WIDTHS)
    wrong = [rank for rank in chosen if not 1 <= rank <= largest]
    if wrong:
        raise ValueError(
            f"ranks must be between 1 and {largest}, the narrowest of the widths "
            f"{(width, *_WIDTHS)} (a window of {task.lags} rows, then hidden layers); "
            f"got {wrong[0]}"
        )
    return tuple(chosen)


def _task(series: str) -> SeriesTask:
    if series not in SERIES:
        raise ValueError(f"series must be one of {', '.join(SERIES)}; got {series!r}")
    return SERIES[series]


def _forecasters(
    task: SeriesTask,
    ranks: Sequence[int],
    seeds: Sequence[int],
    wanted: Sequence[str],
    device: str,
) -> Iterator[tuple[str, int | None, int | None, Callable[[], Forecaster]]]:
    deep = {**_DEEP, "device": device}
    for seed in seeds:
        if "echo_state" in wanted:
            yield "echo_state", None, seed, partial(EchoState, seed, **task.echo)
        for rank in ranks if "deep_reservoir" in wanted else ():
            make = partial(DeepWindows, task.lags, seed, rank=rank, **deep)
            yield "deep_reservoir", rank, seed, make
        if "deep_full" in wanted:
            make = partial(DeepWindows, task.lags, seed, adapter="full", **deep)
            yield "deep_full", None, seed, make
    fixed: dict[str, Callable[[], Forecaster]] = {
        "nvar": partial(NextGeneration, task.nvar),
        "linear": partial(LinearWindows, task.lags),
        "persistence": Persistence,
    }
    for arm, make_fixed in fixed.items():
        if arm in wanted:
            yield arm, None, None, make_fixed


def compare_forecasts(
    series: str = "mackey_glass",
    ranks: Sequence[int] = (1, 2, 4, 8),
    seeds: int | Sequence[int] = 3,
    arms: Sequence[str] | None = None,
    *,
    device: str = "cpu",
    verbose: bool = False,
    on_interrupt: Callable[[ForecastComparison], None] | None = None,
) -> ForecastComparison:
    """Compare ways to forecast a chaotic series in a closed loop.

    All learn from the same rows, and go on from the same 50 starts in the rows after these:
    what each generates becomes its input. What each arm answers stands in
    :mod:`deepreservoir.experiments.forecasts.comparison`.

    Parameters
    ----------
    series : {"mackey_glass", "lorenz63"}, default="mackey_glass"
    ranks : sequence of int, default=(1, 2, 4, 8)
        Of the deep reservoir.
    seeds : int or sequence of int, default=3
        How many seeds (from 0 on), or which.
    arms : sequence of str, optional
        Of ``deepreservoir.experiments.FORECAST_ARMS``; all of them unless given.
    device : {"cpu", "cuda", "auto"}, default="cpu"
        Of the deep networks.
    verbose : bool, default=False
        Show a bar.
    on_interrupt : callable, optional
        Called with the unfinished comparison on Ctrl-C, before KeyboardInterrupt goes on.

    Returns
    -------
    ForecastComparison

    Raises
    ------
    ValueError
        For a series, rank, seed, arm or device that is not known or out of range; before any
        training.

    Examples
    --------
    >>> found = compare_forecasts("lorenz63", seeds=1, arms=("nvar", "persistence"))
    >>> nvar, persistence = found.summary()
    >>> nvar.valid_time > 4 > 1 > persistence.valid_time
    True
    """
    task, wanted = _task(series), check_forecast_arms(arms)
    chosen_ranks, chosen_seeds = check_forecast_ranks(ranks, series), checked_seeds(seeds)
    chosen_device = resolve_device(device)
    rows = task.series()
    histories = np.stack([rows[start - task.history : start] for start in task.starts()])
    truth = np.stack([rows[start : start + task.horizon] for start in task.starts()])
    date = now()
    records: list[ForecastRecord] = []
    loops: dict[tuple[str, int | None], np.ndarray] = {}
    growth: dict[tuple[str, int | None], np.ndarray] = {}

    def result(complete: bool) -> ForecastComparison:
        return ForecastComparison(
            series, task.unit, tuple(records), date, truth[0], loops, growth, complete
        )

    runs = list(_forecasters(task, chosen_ranks, chosen_seeds, wanted, chosen_device))
    try:
        for arm, rank, seed, make in tqdm(runs, unit="run", disable=not verbose):
            forecaster = make()
            with measured() as cost:
                forecaster.fit(rows[: task.n_train])
            if getattr(getattr(forecaster, "model", None), "stop_reason_", "") == "interrupted":
                raise Interrupted
            with np.errstate(over="ignore", invalid="ignore"):  # a loop may run away
                found = forecaster.forecast(histories, task.horizon)
            errors = _errors(found, truth)
            times = [
                valid_prediction_time(*pair, task.dt) for pair in zip(truth, found, strict=True)
            ]
            records.append(
                ForecastRecord(
                    arm,
                    rank,
                    seed,
                    float(errors[0]),
                    float(errors[AHEAD - 1]),
                    median(times) / task.unit_time,
                    forecaster.trained,
                    4 * forecaster.trained + _SEED_BYTES * forecaster.from_seed,
                    cost.seconds,
                )
            )
            loops.setdefault((arm, rank), found[0])
            growth.setdefault((arm, rank), errors)
    except KeyboardInterrupt:
        if on_interrupt is not None:
            on_interrupt(result(complete=False))
        raise
    return result(complete=True)


def _errors(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the NRMSE at each step ahead, over starts and outputs: (horizon,)."""
    with np.errstate(over="ignore", invalid="ignore"):
        squares = (found - truth) ** 2
        squares[~np.isfinite(squares)] = np.inf
        return np.sqrt(squares.mean(axis=(0, 2)) / truth.var(axis=(0, 1)).mean())
