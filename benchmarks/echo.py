"""Echo-state networks against reservoirpy: the same weights and the same task, in one run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np
import scipy.sparse

from deepreservoir import EchoStateRegressor
from deepreservoir.datasets import mackey_glass
from deepreservoir.esn import compiled, nrmse
from deepreservoir.esn.readout import NormalEquations
from deepreservoir.esn.state_blocks import harvest

from .timing import Contenders, medians, race, ratio

_STEPS, _TEST = 10_000, 2_000
_WASHOUT, _RIDGE, _LEAK = 100, 1e-7, 1.0
_TARGETS = {500: 1.6, 1000: 2.0, 2000: 2.5}
_TARGET_HADAMARD = 12.0
_TARGETS_MANY = {100: 6.0, 500: 3.0, 1000: 1.6, 2000: 1.6}


def available() -> bool:
    """Return whether reservoirpy can be imported."""
    try:
        import reservoirpy  # noqa: F401
    except ImportError:
        return False
    return True


def _model(units: int, **params: Any) -> EchoStateRegressor:
    defaults: dict[str, Any] = {
        "spectral_radius": 0.9,
        "leak_rate": _LEAK,
        "input_scaling": 1.0,
        "bias_scaling": 0.2,
        "washout": _WASHOUT,
        "ridge": _RIDGE,
        "random_state": 0,
    }
    return EchoStateRegressor(units, **{**defaults, **params})


def _peer(model: EchoStateRegressor, dense: bool = False) -> Any:
    """Return a reservoirpy network with the weights of a fitted model, by default sparse."""
    from reservoirpy.nodes import Reservoir, Ridge

    part = model.reservoir_.parts[0]
    weights = part.recurrent.dense()
    reservoir = Reservoir(
        units=part.units,
        lr=_LEAK,
        W=weights if dense else scipy.sparse.csr_matrix(weights),
        Win=part.W_in.astype(float),
        bias=part.b.astype(float),
    )
    return reservoir >> Ridge(ridge=_RIDGE)


def _series() -> tuple[np.ndarray, np.ndarray]:
    series = mackey_glass(_STEPS + _TEST + 1) - 1.0
    return series[:-1], series[1:]


def _fit(model: EchoStateRegressor, X: np.ndarray, Y: np.ndarray) -> None:
    """Run a drawn reservoir over series (n, time, 1) and solve the readout."""
    stack = model.reservoir_
    equations = NormalEquations(stack.units, 1)
    for _, states, targets in harvest(stack, X, Y, _WASHOUT):
        equations.add(states.reshape(-1, stack.units), targets.reshape(-1, 1))
    equations.solve(_RIDGE)


def one_series(units: int, rounds: int) -> dict[str, Any]:
    """Fit on one series of 10,000 steps; one-step error on the 2,000 steps that follow.

    The weights are drawn beforehand: the timing covers the run and the readout. The figures also
    include the largest difference between the states of the two libraries, both in float64.
    """
    x, y = _series()
    train, test = slice(0, _STEPS), slice(_STEPS - _WASHOUT, None)
    model = _model(units).fit(x[train], y[train])
    contenders: Contenders = {"ours": lambda: _fit(model, x[train][None], y[train][None])}
    errors = {"ours": _error(model.predict, x, y, test)}
    if available():
        peer = _peer(model)
        contenders["reservoirpy"] = lambda: peer.fit(x[train], y[train], warmup=_WASHOUT)
        contenders["reservoirpy"]()
        errors["reservoirpy"] = _error(lambda u: peer.run(u), x, y, test)
    figures = _figures(race(contenders, rounds), errors, _TARGETS.get(units))
    if available():
        figures["largest_difference_of_states"] = _difference_of_states(units, x[test])
    return figures


def _difference_of_states(units: int, x: np.ndarray) -> float:
    """Return the largest difference between our states and reservoirpy's, in float64."""
    model = _model(units, dtype="float64").fit(x[: 2 * _WASHOUT], x[: 2 * _WASHOUT])
    peer = _peer(model).nodes[0]
    return float(np.abs(model.states(x) - peer.run(x)).max())


def eight_series(units: int, rounds: int) -> dict[str, Any]:
    """Fit on eight series of 1,250 steps, against the fastest setting of reservoirpy."""
    x, y = _series()
    X = x[:_STEPS].reshape(8, -1, 1)
    Y = y[:_STEPS].reshape(8, -1, 1)
    model = _model(units).fit(X, Y)
    contenders: Contenders = {"ours": lambda: _fit(model, X, Y)}
    if available():
        for name, dense in (("reservoirpy", False), ("reservoirpy, dense", True)):
            fit = partial(_peer(model, dense).fit, list(X), list(Y), warmup=_WASHOUT)
            contenders[name] = fit
            contenders[f"{name}, workers=-1"] = partial(fit, workers=-1)
    return _figures(race(contenders, rounds), {}, _TARGETS_MANY.get(units))


def hadamard(units: int, rounds: int) -> dict[str, Any]:
    """Run a Hadamard reservoir, which stores no matrix, against reservoirpy with 2,000 units."""
    x, y = _series()
    train, test = slice(0, _STEPS), slice(_STEPS - _WASHOUT, None)
    model = _model(units, topology="hadamard").fit(x[train], y[train])
    contenders: Contenders = {"ours": lambda: _run_states(model, x[train])}
    if available() and units == 2048:
        peer = _peer(_model(2000).fit(x[: 2 * _WASHOUT], y[: 2 * _WASHOUT])).nodes[0]
        contenders["reservoirpy"] = lambda: peer.run(x[train])
    seconds = race(contenders, rounds)
    errors = {"ours": _error(model.predict, x, y, test)}
    figures = _figures(seconds, errors, _TARGET_HADAMARD)
    figures["microseconds_a_step"] = 1e6 * medians(seconds)["ours"] / _STEPS
    return figures


def _run_states(model: EchoStateRegressor, x: np.ndarray) -> None:
    for _ in model.reservoir_.blocks(x[None]):
        pass


def _error(
    predict: Callable[[np.ndarray], Any], x: np.ndarray, y: np.ndarray, test: slice
) -> float:
    predictions = np.asarray(predict(x[test])).reshape(-1, 1)
    return float(nrmse(y[test][_WASHOUT:], predictions[_WASHOUT:]))


def _figures(
    seconds: dict[str, list[float]], errors: dict[str, float], target: float | None
) -> dict[str, Any]:
    """Return the figures of a race; ours is compared with the fastest of the others."""
    figures: dict[str, Any] = {"median_seconds": medians(seconds), "nrmse": errors}
    others = {name: time for name, time in medians(seconds).items() if name != "ours"}
    if others:
        fastest = min(others, key=lambda name: others[name])
        figures["against"] = fastest
        figures["times_faster"] = ratio(seconds, fastest, "ours")
        figures["target"] = target
    return figures


def races(rounds: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (name, figures) for each race; with numba installed, also without it."""
    for path in ("", ", NumPy alone") if compiled.available() else (", NumPy alone",):
        with patch.object(compiled, "available", lambda available=not path: available):
            for units in _TARGETS:
                yield f"one series, {units} units{path}", one_series(units, rounds)
            for units in _TARGETS_MANY:
                yield f"eight series, {units} units{path}", eight_series(units, rounds)
    for units in (1024, 2048, 4096):
        yield f"hadamard, {units} units", hadamard(units, rounds)
