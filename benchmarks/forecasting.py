"""Accuracy of echo-state networks: closed loops, NARMA-10, memory capacity; memory of a fit."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

from deepreservoir import EchoStateRegressor
from deepreservoir.datasets import LYAPUNOV_TIMES, lorenz63, mackey_glass, narma10
from deepreservoir.esn import (
    RecurrentSpec,
    Reservoir,
    ReservoirSpec,
    memory_capacity,
    nrmse,
    valid_prediction_time,
)
from deepreservoir.experiments.comparisons.resources import measured

_DATA_SEEDS = 100  # seeds of NARMA-10; those whose series diverge are skipped


def _closed_loop(
    series: np.ndarray,
    n_train: int,
    starts: range,
    history: int,
    horizon: int,
    **params: Any,
) -> tuple[np.ndarray, np.ndarray]:
    """Fit on the first part and forecast from many later starts; return truth and forecasts.

    The last training target is row `n_train`, and all starts are after it.
    """
    model = EchoStateRegressor(dtype="float64", washout=200, **params)
    model.fit(series[:n_train], series[1 : n_train + 1])
    before = np.stack([series[start - history : start] for start in starts])
    truth = np.stack([series[start : start + horizon] for start in starts])
    with np.errstate(over="ignore", invalid="ignore"):  # a closed loop may diverge
        return truth, model.forecast(horizon, before)


def mackey_glass_loop(seeds: int) -> dict[str, Any]:
    """Mackey-Glass, tau 17: 3,000 steps to train on, as Jaeger and Haas (2004) do."""
    n_train, horizon = 3000, 4000
    starts = range(n_train + 1, n_train + 2501, 100)
    x = mackey_glass(starts[-1] + horizon) - 0.95
    params = {
        "units": 1000,
        "spectral_radius": 0.9,
        "leak_rate": 0.7,
        "input_scaling": 1.0,
        "bias_scaling": 0.2,
        "ridge": 1e-10,
    }
    errors, times = [], []
    for seed in range(seeds):
        truth, loops = _closed_loop(x, n_train, starts, 500, horizon, random_state=seed, **params)
        errors.append(float(np.sqrt(((loops - truth)[:, 83] ** 2).mean()) / x.std()))
        times.append(median(map(valid_prediction_time, truth, loops)))
    return {
        "params": params,
        "n_train": n_train,
        "starts": len(starts),
        "horizon": horizon,
        "nrmse_84": _over_seeds(errors),
        "valid_time_units_of_time": _over_seeds(times),
    }


def lorenz_loop(seeds: int) -> dict[str, Any]:
    """Lorenz-63, dt 0.02, standardised: valid time (error 0.4) in Lyapunov times."""
    n_train, dt, horizon = 6000, 0.02, 900
    starts = range(n_train + 1, n_train + 5001, 200)
    x = lorenz63(starts[-1] + horizon, dt=dt)
    x = (x - x[:n_train].mean(axis=0)) / x[:n_train].std(axis=0)
    params = {
        "units": 1000,
        "spectral_radius": 0.9,
        "leak_rate": 1.0,
        "input_scaling": 0.3,
        "bias_scaling": 1.0,
        "ridge": 1e-10,
    }
    times = []
    for seed in range(seeds):
        truth, loops = _closed_loop(x, n_train, starts, 300, horizon, random_state=seed, **params)
        each = [valid_prediction_time(*pair, dt) for pair in zip(truth, loops, strict=True)]
        times.append(median(each) / LYAPUNOV_TIMES["lorenz63"])
    return {
        "params": params,
        "n_train": n_train,
        "starts": len(starts),
        "horizon_lyapunov_times": horizon * dt / LYAPUNOV_TIMES["lorenz63"],
        "valid_time_lyapunov_times": _over_seeds(times),
    }


def narma(seeds: int) -> dict[str, Any]:
    """NARMA-10: trained on 4,000 steps, error on the 2,000 steps that follow."""
    params: dict[str, Any] = {
        "units": 500,
        "spectral_radius": 0.95,
        "input_scaling": 0.1,
        "bias_scaling": 0.3,
        "ridge": 1e-8,
    }
    errors: list[float] = []
    diverged: list[int] = []
    for seed in range(_DATA_SEEDS):
        if len(errors) == seeds:
            break
        try:
            u, y = narma10(6000, seed=seed)
        except ValueError:  # for a few inputs, the system itself diverges
            diverged.append(seed)
            continue
        model = EchoStateRegressor(dtype="float64", washout=100, random_state=seed, **params)
        model.fit(u[:4000], y[:4000, 0])
        errors.append(nrmse(y[4000:, 0], model.predict(u[3800:])[200:]))
    return {
        "params": params,
        "n_train": 4000,
        "n_test": 2000,
        "data_seeds_that_diverged": diverged,
        "nrmse": _over_seeds(errors),
    }


def capacity() -> dict[str, Any]:
    """Linear memory capacity of a ring of 100 linear units, whose bound is 100."""
    spec = ReservoirSpec(RecurrentSpec(100, "ring", 0.99), activation="identity")
    reservoir = Reservoir(spec, 1, dtype=np.float64)
    curve = memory_capacity(reservoir, max_delay=200, n_steps=10_000)
    return {"units": 100, "spectral_radius": 0.99, "capacity": float(curve.sum()), "bound": 100}


def fit_memory() -> dict[str, Any]:
    """Peak memory of fitting 500 units, above what was in use, by length of the series."""
    lengths = (10_000, 100_000, 1_000_000)
    peaks = {}
    for length in lengths:
        x = np.sin(np.arange(length + 1) / 5)[:, None]
        X, y = x[:-1].copy(), x[1:].copy()
        model = EchoStateRegressor(500, washout=100, random_state=0)
        model.fit(X[:3000], y[:3000])  # outside the measurement: it loads code and libraries
        with measured() as cost:
            model.fit(X, y)
        peaks[str(length)] = {"peak_bytes": cost.peak_bytes, "series_bytes": X.nbytes + y.nbytes}
    return {"units": 500, "by_length": peaks}


def _over_seeds(values: list[float]) -> dict[str, Any]:
    return {
        "median": float(np.median(values)),
        "least": min(values),
        "most": max(values),
        "seeds": len(values),
    }


def measurements(seeds: int, report: Callable[[str], None]) -> dict[str, Any]:
    """Return all figures, reporting each when it is available."""
    tasks: dict[str, Callable[[], dict[str, Any]]] = {
        "fit_memory": fit_memory,
        "mackey_glass": lambda: mackey_glass_loop(seeds),
        "lorenz63": lambda: lorenz_loop(seeds),
        "narma10": lambda: narma(seeds),
        "memory_capacity": capacity,
    }
    figures = {}
    for name, task in tasks.items():
        figures[name] = task()
        report(f"{name}: {figures[name]}")
    return figures
