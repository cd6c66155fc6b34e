"""compare_forecasts(): compare methods to forecast a chaotic series, over ranks and seeds.

| arm | question |
|---|---|
| echo_state | how far ahead can a classic reservoir forecast? |
| nvar | is a reservoir needed, or do lagged values and their products suffice? |
| deep_reservoir | how far ahead can an adapter on a frozen deep network forecast from a window? |
| deep_full | the same network with every weight trained |
| linear | does the task need a nonlinear model? |
| persistence | does the task need a model at all? |
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
from ...estimators import DeepReservoirRegressor
from ...versions import versions
from ..budget import given_epochs
from ..comparisons.protocol import Protocol
from ..comparisons.resources import measured
from ..comparisons.results import finite, machine, now, write_atomically
from ..comparisons.runner import checked_names, checked_seeds, whole_numbers
from ..comparisons.task import Interrupted
from .forecasters import (
    DeepWindows,
    EchoState,
    Forecaster,
    LinearWindows,
    NextGeneration,
    Persistence,
)

#: All arms, in the order of the tables.
FORECAST_ARMS = ("echo_state", "nvar", "deep_reservoir", "deep_full", "linear", "persistence")

#: Number of steps ahead at which the error is reported, besides one step.
AHEAD = 84

_SEED_BYTES = 8
_WIDTHS = (256, 128)
_DEEP = Protocol(
    hidden_layer_sizes=_WIDTHS, learning_rate_init=1e-3, batch_size=64, max_iter=100
).parameters(DeepReservoirRegressor().get_params())


@dataclass(frozen=True)
class SeriesTask:
    """A chaotic series, standardised by its training part, and the parameters of the arms.

    Attributes
    ----------
    name : str
    make : callable
        Maps n_steps to an ndarray (n_steps, d).
    n_train : int
    dt : float
        Time between rows.
    unit : str
        Unit of valid times.
    unit_time : float
        The same unit in terms of the system's time.
    echo : dict
        Parameters of the echo-state network.
    nvar : NVAR
    lags : int
        Number of rows per window.
    horizon, n_starts, history : int
        Number of steps per closed loop; number of closed loops; number of rows before each.
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
        train = rows[: self.n_train]
        return (rows - train.mean(axis=0)) / train.std(axis=0)

    def starts(self) -> np.ndarray:
        return np.linspace(
            self.n_train + self.history, self.n_train + 4000 - self.horizon, self.n_starts
        ).astype(int)


#: The available series by name.
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
    """Results of one run.

    Attributes
    ----------
    arm : str
    rank, seed : int or None
        None if the arm has no rank or seed.
    error_1, error_84 : float
        NRMSE one step and 84 steps ahead, over all starts; huge if a closed loop diverged.
    valid_time : float
        Time, in the unit of the series, until the error exceeds 0.4 standard deviations; the
        median over starts.
    trained, stored_bytes : int
        Number of trained parameters, and size of a file of the model.
    seconds : float
        Training time.
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
    """Results of all runs on one series.

    Attributes
    ----------
    series, unit : str
    records : tuple of ForecastRecord
    date : str
    truth : ndarray, shape (horizon, d)
        True rows after the first start.
    loops : dict of (arm, rank) to ndarray, shape (horizon, d)
        Forecast of these rows by each arm, with the first seed.
    growth : dict of (arm, rank) to ndarray, shape (horizon,)
        NRMSE by number of steps ahead, with the first seed.
    complete : bool
        False if the comparison was interrupted.

    Examples
    --------
    >>> result = compare_forecasts("mackey_glass", arms=("persistence",))
    >>> result.truth.shape, result.loops["persistence", None].shape
    ((1000, 1), (1000, 1))
    >>> result.growth["persistence", None].shape
    (1000,)
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
        """Return the medians over seeds for each arm and rank, with seed=None."""
        keys = sorted(self.growth, key=lambda key: (FORECAST_ARMS.index(key[0]), key[1] or 0))
        return [_summarise([r for r in self.records if (r.arm, r.rank) == key]) for key in keys]

    def save(self, folder: str | Path) -> Path:
        """Write results.json atomically into `folder`, and return its path."""
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
    """Return the selected arms, by default all, or raise a ValueError for an unknown one."""
    return checked_names("arms", arms, FORECAST_ARMS)


def check_forecast_ranks(ranks: Sequence[int], series: str) -> tuple[int, ...]:
    """Return the distinct ranks, or raise a ValueError if one is too large for the network."""
    chosen = whole_numbers("ranks", ranks, "(1, 2, 4, 8)")
    task = _task(series)
    width = task.lags * task.make(1).shape[1]
    largest = min(width, *_WIDTHS)
    wrong = [rank for rank in chosen if not 1 <= rank <= largest]
    if wrong:
        raise ValueError(
            f"ranks must be between 1 and {largest}, the smallest of the widths "
            f"{(width, *_WIDTHS)} (a window of {task.lags} rows and the hidden layers); "
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
    arms: Sequence[str],
    device: str,
) -> Iterator[tuple[str, int | None, int | None, Callable[[], Forecaster]]]:
    deep = {**_DEEP, "device": device}
    for seed in seeds:
        if "echo_state" in arms:
            yield "echo_state", None, seed, partial(EchoState, seed, **task.echo)
        for rank in ranks if "deep_reservoir" in arms else ():
            make = partial(DeepWindows, task.lags, seed, rank=rank, **deep)
            yield "deep_reservoir", rank, seed, make
        if "deep_full" in arms:
            make = partial(DeepWindows, task.lags, seed, adapter="full", **deep)
            yield "deep_full", None, seed, make
    fixed: dict[str, Callable[[], Forecaster]] = {
        "nvar": partial(NextGeneration, task.nvar),
        "linear": partial(LinearWindows, task.lags),
        "persistence": Persistence,
    }
    for arm, make_fixed in fixed.items():
        if arm in arms:
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
    """Compare methods to forecast a chaotic series in closed loop.

    All methods are trained on the same rows. In the rows after these, they forecast from the same
    50 starts, where each output becomes the next input. The question that each arm answers is
    listed in :mod:`deepreservoir.experiments.forecasts.comparison`.

    Parameters
    ----------
    series : {"mackey_glass", "lorenz63"}, default="mackey_glass"
    ranks : sequence of int, default=(1, 2, 4, 8)
        Ranks of the deep reservoir.
    seeds : int or sequence of int, default=3
        Number of seeds, starting from 0, or a list of seeds.
    arms : sequence of str, optional
        A selection from ``deepreservoir.experiments.FORECAST_ARMS``; by default all of them.
    device : {"cpu", "cuda", "cuda:N", "auto"}, default="cpu"
        Device of the deep networks.
    verbose : bool, default=False
        Whether to show a progress bar.
    on_interrupt : callable, optional
        Called with the incomplete comparison on Ctrl-C, before KeyboardInterrupt is re-raised.

    Returns
    -------
    ForecastComparison

    Raises
    ------
    ValueError
        If a series, rank, seed, arm or device is unknown or out of range; raised before any
        training.

    Examples
    --------
    >>> comparison = compare_forecasts("mackey_glass", seeds=1, arms=("linear", "persistence"))
    >>> linear, persistence = comparison.summary()
    >>> linear.error_1 < 0.01 * persistence.error_1, linear.valid_time > persistence.valid_time
    (True, True)
    """
    task, chosen_arms = _task(series), check_forecast_arms(arms)
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

    runs = list(_forecasters(task, chosen_ranks, chosen_seeds, chosen_arms, chosen_device))
    try:
        for arm, rank, seed, make in tqdm(runs, unit="run", disable=not verbose):
            forecaster = make()
            with measured() as cost, given_epochs():
                forecaster.fit(rows[: task.n_train])
            if getattr(getattr(forecaster, "model", None), "stop_reason_", "") == "interrupted":
                raise Interrupted
            with np.errstate(over="ignore", invalid="ignore"):  # a loop may diverge
                predictions = forecaster.forecast(histories, task.horizon)
            errors = _errors(predictions, truth)
            times = [
                valid_prediction_time(*pair, task.dt)
                for pair in zip(truth, predictions, strict=True)
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
            loops.setdefault((arm, rank), predictions[0])
            growth.setdefault((arm, rank), errors)
    except KeyboardInterrupt:
        if on_interrupt is not None:
            on_interrupt(result(complete=False))
        raise
    return result(complete=True)


def _errors(predictions: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the NRMSE over starts and outputs at each number of steps ahead: (horizon,)."""
    with np.errstate(over="ignore", invalid="ignore"):
        squares = (predictions - truth) ** 2
        squares[~np.isfinite(squares)] = np.inf
        return np.sqrt(squares.mean(axis=(0, 2)) / truth.var(axis=(0, 1)).mean())
